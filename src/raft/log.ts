/**
 * The log in memory (section 5.3 of the paper), without the part that a snapshot stands for (section 7). It holds
 * the entries after its `base`; index 0 stands for "before the first entry" and has term 0, so that the
 * consistency check needs no special case.
 *
 * The log also knows how far it is durable: a server that acknowledges beyond that point would promise what
 * a power cut can take back.
 *
 * @module
 */
import { EntryList } from "./entry_list.ts";
import type { Entry, LogPosition } from "./types.ts";

/** Entries without gaps after `base`, and the mark up to which they are durable. */
export class RaftLog {
  /** The entry of index `base.index + 1 + i` is at place `i`. */
  #entries: EntryList;
  #base: LogPosition;
  #durableIndex: number;

  /** `entries` must start right after `base` and have no gaps; all of them are durable. */
  constructor(base: LogPosition, entries: readonly Entry[]) {
    this.#base = base;
    this.#entries = new EntryList(entries);
    this.#durableIndex = this.lastIndex;
  }

  /** The place before the first entry that is held. */
  get base(): LogPosition {
    return this.#base;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.termAt(this.#entries.length - 1) ?? this.#base.term;
  }

  /** All entries up to this one would survive a crash. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** The term of the entry at `index`: 0 at index 0, undefined beyond the end and before the base. */
  termAt(index: number): number | undefined {
    if (index === 0) return 0;
    if (index === this.#base.index) return this.#base.term;
    return this.#entries.termAt(index - 1 - this.#base.index);
  }

  entryAt(index: number): Entry | undefined {
    return this.#entries.at(index - 1 - this.#base.index);
  }

  /** The entries after `after`, up to `upTo`: those of them that are held. */
  slice(after: number, upTo: number): Entry[] {
    const place = (index: number) => Math.max(0, index - this.#base.index);
    return this.#entries.slice(place(after), place(upTo));
  }

  /**
   * The entries from `from` on, as many as fit into `maxBytes` of data; the first one always does.
   *
   * @throws RangeError for an entry that is not held any more
   */
  sliceOfBytes(from: number, maxBytes: number, maxEntries: number): Entry[] {
    const start = from - 1 - this.#base.index;
    if (start < 0) {
      throw new RangeError(`entry ${from} is not held: the log begins after ${this.#base.index}`);
    }
    let end = start;
    let bytes = 0;
    while (end < this.#entries.length && end - start < maxEntries) {
      bytes += this.#entries.dataBytesAt(end);
      if (bytes > maxBytes && end > start) break;
      end++;
    }
    return this.#entries.slice(start, end);
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Removes all entries after `after`. */
  truncateAfter(after: number): void {
    this.#entries.truncate(after - this.#base.index);
    this.#durableIndex = Math.min(this.#durableIndex, after);
  }

  /** Notes that the log as it is now is durable up to `index`. */
  markDurable(index: number): void {
    this.#durableIndex = Math.max(this.#durableIndex, index);
  }

  /** Lets go of the entries up to `upTo`, which a snapshot stands for. */
  compact(upTo: number): void {
    const term = this.termAt(upTo);
    if (upTo <= this.#base.index || term === undefined) return;
    this.#entries.dropFirst(upTo - this.#base.index);
    this.#base = { index: upTo, term };
  }

  /** Begins anew after `base`: a snapshot has taken the place of all that was held. */
  reset(base: LogPosition): void {
    this.#base = base;
    this.#entries = new EntryList([]);
    this.#durableIndex = base.index;
  }

  /**
   * The smallest index from which on the entries up to `upTo` have at most `maxBytes` of data, minus one: what may
   * be let go of when that much is to be kept.
   */
  indexKeeping(maxBytes: number, upTo: number): number {
    let index = upTo;
    let bytes = 0;
    while (index > this.#base.index) {
      bytes += this.#entries.dataBytesAt(index - 1 - this.#base.index) + ENTRY_OVERHEAD_BYTES;
      if (bytes > maxBytes) break;
      index--;
    }
    return index;
  }

  /** The first index held that has the same term as the entry at `index`, without a gap in between. */
  firstIndexOfTermAt(index: number): number {
    const term = this.termAt(index);
    let first = index;
    while (first > this.#base.index + 1 && this.termAt(first - 1) === term) first--;
    return first;
  }

  /** The last index held, at or before `upTo`, whose entry has `term`, or 0. Terms never fall along a log. */
  lastIndexOfTerm(term: number, upTo: number): number {
    let index = Math.min(upTo, this.lastIndex);
    while (index > this.#base.index && (this.termAt(index) ?? 0) > term) index--;
    return this.termAt(index) === term ? index : 0;
  }
}

/** About what an entry takes in memory besides its data: less where it shares a piece of memory with others. */
const ENTRY_OVERHEAD_BYTES = 128;
