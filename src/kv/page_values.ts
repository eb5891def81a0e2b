/**
 * Values that stay in the pages of the snapshot they came from. A restart from a million pairs would otherwise make a
 * million small objects, and spend most of its time in the garbage collector; here a value is a small whole number,
 * which is none, until somebody asks for it.
 *
 * A page goes when the last of its values has been overwritten or deleted.
 *
 * @module
 */
import { ByteReader, MAX_VALUE_BYTES } from "../../packraft/mod.ts";

/** Where a value is: the number of its page, times {@linkcode MAX_SLOTS}, plus its slot in it. */
export type ValuePlace = number;

/** The most values in one page; a page of the usual size has fewer, whatever is in it. */
export const MAX_SLOTS = 32_768;

interface LoadedPage {
  readonly bytes: Uint8Array;
  /** Where in the page each value starts, its length first. */
  readonly offsets: Uint32Array;
}

/** Finds values as they were at one moment. */
export type ValueFinder = (place: ValuePlace) => Uint8Array;

export class PageValues {
  readonly #pages: (LoadedPage | undefined)[] = [];
  /** How many values of each page are in use. */
  readonly #inUse: number[] = [];

  /** Takes in a page with `count` values, at most {@linkcode MAX_SLOTS}. Returns the place of its first value. */
  add(bytes: Uint8Array, count: number): ValuePlace {
    this.#pages.push({ bytes, offsets: new Uint32Array(count) });
    this.#inUse.push(count);
    return (this.#pages.length - 1) * MAX_SLOTS;
  }

  /** Says where in its page a value starts. */
  set(place: ValuePlace, offset: number): void {
    const page = this.#pages[Math.floor(place / MAX_SLOTS)];
    if (page !== undefined) page.offsets[place % MAX_SLOTS] = offset;
  }

  get(place: ValuePlace): Uint8Array {
    return valueIn(this.#pages, place);
  }

  /** Finds the values that there are now, also after they have been released. */
  capture(): ValueFinder {
    const pages = [...this.#pages];
    return (place) => valueIn(pages, place);
  }

  /** A value is not in use any more. */
  release(place: ValuePlace): void {
    const number = Math.floor(place / MAX_SLOTS);
    const left = (this.#inUse[number] ?? 0) - 1;
    this.#inUse[number] = left;
    if (left === 0) this.#pages[number] = undefined;
  }
}

function valueIn(pages: readonly (LoadedPage | undefined)[], place: ValuePlace): Uint8Array {
  const page = pages[Math.floor(place / MAX_SLOTS)];
  const offset = page?.offsets[place % MAX_SLOTS];
  if (page === undefined || offset === undefined) throw new RangeError(`there is no value at place ${place}`);
  return new ByteReader(page.bytes.subarray(offset)).bytes(MAX_VALUE_BYTES);
}
