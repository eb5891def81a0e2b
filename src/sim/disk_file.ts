/**
 * One file of the simulated disk: its bytes as the process sees them, and what a crash would leave of them.
 * A sync costs nothing but two assignments, because bytes are never copied: those before `durableBytes` are
 * the same on the disk, those after it meet their fate at the crash.
 *
 * @module
 */
import { SECTOR_BYTES } from "../storage/file_header.ts";

/** Whether a fault of this name happens now. */
export type FaultDice = (fault: "loseSector" | "loseTail" | "tearInsideSector" | "loseNameChange") => boolean;

export class SimFile {
  /** A number that no other file has. */
  readonly identity: number;
  #data = new Uint8Array(4096);
  #sizeBytes = 0;
  #durableBytes = 0;
  /** Durable bytes that a truncation cut off, for a crash to bring back until the truncation is synced. */
  #cutTail: Uint8Array | undefined;

  constructor(identity: number) {
    this.identity = identity;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** How many bytes from the start are certain to survive a crash. */
  get durableBytes(): number {
    return this.#durableBytes;
  }

  /** The content, shared with the file. */
  bytes(): Uint8Array {
    return this.#data.subarray(0, this.#sizeBytes);
  }

  append(bytes: Uint8Array): void {
    const needed = this.#sizeBytes + bytes.length;
    if (needed > this.#data.length) {
      const grown = new Uint8Array(Math.max(needed, this.#data.length * 2));
      grown.set(this.bytes());
      this.#data = grown;
    }
    this.#data.set(bytes, this.#sizeBytes);
    this.#sizeBytes = needed;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes >= this.#sizeBytes) return;
    if (sizeBytes < this.#durableBytes) {
      // A second truncation before a sync puts what it cuts in front of what the first one cut.
      const cut = this.#data.slice(sizeBytes, this.#durableBytes);
      this.#cutTail = this.#cutTail === undefined ? cut : concatenate(cut, this.#cutTail);
      this.#durableBytes = sizeBytes;
    }
    this.#sizeBytes = sizeBytes;
  }

  sync(): void {
    this.#durableBytes = this.#sizeBytes;
    this.#cutTail = undefined;
  }

  flipBit(offset: number, bit: number): void {
    if (offset < 0 || offset >= this.#sizeBytes) {
      throw new RangeError(`offset ${offset} is not within 0 to ${this.#sizeBytes - 1}`);
    }
    this.#data[offset] = (this.#data[offset] ?? 0) ^ (1 << bit);
  }

  /** Leaves what a power loss leaves. */
  crash(happens: FaultDice, random: () => number): void {
    const cutTail = this.#cutTail;
    if (cutTail !== undefined && happens("loseNameChange")) {
      // The truncation never happened, so nothing that was appended after it did.
      this.#sizeBytes = this.#durableBytes;
      this.append(cutTail);
    } else if (this.#sizeBytes > this.#durableBytes) {
      this.#loseUnsynced(happens, random);
    }
    this.sync();
  }

  #loseUnsynced(happens: FaultDice, random: () => number): void {
    const from = this.#durableBytes;
    if (happens("loseTail")) {
      this.#sizeBytes = from + Math.floor(random() * (this.#sizeBytes - from + 1));
    }
    let start = from;
    while (start < this.#sizeBytes) {
      const sectorEnd = Math.floor(start / SECTOR_BYTES + 1) * SECTOR_BYTES;
      const end = Math.min(sectorEnd, this.#sizeBytes);
      if (happens("loseSector")) this.#data.fill(0, start, end);
      else if (happens("tearInsideSector")) {
        this.#data.fill(0, start + Math.floor(random() * (end - start)), end);
      }
      start = sectorEnd;
    }
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
