/**
 * Writes that are in the leader's log, each waiting for its entry to be applied.
 *
 * @module
 */

/** Who waits for an entry. */
export interface WaitingWrite<Asker> {
  readonly asker: Asker;
  readonly index: number;
  /** Of the entry: another leader's may take its place. */
  readonly term: number;
  readonly sinceMs: number;
}

/** How many that are gone may be kept at the front before the rest is moved up. */
const MAX_GONE = 4_096;

export class WaitingWrites<Asker> {
  /** In the order of the log, which is that of insertion. Those before `#first` are gone. */
  #queue: (WaitingWrite<Asker> | undefined)[] = [];
  #first = 0;

  get size(): number {
    return this.#queue.length - this.#first;
  }

  /** The one that waits for the lowest entry; index 0 if none does. */
  get oldest(): { readonly index: number; readonly sinceMs: number } {
    return this.#queue[this.#first] ?? { index: 0, sinceMs: 0 };
  }

  /** @throws RangeError if one already waits for that entry or a later one: the log only grows while this leads */
  add(write: WaitingWrite<Asker>): void {
    const last = this.#queue[this.#queue.length - 1];
    if (last !== undefined && this.size > 0 && last.index >= write.index) {
      throw new RangeError(`a write for entry ${write.index} after one for entry ${last.index}`);
    }
    this.#queue.push(write);
  }

  /** Takes out the one that waits for the entry at `index`, if it is the oldest: entries are applied in order. */
  take(index: number): WaitingWrite<Asker> | undefined {
    const write = this.#queue[this.#first];
    if (write?.index !== index) return undefined;
    this.#takeFirst();
    return write;
  }

  /** Takes out all that wait for entries up to `index`. */
  takeUpTo(index: number): WaitingWrite<Asker>[] {
    const taken: WaitingWrite<Asker>[] = [];
    for (let write = this.#queue[this.#first]; write !== undefined; write = this.#queue[this.#first]) {
      if (write.index > index) break;
      taken.push(write);
      this.#takeFirst();
    }
    return taken;
  }

  #takeFirst(): void {
    this.#queue[this.#first++] = undefined;
    if (this.#first < this.#queue.length && this.#first < MAX_GONE) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }
}
