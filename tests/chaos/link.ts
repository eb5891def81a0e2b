/**
 * One direction between two nodes, as a TCP proxy: node i's configuration names the proxy's port as node j's, so
 * all that i tells j passes here, and nothing that j tells i does (that has a link of its own). A link can be cut,
 * left half-open or slowed down.
 *
 * @module
 */

/** What a link does with what comes. */
export type LinkState =
  | { readonly kind: "open" }
  /** Connections are closed at once: the sender notices. */
  | { readonly kind: "cut" }
  /** Connections are accepted and never read: the sender notices when its time or its buffer is used up. */
  | { readonly kind: "halfOpen" }
  /** Bytes arrive `delayMs` later, in order. */
  | { readonly kind: "slow"; readonly delayMs: number };

const OPEN: LinkState = { kind: "open" };
const BUFFER_BYTES = 64 * 1024;

export class Link {
  readonly from: number;
  readonly to: number;
  readonly #listener: Deno.TcpListener;
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #connections = new Set<Deno.TcpConn>();
  #state: LinkState = OPEN;
  #isClosed = false;

  /** @param target where node `to` really listens */
  constructor(from: number, to: number, target: { readonly hostname: string; readonly port: number }) {
    this.from = from;
    this.to = to;
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void this.#acceptAll();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Changes what the link does. What is on its way is lost. */
  set(state: LinkState): void {
    this.#state = state;
    this.#closeConnections();
  }

  /** Back to normal. */
  open(): void {
    if (this.#state.kind !== "open") this.set(OPEN);
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
    this.#closeConnections();
  }

  async #acceptAll(): Promise<void> {
    for (;;) {
      try {
        const connection = await this.#listener.accept();
        void this.#serve(connection);
      } catch (error) {
        if (this.#isClosed) return;
        throw error;
      }
    }
  }

  async #serve(incoming: Deno.TcpConn): Promise<void> {
    const state = this.#state;
    if (state.kind === "cut") return closeQuietly(incoming);
    this.#connections.add(incoming);
    if (state.kind === "halfOpen") return; // until the link changes
    let outgoing: Deno.TcpConn | undefined;
    try {
      outgoing = await Deno.connect(this.#target);
      if (!this.#connections.has(incoming)) return; // the link changed meanwhile
      this.#connections.add(outgoing);
      outgoing.setNoDelay(true);
      await this.#forward(incoming, outgoing, state.kind === "slow" ? state.delayMs : 0);
    } catch {
      // One of the two ends has gone, or the link was cut: the other end learns it by the closing.
    } finally {
      this.#drop(incoming);
      if (outgoing !== undefined) this.#drop(outgoing);
    }
  }

  async #forward(incoming: Deno.TcpConn, outgoing: Deno.TcpConn, delayMs: number): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (;;) {
      const count = await incoming.read(buffer);
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (count === null) return;
      for (let offset = 0; offset < count;) offset += await outgoing.write(buffer.subarray(offset, count));
    }
  }

  #drop(connection: Deno.TcpConn): void {
    this.#connections.delete(connection);
    closeQuietly(connection);
  }

  #closeConnections(): void {
    for (const connection of [...this.#connections]) this.#drop(connection);
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // The other side of the link closed it first.
  }
}
