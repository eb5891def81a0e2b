/**
 * The directory in which a node keeps all that it must not forget: one lock, one log.
 *
 * It refuses more than it must: a directory that another user could have read or written, that another
 * process uses, that another node wrote, or that holds files it does not know. Each of these, let pass,
 * ends in a vote or a write forgotten.
 *
 * @module
 */
import { DataDirectoryError, StorageIoError } from "./errors.ts";
import { type DirectoryLock, type FileSystem, FileSystemError } from "./file_system.ts";
import { LOG_FILE_NAME, UNFINISHED_LOG_FILE_NAME } from "./log_file.ts";
import type { LogIdentity } from "./log_format.ts";
import { WriteAheadLog } from "./write_ahead_log.ts";

/** The file that {@linkcode FileSystem.lock} keeps in a directory. */
export const LOCK_FILE_NAME = "lock";

const KNOWN_NAMES: readonly string[] = [LOCK_FILE_NAME, LOG_FILE_NAME, UNFINISHED_LOG_FILE_NAME];

/** A locked directory with its log open. */
export class DataDirectory {
  readonly path: string;
  readonly log: WriteAheadLog;
  readonly #lock: DirectoryLock;

  private constructor(path: string, log: WriteAheadLog, lock: DirectoryLock) {
    this.path = path;
    this.log = log;
    this.#lock = lock;
  }

  /**
   * Opens the directory at `path` and the log in it, or makes both.
   *
   * @param identity whose directory it is; `directoryId` (16 random bytes) is used for a new log only
   * @throws DataDirectoryError, CorruptLogError, IdentityError, StorageIoError: each with its exit code
   */
  static open(fileSystem: FileSystem, path: string, identity: LogIdentity): DataDirectory {
    try {
      prepareDirectory(fileSystem, path);
      const lock = takeLock(fileSystem, path);
      try {
        checkNames(fileSystem, path);
        return new DataDirectory(path, WriteAheadLog.open(fileSystem, path, identity), lock);
      } catch (error) {
        lock.close();
        throw error;
      }
    } catch (error) {
      throw error instanceof FileSystemError ? toStorageError(error, path) : error;
    }
  }

  /** Seals and closes the log, then lets go of the lock. */
  close(): void {
    try {
      this.log.close();
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

function checkNames(fileSystem: FileSystem, path: string): void {
  const unknown = fileSystem.list(path).find((name) => !KNOWN_NAMES.includes(name));
  if (unknown === undefined) return;
  throw new DataDirectoryError(
    `data directory ${path} holds "${unknown}", which this build does not know: ` +
      "move it elsewhere, use another data directory, or use the build that made it",
  );
}

/** What the operating system refuses before anything is written is the directory's fault, not the disk's. */
function toStorageError(error: FileSystemError, path: string): DataDirectoryError | StorageIoError {
  if (error.code === "io" || error.code === "noSpace") return new StorageIoError(error);
  return new DataDirectoryError(
    `data directory ${path}: ${error.message}: let the user that runs the node create, read and write it`,
  );
}
