/**
 * One client's connection: what it is owed, and what is on its way to it. A client that reads slowly slows down
 * itself, not the node: its requests are not read any more while it is owed too much.
 *
 * @module
 */
import { concat } from "@std/bytes";
import { TrackedConnection } from "./connection_table.ts";
import { closeQuietly, writeAll } from "./sockets.ts";

/** Requests of one connection that may be under way at once. */
const MAX_IN_FLIGHT = 4_096;
/** About how much is handed to the socket at once. */
const WRITE_BYTES = 256 * 1024;

export class ClientConnection extends TrackedConnection {
  /** Answers that wait to be written, each as frames that are made when there is room for them. */
  #answers: Iterator<Uint8Array>[] = [];
  #inFlight = 0;
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

  /** Sends an answer. Frames of answers that come together leave with one write. */
  answer(frames: Iterator<Uint8Array>): void {
    if (this.#isGone) return;
    this.#answers.push(frames);
    if (this.#isWriting) return;
    this.#isWriting = true;
    // After this turn: the answers of one flush then share a write.
    queueMicrotask(() => void this.#write());
  }

  /** Undefined while more requests may be read; else resolves when they may. */
  roomForMore(): Promise<void> | undefined {
    if (this.#inFlight < MAX_IN_FLIGHT || this.#isGone) return undefined;
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
    this.#answers = [];
    this.#wake(this.#onRoom);
    this.#wake(this.#onAnswered);
    this.#wake(this.#onDrained);
  }

  async #write(): Promise<void> {
    try {
      while (this.#answers.length > 0) {
        this.offered();
        await writeAll(this.connection, this.#takeFrames(), () => this.offered());
      }
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

  /** The next bytes to write: as many whole frames as fit. */
  #takeFrames(): Uint8Array {
    const frames: Uint8Array[] = [];
    let bytes = 0;
    let finished = 0;
    for (const answer of this.#answers) {
      let next = answer.next();
      for (; !next.done; next = answer.next()) {
        frames.push(next.value);
        bytes += next.value.length;
        if (bytes >= WRITE_BYTES) break;
      }
      if (!next.done) break;
      finished++;
    }
    this.#answers = this.#answers.slice(finished);
    this.#inFlight -= finished;
    if (this.#inFlight < MAX_IN_FLIGHT) this.#wake(this.#onRoom);
    return concat(frames);
  }

  #wake(waiting: (() => void)[]): void {
    for (const resolve of waiting.splice(0)) resolve();
  }
}
