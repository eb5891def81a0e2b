/**
 * The hashes of the state machine after the entries that were applied last, one for each.
 *
 * @module
 */

/** Some seconds of the fastest load: enough to find the first difference while writes go on. */
const KEPT = 65_536;

export class StateHashes {
  #hashes = new Uint32Array(256);
  /** The hash after the entry at `#after + 1` and all up to `#upTo` are known. */
  #after = 0;
  #upTo = 0;

  /** The lowest index whose hash is not known any more. */
  get after(): number {
    return this.#after;
  }

  /** Notes the hash after the entry at `index`. One that does not follow the last begins anew. */
  note(index: number, hash: number): void {
    if (index !== this.#upTo + 1) this.#after = index - 1;
    if (index - this.#after > this.#hashes.length) this.#grow();
    this.#hashes[index % this.#hashes.length] = hash;
    this.#upTo = index;
    this.#after = Math.max(this.#after, index - this.#hashes.length);
  }

  /** The hash after the entry at `index`, if it is known. */
  at(index: number): number | undefined {
    if (index <= this.#after || index > this.#upTo) return undefined;
    return this.#hashes[index % this.#hashes.length];
  }

  /** Most clusters are small and quiet: they need not hold memory for a fast one. */
  #grow(): void {
    if (this.#hashes.length >= KEPT) return;
    const larger = new Uint32Array(this.#hashes.length * 4);
    for (let index = this.#after + 1; index <= this.#upTo; index++) {
      larger[index % larger.length] = this.#hashes[index % this.#hashes.length] ?? 0;
    }
    this.#hashes = larger;
  }
}
