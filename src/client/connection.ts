/**
 * One connection to a node's client port, with any number of requests in flight, matched by transaction id.
 *
 * @module
 */
import {
  type ClientRequest,
  type ClientResponse,
  encodePacket,
  type Packet,
  PacketReader,
} from "../../packraft/mod.ts";
import type { Attempt, ServerAddress } from "./decisions.ts";

const READ_BYTES = 64 * 1024;

/** An answer: one response, or for a `DataRequest` all its pages. */
export interface Answer {
  readonly responses: readonly ClientResponse[];
}
export type Outcome = Exclude<Attempt, { kind: "answered" }> | ({ readonly kind: "answered" } & Answer);

interface Waiting {
  readonly responses: ClientResponse[];
  readonly settle: (outcome: Outcome) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Connection {
  readonly #address: ServerAddress;
  readonly #waiting = new Map<string, Waiting>();
  #connection: Deno.TcpConn | undefined;
  #opening: Promise<void> | undefined;
  #unsent: Uint8Array[] = [];
  #isWriting = false;
  #nextTransaction = 1;
  #isClosed = false;

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  /** A connection that broke takes no more requests. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a request and waits for its answer, for at most `timeoutMs`, connecting included. Never rejects. */
  ask(request: ClientRequest, timeoutMs: number): Promise<Outcome> {
    return new Promise((settle) => {
      const transactionId = `t${this.#nextTransaction++}`;
      const waiting: Waiting = { responses: [], settle, timer: undefined };
      waiting.timer = setTimeout(() => this.#giveUp(transactionId, timeoutMs), timeoutMs);
      this.#waiting.set(transactionId, waiting);
      this.#unsent.push(encodePacket({ family: "request", envelope: { transactionId }, message: request }));
      this.#opening ??= this.#open(timeoutMs);
      if (this.#connection !== undefined) this.#scheduleWrite();
    });
  }

  /** Closes; what is in flight is unanswered. */
  close(): void {
    this.#fail("the connection was closed");
  }

  async #open(timeoutMs: number): Promise<void> {
    try {
      const { host, port } = this.#address;
      const connection = await Deno.connect({ hostname: host, port, signal: AbortSignal.timeout(timeoutMs) });
      if (this.#isClosed) return connection.close();
      connection.setNoDelay(true);
      this.#connection = connection;
    } catch (error) {
      return this.#fail(messageOf(error));
    }
    this.#scheduleWrite();
    void this.#read(this.#connection);
  }

  /** Requests of one turn leave with one write. */
  #scheduleWrite(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#write());
  }

  async #write(): Promise<void> {
    const connection = this.#connection;
    try {
      while (connection !== undefined && this.#unsent.length > 0) {
        const bytes = joined(this.#unsent);
        this.#unsent = [];
        for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
      }
      this.#isWriting = false;
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  async #read(connection: Deno.TcpConn): Promise<void> {
    const reader = new PacketReader({ families: ["response"] });
    try {
      for (;;) {
        const buffer = new Uint8Array(READ_BYTES); // packets share it
        const count = await connection.read(buffer);
        if (count === null) return this.#fail("the node closed the connection");
        reader.push(buffer.subarray(0, count));
        for (let packet = reader.next(); packet !== undefined; packet = reader.next()) this.#take(packet);
      }
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #take(packet: Packet): void {
    if (packet.family !== "response") return;
    const { transactionId } = packet.envelope;
    // An error without a transaction concerns the connection: the node will close it.
    if (transactionId === "") return this.#settleAll({ kind: "answered", responses: [packet.message] });
    const waiting = this.#waiting.get(transactionId);
    if (waiting === undefined) return; // it came too late
    waiting.responses.push(packet.message);
    if (packet.message.type === "DataResponse" && packet.message.more) return;
    this.#settle(transactionId, waiting, { kind: "answered", responses: waiting.responses });
  }

  #giveUp(transactionId: string, timeoutMs: number): void {
    const waiting = this.#waiting.get(transactionId);
    if (waiting === undefined) return;
    const kind = this.#connection === undefined ? "unreachable" : "unanswered";
    this.#settle(transactionId, waiting, { kind, reason: `no answer in ${Math.round(timeoutMs)} ms` });
    // Whoever does not answer one request is stalled, for all we know: others should not wait for it as well.
    this.#fail(`no answer in ${Math.round(timeoutMs)} ms`);
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const kind = this.#connection === undefined ? "unreachable" : "unanswered";
    try {
      this.#connection?.close();
    } catch {
      // It is closed already.
    }
    this.#settleAll({ kind, reason });
  }

  #settleAll(outcome: Outcome): void {
    for (const [transactionId, waiting] of [...this.#waiting]) this.#settle(transactionId, waiting, outcome);
  }

  #settle(transactionId: string, waiting: Waiting, outcome: Outcome): void {
    clearTimeout(waiting.timer);
    this.#waiting.delete(transactionId);
    waiting.settle(outcome);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
