/**
 * Both ends of InstallSnapshot: reads the pieces that a leader sends, and keeps those that a follower gets. What to
 * send and when is the server's decision (`src/raft/snapshots.ts`).
 *
 * @module
 */
import type { InstallSnapshotRequest } from "../../packraft/mod.ts";
import type { ChunkToSend } from "../raft/mod.ts";
import type {
  DurableStorage,
  RestorableState,
  SnapshotInfo,
  SnapshotReader,
  SnapshotReceiver,
} from "../storage/durable_storage.ts";
import { BadSnapshotError, StorageFullError } from "../storage/errors.ts";

/** The snapshots that are being sent. Each stays open until no follower wants it any more. */
export class SnapshotSending {
  readonly #storage: DurableStorage;
  readonly #chunkBytes: number;
  readonly #readers = new Map<number, SnapshotReader>();

  constructor(storage: DurableStorage, chunkBytes: number) {
    this.#storage = storage;
    this.#chunkBytes = chunkBytes;
  }

  /** The message for a piece, or undefined if that snapshot is gone. */
  messageFor({ term, index, offset }: ChunkToSend): InstallSnapshotRequest | undefined {
    const reader = this.#readers.get(index) ?? this.#open(index);
    if (reader === undefined) return undefined;
    const { info } = reader;
    return {
      type: "InstallSnapshotRequest",
      term,
      lastIncludedIndex: info.index,
      lastIncludedTerm: info.term,
      totalBytes: info.totalBytes,
      checksum: info.checksum,
      offset,
      data: reader.read(offset, this.#chunkBytes),
    };
  }

  /** Closes what is not wanted any more. */
  keepOnly(indexes: ReadonlySet<number>): void {
    for (const [index, reader] of this.#readers) {
      if (indexes.has(index)) continue;
      reader.close();
      this.#readers.delete(index);
    }
  }

  get isIdle(): boolean {
    return this.#readers.size === 0;
  }

  #open(index: number): SnapshotReader | undefined {
    if (this.#storage.snapshot?.index !== index) return undefined;
    const reader = this.#storage.openSnapshot();
    if (reader !== undefined) this.#readers.set(index, reader);
    return reader;
  }
}

/** What came of a piece. */
export type ChunkResult =
  /** So much of the snapshot is here. */
  | { readonly kind: "stored"; readonly nextOffset: number }
  | { readonly kind: "installed"; readonly info: SnapshotInfo }
  /** What arrived was not what was announced, or there is no room for it: it has to begin again. */
  | { readonly kind: "refused"; readonly reason: string };

/** The snapshot that is being received: one at a time. */
export class SnapshotReceiving {
  readonly #storage: DurableStorage;
  #receiver: SnapshotReceiver | undefined;
  /** The term of the leader that began to send it. */
  #term = 0;

  constructor(storage: DurableStorage) {
    this.#storage = storage;
  }

  /**
   * Keeps a piece. When it was the last one, `state` is restored from the snapshot.
   *
   * @param keepsLog whether the log contains the snapshot's last entry
   */
  store(request: InstallSnapshotRequest, state: RestorableState, keepsLog: () => boolean): ChunkResult {
    try {
      const receiver = this.#receiverOf(request);
      // A duplicate, or one that overtook another, changes nothing: the answer says which piece is wanted.
      if (receiver?.receivedBytes !== request.offset) {
        return { kind: "stored", nextOffset: receiver?.receivedBytes ?? 0 };
      }
      receiver.write(request.data);
      if (receiver.receivedBytes < request.totalBytes) {
        return { kind: "stored", nextOffset: receiver.receivedBytes };
      }
      receiver.finish(state, keepsLog());
      this.#receiver = undefined;
      return { kind: "installed", info: receiver.info };
    } catch (error) {
      if (!(error instanceof BadSnapshotError || error instanceof StorageFullError)) throw error;
      this.abort();
      return { kind: "refused", reason: error.message };
    }
  }

  /** Gives up a snapshot that entries have overtaken. */
  endUpTo(lastApplied: number): void {
    if (this.#receiver !== undefined && this.#receiver.info.index <= lastApplied) this.abort();
  }

  abort(): void {
    this.#receiver?.abort();
    this.#receiver = undefined;
  }

  /** The receiver of this snapshot: the present one, or a new one if this is its beginning. */
  #receiverOf(request: InstallSnapshotRequest): SnapshotReceiver | undefined {
    const info = infoOf(request);
    const current = this.#receiver;
    if (current !== undefined && isSame(current.info, info)) return current;
    // A straggler of the same leader's older one must not end what is under way; another leader may have no newer.
    const isOlder = current !== undefined && current.info.index > info.index && this.#term === request.term;
    if (request.offset > 0 || isOlder) return undefined;
    this.abort();
    this.#term = request.term;
    this.#receiver = this.#storage.beginReceiving(info);
    return this.#receiver;
  }
}

function infoOf(request: InstallSnapshotRequest): SnapshotInfo {
  const { lastIncludedIndex: index, lastIncludedTerm: term, totalBytes, checksum } = request;
  return { index, term, totalBytes, checksum };
}

function isSame(a: SnapshotInfo, b: SnapshotInfo): boolean {
  return a.index === b.index && a.term === b.term && a.totalBytes === b.totalBytes &&
    a.checksum === b.checksum;
}
