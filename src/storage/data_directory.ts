/**
 * The directory in which a node keeps all that it must not forget: one lock, one log, one snapshot.
 *
 * It refuses more than it must: a directory that another user could have read or written, that another
 * process uses, that another node wrote, that is a copy, or that holds files it does not know. Each of these, let
 * pass, ends in a vote or a write forgotten. Damage it does not refuse but reports, and leaves as it is: whether the
 * other nodes can make up for it is not known here.
 *
 * @module
 */
import type { LogPosition, Persist, Recovered } from "../raft/types.ts";
import { openDirectory, type OpenOptions, type RecoveryReport } from "./directory_opening.ts";
import { DiskGuard } from "./disk_guard.ts";
import type {
  DurableStorage,
  RestorableState,
  SnapshotInfo,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotWriter,
} from "./durable_storage.ts";
import { DataDirectoryError, StorageFullError, StorageIoError } from "./errors.ts";
import { type DirectoryLock, type FileSystem, FileSystemError } from "./file_system.ts";
import { SnapshotFiles } from "./snapshot_files.ts";
import { WriteAheadLog } from "./write_ahead_log.ts";

export type { OpenOptions, RecoveryReport };

/** Whose directory it is. */
export interface DirectoryIdentity {
  readonly clusterId: string;
  /** The node's id, from 1. */
  readonly node: number;
}

/** A locked directory that a replica keeps its memory in. */
export class DataDirectory implements DurableStorage {
  readonly path: string;
  #recovered: Recovered;
  /** What was found, for the node's first lines of output. */
  readonly report: RecoveryReport;
  readonly #log: WriteAheadLog;
  readonly #snapshots: SnapshotFiles;
  readonly #lock: DirectoryLock;

  private constructor(
    path: string,
    lock: DirectoryLock,
    parts: { recovered: Recovered; report: RecoveryReport; log: WriteAheadLog; snapshots: SnapshotFiles },
  ) {
    this.path = path;
    this.#recovered = parts.recovered;
    this.report = parts.report;
    this.#log = parts.log;
    this.#snapshots = parts.snapshots;
    this.#lock = lock;
  }

  /** What was found at the start; without its entries once they were taken. */
  get recovered(): Recovered {
    return this.#recovered;
  }

  takeRecovered(): Recovered {
    const recovered = this.#recovered;
    this.#recovered = { ...recovered, entries: [] };
    return recovered;
  }

  /**
   * Opens the directory at `path`, or makes one, and brings `state` to its newest snapshot. All that `recovered` says
   * is durable. Damage is in `report.damage`; then nothing was changed, and the first batch that is appended must say
   * in which term the node rejoins.
   *
   * @throws DataDirectoryError, IdentityError, StorageIoError: each with its exit code
   */
  static open(
    fileSystem: FileSystem,
    path: string,
    identity: DirectoryIdentity,
    options: OpenOptions,
    state: RestorableState,
  ): DataDirectory {
    try {
      prepareDirectory(fileSystem, path);
      const lock = takeLock(fileSystem, path);
      try {
        const guard = new DiskGuard();
        return new DataDirectory(
          path,
          lock,
          openDirectory(fileSystem, guard, path, identity, options, state),
        );
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (error) {
      if (error instanceof FileSystemError) throw toStorageError(error, path);
      // There is no node yet that could wait for room.
      if (error instanceof StorageFullError && error.cause instanceof FileSystemError) {
        throw new StorageIoError(error.cause);
      }
      throw error;
    }
  }

  append(persist: Persist): void {
    this.#log.append(persist);
  }

  sync(): void {
    this.#log.sync();
  }

  get logBytes(): number {
    return this.#log.sizeBytes;
  }

  get snapshot(): SnapshotInfo | undefined {
    return this.#snapshots.newest;
  }

  beginSnapshot(position: LogPosition): SnapshotWriter {
    return this.#snapshots.beginWriting(position);
  }

  openSnapshot(): SnapshotReader | undefined {
    return this.#snapshots.openNewest();
  }

  beginReceiving(info: SnapshotInfo): SnapshotReceiver {
    return this.#snapshots.beginReceiving(info);
  }

  /** Seals and closes the log, then lets go of the lock. */
  close(): void {
    try {
      this.#log.close();
    } finally {
      this.#lock.close();
    }
  }
}

function prepareDirectory(fileSystem: FileSystem, path: string): void {
  const kind = fileSystem.kindOf(path);
  if (kind === "file" || kind === "other") {
    const what = kind === "file" ? "a file" : "a symbolic link or a special file";
    throw new DataDirectoryError(`data directory ${path} is ${what}: name a directory, or one to be made`);
  }
  // Also where it is there: it may have been made by a process that was killed before the parent was synced.
  fileSystem.makeDirectory(path);
  const mode = fileSystem.modeOf(path);
  if (mode !== undefined && (mode & 0o077) !== 0) {
    throw new DataDirectoryError(
      `data directory ${path} has mode 0${mode.toString(8)}, which lets other users in: chmod 700 ${path}`,
    );
  }
}

function takeLock(fileSystem: FileSystem, path: string): DirectoryLock {
  try {
    return fileSystem.lock(path);
  } catch (error) {
    if (!(error instanceof FileSystemError) || error.code !== "locked") throw error;
    throw new DataDirectoryError(
      `data directory ${path} is in use (${error.detail}): stop that process or use another data directory`,
    );
  }
}

/** What the operating system refuses before anything is written is the directory's fault, not the disk's. */
function toStorageError(error: FileSystemError, path: string): DataDirectoryError | StorageIoError {
  if (error.code === "io" || error.code === "noSpace") return new StorageIoError(error);
  return new DataDirectoryError(
    `data directory ${path}: ${error.message}: let the user that runs the node create, read and write it`,
  );
}
