/**
 * Pairs by number. A record is five numbers in a large array, and the pair's bytes in a slab, in the form in which
 * commands and snapshots have them (PAIR of packraft: key length, key, value length, value): a pair comes in and goes
 * out with one copy, and a million of them are not one object for the garbage collector.
 *
 * ```
 * word 0  the page of the slab          word 3  the digest of the bytes; 0 if it has not been computed
 *      1  where in it the bytes begin   word 4  the epoch in which the record was last written
 *      2  how many bytes
 * ```
 *
 * @module
 */
import { digestOfPair } from "./digests.ts";
import { Slab } from "./slab.ts";

const WORDS = 5;
const PAGE = 0, OFFSET = 1, BYTES = 2, DIGEST = 3, EPOCH = 4;
/** Records are added in pieces: to copy one array of all of them as it grows would take milliseconds. */
const CHUNK_BITS = 10;
const CHUNK_RECORDS = 1 << CHUNK_BITS;

/** Where a pair's bytes are, apart from its record: kept for a capture after the record has other ones. */
export interface KeptPair {
  readonly page: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly epoch: number;
}

export class PairRecords {
  readonly #chunks: Uint32Array[] = [];
  readonly #slab = new Slab();
  readonly #unused: number[] = [];
  #count = 0;

  /** The memory that is held: of the slab, and of the records. */
  get heldBytes(): number {
    return this.#slab.heldBytes + this.#chunks.length * CHUNK_RECORDS * WORDS * 4;
  }

  /** A new record of these bytes. */
  add(pair: Uint8Array, digest: number, epoch: number): number {
    const record = this.#unused.pop() ?? this.#new();
    this.#put(record, pair, digest, epoch);
    return record;
  }

  /** Records of a page with pairs of an epoch before all others. Each is to be told its place, with `place`. */
  addPage(page: Uint8Array, count: number): { page: number; first: number } {
    const first = this.#count;
    const owners = new Uint32Array(count);
    for (let i = 0; i < count; i++) owners[i] = this.#new();
    return { page: this.#slab.adopt(page, owners), first };
  }

  /** Where the bytes of a record of {@linkcode PairRecords.addPage} are. */
  place(record: number, page: number, offset: number, sizeBytes: number): void {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    words[at + PAGE] = page;
    words[at + OFFSET] = offset;
    words[at + BYTES] = sizeBytes;
    words[at + DIGEST] = 0;
    words[at + EPOCH] = 0;
  }

  /** Other bytes, of the same key, in the place of those that there are. */
  overwrite(record: number, pair: Uint8Array, digest: number, epoch: number): void {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const page = words[at + PAGE] ?? 0;
    const sizeBytes = words[at + BYTES] ?? 0;
    if (this.#slab.fits(page, pair.length)) {
      this.#slab.bytesOf(page).set(pair, words[at + OFFSET]);
      words[at + BYTES] = pair.length;
      words[at + DIGEST] = digest;
      words[at + EPOCH] = epoch;
      return;
    }
    const offset = words[at + OFFSET] ?? 0;
    this.#put(record, pair, digest, epoch);
    this.#release(page, offset, sizeBytes);
  }

  /** Other bytes, of the same key; those that there are stay until they are released. */
  keepAndWrite(record: number, pair: Uint8Array, digest: number, epoch: number): KeptPair {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const kept = {
      page: words[at + PAGE] ?? 0,
      offset: words[at + OFFSET] ?? 0,
      sizeBytes: words[at + BYTES] ?? 0,
      epoch: words[at + EPOCH] ?? 0,
    };
    this.#put(record, pair, digest, epoch);
    return kept;
  }

  release({ page, offset, sizeBytes }: KeptPair): void {
    this.#release(page, offset, sizeBytes);
  }

  remove(record: number): void {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const page = words[at + PAGE] ?? 0;
    words[at + PAGE] = NO_PAGE;
    this.#unused.push(record);
    this.#release(page, words[at + OFFSET] ?? 0, words[at + BYTES] ?? 0);
  }

  epochOf(record: number): number {
    return this.#chunkOf(record)[atOf(record) + EPOCH] ?? 0;
  }

  setEpoch(record: number, epoch: number): void {
    this.#chunkOf(record)[atOf(record) + EPOCH] = epoch;
  }

  digestOf(record: number): number {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    return words[at + DIGEST] || (words[at + DIGEST] = digestOfPair(this.bytesOf(record)));
  }

  sizeBytesOf(record: number): number {
    return this.#chunkOf(record)[atOf(record) + BYTES] ?? 0;
  }

  /** The bytes, shared: right until the next write. */
  bytesOf(record: number): Uint8Array {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const offset = words[at + OFFSET] ?? 0;
    return this.#slab.bytesOf(words[at + PAGE] ?? 0).subarray(offset, offset + (words[at + BYTES] ?? 0));
  }

  keptBytes({ page, offset, sizeBytes }: KeptPair): Uint8Array {
    return this.#slab.bytesOf(page).subarray(offset, offset + sizeBytes);
  }

  hasKey(record: number, bytes: Uint8Array, start: number, length: number): boolean {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const own = this.#slab.bytesOf(words[at + PAGE] ?? 0);
    const offset = words[at + OFFSET] ?? 0;
    if (keyLengthAt(own, offset) !== length) return false;
    const ownStart = offset + (length < 0x80 ? 1 : 2);
    for (let i = 0; i < length; i++) if (own[ownStart + i] !== bytes[start + i]) return false;
    return true;
  }

  /** Below 0 if the key of the record comes before these bytes, above 0 if after. */
  compareKey(record: number, bytes: Uint8Array, start: number, length: number): number {
    const words = this.#chunkOf(record);
    const at = atOf(record);
    const own = this.#slab.bytesOf(words[at + PAGE] ?? 0);
    const offset = words[at + OFFSET] ?? 0;
    const ownLength = keyLengthAt(own, offset);
    const ownStart = offset + (ownLength < 0x80 ? 1 : 2);
    const shorter = Math.min(length, ownLength);
    for (let i = 0; i < shorter; i++) {
      const difference = (own[ownStart + i] ?? 0) - (bytes[start + i] ?? 0);
      if (difference !== 0) return difference;
    }
    return ownLength - length;
  }

  #put(record: number, pair: Uint8Array, digest: number, epoch: number): void {
    const page = this.#slab.allocate(pair.length, record);
    const { offset } = this.#slab;
    this.#slab.bytesOf(page).set(pair, offset);
    const words = this.#chunkOf(record);
    const at = atOf(record);
    words[at + PAGE] = page;
    words[at + OFFSET] = offset;
    words[at + BYTES] = pair.length;
    words[at + DIGEST] = digest;
    words[at + EPOCH] = epoch;
  }

