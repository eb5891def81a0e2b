/**
 * The search for a linearization of one key.
 *
 * The question: can the operations be put in one order such that (1) an operation that returned before another
 * was called comes before it, and (2) every answer is what one register, which starts out missing, would give?
 *
 * The search is that of Wing and Gong (1993): an operation is *minimal* if it was called before the first return
 * among those that are not yet placed. Only a minimal one may come next; try each, go on with the rest, step back
 * when stuck. Lowe (2017) adds the memory: two ways to the same set of placed operations and the same value have
 * the same future, so the second is cut off. On top of these stand four facts about registers; each keeps the
 * answer exact and takes a factor out of the search:
 *
 * 1. *Observers go at once.* A minimal operation that fits the present value and does not change it (a get of it,
 *    a delete that found nothing) is placed now: whatever order works with it later works with it now.
 * 2. *Unknown outcomes just in time.* A write without an answer need never be placed, and one that nobody observes
 *    before the next write can be left out. So it is placed only directly before an answered operation that needs
 *    it (a get, or a delete for what it says to have found), and only if that does not fit without it.
 * 3. *Spare is better.* Of two ways to the same set and value, one that has used a subset of the other's unknown
 *    writes can do all that the other can. Unknown writes of the same value are used in the order of their calls.
 *    Without 2 and 3, each unknown write would double the work: it happened, or it did not.
 * 4. *No way back.* A value that answered operations have yet to observe cannot be overwritten if nobody is left to
 *    write it again. Where each value is written once, this leaves next to no wrong turns.
 *
 * Sources: J. Wing, C. Gong, "Testing and verifying concurrent objects", JPDC 17 (1993); G. Lowe, "Testing for
 * linearizability", Concurrency and Computation 29 (2017).
 *
 * @module
 */
import { EventList } from "./event_list.ts";
import type { Operation } from "./history.ts";
import {
  type Answered,
  MISSING,
  NEEDS_ANY_VALUE,
  NEEDS_NOTHING,
  registerModelOf,
  WRITES_NOTHING,
} from "./register_model.ts";

const NO_UNKNOWN = -1;

export type SearchResult =
  /** `order` explains all answers; unknown operations that are not in it took no effect. */
  | { readonly outcome: "linearizable"; readonly order: Operation[]; readonly steps: number }
  | { readonly outcome: "violation" | "undecided"; readonly steps: number };

/** A point where the search may go on in several ways. */
interface Frame {
  /** The length of the trail here. */
  readonly mark: number;
  /** In pairs: the answered operation to place, and the value of the unknown write to place before it. */
  readonly choices: readonly number[];
  nextChoice: number;
}

/**
 * Searches for an order of operations, all on one key and with no return before its call, in at most `maxSteps`
 * attempts to place a write. Events with equal numbers count as concurrent.
 */
export function searchOrder(operations: readonly Operation[], maxSteps: number): SearchResult {
  return new RegisterSearch(operations).run(maxSteps);
}

class RegisterSearch {
  /** In the order of calls; below, an answered operation is its position here. */
  readonly #answered: readonly Answered[];
  /** The unknown writes of each value, in the order of calls. */
  readonly #unknown: readonly (readonly Operation[])[];
  /** The values that unknown puts write. */
  readonly #unknownPuts: readonly number[];
  /** The bit in `#used` of the first unknown write of each value; the others follow. */
  readonly #firstBit: number[] = [];

  // Where the search is now.
  #value = MISSING;
  #left: number;
  /** The answered operations that are not placed. */
  readonly #events: EventList;
  readonly #placed: Uint16Array;
  #used = 0n;
  readonly #usedOfValue: number[];
  /** How many operations that are not placed need a value, and how many could write it. */
  readonly #readersLeft: number[];
  readonly #writersLeft: number[];

  /** What was placed, in order: an answered operation, or `-1 - value` for an unknown write. */
  readonly #trail: number[] = [];
  /** The value before each of these. */
  readonly #valuesBefore: number[] = [];
  /** For each configuration that was searched: the minimal sets of used unknown writes. */
  readonly #seen = new Map<string, bigint[]>();

