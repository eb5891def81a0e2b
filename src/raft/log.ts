/**
 * The log in memory (section 5.3 of the paper). Entry `i` of the array has index `i + 1`; index 0 stands for
 * "before the first entry" and has term 0, so that the consistency check needs no special case.
 *
 * The log also knows how far it is durable: a server that acknowledges beyond that point would promise what
 * a power cut can take back.
 *
 * @module
 */
import type { Entry } from "./types.ts";

/** Entries without gaps from index 1, and the mark up to which they are durable. */
export class RaftLog {
  #entries: Entry[];
  #durableIndex: number;

  /** `entries` must start at index 1 and have no gaps; all of them are durable. */
  constructor(entries: readonly Entry[]) {
    this.#entries = [...entries];
    this.#durableIndex = entries.length;
  }

  get lastIndex(): number {
    return this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries[this.#entries.length - 1]?.term ?? 0;
  }

  /** All entries up to this one would survive a crash. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** The term of the entry at `index`: 0 at index 0, undefined beyond the end. */
  termAt(index: number): number | undefined {
    return index === 0 ? 0 : this.#entries[index - 1]?.term;
  }

  entryAt(index: number): Entry | undefined {
    return this.#entries[index - 1];
  }

  /** The entries after `after`, up to `upTo`. */
  slice(after: number, upTo: number): Entry[] {
    return this.#entries.slice(after, upTo);
  }

  /** The entries from `from` on, as many as fit into `maxBytes` of data; the first one always does. */
  sliceOfBytes(from: number, maxBytes: number, maxEntries: number): Entry[] {
    let end = from - 1;
    let bytes = 0;
    while (end < this.#entries.length && end - (from - 1) < maxEntries) {
      bytes += this.#entries[end]?.data.length ?? 0;
      if (bytes > maxBytes && end > from - 1) break;
      end++;
    }
    return this.#entries.slice(from - 1, end);
  }

  append(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Removes all entries after `after`. */
  truncateAfter(after: number): void {
    this.#entries.length = after;
    this.#durableIndex = Math.min(this.#durableIndex, after);
  }

  /** Notes that the log as it is now is durable up to `index`. */
  markDurable(index: number): void {
    this.#durableIndex = Math.max(this.#durableIndex, index);
  }

  /** The first index that has the same term as the entry at `index`, without a gap in between. */
  firstIndexOfTermAt(index: number): number {
    const term = this.termAt(index);
    let first = index;
    while (first > 1 && this.termAt(first - 1) === term) first--;
    return first;
  }

  /** The last index at or before `upTo` whose entry has `term`, or 0. Terms never fall along a log. */
  lastIndexOfTerm(term: number, upTo: number): number {
    let index = Math.min(upTo, this.lastIndex);
    while (index > 0 && (this.termAt(index) ?? 0) > term) index--;
    return this.termAt(index) === term ? index : 0;
  }
}
