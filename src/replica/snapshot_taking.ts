/**
 * Takes snapshots of the store while writes go on. The store's pages are of the moment at which it begins (copy on
 * write); they are written a slice at a time, whenever the driver has time for it, so that a write waits for one
 * slice at most.
 *
 * One is due when the log has grown by more than the state is large: then at most as much is written for snapshots as
 * for the log, and the disk holds at most the state twice while a snapshot is taken, the log since the last one, and
 * the segment that is written to. Below a minimum it is not worth it.
 *
 * @module
 */
import type { Store } from "../kv/mod.ts";
import type { LogPosition } from "../raft/mod.ts";
import type { DurableStorage, SnapshotInfo, SnapshotWriter } from "../storage/durable_storage.ts";
import { StorageFullError } from "../storage/errors.ts";

/** About how much of a snapshot is written and synced at once: a millisecond or two. */
const SLICE_BYTES = 256 * 1024;
/** How long it is left alone after it found no room. */
const RETRY_MS = 5_000;

interface Job {
  readonly writer: SnapshotWriter;
  readonly pages: Iterator<Uint8Array>;
}

/** What came of a slice. */
export type SliceResult =
  | { readonly kind: "more" }
  | { readonly kind: "taken"; readonly info: SnapshotInfo }
  | { readonly kind: "failed"; readonly reason: string };

export class SnapshotTaking {
  readonly #storage: DurableStorage;
  readonly #store: Store;
  readonly #afterBytes: number;
  #job: Job | undefined;
  /** The log that was left when the last snapshot was taken. */
  #leftBytes = 0;
  #notBeforeMs = -Infinity;

  /** @param afterBytes the least growth of the log after which a snapshot is taken */
  constructor(storage: DurableStorage, store: Store, afterBytes: number) {
    this.#storage = storage;
    this.#store = store;
    this.#afterBytes = afterBytes;
  }

  get isUnderWay(): boolean {
    return this.#job !== undefined;
  }

  /** Whether the log has grown so much that it is time for a snapshot. */
  isDue(nowMs: number): boolean {
    if (this.#job !== undefined || nowMs < this.#notBeforeMs) return false;
    const grownBytes = this.#storage.logBytes - this.#leftBytes;
    return grownBytes >= Math.max(this.#afterBytes, this.#store.approximateBytes);
  }

  /** Begins one of the state as it is now, right after `position`. Returns why it cannot, if so. */
  begin(position: LogPosition, nowMs: number): string | undefined {
    try {
      const writer = this.#storage.beginSnapshot(position);
      this.#job = { writer, pages: this.#store.snapshotPages() };
      return undefined;
    } catch (error) {
      return this.#giveUp(error, nowMs);
    }
  }

  /** Goes on for a slice. */
  slice(nowMs: number): SliceResult {
    const job = this.#job;
    if (job === undefined) return { kind: "failed", reason: "none was begun" };
    try {
      if (this.#writeSlice(job)) return { kind: "more" };
      const info = job.writer.finish();
      this.#job = undefined;
      this.#leftBytes = this.#storage.logBytes;
      return { kind: "taken", info };
    } catch (error) {
      return { kind: "failed", reason: this.#giveUp(error, nowMs) };
    }
  }

  /** Gives up the one that is under way. */
  abort(): void {
    this.#job?.writer.abort();
    this.#job?.pages.return?.(); // or the store would keep what they show
    this.#job = undefined;
  }

  /** The log has begun anew after a snapshot that came from another node. */
  noteInstalled(): void {
    this.abort();
    this.#leftBytes = this.#storage.logBytes;
  }

  /** A full disk ends a snapshot; any other failure of the disk ends the node. */
  #giveUp(error: unknown, nowMs: number): string {
    if (!(error instanceof StorageFullError)) throw error;
    this.abort();
    this.#notBeforeMs = nowMs + RETRY_MS;
    return error.message;
  }

  /** Whether there is more to write. */
  #writeSlice({ writer, pages }: Job): boolean {
    const untilBytes = writer.writtenBytes + SLICE_BYTES;
    while (writer.writtenBytes < untilBytes) {
      const { value, done } = pages.next();
      if (done) return false;
      writer.write(value);
    }
    writer.sync();
    return true;
  }
}
