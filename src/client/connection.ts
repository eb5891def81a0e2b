/**
 * One connection to a node's client port, with any number of requests in flight, matched by transaction id.
 *
 * Requests of one turn leave with one write. Time limits are looked after by one timer for all requests, not one
 * each: at tens of thousands of requests a second that is what a client would otherwise be doing.
 *
 * @module
 */
import { concat } from "@std/bytes";
import {
  type ClientRequest,
  type ClientResponse,
  encodePacket,
  type Packet,
  PacketReader,
} from "../../packraft/mod.ts";
import type { Attempt } from "./decisions.ts";
import type { ByteStream, ClientPlatform, ServerAddress } from "./platform.ts";

const READ_BYTES = 64 * 1024;
/** A read that fills less than this is copied, so that its buffer can be used again. */
const COPY_UP_TO_BYTES = 16 * 1024;
/** How often time limits are looked after: a limit is met this much late at most. */
const SWEEP_MS = 20;

/** How a request on a connection ended. A `DataRequest` is answered by all its pages, anything else by one. */
export type Outcome =
  | { readonly kind: "answered"; readonly responses: readonly ClientResponse[] }
  | Exclude<Attempt, { kind: "answered" }>;

interface Waiting {
  /** Its place in the order of requests on this connection, from 1. */
  readonly number: number;
  readonly sinceMs: number;
  expiresMs: number;
  readonly limitMs: number;
  /** The pages that have come before the last. */
  pages: ClientResponse[] | undefined;
  readonly settle: (outcome: Outcome) => void;
}

export class Connection {
  readonly #address: ServerAddress;
  readonly #platform: ClientPlatform;
  readonly #stallMs: number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #connecting = new AbortController();
  readonly #startMs: number;
  #stream: ByteStream | undefined;
  #unsent: Uint8Array[] = [];
  /** The number of the last request, and of the last whose bytes the socket may have. */
  #lastNumber = 0;
  #sentUpTo = 0;
  #isWriting = false;
  #isClosed = false;
  #heardMs: number;
  #cancelSweep: (() => void) | undefined;

  /** @param stallMs how long connecting may take, and silence while an answer is due */
  constructor(address: ServerAddress, platform: ClientPlatform, stallMs: number) {
    this.#address = address;
    this.#platform = platform;
    this.#stallMs = stallMs;
    this.#startMs = platform.now();
    this.#heardMs = this.#startMs;
    void this.#open();
  }

  /** A connection that broke takes no more requests. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Sends a request and waits for its answer, for at most `limitMs`, connecting included. Never rejects, but throws
   * `PackraftError` for a request that cannot be encoded.
   */
  ask(request: ClientRequest, limitMs: number): Promise<Outcome> {
    const number = ++this.#lastNumber;
    const transactionId = number.toString(36);
    const frame = encodePacket({ family: "request", envelope: { transactionId }, message: request });
    return new Promise((settle) => {
      if (this.#isClosed) return settle({ kind: "unreachable", reason: "the connection is closed" });
      const sinceMs = this.#platform.now();
      this.#waiting.set(transactionId, {
        number,
        sinceMs,
        expiresMs: sinceMs + limitMs,
        limitMs,
        pages: undefined,
        settle,
      });
      this.#unsent.push(frame);
      if (this.#stream !== undefined) this.#scheduleWrite(this.#stream);
      this.#scheduleSweep();
    });
  }

  /** Closes; what is in flight is unanswered. */
  close(): void {
    this.#fail("the connection was closed");
  }

  async #open(): Promise<void> {
    try {
      const stream = await this.#platform.connect(this.#address, this.#connecting.signal);
      if (this.#isClosed) return stream.close();
      this.#stream = stream;
      this.#heardMs = this.#platform.now();
      this.#scheduleWrite(stream);
      await this.#read(stream);
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  /** The requests that follow in this turn then share the write. */
  #scheduleWrite(stream: ByteStream): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#write(stream));
  }

  async #write(stream: ByteStream): Promise<void> {
    try {
      while (this.#unsent.length > 0 && !this.#isClosed) {
        const bytes = concat(this.#unsent);
        this.#unsent = [];
        this.#sentUpTo = this.#lastNumber;
        for (let offset = 0; offset < bytes.length;) {
          offset += await stream.write(offset === 0 ? bytes : bytes.subarray(offset));
        }
      }
      this.#isWriting = false;
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  async #read(stream: ByteStream): Promise<void> {
    const reader = new PacketReader({ families: ["response"] });
    let buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const count = await stream.read(buffer);
      if (count === null) return this.#fail("the node closed the connection");
      this.#heardMs = this.#platform.now();
      // What packets carry shares the memory of the bytes pushed, so those are never written to again.
      if (count <= COPY_UP_TO_BYTES) {
        reader.push(buffer.slice(0, count));
      } else {
        reader.push(buffer.subarray(0, count));
        buffer = new Uint8Array(READ_BYTES);
      }
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) this.#take(packet);
    }
  }

  #take({ envelope, message }: Packet): void {
    if (!("transactionId" in envelope)) return; // the reader accepts no such family
    const response = message as ClientResponse;
    const { transactionId } = envelope;
    if (transactionId === "") {
      // It concerns the connection, which the node will close; which request it blames cannot be known.
      return this.#fail(response.type === "ErrorResponse" ? response.message : "an answer to no request");
    }
    const waiting = this.#waiting.get(transactionId);
    if (waiting === undefined) return; // it came too late
    if (response.type === "DataResponse" && response.more) {
      (waiting.pages ??= []).push(response);
      waiting.expiresMs = this.#heardMs + waiting.limitMs;
      return;
    }
    this.#waiting.delete(transactionId);
    const responses = waiting.pages === undefined ? [response] : [...waiting.pages, response];
    waiting.settle({ kind: "answered", responses });
  }

  #scheduleSweep(): void {
    if (this.#cancelSweep !== undefined) return;
    this.#cancelSweep = this.#platform.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      this.#sweep(this.#platform.now());
      if (this.#waiting.size > 0) this.#scheduleSweep();
    });
  }

  #sweep(nowMs: number): void {
    if (this.#stream === undefined && nowMs - this.#startMs >= this.#stallMs) {
      return this.#fail(`no connection in ${this.#stallMs} ms`);
    }
    for (const [transactionId, waiting] of this.#waiting) {
      // Whoever is silent with an answer due is stalled, for all we know: the others need not wait as long again.
      if (nowMs - Math.max(this.#heardMs, waiting.sinceMs) >= this.#stallMs) {
        return this.#fail(`no answer in ${this.#stallMs} ms`);
      }
      if (waiting.expiresMs > nowMs) continue;
      this.#waiting.delete(transactionId);
      waiting.settle(this.#unansweredOf(waiting, `no answer in ${Math.round(waiting.limitMs)} ms`));
    }
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connecting.abort();
    this.#cancelSweep?.();
    this.#unsent = [];
    try {
      this.#stream?.close();
    } catch {
      // The other side closed it first.
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.settle(this.#unansweredOf(one, reason));
  }

  #unansweredOf(waiting: Waiting, reason: string): Outcome {
    return { kind: waiting.number <= this.#sentUpTo ? "unanswered" : "unreachable", reason };
  }
}

/** "Connection refused (os error 111)" → "connection refused". */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const plain = text.replace(/ \(os error \d+\)/, "").split("\n")[0] ?? "";
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
