/**
 * Seeded randomness. Each concern of a world (each link, each disk, each client, the plan of faults) draws from a
 * stream of its own, so that taking one fault out of a run does not change the chances of everything else: that
 * is what makes a failing run shrinkable.
 *
 * @module
 */

/** A stream of even numbers in [0, 1), and what is drawn from them. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The stream `name` of `seed`: equal for equal arguments, unrelated otherwise. */
  constructor(seed: number, name: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    this.#a = hash >>> 0;
    this.#b = seed >>> 0;
    this.#c = Math.floor(seed / 0x1_0000_0000) >>> 0;
    // The first numbers still show the seed; the generator's author advises to skip a dozen.
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next number: sfc32 by Chris Doty-Humphrey, 128 bits of state, passes PractRand. */
  next = (): number => {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };

  /** A number in [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("pick() from an empty list");
    return item;
  }

  /** `items` in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const a = result[i] as T;
      result[i] = result[j] as T;
      result[j] = a;
    }
    return result;
  }
}
