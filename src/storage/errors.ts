/**
 * What storage refuses to do, and why: one line for a person, an exit code for a program. Every message
 * ends in what can be done about it.
 *
 * @module
 */
import type { FileSystemError, FileSystemErrorCode } from "./file_system.ts";

/** Any refusal of storage. `exitCode` is what the process ends with. */
export abstract class StorageError extends Error {
  abstract readonly exitCode: number;
}

/** The data directory is not one that this node may use (its kind, its mode, its lock, its files). */
export class DataDirectoryError extends StorageError {
  override readonly name = "DataDirectoryError";
  override readonly exitCode = 4;
}

/** Bytes that were once durable are not what was written. Nothing is cut, nothing is served. */
export class CorruptLogError extends StorageError {
  override readonly name = "CorruptLogError";
  override readonly exitCode = 5;
  readonly path: string;
  /** Where the first invalid byte range starts. */
  readonly offset: number;

  constructor(path: string, offset: number, problem: string) {
    super(
      `${path}: corrupt at byte ${offset}: ${problem}; nothing was changed: ` +
        "check the disk, then restore this directory from a copy or replace the node",
    );
    this.path = path;
    this.offset = offset;
  }
}

/** The operating system failed a file operation. Whether the bytes are durable is unknown. */
export class StorageIoError extends StorageError {
  override readonly name = "StorageIoError";
  override readonly exitCode = 6;
  readonly code: FileSystemErrorCode;

  constructor(cause: FileSystemError) {
    super(`${cause.message}: ${FIXES[cause.code]}`, { cause });
    this.code = cause.code;
  }
}

/** The directory belongs to another node or another cluster. */
export class IdentityError extends StorageError {
  override readonly name = "IdentityError";
  override readonly exitCode = 7;
}

const FIXES: Readonly<Record<FileSystemErrorCode, string>> = {
  notFound: "something removed it while the node ran; restart the node",
  exists: "something else made it while the node ran; restart the node",
  denied: "give the user that runs the node read and write access",
  noSpace: "free some space, then restart the node",
  locked: "stop the process that holds it",
  io: "check the disk, then restart the node",
};
