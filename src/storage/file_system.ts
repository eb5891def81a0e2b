/**
 * The little that storage asks of a file system. The driver implements it over `Deno`, the simulator over
 * memory with faults. All calls are synchronous: a node has nothing better to do than to wait for its disk
 * before it promises anything, and one blocking call is faster than a round through the event loop.
 *
 * Every call may throw {@linkcode FileSystemError} and nothing else.
 *
 * @module
 */

/** What went wrong, in the operating system's words where there are any. */
export type FileSystemErrorCode = "notFound" | "exists" | "denied" | "noSpace" | "locked" | "io";

/** A file operation failed. After a failed `sync` nothing is known of what is on the disk: never retry it. */
export class FileSystemError extends Error {
  override readonly name = "FileSystemError";
  readonly code: FileSystemErrorCode;
  /** The operation (`sync`, `append`, …) and the path, for the one line that a person gets to see. */
  readonly operation: string;
  readonly path: string;
  readonly detail: string;

  constructor(code: FileSystemErrorCode, operation: string, path: string, detail: string) {
    super(`${operation} ${path}: ${detail}`);
    this.code = code;
    this.operation = operation;
    this.path = path;
    this.detail = detail;
  }
}

/** An open file that grows at its end only. */
export interface AppendFile {
  readonly path: string;
  /** The size in bytes, unsynced bytes included. */
  readonly sizeBytes: number;
  /** Appends some of `bytes` and returns how many (a short write is allowed: call again with the rest). */
  append(bytes: Uint8Array): number;
  /** Makes all that was appended or truncated durable (`fdatasync`). */
  sync(): void;
  /** Cuts the file to `sizeBytes`; durable only after `sync`. */
  truncate(sizeBytes: number): void;
  close(): void;
}

/** An open file that is read in pieces. It stays readable when its name is removed meanwhile. */
export interface ReadFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Fills `into` from `offset` on and returns how many bytes that were: fewer only at the end of the file. */
  read(offset: number, into: Uint8Array): number;
  close(): void;
}

/** A lock on a directory: held until closed or until the process ends, however it ends. */
export interface DirectoryLock {
  close(): void;
}

export interface FileSystem {
  /**
   * Creates a directory and its missing parents, mode 0700, and syncs the parent directories; where it is
   * there already, it only syncs.
   */
  makeDirectory(path: string): void;
  /** Whether something is at `path`, and what. A symbolic link is "other": it is not followed. */
  kindOf(path: string): "file" | "directory" | "other" | "nothing";
  /** The permission bits of a path (0o700 …), or undefined where the platform has none. */
  modeOf(path: string): number | undefined;
  /** Names in a directory, sorted. */
  list(path: string): string[];
  /** The whole content of a file. */
  read(path: string): Uint8Array;
  openRead(path: string): ReadFile;
  /**
   * A whole number from 1 that a file keeps as long as it exists and that a copy of it does not have (from its
   * inode and its time of birth), or undefined where the platform has none.
   */
  identityOf(path: string): number | undefined;
  /** Opens a file for appending; `create` makes a new one (mode 0600) and fails with `exists` if it is there. */
  openAppend(path: string, options: { create: boolean }): AppendFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes creations, renames and removals in a directory durable (`fsync` on the directory). */
  syncDirectory(path: string): void;
  /**
   * Locks a directory against other processes by a file in it (`lock_file.ts`), which is made if it is missing and
   * is empty again after `close`; throws `locked` with the holder's pid where it is known.
   */
  lock(path: string): DirectoryLock;
}