  constructor(operations: readonly Operation[]) {
    const { answered, unknown } = registerModelOf(operations);
    const valueCount = unknown.length;
    this.#answered = answered;
    this.#unknown = unknown;
    this.#unknownPuts = unknown.flatMap((writes, value) =>
      value !== MISSING && writes.length > 0 ? [value] : []
    );
    this.#readersLeft = new Array<number>(valueCount).fill(0);
    this.#writersLeft = this.#unknown.map((writes) => writes.length);
    let bit = 0;
    for (const writes of this.#unknown) {
      this.#firstBit.push(bit);
      bit += writes.length;
    }
    this.#usedOfValue = new Array<number>(valueCount).fill(0);
    for (const each of answered) this.#count(each, 1);
    this.#left = this.#answered.length;
    this.#placed = new Uint16Array((this.#left >>> 4) + 1);
    this.#events = new EventList(this.#answered);
  }

  run(maxSteps: number): SearchResult {
    let steps = 0;
    if (this.#readersLeft.some((_, value) => value !== MISSING && this.#isLost(value))) {
      return { outcome: "violation", steps }; // a value was read that nobody writes
    }
    const frames: Frame[] = [];
    while (true) {
      this.#placeObservers();
      if (this.#left === 0) return { outcome: "linearizable", order: this.#order(), steps };
      const choices = this.#isKnown() ? [] : this.#choices();
      frames.push({ mark: this.#trail.length, choices, nextChoice: 0 });
      let isPlaced = false;
      while (!isPlaced) {
        const frame = frames.at(-1);
        if (frame === undefined) return { outcome: "violation", steps };
        const answered = frame.choices[frame.nextChoice];
        if (answered === undefined) {
          frames.pop();
          continue;
        }
        if (steps === maxSteps) return { outcome: "undecided", steps };
        steps++;
        this.#undo(frame.mark);
        isPlaced = this.#tryPlace(answered, frame.choices[frame.nextChoice + 1] ?? NO_UNKNOWN);
        frame.nextChoice += 2;
      }
    }
  }

  /** Fact 1. The value stays as it is, so one pass finds them all. */
  #placeObservers(): void {
    for (let i = this.#events.first; i !== undefined; i = this.#events.after(i)) {
      // What needs a certain value, a get or a delete that found nothing, leaves it as it is.
      if (at(this.#answered, i).needs === this.#value) this.#placeAnswered(i);
    }
  }

  /** All ways to go on after the observers. */
  #choices(): number[] {
    const choices: number[] = [];
    const firstReturnAt = at(this.#answered, this.#events.firstToReturn).returnedAt;
    const tryAfterUnknown = (i: number, value: number) => {
      const spare = this.#unknown[value]?.[at(this.#usedOfValue, value)];
      if (spare !== undefined && spare.invokedAt <= firstReturnAt) choices.push(i, value);
    };
    for (let i = this.#events.first; i !== undefined; i = this.#events.after(i)) {
      const { needs } = at(this.#answered, i);
      if (needs === NEEDS_NOTHING || (needs === NEEDS_ANY_VALUE && this.#value !== MISSING)) {
        choices.push(i, NO_UNKNOWN);
      } else if (needs === NEEDS_ANY_VALUE) {
        for (const value of this.#unknownPuts) tryAfterUnknown(i, value);
      } else {
        tryAfterUnknown(i, needs);
      }
    }
    return choices;
  }

  /** Places an operation, after an unknown write if one is named; false if this leads nowhere (fact 4). */
  #tryPlace(answered: number, unknownValue: number): boolean {
    const before = this.#value;
    if (unknownValue !== NO_UNKNOWN) this.#placeUnknown(unknownValue);
    const between = this.#value;
    this.#placeAnswered(answered);
    return [before, between].every((value) => value === this.#value || !this.#isLost(value));
  }

  /** Whether a value is needed that nobody is left to write. */
  #isLost(value: number): boolean {
    return at(this.#readersLeft, value) > 0 && at(this.#writersLeft, value) === 0;
  }

  #placeAnswered(i: number): void {
    const answered = at(this.#answered, i);
    this.#trail.push(i);
    this.#valuesBefore.push(this.#value);
    if (answered.writes !== WRITES_NOTHING) this.#value = answered.writes;
    this.#count(answered, -1);
    this.#flip(i);
    this.#left--;
    this.#events.take(i);
  }

  #placeUnknown(value: number): void {
    this.#trail.push(-1 - value);
    this.#valuesBefore.push(this.#value);
    this.#value = value;
    add(this.#writersLeft, value, -1);
    this.#used ^= this.#bitOfSpare(value);
    add(this.#usedOfValue, value, 1);
  }

  /** Steps back to where the trail had this length. */
  #undo(mark: number): void {
    while (this.#trail.length > mark) {
      const placed = this.#trail.pop() ?? 0;
      this.#value = this.#valuesBefore.pop() ?? MISSING;
      if (placed < 0) {
        const value = -1 - placed;
        add(this.#usedOfValue, value, -1);
        this.#used ^= this.#bitOfSpare(value);
        add(this.#writersLeft, value, 1);
      } else {
        this.#events.putBack(placed);
        this.#left++;
        this.#flip(placed);
        this.#count(at(this.#answered, placed), 1);
      }
    }
  }

  #bitOfSpare(value: number): bigint {
    return 1n << BigInt(at(this.#firstBit, value) + at(this.#usedOfValue, value));
  }

  #flip(i: number): void {
    this.#placed[i >>> 4] = (this.#placed[i >>> 4] ?? 0) ^ (1 << (i & 15));
  }

  #count({ needs, writes }: Answered, change: number): void {
    if (needs >= 0) add(this.#readersLeft, needs, change);
    // A delete that found nothing needs what it would write: it is no source of it.
    if (writes >= 0 && writes !== needs) add(this.#writersLeft, writes, change);
  }

  /** Whether the search was here before, with no more of the unknown writes used (fact 3). Notes it if not. */
  #isKnown(): boolean {
    const configuration = this.#configuration();
    const known = this.#seen.get(configuration) ?? [];
    if (known.some((used) => (used & this.#used) === used)) return true;
    this.#seen.set(configuration, [
      ...known.filter((used) => (used & this.#used) !== this.#used),
      this.#used,
    ]);
    return false;
  }

  /**
   * The value and the set of placed operations, exactly. All before the first that is not placed are in the set,
   * and none that was called after the first return that is not placed, so that only the bits between count.
   */
  #configuration(): string {
    const firstWord = (this.#events.first ?? 0) >>> 4;
    const lastWord = this.#events.callsBeforeReturn(this.#events.firstToReturn) >>> 4;
    const value = this.#value;
    let text = String.fromCharCode(value & 0xffff, value >>> 16, firstWord & 0xffff, firstWord >>> 16);
    for (let word = firstWord; word <= lastWord; word++) text += String.fromCharCode(this.#placed[word] ?? 0);
    return text;
  }

  #order(): Operation[] {
    const usedOfValue = new Array<number>(this.#unknown.length).fill(0);
    return this.#trail.map((placed) => {
      if (placed >= 0) return at(this.#answered, placed).operation;
      const value = -1 - placed;
      const operation = at(at(this.#unknown, value), at(usedOfValue, value));
      add(usedOfValue, value, 1);
      return operation;
    });
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}

function add(counts: number[], index: number, change: number): void {
  counts[index] = at(counts, index) + change;
}
