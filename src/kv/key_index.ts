/**
 * Finds records by their keys: a hash table that holds hashes and numbers, and no keys.
 *
 * It is made of {@linkcode SHARD_COUNT} tables, by the highest bits of the hash, because a table that is full is copied
 * into one of twice the size, and nothing is applied meanwhile: the copying is short if each has a part of the keys.
 * Within a table a key stands at the first free place from its hash on; when one goes, those behind it move up.
 *
 * @module
 */
import type { PairRecords } from "./pair_records.ts";

const SHARD_BITS = 8;
const SHARD_COUNT = 1 << SHARD_BITS;
const FIRST_CAPACITY = 8;

/** Places of two words: the hash, and the number of the record plus 1; 0 there is a free place. */
interface Shard {
  words: Uint32Array;
  mask: number;
  count: number;
}

export class KeyIndex {
  readonly #records: PairRecords;
  readonly #seed: number;
  readonly #shards: (Shard | undefined)[] = new Array(SHARD_COUNT).fill(undefined);
  #heldBytes = 0;

  /** @param seed unknown to who chooses the keys */
  constructor(records: PairRecords, seed: number) {
    this.#records = records;
    this.#seed = (0x811c9dc5 ^ seed) >>> 0;
  }

  /**
   * FNV-1a from a start that is secret, with a step more, so that keys which collide for one start do not for another;
   * and the end of MurmurHash3, so that all bits depend on all bytes.
   */
  hashOf(bytes: Uint8Array, start: number, length: number): number {
    let hash = this.#seed;
    for (let i = start; i < start + length; i++) {
      hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The record whose key is these bytes, whose hash is `hash`; -1 if there is none. */
  find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    if (shard === undefined) return -1;
    const { words, mask } = shard;
    for (let place = hash & mask;; place = (place + 1) & mask) {
      const entry = words[2 * place + 1] ?? 0;
      if (entry === 0) return -1;
      if (words[2 * place] === hash && this.#records.hasKey(entry - 1, bytes, start, length)) {
        return entry - 1;
      }
    }
  }

  /** Takes in a record, whose key is not there yet. */
  add(hash: number, record: number): void {
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)] ??= this.#newShard(FIRST_CAPACITY);
    if (4 * (shard.count + 1) > 3 * (shard.mask + 1)) this.#grow(shard);
    insert(shard, hash, record + 1);
    shard.count++;
  }

  remove(hash: number, record: number): void {
    const shard = this.#shards[hash >>> (32 - SHARD_BITS)];
    if (shard === undefined) return;
    const { words, mask } = shard;
    let hole = hash & mask;
    while (words[2 * hole + 1] !== record + 1) {
      if (words[2 * hole + 1] === 0) return;
      hole = (hole + 1) & mask;
    }
    for (let place = (hole + 1) & mask;; place = (place + 1) & mask) {
      const entry = words[2 * place + 1] ?? 0;
      if (entry === 0) break;
      const home = (words[2 * place] ?? 0) & mask;
      // It may move up to the hole only if that does not lie before its home.
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      words[2 * hole] = words[2 * place] ?? 0;
      words[2 * hole + 1] = entry;
      hole = place;
    }
    words[2 * hole + 1] = 0;
    shard.count--;
    // As with growing, in reverse, and late enough that a store around a limit does not do both in turn.
    if (shard.mask >= FIRST_CAPACITY && 8 * shard.count < shard.mask) this.#resize(shard, (mask + 1) / 2);
  }

  #newShard(capacity: number): Shard {
    this.#heldBytes += capacity * 8;
    return { words: new Uint32Array(2 * capacity), mask: capacity - 1, count: 0 };
  }

  #grow(shard: Shard): void {
    this.#resize(shard, 2 * (shard.mask + 1));
  }

  #resize(shard: Shard, capacity: number): void {
    const { words } = shard;
    this.#heldBytes += 8 * capacity - words.byteLength;
    shard.words = new Uint32Array(2 * capacity);
    shard.mask = capacity - 1;
    for (let at = 0; at < words.length; at += 2) {
      const entry = words[at + 1] ?? 0;
      if (entry !== 0) insert(shard, words[at] ?? 0, entry);
    }
  }
}

function insert({ words, mask }: Shard, hash: number, entry: number): void {
  let place = hash & mask;
  while (words[2 * place + 1] !== 0) place = (place + 1) & mask;
  words[2 * place] = hash;
  words[2 * place + 1] = entry;
}
