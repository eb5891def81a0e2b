/**
 * The pairs: found by key, walked in the order of their keys, and seen as they were at one moment while writes go on.
 *
 * A capture is a moment. It takes the order of the records (`key_order.ts`), which is copied piece by piece as it
 * changes. A record that a capture may see, and that is written to, gets other bytes, and the newest capture keeps the
 * old ones; older captures find them there. A pair that goes leaves its record to the newest capture, with its bytes.
 * What a record holds was there when a capture began if it was written in an earlier epoch: each capture begins one.
 *
 * A capture ends when its walk has come to its end or is returned from. Then what it kept goes to the capture before
 * it, if that may see it, and otherwise is released, a little with each write. While there is one capture, it lets go of
 * what it has passed. A walk that somebody drops halfway ends when the garbage collector finds it: until then, and as
 * long as a walk stands still, it costs at most a second copy of what was there when it began.
 *
 * @module
 */
import { KeyIndex } from "./key_index.ts";
import { KeyOrder, type RecordRun } from "./key_order.ts";
import { type KeptPair, keyLengthAt, PairRecords } from "./pair_records.ts";

/** How many pairs are released with each write, after a capture that kept more. */
const RELEASED_AT_ONCE = 16;

interface Capture {
  /** It sees what was written in earlier epochs. */
  readonly epoch: number;
  readonly runs: readonly RecordRun[];
  /** The old bytes of records that have been written to, while this was the newest capture. */
  kept: Map<number, KeptPair>;
  /** Records whose pairs have gone, while this was the newest capture. */
  readonly removed: Set<number>;
}

const ABANDONED = new FinalizationRegistry<() => void>((end) => end());

export class PairStore {
  readonly #records = new PairRecords();
  readonly #index: KeyIndex;
  readonly #order = new KeyOrder(this.#records);
  /** Those that go on, the oldest first. */
  readonly #captures: Capture[] = [];
  /** Those that have ended and have not released all that they kept. */
  readonly #ended: Capture[] = [];
  #epoch = 0;
  #size = 0;
  #digest = 0;
  #contentBytes = 0;
  /** Where the next pair of a snapshot goes, and which record was the last. */
  #loading = { page: 0, next: 0, last: -1 };

  /** @param hashSeed unknown to who chooses the keys */
  constructor(hashSeed = 0) {
    this.#index = new KeyIndex(this.#records, hashSeed);
  }

  get size(): number {
    return this.#size;
  }

  /** The sum of the digests of all pairs, to 32 bits. */
  get digest(): number {
    return this.#digest >>> 0;
  }

  /** The bytes of all keys and values. */
  get contentBytes(): number {
    return this.#contentBytes;
  }

  /** The memory that is held for it all, but for what captures take. */
  get heldBytes(): number {
    return this.#records.heldBytes + this.#index.heldBytes + this.#order.heldBytes;
  }

  get captureCount(): number {
    return this.#captures.length;
  }

