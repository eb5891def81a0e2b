/**
 * What a replica keeps on its disk, as it sees it: a log that is appended to, and snapshots that take the place of
 * its beginning. Implemented by `DataDirectory`; the simulator puts itself in between.
 *
 * A snapshot travels and is stored as *pages*: pieces of the state machine's own making, each of at most
 * {@linkcode MAX_PAGE_BYTES}, which storage checks and never looks into.
 *
 * @module
 */
import type { LogPosition, Persist, Recovered } from "../raft/types.ts";

/** The longest page of a snapshot: the largest pair fits with room to spare. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** A snapshot, and what makes two of them the same. */
export interface SnapshotInfo extends LogPosition {
  /** The size of its body: of what is sent to other nodes. */
  readonly totalBytes: number;
  /** The checksum of its body. */
  readonly checksum: number;
}

/** A state that can be replaced as a whole. */
export interface RestorableState {
  /**
   * Forgets everything, then takes in these pages. If the iterator throws, what was taken in is forgotten too and
   * the error goes on to the caller. No pages: the state of the beginning.
   */
  restore(pages: Iterable<Uint8Array>): void;
}

/** A snapshot that is being taken, page by page. Each method may throw StorageIoError or StorageFullError. */
export interface SnapshotWriter {
  readonly position: LogPosition;
  /** The bytes written so far. */
  readonly writtenBytes: number;
  write(page: Uint8Array): void;
  /** Brings what was written to the disk, so that the last sync has little left to do. */
  sync(): void;
  /** Makes it durable and the newest, and removes the segments of the log that it makes superfluous. */
  finish(): SnapshotInfo;
  /** Removes what was written. */
  abort(): void;
}

/** Reads the body of a snapshot, which stays readable while newer ones take its place. */
export interface SnapshotReader {
  readonly info: SnapshotInfo;
  /** Up to `maxBytes` of the body from `offset` on: fewer only at its end. */
  read(offset: number, maxBytes: number): Uint8Array;
  close(): void;
}

/** A snapshot that arrives from another node in pieces of any length, in order. */
export interface SnapshotReceiver {
  readonly info: SnapshotInfo;
  /** How much has arrived: where the next piece begins. */
  readonly receivedBytes: number;
  /** Takes the next piece. Throws BadSnapshotError for bytes that cannot be a snapshot's. */
  write(data: Uint8Array): void;
  /**
   * Checks that it is whole (else BadSnapshotError: nothing has changed), makes it durable and the newest, and
   * restores `state` from it.
   *
   * @param keepsLog whether the log holds the entry that the snapshot ends with: what follows it is kept. If not,
   * the log begins anew after the snapshot.
   */
  finish(state: RestorableState, keepsLog: boolean): void;
  /** Removes what has arrived. */
  abort(): void;
}

export interface DurableStorage {
  /** What was found at the start. It is for one taker: entries that both sides held on to would never be let go of. */
  takeRecovered(): Recovered;
  /**
   * Writes a batch, to be made durable by `sync`.
   *
   * @throws StorageFullError if there is no room: then nothing was appended, and it may be tried again
   * @throws StorageIoError if the disk failed: then nothing can be relied on any more
   */
  append(persist: Persist): void;
  /** Makes all that was appended durable. @throws StorageIoError */
  sync(): void;
  /** How many bytes of log a restart would have to read. */
  readonly logBytes: number;
  /** The newest durable snapshot. */
  readonly snapshot: SnapshotInfo | undefined;
  /** Begins the file of a snapshot of the state right after `position`. One at a time. */
  beginSnapshot(position: LogPosition): SnapshotWriter;
  /** Opens the newest snapshot. */
  openSnapshot(): SnapshotReader | undefined;
  /** Begins to receive a snapshot. One at a time. */
  beginReceiving(info: SnapshotInfo): SnapshotReceiver;
}