  #release(page: number, offset: number, sizeBytes: number): void {
    this.#slab.release(page, offset, sizeBytes);
    const sparse = this.#slab.sparsePage(page);
    if (sparse !== undefined) this.#evacuate(sparse);
  }

  /** Moves what is in a page, so that it can go. What is kept for captures stays, and the page until then. */
  #evacuate(page: number): void {
    const bytes = this.#slab.bytesOf(page);
    for (const record of this.#slab.ownersOf(page)) {
      const words = this.#chunkOf(record);
      const at = atOf(record);
      if (words[at + PAGE] !== page) continue;
      const offset = words[at + OFFSET] ?? 0;
      const sizeBytes = words[at + BYTES] ?? 0;
      this.#put(
        record,
        bytes.subarray(offset, offset + sizeBytes),
        words[at + DIGEST] ?? 0,
        words[at + EPOCH] ?? 0,
      );
      this.#slab.release(page, offset, sizeBytes);
    }
  }

  #new(): number {
    const record = this.#count++;
    if (record >>> CHUNK_BITS === this.#chunks.length) {
      this.#chunks.push(new Uint32Array(CHUNK_RECORDS * WORDS));
    }
    return record;
  }

  #chunkOf(record: number): Uint32Array {
    return this.#chunks[record >>> CHUNK_BITS] ?? NO_WORDS;
  }
}

/** Of a record that is not in use: no page has this number. */
const NO_PAGE = 0xffffffff;
const NO_WORDS = new Uint32Array();

function atOf(record: number): number {
  return (record & (CHUNK_RECORDS - 1)) * WORDS;
}

/** The varint in front of a key; a key is short enough for one of two bytes. */
export function keyLengthAt(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset] ?? 0;
  return first < 0x80 ? first : first - 0x80 + (bytes[offset + 1] ?? 0) * 0x80;
}
