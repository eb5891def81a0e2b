/**
 * A node's client port that answers as a test tells it to.
 */
import { type ClientRequest, type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";
import type { ServerAddress } from "../../src/client/mod.ts";

/** What to do with a request: answer, say nothing, break the connection, or write bytes that are no answer. */
export type Reply =
  | ClientResponse
  | readonly ClientResponse[]
  | "silence"
  | "close"
  | { readonly bytes: Uint8Array };

export type Handler = (request: ClientRequest, server: FakeServer) => Reply | Promise<Reply>;

export class FakeServer {
  readonly requests: ClientRequest[] = [];
  handler: Handler;
  connectionCount = 0;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>[] = [];

  constructor(handler: Handler) {
    this.handler = handler;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#serving.push(this.#accept());
  }

  get address(): ServerAddress {
    return { host: "127.0.0.1", port: this.#listener.addr.port };
  }

  /** The answer that sends a client here. */
  redirectTo(node = 9): ClientResponse {
    const { host, port } = this.address;
    return { type: "RedirectResponse", leader: node, host, clientPort: port };
  }

  async stop(): Promise<void> {
    closeQuietly(this.#listener);
    for (const connection of this.#connections) closeQuietly(connection);
    await Promise.all(this.#serving);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connectionCount++;
      this.#serving.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const reader = new PacketReader({ families: ["request"] });
    try {
      for (;;) {
        const buffer = new Uint8Array(65_536);
        const count = await connection.read(buffer);
        if (count === null) break;
        reader.push(buffer.subarray(0, count));
        for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
          if (packet.family !== "request") continue;
          this.requests.push(packet.message);
          void this.#answer(connection, packet.envelope.transactionId, packet.message);
        }
      }
    } catch {
      // The client went away, or the test closed the connection.
    } finally {
      this.#connections.delete(connection);
      closeQuietly(connection);
    }
  }

  async #answer(connection: Deno.TcpConn, transactionId: string, request: ClientRequest): Promise<void> {
    const reply = await this.handler(request, this);
    if (reply === "silence") return;
    if (reply === "close") return closeQuietly(connection);
    const frames = "bytes" in reply
      ? [reply.bytes]
      : [reply].flat().map((message) =>
        encodePacket({ family: "response", envelope: { transactionId }, message })
      );
    try {
      for (const frame of frames) {
        for (let at = 0; at < frame.length;) at += await connection.write(frame.subarray(at));
      }
    } catch {
      // The client went away.
    }
  }
}

/** An error answer of a node. */
export function errorResponse(
  code: Extract<ClientResponse, { type: "ErrorResponse" }>["code"],
  options: { readonly outcome?: "notDone" | "unknown"; readonly retryAfterMs?: number } = {},
): ClientResponse {
  const { outcome = "notDone", retryAfterMs = 0 } = options;
  return { type: "ErrorResponse", code, outcome, retryAfterMs, message: `${code}, says the test` };
}

/** An address where nobody listens: a connection to it is refused. */
export function refusingAddress(): ServerAddress {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return { host: "127.0.0.1", port };
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed.
  }
}
