/**
 * The calls and returns of operations in the order in which they happened, from which operations can be taken and
 * to which they come back, last taken first. Both take a few steps whatever the length: an entry that was taken out
 * still knows its neighbours (Knuth's "dancing links").
 *
 * Operations are numbers from 0 in the order of their calls. Entry 0 is the head; operation i has its call at
 * entry 2i + 1 and its return at entry 2i + 2.
 *
 * @module
 */

/** When an operation was called and when it returned; an equal number means at the same time. */
export interface Interval {
  readonly invokedAt: number;
  readonly returnedAt: number;
}

export class EventList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** For each operation, how many were called before it returned. */
  readonly #callsBeforeReturn: Int32Array;

  /** `intervals` in the order of their calls. */
  constructor(intervals: readonly Interval[]) {
    const entryCount = 2 * intervals.length + 1;
    this.#next = new Int32Array(entryCount);
    this.#previous = new Int32Array(entryCount);
    this.#callsBeforeReturn = new Int32Array(intervals.length);
    const returns = intervals.map(({ returnedAt }, i) => ({ returnedAt, i }))
      .sort((a, b) => a.returnedAt - b.returnedAt);
    let last = 0;
    const append = (entry: number) => {
      this.#next[last] = entry;
      this.#previous[entry] = last;
      last = entry;
    };
    let calls = 0;
    for (const { returnedAt, i } of returns) {
      // A call at the moment of a return comes first, so that the two count as concurrent.
      while (calls < intervals.length && invokedAt(intervals, calls) <= returnedAt) append(2 * calls++ + 1);
      this.#callsBeforeReturn[i] = calls;
      append(2 * i + 2);
    }
    append(0);
  }

  /** The operation whose call comes first; undefined if all are taken. */
  get first(): number | undefined {
    return this.after(undefined);
  }

  /**
   * The next operation after `operation` (from the start without one) that was called before any return. May
   * be asked of an operation that was just taken.
   */
  after(operation: number | undefined): number | undefined {
    const entry = this.#next[operation === undefined ? 0 : 2 * operation + 1] ?? 0;
    return entry % 2 === 1 ? (entry - 1) / 2 : undefined;
  }

  /** The operation that returns first. There must be one. */
  get firstToReturn(): number {
    let entry = this.#next[0] ?? 0;
    while (entry % 2 === 1) entry = this.#next[entry] ?? 0;
    if (entry === 0) throw new RangeError("firstToReturn of an empty list");
    return (entry - 2) / 2;
  }

  /** How many operations, taken or not, were called before `operation` returned. */
  callsBeforeReturn(operation: number): number {
    return this.#callsBeforeReturn[operation] ?? 0;
  }

  take(operation: number): void {
    // The return first: so the call, which goes last, knows what really follows, and `after` may be asked of it.
    this.#unlink(2 * operation + 2);
    this.#unlink(2 * operation + 1);
  }

  /** Takes back the last `take()` that was not taken back. */
  putBack(operation: number): void {
    this.#link(2 * operation + 1);
    this.#link(2 * operation + 2);
  }

  #unlink(entry: number): void {
    const previous = this.#previous[entry] ?? 0;
    const next = this.#next[entry] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #link(entry: number): void {
    this.#next[this.#previous[entry] ?? 0] = entry;
    this.#previous[this.#next[entry] ?? 0] = entry;
  }
}

function invokedAt(intervals: readonly Interval[], i: number): number {
  return intervals[i]?.invokedAt ?? Infinity;
}
