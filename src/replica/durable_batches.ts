/**
 * What Raft wants to keep, on its way to the disk, in order.
 *
 * A full disk is the one failure that is waited out. What found no room stays here and is tried again; nothing that
 * depends on it leaves the node meanwhile, because the server is not told that it is durable. So a node without
 * room promises nothing, answers reads as long as it leads, and goes on by itself when there is room.
 *
 * @module
 */
import type { Persist } from "../raft/mod.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import { StorageFullError } from "../storage/errors.ts";

/** How long a full disk is left alone. */
const RETRY_MS = 200;

export class DurableBatches {
  readonly #storage: DurableStorage;
  readonly #tellFull: (detail: string | undefined) => void;
  #waiting: Persist[] = [];
  #retryMs = -Infinity;
  #isFull = false;

  /** `tellFull` is told why when the disk has become full, and nothing when it is no longer. */
  constructor(storage: DurableStorage, tellFull: (detail: string | undefined) => void) {
    this.#storage = storage;
    this.#tellFull = tellFull;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** When another attempt is due. */
  get retryMs(): number {
    return this.#isFull ? this.#retryMs : Infinity;
  }

  push(persist: Persist): void {
    this.#waiting.push(persist);
  }

  /** A snapshot has taken the place of the whole log: entries that were to be appended to it are void. */
  dropEntries(): void {
    this.#waiting = this.#waiting.map((persist) => ({ ...persist, entries: [] }));
  }

  /**
   * Writes what waits, with one sync for all of it. Returns the sequence up to which all is durable, or undefined if
   * nothing was written. Throws what the storage throws, but for a full disk.
   */
  write(nowMs: number): number | undefined {
    if (this.#waiting.length === 0 || (this.#isFull && nowMs < this.#retryMs)) return undefined;
    const sequence = this.#append(nowMs);
    if (sequence !== undefined) this.#storage.sync();
    return sequence;
  }

  #append(nowMs: number): number | undefined {
    let count = 0;
    try {
      for (const persist of this.#waiting) {
        this.#storage.append(persist);
        count++;
      }
      this.#setFull(undefined);
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
      this.#retryMs = nowMs + RETRY_MS;
      this.#setFull(error.message);
    }
    return this.#waiting.splice(0, count).at(-1)?.sequence;
  }

  #setFull(detail: string | undefined): void {
    const isFull = detail !== undefined;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#tellFull(detail);
  }
}
