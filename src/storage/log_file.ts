/**
 * Finds, creates and checks the log file of a directory, and brings it into a state that can be relied on:
 * named, synced, without a torn tail.
 *
 * @module
 */
import type { Recovered } from "../raft/types.ts";
import { CorruptLogError, DataDirectoryError, IdentityError } from "./errors.ts";
import { type AppendFile, type FileSystem, FileSystemError } from "./file_system.ts";
import { decodeFileHeader, encodeFileHeader, FORMAT_VERSION, type LogIdentity } from "./log_format.ts";
import { type RecoveredLog, recoverLog } from "./recovery.ts";

/** The file, by the index of the first entry in it: room for more than one. */
export const LOG_FILE_NAME = `log-${"1".padStart(16, "0")}.pack`;
/** What the file is called until its header is durable. */
export const UNFINISHED_LOG_FILE_NAME = `${LOG_FILE_NAME}.tmp`;

/** What was found when the log was opened, for the node's first lines of output. */
export interface RecoveryReport {
  readonly path: string;
  /** Whether the file was made just now. */
  readonly created: boolean;
  /** The bytes that count. */
  readonly validBytes: number;
  /** The bytes of a torn tail that were cut, or 0. */
  readonly cutBytes: number;
  /** Why they were cut. */
  readonly tear: string | undefined;
  /** Whether the log was closed in good order the last time. */
  readonly sealed: boolean;
}

/** A log file that is open and durable, and what it held. */
export interface OpenedLog {
  readonly file: AppendFile;
  /** The one in the file, not the caller's. */
  readonly directoryId: Uint8Array;
  readonly recovered: Recovered;
  readonly report: RecoveryReport;
}

/** Opens the log in a directory, or makes an empty one. @throws StorageError, FileSystemError */
export function openLogFile(fileSystem: FileSystem, directory: string, identity: LogIdentity): OpenedLog {
  const path = `${directory}/${LOG_FILE_NAME}`;
  const unfinishedPath = `${directory}/${UNFINISHED_LOG_FILE_NAME}`;
  if (fileSystem.kindOf(unfinishedPath) !== "nothing") fileSystem.remove(unfinishedPath);
  const created = fileSystem.kindOf(path) === "nothing";
  if (created) createLog(fileSystem, path, unfinishedPath, identity);
  // Also where the file was there: a process that was killed may have renamed it and not come so far as to
  // make that durable. The sync of the file below is there for the same reason.
  fileSystem.syncDirectory(directory);
  const bytes = fileSystem.read(path);
  const directoryId = checkIdentity(path, bytes, identity);
  const log = recoverLog(path, bytes, directoryId);
  const file = fileSystem.openAppend(path, { create: false });
  try {
    if (log.validBytes < file.sizeBytes) file.truncate(log.validBytes);
    file.sync();
  } catch (error) {
    file.close();
    throw error;
  }
  const report = makeReport(path, created, bytes.length, log);
  return { file, directoryId, recovered: { hardState: log.hardState, entries: log.entries }, report };
}

/** The rename publishes the file only when its header is durable: a log without a valid header is damage. */
function createLog(
  fileSystem: FileSystem,
  path: string,
  unfinishedPath: string,
  identity: LogIdentity,
): void {
  const file = fileSystem.openAppend(unfinishedPath, { create: true });
  try {
    appendAll(file, encodeFileHeader(identity));
    file.sync();
  } finally {
    file.close();
  }
  fileSystem.rename(unfinishedPath, path);
}

/** Returns the directory id of the file if it is this node's. */
function checkIdentity(path: string, bytes: Uint8Array, expected: LogIdentity): Uint8Array {
  const header = decodeFileHeader(bytes);
  switch (header.kind) {
    case "invalid":
      throw new CorruptLogError(path, 0, header.problem);
    case "otherVersion":
      throw new DataDirectoryError(
        `${path}: format ${header.version}, this build reads ${FORMAT_VERSION}..${FORMAT_VERSION}: ` +
          "use the build that wrote it",
      );
    case "valid":
      break;
  }
  const { clusterId, node, directoryId } = header.identity;
  if (clusterId !== expected.clusterId) {
    throw new IdentityError(
      `${path}: belongs to cluster "${clusterId}", this node is of cluster "${expected.clusterId}": ` +
        "use that cluster's configuration or another data directory",
    );
  }
  if (node !== expected.node) {
    throw new IdentityError(
      `${path}: belongs to node ${node}, this is node ${expected.node}: ` +
        `start node ${node} with it or use another data directory`,
    );
  }
  return directoryId;
}

function makeReport(path: string, created: boolean, readBytes: number, log: RecoveredLog): RecoveryReport {
  return {
    path,
    created,
    validBytes: log.validBytes,
    cutBytes: readBytes - log.validBytes,
    tear: log.tear,
    sealed: log.verdict === "sealed",
  };
}

/** Appends all of `bytes`, in as many writes as the file system makes of it. */
export function appendAll(file: AppendFile, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    const count = file.append(done === 0 ? bytes : bytes.subarray(done));
    // A write that takes nothing and reports nothing would otherwise be tried for ever.
    if (count < 1) throw new FileSystemError("io", "append", file.path, "the file takes no more bytes");
    done += count;
  }
}
