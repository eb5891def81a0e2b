/**
 * The order of the keys: a B+ tree of two levels. A leaf is an array of the numbers of records, in the order of their
 * keys; the leaves stand in one list. Only a key that comes or goes is searched for here.
 *
 * A capture takes the list, and leaves are copied when they are next written to: that is the only trace of it here.
 *
 * @module
 */
import type { PairRecords } from "./pair_records.ts";

const LEAF_RECORDS = 512;
/** Leaves that have fewer together are made one. */
const MERGED_RECORDS = 256;

interface Leaf {
  records: Uint32Array;
  count: number;
  /** How many times the order had been captured when `records` was made. */
  epoch: number;
}

/** The numbers of records, in order, in pieces. */
export type RecordRun = Pick<Leaf, "records" | "count">;

export class KeyOrder {
  readonly #records: PairRecords;
  #leaves: Leaf[] = [];
  #epoch = 0;

  constructor(records: PairRecords) {
    this.#records = records;
  }

  get heldBytes(): number {
    return this.#leaves.length * LEAF_RECORDS * 4;
  }

  /** All records as they are now, whatever comes and goes later. */
  capture(): readonly RecordRun[] {
    this.#epoch++;
    return this.#leaves.map(({ records, count }) => ({ records, count }));
  }

  /** Adds a record whose key comes after all others. */
  append(record: number): void {
    const last = this.#leaves.at(-1);
    const leaf = last !== undefined && last.count < LEAF_RECORDS ? last : this.#addLeaf(this.#leaves.length);
    this.#own(leaf)[leaf.count++] = record;
  }

  /** Adds a record with this key. */
  add(record: number, bytes: Uint8Array, start: number, length: number): void {
    let number = this.#leafOf(bytes, start, length);
    let leaf = this.#leaves[number];
    if (leaf === undefined) return this.append(record);
    let place = this.#placeIn(leaf, bytes, start, length);
    if (leaf.count === LEAF_RECORDS) {
      // Keys that come in order fill their leaves: a leaf that is cut in half would stay so.
      const isLast = number === this.#leaves.length - 1 && place === leaf.count;
      const next = this.#split(number, leaf, isLast ? LEAF_RECORDS : LEAF_RECORDS / 2);
      if (place > leaf.count || isLast) {
        place -= leaf.count;
        leaf = next;
        number++;
      }
    }
    const records = this.#own(leaf);
    records.copyWithin(place + 1, place, leaf.count);
    records[place] = record;
    leaf.count++;
  }

  /** Removes the record with this key. */
  remove(record: number, bytes: Uint8Array, start: number, length: number): void {
    const number = this.#leafOf(bytes, start, length);
    const leaf = this.#leaves[number];
    if (leaf === undefined) return;
    const place = this.#placeIn(leaf, bytes, start, length);
    if (leaf.records[place] !== record) throw new RangeError(`record ${record} is not where its key is`);
    this.#own(leaf).copyWithin(place, place + 1, leaf.count);
    leaf.count--;
    if (leaf.count === 0) this.#leaves.splice(number, 1);
    else if (leaf.count < MERGED_RECORDS / 2) this.#merge(number) || this.#merge(number - 1);
  }

  /** Puts the leaf behind into this one, if both are small. */
  #merge(number: number): boolean {
    const leaf = this.#leaves[number];
    const next = this.#leaves[number + 1];
    if (leaf === undefined || next === undefined || leaf.count + next.count > MERGED_RECORDS) return false;
    this.#own(leaf).set(next.records.subarray(0, next.count), leaf.count);
    leaf.count += next.count;
    this.#leaves.splice(number + 1, 1);
    return true;
  }

  /** Moves what is in a leaf from `count` on to a new one behind it. */
  #split(number: number, leaf: Leaf, count: number): Leaf {
    const next = this.#addLeaf(number + 1);
    next.records.set(leaf.records.subarray(count, leaf.count));
    next.count = leaf.count - count;
    leaf.count = count;
    return next;
  }

  #addLeaf(number: number): Leaf {
    const leaf = { records: new Uint32Array(LEAF_RECORDS), count: 0, epoch: this.#epoch };
    if (number === this.#leaves.length) this.#leaves.push(leaf);
    else this.#leaves.splice(number, 0, leaf);
    return leaf;
  }

  /** The array of a leaf, to be changed: a copy, if a capture may see it. */
  #own(leaf: Leaf): Uint32Array {
    if (leaf.epoch !== this.#epoch) {
      leaf.records = leaf.records.slice();
      leaf.epoch = this.#epoch;
    }
    return leaf.records;
  }

  /** The number of the last leaf that begins at or before a key; of the first, if none does. */
  #leafOf(bytes: Uint8Array, start: number, length: number): number {
    let low = 0;
    let high = this.#leaves.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const first = this.#leaves[middle]?.records[0] ?? 0;
      if (this.#records.compareKey(first, bytes, start, length) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The place of the first record in a leaf whose key is at or after a key. */
  #placeIn({ records, count }: Leaf, bytes: Uint8Array, start: number, length: number): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records.compareKey(records[middle] ?? 0, bytes, start, length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