  /** The value of a key: a view, right until the next write. */
  get(key: Uint8Array): Uint8Array | undefined {
    const record = this.#index.find(this.#index.hashOf(key, 0, key.length), key, 0, key.length);
    return record < 0 ? undefined : valueIn(this.#records.bytesOf(record), key.length);
  }

  /** Sets a pair, PAIR of packraft, whose digest is known. */
  put(pair: Uint8Array, digest: number): void {
    if (this.#ended.length > 0) this.#releaseSome();
    const keyLength = keyLengthAt(pair, 0);
    const keyStart = startOfKey(keyLength);
    const hash = this.#index.hashOf(pair, keyStart, keyLength);
    const record = this.#index.find(hash, pair, keyStart, keyLength);
    if (record < 0) {
      const added = this.#records.add(pair, digest, this.#epoch);
      this.#index.add(hash, added);
      this.#order.add(added, pair, keyStart, keyLength);
      this.#size++;
    } else {
      this.#uncount(record, keyLength);
      const newest = this.#captures.at(-1);
      if (newest === undefined || this.#records.epochOf(record) >= newest.epoch) {
        this.#records.overwrite(record, pair, digest, this.#epoch);
      } else {
        newest.kept.set(record, this.#records.keepAndWrite(record, pair, digest, this.#epoch));
      }
    }
    this.#digest = (this.#digest + digest) | 0;
    this.#contentBytes += contentBytesOf(pair.length, keyLength);
  }

  /** Removes the pair with the key of `pair`. Returns whether it was there. */
  delete(pair: Uint8Array): boolean {
    if (this.#ended.length > 0) this.#releaseSome();
    const keyLength = keyLengthAt(pair, 0);
    const keyStart = startOfKey(keyLength);
    const hash = this.#index.hashOf(pair, keyStart, keyLength);
    const record = this.#index.find(hash, pair, keyStart, keyLength);
    if (record < 0) return false;
    this.#uncount(record, keyLength);
    this.#index.remove(hash, record);
    this.#order.remove(record, pair, keyStart, keyLength);
    this.#size--;
    const newest = this.#captures.at(-1);
    if (newest !== undefined && this.#records.epochOf(record) < newest.epoch) newest.removed.add(record);
    else this.#records.remove(record);
    return true;
  }

  /** Pairs of a snapshot follow, from a page that the store may keep. */
  beginPage(bytes: Uint8Array, count: number): void {
    const { page, first } = this.#records.addPage(bytes, count);
    this.#loading = { page, next: first, last: this.#loading.last };
  }

  /** The next pair of the page. Returns false if its key is not after that of the pair before. */
  load(bytes: Uint8Array, offset: number, sizeBytes: number): boolean {
    const loading = this.#loading;
    const keyLength = keyLengthAt(bytes, offset);
    const keyStart = offset + startOfKey(keyLength);
    if (loading.last >= 0 && this.#records.compareKey(loading.last, bytes, keyStart, keyLength) >= 0) {
      return false;
    }
    const record = loading.next++;
    this.#records.place(record, loading.page, offset, sizeBytes);
    this.#index.add(this.#index.hashOf(bytes, keyStart, keyLength), record);
    this.#order.append(record);
    loading.last = record;
    this.#size++;
    this.#contentBytes += contentBytesOf(sizeBytes, keyLength);
    return true;
  }

  /** All pairs have been loaded, and this is the sum of their digests. */
  endLoading(digest: number): void {
    this.#digest = digest | 0;
  }

  /**
   * All pairs as they are now, PAIR of packraft, in the order of their keys, whatever is written while they are walked.
   * A pair is right until the next one is taken, or the next write.
   */
  capture(): Generator<Uint8Array> {
    const epoch = ++this.#epoch;
    const capture = {
      epoch,
      runs: this.#order.capture(),
      kept: new Map<number, KeptPair>(),
      removed: new Set<number>(),
    };
    this.#captures.push(capture);
    const walk = this.#walk(capture);
    walk.next(); // to where it ends the capture, should it be given up before its first pair
    ABANDONED.register(walk, endOf(this, capture), capture);
    return walk;
  }

  *#walk(capture: Capture): Generator<Uint8Array> {
    try {
      yield NO_PAIR;
      for (const { records, count } of capture.runs) {
        for (let i = 0; i < count; i++) {
          const record = records[i] ?? 0;
          yield this.#seenBy(capture, record);
          if (this.#captures.length === 1) this.#pass(capture, record);
        }
      }
    } finally {
      this.end(capture);
    }
  }

  /** The oldest bytes that are kept by a capture or a newer one are those that the capture sees. */
  #seenBy(capture: Capture, record: number): Uint8Array {
    for (const { epoch, kept } of this.#captures) {
      const old = epoch < capture.epoch || kept.size === 0 ? undefined : kept.get(record);
      if (old !== undefined && old.epoch < capture.epoch) return this.#records.keptBytes(old);
    }
    return this.#records.bytesOf(record);
  }

  /** The only capture does not need the bytes of this record any more. */
  #pass(capture: Capture, record: number): void {
    const kept = capture.kept.get(record);
    if (kept !== undefined) {
      capture.kept.delete(record);
      this.#records.release(kept);
    } else if (capture.removed.delete(record)) {
      this.#records.remove(record);
    } else if (this.#records.epochOf(record) < capture.epoch) {
      this.#records.setEpoch(record, capture.epoch);
    }
  }

  /** Ends a capture, if it has not ended. */
  end(capture: Capture): void {
    const place = this.#captures.indexOf(capture);
    if (place < 0) return;
    ABANDONED.unregister(capture);
    this.#captures.splice(place, 1);
    const before = this.#captures[place - 1];
    if (before !== undefined) {
      if (before.kept.size < capture.kept.size) takeOver(before, capture);
      else handOver(capture, before);
      for (const record of capture.removed) {
        if (this.#records.epochOf(record) >= before.epoch) continue;
        before.removed.add(record);
        capture.removed.delete(record);
      }
    }
    if (capture.kept.size + capture.removed.size > 0) this.#ended.push(capture);
  }

  #releaseSome(): void {
    const capture = this.#ended.at(-1);
    if (capture === undefined) return;
    let left = RELEASED_AT_ONCE;
    for (const [record, kept] of capture.kept) {
      capture.kept.delete(record);
      this.#records.release(kept);
      if (--left === 0) return;
    }
    for (const record of capture.removed) {
      capture.removed.delete(record);
      this.#records.remove(record);
      if (--left === 0) return;
    }
    this.#ended.pop();
  }

  /** The bytes of a record are about to go. */
  #uncount(record: number, keyLength: number): void {
    this.#digest = (this.#digest - this.#records.digestOf(record)) | 0;
    this.#contentBytes -= contentBytesOf(this.#records.sizeBytesOf(record), keyLength);
  }
}

/** What a capture that ends has kept, and the one before it needs. */
function handOver(capture: Capture, before: Capture): void {
  for (const [record, kept] of capture.kept) {
    if (kept.epoch >= before.epoch) continue;
    before.kept.set(record, kept);
    capture.kept.delete(record);
  }
}

/**
 * The same where the one before has kept less: it takes all, and puts what it had into it, which takes no longer than
 * that is long. What it does not need of it nobody asks for, and goes when it ends.
 */
function takeOver(before: Capture, capture: Capture): void {
  const all = capture.kept;
  const displaced = new Map<number, KeptPair>();
  for (const [record, kept] of before.kept) {
    const newer = all.get(record);
    if (newer !== undefined) displaced.set(record, newer);
    all.set(record, kept);
  }
  before.kept = all;
  capture.kept = displaced;
}

/** A function of its own: a closure made in `capture()` might hold on to the walk, which would never be found then. */
function endOf(pairs: PairStore, capture: Capture): () => void {
  return () => pairs.end(capture);
}

const NO_PAIR = new Uint8Array();

function startOfKey(keyLength: number): number {
  return keyLength < 0x80 ? 1 : 2;
}

/** How long key and value of a pair are, without their lengths. */
function contentBytesOf(pairBytes: number, keyLength: number): number {
  const valueWithLength = pairBytes - keyLength - startOfKey(keyLength);
  return keyLength + valueWithLength - lengthBytesOf(valueWithLength);
}

/** How many bytes the varint takes in front of a value, of which there are so many with it; a value has at most 1 MiB. */
function lengthBytesOf(valueWithLength: number): number {
  return valueWithLength <= 0x80 ? 1 : valueWithLength <= 0x4001 ? 2 : 3;
}

function valueIn(pair: Uint8Array, keyLength: number): Uint8Array {
  const lengthStart = startOfKey(keyLength) + keyLength;
  return pair.subarray(lengthStart + lengthBytesOf(pair.length - lengthStart));
}

/** The key and the value of a pair, sharing its memory. */
export function partsOfPair(pair: Uint8Array): { key: Uint8Array; value: Uint8Array } {
  const keyLength = keyLengthAt(pair, 0);
  const keyStart = startOfKey(keyLength);
  return { key: pair.subarray(keyStart, keyStart + keyLength), value: valueIn(pair, keyLength) };
}
