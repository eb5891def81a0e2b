/**
 * The port for clients: one request and close, or many requests in flight on one connection, answered as they
 * complete and matched by their transaction ids.
 *
 * @module
 */
import {
  type ClientRequest,
  type ClientResponse,
  encodePacket,
  type Packet,
  PacketReader,
  PackraftError,
} from "../../packraft/mod.ts";
import { acceptAll } from "./accept_loop.ts";
import { ClientConnection } from "./client_connection.ts";
import { ConnectionTable } from "./connection_table.ts";
import type { TroubleLog } from "./log_sink.ts";
import type { LuidSource } from "./luids.ts";
import { closeQuietly, isSocketError, readPackets } from "./sockets.ts";

const MAX_CONNECTIONS = 1_024;
const FRAME_LIMIT_MS = 5_000;
const IDLE_LIMIT_MS = 60_000;

export interface ClientListenerOptions {
  readonly listener: Deno.TcpListener;
  readonly luids: LuidSource;
  readonly trouble: TroubleLog;
  readonly now: () => number;
  readonly request: (luid: string, request: ClientRequest) => void;
}

/** Who waits for an answer. */
interface Waiting {
  readonly client: ClientConnection;
  readonly transactionId: string;
}

export class ClientListener {
  readonly #options: ClientListenerOptions;
  readonly #table: ConnectionTable<ClientConnection>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #accepting: Promise<void>;

  constructor(options: ClientListenerOptions) {
    this.#options = options;
    this.#table = new ConnectionTable({
      maxConnections: MAX_CONNECTIONS,
      frameLimitMs: FRAME_LIMIT_MS,
      idleLimitMs: IDLE_LIMIT_MS,
      now: options.now,
      onClosed: (kind, luid, detail) => options.trouble.say(`client ${kind}`, `${luid}: closed, ${detail}`),
    });
    this.#accepting = acceptAll(
      options.listener,
      (connection) => void this.#serve(connection),
      (error) => options.trouble.say("client accept", `client port: cannot accept: ${error.message}`),
    );
  }

  /** Answers the request `luid`. A client that has gone gets nothing. */
  answer(luid: string, responses: Iterable<ClientResponse>): void {
    const waiting = this.#waiting.get(luid);
    if (waiting === undefined) return;
    this.#waiting.delete(luid);
    waiting.client.answer(framesOf(waiting.transactionId, responses));
  }

  /** Stops listening, lets answers that are on their way leave, then closes. Resolves when the port is free. */
  async close(graceMs: number): Promise<void> {
    closeQuietly(this.#options.listener);
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([Promise.all([...this.#table].map((client) => client.drained())), grace.promise]);
    clearTimeout(timer);
    this.#table.closeAll();
    await this.#accepting;
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const { luids, now, trouble } = this.#options;
    const client = new ClientConnection(luids.next("client-connection"), connection, now);
    this.#table.add(client);
    try {
      connection.setNoDelay(true);
      const reader = new PacketReader({ families: ["request"] });
      await readPackets(connection, reader, (packet) => this.#take(client, packet), client);
      await client.answered(); // "one request and close" may half-close before the answer
    } catch (error) {
      if (error instanceof PackraftError) {
        trouble.say(`client ${error.code}`, `${client.luid}: closed, ${error.message}`);
        if (error.code !== "badMagic") {
          client.expectAnswer();
          client.answer(framesOf("", [badRequest(error)]));
        }
        await client.drained();
      } else if (!isSocketError(error)) {
        throw error;
      }
    } finally {
      client.abandon();
      this.#table.delete(client);
      closeQuietly(connection);
    }
  }

  #take(client: ClientConnection, packet: Packet): Promise<void> | undefined {
    if (packet.family !== "request") return undefined; // the reader accepts no other
    const luid = this.#options.luids.next("client-request");
    this.#waiting.set(luid, { client, transactionId: packet.envelope.transactionId });
    client.expectAnswer();
    this.#options.request(luid, packet.message);
    return client.roomForMore();
  }
}

function* framesOf(transactionId: string, responses: Iterable<ClientResponse>): Generator<Uint8Array> {
  for (const message of responses) {
    yield encodePacket({ family: "response", envelope: { transactionId }, message });
  }
}

/** What is wrong with the bytes; it concerns the connection, so it names no transaction. */
function badRequest(error: PackraftError): ClientResponse {
  const message = `${error.code}: ${error.message}`;
  return { type: "ErrorResponse", code: "badRequest", outcome: "notDone", retryAfterMs: 0, message };
}
