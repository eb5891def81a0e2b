/**
 * The port for clients: one request and close, or many requests in flight on one connection, answered as they
 * complete and matched by their transaction ids.
 *
 * @module
 */
import {
  type ClientRequest,
  type ClientResponse,
  type Packet,
  PacketReader,
  PackraftError,
} from "../../packraft/mod.ts";
import { acceptAll } from "./accept_loop.ts";
import { ClientConnection } from "./client_connection.ts";
import { ConnectionTable } from "./connection_table.ts";
import type { TroubleLog } from "./log_sink.ts";
import { luidOf, type LuidSource } from "./luids.ts";
import { closeQuietly, isSocketError, readPackets } from "./sockets.ts";

const MAX_CONNECTIONS = 1_024;
const FRAME_LIMIT_MS = 5_000;
const IDLE_LIMIT_MS = 60_000;
/**
 * So much may wait for the log; beyond it clients are not read from, and their sockets fill: what arrives faster than
 * the disks take it waits where it comes from.
 */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/** About what a request takes in memory besides its key and its value. */
const REQUEST_OVERHEAD_BYTES = 256;

export interface ClientListenerOptions {
  readonly listener: Deno.TcpListener;
  readonly luids: LuidSource;
  readonly trouble: TroubleLog;
  readonly now: () => number;
  readonly request: (asker: ClientAsker, request: ClientRequest) => void;
}

/** Who waits for an answer. */
export class ClientAsker {
  readonly client: ClientConnection;
  readonly transactionId: string;
  readonly bytes: number;
  isAnswered = false;
  readonly #number: number;

  constructor(client: ClientConnection, transactionId: string, bytes: number, number: number) {
    this.client = client;
    this.transactionId = transactionId;
    this.bytes = bytes;
    this.#number = number;
  }

  /** Made when it is looked at: most requests are never named. */
  get luid(): string {
    return luidOf("client-request", this.#number);
  }
}

export class ClientListener {
  readonly #options: ClientListenerOptions;
  readonly #table: ConnectionTable<ClientConnection>;
  /** What all requests take that are not answered yet. */
  #pendingBytes = 0;
  #onRoom: (() => void)[] = [];
  /** Who was given answers in this turn that have not left. */
  readonly #toWrite: ClientConnection[] = [];
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

  /** Answers a request, each once. A client that has gone gets nothing. */
  answer(asker: ClientAsker, responses: Iterable<ClientResponse>): void {
    const { client, transactionId, bytes, isAnswered } = asker;
    if (isAnswered) return;
    asker.isAnswered = true;
    this.#answer(client, transactionId, responses);
    const hadRoom = this.#hasRoom();
    this.#pendingBytes -= bytes;
    if (!hadRoom && this.#hasRoom()) { for (const resolve of this.#onRoom.splice(0)) resolve(); }
  }

  /** Lets the answers leave that were given in this turn. */
  flush(): void {
    for (const client of this.#toWrite.splice(0)) void client.write();
  }

  #answer(client: ClientConnection, transactionId: string, responses: Iterable<ClientResponse>): void {
    if (!client.answer(transactionId, responses)) return;
    if (this.#toWrite.push(client) === 1) queueMicrotask(() => this.flush());
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
      // What is to be kept of a request, the replica has copied when it has taken it: the next read may overwrite it.
      const keep = (bytes: Uint8Array) => bytes;
      await readPackets(connection, reader, (packet) => this.#take(client, packet), client, keep);
      await client.answered(); // "one request and close" may half-close before the answer
    } catch (error) {
      if (error instanceof PackraftError) {
        trouble.say(`client ${error.code}`, `${client.luid}: closed, ${error.message}`);
        if (error.code !== "badMagic") {
          client.expectAnswer();
          this.#answer(client, "", [badRequest(error)]);
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
    const { envelope: { transactionId }, message } = packet;
    const bytes = bytesOf(message);
    const number = this.#options.luids.nextNumber("client-request");
    this.#pendingBytes += bytes;
    client.expectAnswer();
    this.#options.request(new ClientAsker(client, transactionId, bytes, number), message);
    return this.#hasRoom() ? client.roomForMore() : this.#roomForMore(client);
  }

  #hasRoom(): boolean {
    return this.#pendingBytes < MAX_PENDING_BYTES;
  }

  /** Nothing more is read from a client that would add to what is too much already. */
  async #roomForMore(client: ClientConnection): Promise<void> {
    while (!this.#hasRoom()) await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    await client.roomForMore();
  }
}

function bytesOf(request: ClientRequest): number {
  const keyBytes = "key" in request ? request.key.length : 0;
  const valueBytes = "value" in request ? request.value.length : 0;
  return REQUEST_OVERHEAD_BYTES + keyBytes + valueBytes;
}

/** What is wrong with the bytes; it concerns the connection, so it names no transaction. */
function badRequest(error: PackraftError): ClientResponse {
  const message = `${error.code}: ${error.message}`;
  return { type: "ErrorResponse", code: "badRequest", outcome: "notDone", retryAfterMs: 0, message };
}
