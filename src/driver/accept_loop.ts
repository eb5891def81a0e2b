/**
 * Accepts connections until the listener is closed.
 *
 * @module
 */

const PAUSE_MS = 50;

/**
 * Hands each connection to `serve`. An accept that fails (no file descriptor is free, say) is told and tried
 * again after a pause: the listener must outlive a flood.
 */
export async function acceptAll(
  listener: Pick<Deno.TcpListener, "accept">,
  serve: (connection: Deno.TcpConn) => void,
  onTrouble: (error: Error) => void,
): Promise<void> {
  for (;;) {
    try {
      serve(await listener.accept());
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      onTrouble(error instanceof Error ? error : new Error(String(error)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
