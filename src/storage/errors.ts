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

/** Where bytes that were once durable are not what was written, and what is lost with them. */
export interface Damage {
  readonly path: string;
  /** Where in the file the first invalid bytes start. */
  readonly offset: number;
  /** The first entry that cannot be relied on any more. */
  readonly index: number;
  readonly problem: string;
}

/**
 * A node cannot go on from damaged bytes. Nothing was cut, nothing is served. Opening a directory never throws
 * this: it reports {@linkcode Damage}, and who knows that nobody else has the lost entries makes this of it.
 */
export class CorruptLogError extends StorageError {
  override readonly name = "CorruptLogError";
  override readonly exitCode = 5;
  readonly damage: Damage;

  /** @param directory the data directory of `node`, for the commands that help */
  constructor(damage: Damage, directory: string, node: number) {
    super(
      `${
        describeDamage(damage)
      }; nothing was changed: "drafty check ${directory}" shows all of it; check the ` +
        `disk, then restore a copy and start it with "drafty --node ${node} --rejoin", or replace the node`,
    );
    this.damage = damage;
  }
}

/** One line without a fix: `PATH: corrupt at byte N (entry I): problem`. */
export function describeDamage({ path, offset, index, problem }: Damage): string {
  return `${path}: corrupt at byte ${offset} (entry ${index}): ${problem}`;
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

/** There is no room. Nothing was written, and the same may be tried again. */
export class StorageFullError extends StorageError {
  override readonly name = "StorageFullError";
  override readonly exitCode = 6;

  constructor(cause: FileSystemError) {
    super(`${cause.message}: free some space: writes go on as soon as there is room`, { cause });
  }
}

/** Bytes that another node sent are not the snapshot that it announced. Nothing of them was used. */
export class BadSnapshotError extends StorageError {
  override readonly name = "BadSnapshotError";
  override readonly exitCode = 5;
}

/** The directory belongs to another node or another cluster, or is a copy. */
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
