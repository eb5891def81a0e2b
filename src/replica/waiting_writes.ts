/**
 * Writes that are in the leader's log, each waiting for its entry to be applied.
 *
 * @module
 */

/** Who waits for an entry. */
export interface WaitingWrite {
  readonly luid: string;
  /** Of the entry: another leader's may take its place. */
  readonly term: number;
  readonly sinceMs: number;
}

export class WaitingWrites {
  /** In the order of the log, which is that of insertion. */
  readonly #byIndex = new Map<number, WaitingWrite>();

  get size(): number {
    return this.#byIndex.size;
  }

  /** The one that waits for the lowest entry; index 0 if none does. */
  get oldest(): { readonly index: number; readonly sinceMs: number } {
    for (const [index, { sinceMs }] of this.#byIndex) return { index, sinceMs };
    return { index: 0, sinceMs: 0 };
  }

  add(index: number, write: WaitingWrite): void {
    this.#byIndex.set(index, write);
  }

  take(index: number): WaitingWrite | undefined {
    const write = this.#byIndex.get(index);
    if (write !== undefined) this.#byIndex.delete(index);
    return write;
  }

  /** Takes out all that wait for entries up to `index`. */
  takeUpTo(index: number): WaitingWrite[] {
    const taken = [...this.#byIndex].filter(([at]) => at <= index);
    for (const [at] of taken) this.#byIndex.delete(at);
    return taken.map(([, write]) => write);
  }
}
