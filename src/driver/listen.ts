/**
 * Opening a port, with an error that says what to do.
 *
 * @module
 */

/** A port cannot be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** Exit code "configuration": the address is what has to change. */
  readonly exitCode = 3;
}

export function listenOn(host: string, port: number, purpose: "peer" | "client"): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port });
  } catch (error) {
    const address = `${purpose}_port ${port} on ${host}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new ListenError(
        `${address} is in use: stop what listens there, or give this node another ${purpose}_port`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new ListenError(
      `${address} cannot be opened: ${reason}; give an address of this machine and a free port`,
    );
  }
}
