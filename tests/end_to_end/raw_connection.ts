/**
 * A connection to a port of a node without a client library behind it: bytes in, packets out, no retries, no
 * redirects. What a test says here, exactly that is sent.
 *
 * @module
 */
import { type ClientRequest, type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";

const READ_BYTES = 64 * 1024;

export class RawConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #reader = new PacketReader({ families: ["response"] });
  #count = 0;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#connection.write(bytes.subarray(offset));
    }
  }

  async request(message: ClientRequest): Promise<void> {
    await this.send(requestFrame(message, `raw-${++this.#count}`));
  }

  /** The next response; undefined when the node closed the connection. */
  async response(): Promise<ClientResponse | undefined> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const packet = this.#reader.next();
      if (packet?.family === "response") return packet.message;
      const count = await this.#read(buffer);
      if (count === 0) return undefined;
      this.#reader.push(buffer.slice(0, count));
    }
  }

  /** Says that nothing more will come. */
  async finish(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Resolves when the node has closed the connection. */
  async closed(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    while (await this.#read(buffer) > 0);
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It was reset; then it is closed already.
    }
  }

  async #read(buffer: Uint8Array): Promise<number> {
    try {
      return await this.#connection.read(buffer) ?? 0;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return 0;
      throw error;
    }
  }
}

/** The bytes of a request. */
export function requestFrame(message: ClientRequest, transactionId = "raw"): Uint8Array {
  return encodePacket({ family: "request", envelope: { transactionId }, message });
}
