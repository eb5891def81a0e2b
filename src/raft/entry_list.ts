/**
 * Entries in a row, most of which nobody asks for any more: those that are kept for followers that are behind, or until
 * a snapshot stands for them. There can be hundreds of thousands. As objects each would take 250 bytes besides its data,
 * and all of them the garbage collector's time, over and over; so all but the newest are packed: a block of them is one
 * array of numbers, and the pieces of memory that their data lies in. Who asks for a packed entry gets a new object.
 *
 * @module
 */
import type { Entry } from "./types.ts";

/** How many entries a block holds. */
const BLOCK_ENTRIES = 256;
/** How many of the newest are never packed: what is on its way to followers, to the disk or to be applied. */
const UNPACKED_ENTRIES = 1_024;

export class EntryList {
  /** Full ones, the oldest first. */
  #blocks: Block[] = [];
  /** How many entries of the first block are gone. */
  #dropped = 0;
  /** Those after the blocks. */
  #unpacked: Entry[] = [];

  constructor(entries: Iterable<Entry>) {
    for (const entry of entries) this.push(entry);
  }

  get length(): number {
    return this.#packedCount + this.#unpacked.length;
  }

  get #packedCount(): number {
    return this.#blocks.length * BLOCK_ENTRIES - this.#dropped;
  }

  push(entry: Entry): void {
    this.#unpacked.push(entry);
    if (this.#unpacked.length < UNPACKED_ENTRIES + BLOCK_ENTRIES) return;
    this.#blocks.push(new Block(this.#unpacked.slice(0, BLOCK_ENTRIES)));
    this.#unpacked = this.#unpacked.slice(BLOCK_ENTRIES);
  }

  /** The entry at `place`, from 0; undefined outside. */
  at(place: number): Entry | undefined {
    const packedCount = this.#packedCount;
    if (place >= packedCount) return this.#unpacked[place - packedCount];
    return this.#blockOf(place)?.entryAt((place + this.#dropped) % BLOCK_ENTRIES);
  }

  termAt(place: number): number | undefined {
    const packedCount = this.#packedCount;
    if (place >= packedCount) return this.#unpacked[place - packedCount]?.term;
    return this.#blockOf(place)?.termAt((place + this.#dropped) % BLOCK_ENTRIES);
  }

  /** How many bytes of data the entry at `place` has: 0 outside. */
  dataBytesAt(place: number): number {
    const packedCount = this.#packedCount;
    if (place >= packedCount) return this.#unpacked[place - packedCount]?.data.length ?? 0;
    return this.#blockOf(place)?.dataBytesAt((place + this.#dropped) % BLOCK_ENTRIES) ?? 0;
  }

  /** Those from place `start` to before `end`: as many of them as there are. */
  slice(start: number, end: number): Entry[] {
    const packedCount = this.#packedCount;
    if (start >= packedCount) {
      return this.#unpacked.slice(start - packedCount, Math.max(0, end - packedCount));
    }
    const entries: Entry[] = [];
    for (let place = Math.max(0, start); place < Math.min(end, this.length); place++) {
      const entry = this.at(place);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** Removes all but the first `count`. */
  truncate(count: number): void {
    while (this.#blocks.length > 0 && count < this.#packedCount) {
      const block = this.#blocks.pop();
      const dropped = this.#blocks.length === 0 ? this.#dropped : 0;
      this.#unpacked = block?.unpack(dropped) ?? [];
      this.#dropped -= dropped;
    }
    this.#unpacked.length = Math.max(0, Math.min(this.#unpacked.length, count - this.#packedCount));
  }

  /** Removes the first `count`. */
  dropFirst(count: number): void {
    const fromPacked = Math.min(count, this.#packedCount);
    const gone = this.#dropped + fromPacked;
    const goneBlocks = Math.floor(gone / BLOCK_ENTRIES);
    // New arrays: to cut the front off the old ones would keep their memory.
    if (goneBlocks > 0) this.#blocks = this.#blocks.slice(goneBlocks);
    this.#dropped = gone - goneBlocks * BLOCK_ENTRIES;
    this.#blocks[0]?.forget(this.#dropped);
    if (count > fromPacked) this.#unpacked = this.#unpacked.slice(count - fromPacked);
  }

  #blockOf(place: number): Block | undefined {
    if (place < 0) return undefined; // though the first block may still hold it
    return this.#blocks[Math.floor((place + this.#dropped) / BLOCK_ENTRIES)];
  }
}

const KINDS = ["noop", "command", "configuration"] as const satisfies readonly Entry["kind"][];
/** The numbers of an entry: which piece of memory its data lies in, from where on, how long it is, and its kind. */
const [MEMORY, OFFSET, LENGTH, KIND] = [0, 1, 2, 3];
const NUMBERS = 4;

const NO_MEMORY = new ArrayBuffer(0);

/** Entries of consecutive indexes, packed. */
class Block {
  readonly #firstIndex: number;
  /** One for all, or one for each: most blocks are of one term. */
  readonly #terms: number | Float64Array;
  readonly #numbers: Uint32Array;
  readonly #memories: ArrayBufferLike[] = [];

  constructor(entries: readonly Entry[]) {
    const { index = 0, term = 0 } = entries[0] ?? {};
    this.#firstIndex = index;
    const isOfOneTerm = entries.every((entry) => entry.term === term);
    this.#terms = isOfOneTerm ? term : Float64Array.from(entries, (entry) => entry.term);
    this.#numbers = new Uint32Array(entries.length * NUMBERS);
    let at = 0;
    for (const { kind, data } of entries) {
      // Data that came together lies together.
      if (this.#memories[this.#memories.length - 1] !== data.buffer) this.#memories.push(data.buffer);
      this.#numbers[at + MEMORY] = this.#memories.length - 1;
      this.#numbers[at + OFFSET] = data.byteOffset;
      this.#numbers[at + LENGTH] = data.length;
      this.#numbers[at + KIND] = KINDS.indexOf(kind);
      at += NUMBERS;
    }
  }

  entryAt(place: number): Entry | undefined {
    const at = place * NUMBERS;
    const memory = this.#memories[this.#numbers[at + MEMORY] ?? 0];
    const kind = KINDS[this.#numbers[at + KIND] ?? 0];
    if (memory === undefined || kind === undefined) return undefined;
    return {
      index: this.#firstIndex + place,
      term: this.termAt(place),
      kind,
      data: new Uint8Array(memory, this.#numbers[at + OFFSET], this.#numbers[at + LENGTH]),
    };
  }

  termAt(place: number): number {
    return typeof this.#terms === "number" ? this.#terms : this.#terms[place] ?? 0;
  }

  dataBytesAt(place: number): number {
    return this.#numbers[place * NUMBERS + LENGTH] ?? 0;
  }

  /** Lets go of the memory that only the first `count` entries lie in. Nobody asks for those again. */
  forget(count: number): void {
    this.#memories.fill(NO_MEMORY, 0, this.#numbers[count * NUMBERS + MEMORY]);
  }

  /** The entries from `place` on, as objects. */
  unpack(place: number): Entry[] {
    const count = this.#numbers.length / NUMBERS - place;
    return Array.from({ length: count }, (_, at) => this.entryAt(place + at))
      .filter((entry) => entry !== undefined);
  }
}
