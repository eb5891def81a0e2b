/**
 * What is to be done, collected while inputs are handled and handed out as one {@linkcode Ready}.
 *
 * Durability is a property of this file. A message that promises something (a vote, an acknowledgement, a term)
 * goes through {@linkcode Outbox.promise}, and as long as anything that was decided before it is not durable, it
 * stays in here. It comes out only after `{kind: "persisted"}`. There is no other way out for it, so no caller can
 * send it early (bugs 1 and 5 of the originals: replies left before the write).
 *
 * @module
 */
import type {
  Accepted,
  ChunkToSend,
  ChunkToStore,
  Entry,
  HardState,
  Outgoing,
  Persist,
  RaftEvent,
  Ready,
  Refused,
  Transferred,
} from "./types.ts";

interface Promised extends Outgoing {
  /** May leave when this persist is durable. */
  readonly sequence: number;
}

/** A batch of entries on its way to the disk: when it is there, the log is durable up to `upTo`. */
interface Writing {
  readonly sequence: number;
  readonly upTo: number;
}

export class Outbox {
  #messages: Outgoing[] = [];
  #promised: Promised[] = [];
  #hardState: HardState | undefined;
  #entries: Entry[] = [];
  #accepted: Accepted[] = [];
  #reads: number[] = [];
  #refused: Refused[] = [];
  #transferred: Transferred[] = [];
  #chunksToSend: ChunkToSend[] = [];
  #chunksToStore: ChunkToStore[] = [];
  #events: RaftEvent[] = [];
  #writing: Writing[] = [];
  #handedOut = 0;
  /** The last persist that was handed out with a hard state. */
  #hardStateSequence = 0;
  #durable = 0;

  /** A message that promises nothing: it may leave before anything is durable. */
  send(outgoing: Outgoing): void {
    this.#messages.push(outgoing);
  }

  /** A message that must not leave before all that was decided up to now is durable. */
  promise(outgoing: Outgoing): void {
    this.#sendWhenDurable(outgoing, this.#hasUnwritten() ? this.#handedOut + 1 : this.#handedOut);
  }

  /**
   * A message that promises the present term and vote, and of the log only what is durable already. It does not wait
   * for entries: a follower whose disk is slow or full still says that it follows.
   */
  promiseTerm(outgoing: Outgoing): void {
    this.#sendWhenDurable(
      outgoing,
      this.#hardState === undefined ? this.#hardStateSequence : this.#handedOut + 1,
    );
  }

  #sendWhenDurable(outgoing: Outgoing, sequence: number): void {
    if (sequence <= this.#durable) this.#messages.push(outgoing);
    else this.#promised.push({ ...outgoing, sequence });
  }

  /** The hard state has changed. */
  persistHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** The log has a new entry at its end. */
  persistEntry(entry: Entry): void {
    this.#entries.push(entry);
  }

  /**
   * The entries after `after` are gone from the log and others follow in their place. What is being written of
   * them is of a past log: not even the term would tell, for a later leader can bring the same entries back.
   */
  truncateAfter(after: number): void {
    this.#entries = this.#entries.filter((waiting) => waiting.index <= after);
    this.#writing = this.#writing.map(({ sequence, upTo }) => ({ sequence, upTo: Math.min(upTo, after) }));
  }

  /** A snapshot has taken the place of the whole log: nothing that is being written of it counts any more. */
  resetLog(): void {
    this.#entries = [];
    this.#writing = [];
  }

  sendChunk(chunk: ChunkToSend): void {
    this.#chunksToSend.push(chunk);
  }

  storeChunk(chunk: ChunkToStore): void {
    this.#chunksToStore.push(chunk);
  }

  accept(accepted: Accepted): void {
    this.#accepted.push(accepted);
  }

  answerRead(token: number): void {
    this.#reads.push(token);
  }

  refuse(refused: Refused): void {
    this.#refused.push(refused);
  }

  transferred(transferred: Transferred): void {
    this.#transferred.push(transferred);
  }

  tell(event: RaftEvent): void {
    this.#events.push(event);
  }

  /**
   * All persists up to `sequence` are durable. Returns the messages that waited for it, in order, and the
   * index up to which these persists have made the log durable, 0 if they held no entries of it.
   */
  release(sequence: number): { messages: Outgoing[]; durableIndex: number } {
    // News of a write that was never asked for would release what is not durable.
    this.#durable = Math.max(this.#durable, Math.min(sequence, this.#handedOut));
    const isDurable = (item: { readonly sequence: number }) => item.sequence <= this.#durable;
    const messages = this.#promised.filter(isDurable).map(({ to, message }) => ({ to, message }));
    this.#promised = this.#promised.filter((promised) => !isDurable(promised));
    const durableIndex = this.#writing.findLast(isDurable)?.upTo ?? 0;
    this.#writing = this.#writing.filter((writing) => !isDurable(writing));
    return { messages, durableIndex };
  }

  /** Hands out all that was collected. */
  take(committed: readonly Entry[]): Ready {
    const ready: Ready = {
      messages: this.#messages,
      persist: this.#takePersist(),
      committed,
      accepted: this.#accepted,
      reads: this.#reads,
      refused: this.#refused,
      transferred: this.#transferred,
      chunksToSend: this.#chunksToSend,
      chunksToStore: this.#chunksToStore,
      events: this.#events,
    };
    this.#messages = [];
    this.#accepted = [];
    this.#reads = [];
    this.#refused = [];
    this.#transferred = [];
    this.#chunksToSend = [];
    this.#chunksToStore = [];
    this.#events = [];
    return ready;
  }

  #hasUnwritten(): boolean {
    return this.#hardState !== undefined || this.#entries.length > 0;
  }

  #takePersist(): Persist | undefined {
    if (!this.#hasUnwritten()) return undefined;
    const sequence = ++this.#handedOut;
    const persist = { sequence, hardState: this.#hardState, entries: this.#entries };
    const last = this.#entries[this.#entries.length - 1];
    if (last !== undefined) this.#writing.push({ sequence, upTo: last.index });
    if (this.#hardState !== undefined) this.#hardStateSequence = sequence;
    this.#hardState = undefined;
    this.#entries = [];
    return persist;
  }
}
