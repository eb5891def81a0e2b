/**
 * One client's connection: what it is owed, and what is on its way to it. A client that reads slowly slows down
 * itself, not the node: its requests are not read any more while it is owed too much.
 *
 * Answers are put into one buffer as they come, and leave with one write; while that is under way the next ones gather
 * in another buffer. Two buffers serve a connection for as long as it lives.
 *
 * @module
 */
import { appendPacket, ByteWriter, type ClientResponse } from "../../packraft/mod.ts";
import { TrackedConnection } from "./connection_table.ts";
import { closeQuietly, writeAll } from "./sockets.ts";

/** Requests of one connection that may be under way at once. */
const MAX_IN_FLIGHT = 4_096;
/** No more requests are read while so many bytes of answers wait. */
const MAX_OWED_BYTES = 1024 * 1024;
/** About how much of a long answer is made at once. */
const WRITE_BYTES = 256 * 1024;
const FIRST_BUFFER_BYTES = 4 * 1024;
/** A buffer that large answers made larger than this is given back afterwards. */
const KEPT_BUFFER_BYTES = 64 * 1024;

/** An answer of several responses, made one at a time as there is room for them. */
interface LongAnswer {
  readonly transactionId: string;
  readonly responses: Iterator<ClientResponse>;
}

export class ClientConnection extends TrackedConnection {
  /** Answers that wait to be written. */
  #filling = new ByteWriter(FIRST_BUFFER_BYTES);
  /** What is being written; empty while nothing is. */
  #leaving = new ByteWriter(FIRST_BUFFER_BYTES);
  readonly #longAnswers: LongAnswer[] = [];
  #inFlight = 0;
  /** How many answers end in `#filling`. */
  #filled = 0;
  #isWriting = false;
  #isGone = false;
  #onRoom: (() => void)[] = [];
  #onAnswered: (() => void)[] = [];
  #onDrained: (() => void)[] = [];

  override isOwedAnAnswer(): boolean {
    return this.#inFlight > 0;
  }

  /** A request has been taken. */
  expectAnswer(): void {
    this.#inFlight++;
  }

  /**
   * Takes the answer to a request; what is in an array is encoded before this returns. Returns whether `write` is to be
   * called, at the end of this turn at the latest: the answers that come until then share a write.
   */
  answer(transactionId: string, responses: Iterable<ClientResponse>): boolean {
    if (this.#isGone) return false;
    if (Array.isArray(responses)) {
      for (const message of responses) {
        appendPacket(this.#filling, { family: "response", envelope: { transactionId }, message });
      }
      this.#filled++;
    } else {
      this.#longAnswers.push({ transactionId, responses: responses[Symbol.iterator]() });
    }
    const isFirst = !this.#isWriting;
    this.#isWriting = true;
    return isFirst;
  }

  /** Undefined while more requests may be read; else resolves when they may. */
  roomForMore(): Promise<void> | undefined {
    if (this.#hasRoom() || this.#isGone) return undefined;
    return new Promise((resolve) => this.#onRoom.push(resolve));
  }

  /** Resolves when every request that was taken has been answered and the answers are written. */
  answered(): Promise<void> {
    if (this.#isGone || (this.#inFlight <= 0 && !this.#isWriting)) return Promise.resolve();
    return new Promise((resolve) => this.#onAnswered.push(resolve));
  }

  /** Resolves when nothing waits to be written. */
  drained(): Promise<void> {
    if (this.#isGone || !this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#onDrained.push(resolve));
  }

  /** The connection is closed: nothing more will be written. */
  abandon(): void {
    this.#isGone = true;
    for (const { responses } of this.#longAnswers.splice(0)) responses.return?.();
    this.#wake(this.#onRoom);
    this.#wake(this.#onAnswered);
    this.#wake(this.#onDrained);
  }

  #hasRoom(): boolean {
    return this.#inFlight < MAX_IN_FLIGHT && this.#filling.length < MAX_OWED_BYTES;
  }

  /** Writes what was answered, and what is answered until that is done. Never rejects. */
  async write(): Promise<void> {
    try {
      for (this.#fillMore(); this.#filling.length > 0 && !this.#isGone; this.#fillMore()) {
        this.#swap();
        this.offered();
        await writeAll(this.connection, this.#leaving.view(), () => this.offered());
      }
      this.#leaving = emptied(this.#leaving);
      this.#countAnswers(); // the end of a long one, which has no bytes of its own
      this.#isWriting = false;
      this.taken();
      this.#wake(this.#onDrained);
      if (this.#inFlight <= 0) this.#wake(this.#onAnswered);
    } catch {
      // The client has gone; the reading side notices too and cleans up.
      this.abandon();
      closeQuietly(this.connection);
    }
  }

  /** Makes more of the long answers, one after the other, as far as there is room. */
  #fillMore(): void {
    for (const { transactionId, responses } of [...this.#longAnswers]) {
      while (this.#filling.length < WRITE_BYTES) {
        const { done, value } = responses.next();
        if (done === true) {
          this.#longAnswers.shift();
          this.#filled++;
          break;
        }
        appendPacket(this.#filling, { family: "response", envelope: { transactionId }, message: value });
      }
    }
  }

  /** What was filled leaves, and the other buffer is filled next. */
  #swap(): void {
    const empty = emptied(this.#leaving);
    this.#leaving = this.#filling;
    this.#filling = empty;
    this.#countAnswers();
  }

  /** The answers that were filled in are on their way. */
  #countAnswers(): void {
    this.#inFlight -= this.#filled;
    this.#filled = 0;
    if (this.#hasRoom()) this.#wake(this.#onRoom);
  }

  #wake(waiting: (() => void)[]): void {
    for (const resolve of waiting.splice(0)) resolve();
  }
}

function emptied(writer: ByteWriter): ByteWriter {
  if (writer.length > KEPT_BUFFER_BYTES) return new ByteWriter(FIRST_BUFFER_BYTES);
  writer.reset();
  return writer;
}
