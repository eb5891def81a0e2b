/**
 * One connection to a node's client port, with any number of requests in flight, matched by transaction id.
 *
 * A request costs no promise, no timer and no memory of its own here, for at a hundred thousand requests a second that
 * is what a client would be doing. Requests of one turn are put into one buffer and leave with one write; while it is
 * under way, the next ones gather. One timer looks after all time limits. Answers are handed to who asked before the
 * next read, so that the memory they came in can be read into again.
 *
 * @module
 */
import {
  appendPacket,
  ByteWriter,
  type ClientRequest,
  type ClientResponse,
  type Packet,
  PacketReader,
} from "../../packraft/mod.ts";
import type { Attempt } from "./decisions.ts";
import type { ByteStream, ClientPlatform, ServerAddress } from "./platform.ts";
import { Slab } from "./slab.ts";

/** Transaction ids are numbers to this base. */
const ID_RADIX = 36;
/** What is read into at first, and at most: who has filled it gets twice as much. Many connections carry one answer. */
const FIRST_READ_BYTES = 4 * 1024;
const MAX_READ_BYTES = 256 * 1024;
const FIRST_WRITE_BYTES = 1024;
/** So many requests on one connection are many. */
const MANY_REQUESTS = 1_000;
/** How often time limits are looked after: a limit is met this much late at most. */
const SWEEP_MS = 20;

/** How a request on a connection ended. A `DataRequest` is answered by all its pages, anything else by one. */
export type Outcome =
  | { readonly kind: "answered"; readonly responses: readonly ClientResponse[] }
  | Exclude<Attempt, { kind: "answered" }>;

interface Waiting {
  /** Its place in the order of requests on this connection, from 1. */
  readonly number: number;
  /** The number as text. */
  readonly transactionId: string;
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
  /** By their numbers: text that has just come from the network is slow to look up. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #connecting = new AbortController();
  readonly #startMs: number;
  readonly #unsent = new ByteWriter(FIRST_WRITE_BYTES);
  readonly #values = new Slab();
  #stream: ByteStream | undefined;
  /** Whether an answer that was handed out shares the memory that is read into. */
  #isBufferShared = false;
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
   * Sends a request and waits for its answer, for at most `limitMs` from `nowMs` on, connecting included. `settle` is
   * called once, with what came of it. Throws `PackraftError` for a request that cannot be encoded.
   */
  ask(request: ClientRequest, limitMs: number, nowMs: number, settle: (outcome: Outcome) => void): void {
    if (this.#isClosed) return settle({ kind: "unreachable", reason: "the connection is closed" });
    const number = this.#lastNumber + 1;
    const transactionId = number.toString(ID_RADIX);
    appendPacket(this.#unsent, { family: "request", envelope: { transactionId }, message: request });
    this.#lastNumber = number;
    if (number === MANY_REQUESTS) this.#platform.expectMany?.();
    this.#waiting.set(number, {
      number,
      transactionId,
      sinceMs: nowMs,
      expiresMs: nowMs + limitMs,
      limitMs,
      pages: undefined,
      settle,
    });
    if (this.#stream !== undefined) this.#scheduleWrite(this.#stream);
    this.#scheduleSweep();
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
        const bytes = this.#unsent.take();
        this.#sentUpTo = this.#lastNumber;
        for (let offset = 0; offset < bytes.length;) {
          offset += await stream.write(offset === 0 ? bytes : bytes.subarray(offset));
        }
        this.#unsent.giveBack(bytes);
      }
      this.#isWriting = false;
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  async #read(stream: ByteStream): Promise<void> {
    const reader = new PacketReader({ families: ["response"] });
    let buffer = new Uint8Array(FIRST_READ_BYTES);
    for (;;) {
      const count = await stream.read(buffer);
      if (count === null) return this.#fail("the node closed the connection");
      this.#heardMs = this.#platform.now();
      reader.push(buffer.subarray(0, count));
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) this.#take(packet);
      // All that came whole has been handed out, and the reader has copied the rest.
      const isFilled = count === buffer.length && count < MAX_READ_BYTES;
      if (isFilled || this.#isBufferShared) buffer = new Uint8Array(buffer.length * (isFilled ? 2 : 1));
      this.#isBufferShared = false;
    }
  }

  #take({ envelope, message }: Packet): void {
    if (!("transactionId" in envelope)) return; // the reader accepts no such family
    let response = message as ClientResponse;
    const { transactionId } = envelope;
    if (transactionId === "") {
      // It concerns the connection, which the node will close; which request it blames cannot be known.
      return this.#fail(response.type === "ErrorResponse" ? response.message : "an answer to no request");
    }
    const waiting = this.#waiting.get(Number.parseInt(transactionId, ID_RADIX));
    if (waiting?.transactionId !== transactionId) return; // it came too late
    if (response.type === "GetResponse") response = { ...response, value: this.#values.copy(response.value) };
    else if (!WITHOUT_BYTES.has(response.type)) this.#isBufferShared = true;
    if (response.type === "DataResponse" && response.more) {
      (waiting.pages ??= []).push(response);
      waiting.expiresMs = this.#heardMs + waiting.limitMs;
      return;
    }
    this.#waiting.delete(waiting.number);
    // Pages that an answer of another kind follows were no part of it.
    const pages = response.type === "DataResponse" ? waiting.pages ?? [] : [];
    const responses = pages.length === 0 ? [response] : [...pages, response];
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
    for (const waiting of this.#waiting.values()) {
      // Whoever is silent with an answer due is stalled, for all we know: the others need not wait as long again.
      if (nowMs - Math.max(this.#heardMs, waiting.sinceMs) >= this.#stallMs) {
        return this.#fail(`no answer in ${this.#stallMs} ms`);
      }
      if (waiting.expiresMs > nowMs) continue;
      this.#waiting.delete(waiting.number);
      waiting.settle(this.#unansweredOf(waiting, `no answer in ${Math.round(waiting.limitMs)} ms`));
    }
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connecting.abort();
    this.#cancelSweep?.();
    this.#unsent.reset();
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

/** What holds no bytes that could share memory with those it came in: numbers and texts. */
const WITHOUT_BYTES: ReadonlySet<ClientResponse["type"]> = new Set([
  "PutResponse",
  "DeleteResponse",
  "RedirectResponse",
  "ErrorResponse",
]);

/** "Connection refused (os error 111)" → "connection refused". */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const plain = text.replace(/ \(os error \d+\)/, "").split("\n")[0] ?? "";
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
