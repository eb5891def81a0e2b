/**
 * The write-ahead log of one node: what Raft must not forget, in one file that only grows. Its bytes are
 * specified in `log_format.ts`, its way back after a crash in `recovery.ts`.
 *
 * A batch is encoded into one buffer and written with one call; one sync makes it durable. After an append
 * or a sync has failed, nothing is known of what is on the disk (after a failed sync, the operating system
 * may drop the pages and report success the next time), so the log refuses everything from then on.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { Persist, Recovered } from "../raft/types.ts";
import { StorageIoError } from "./errors.ts";
import { type AppendFile, type FileSystem, FileSystemError } from "./file_system.ts";
import { appendAll, type OpenedLog, openLogFile, type RecoveryReport } from "./log_file.ts";
import { type LogIdentity, RecordFormat } from "./log_format.ts";

export type { RecoveryReport };

/** A buffer that one huge batch made larger than this is given back afterwards. */
const KEPT_BUFFER_BYTES = 4 * 1024 * 1024;

export class WriteAheadLog {
  /** What the log held when it was opened. The entries' data may share the memory of the file read. */
  readonly recovered: Recovered;
  readonly report: RecoveryReport;
  readonly #file: AppendFile;
  readonly #format: RecordFormat;
  #writer = new ByteWriter(64 * 1024);
  #syncedBytes: number;
  #lastIndex: number;
  #sealed: boolean;
  #closed = false;
  #failure: Error | undefined;

  private constructor(opened: OpenedLog) {
    this.recovered = opened.recovered;
    this.report = opened.report;
    this.#file = opened.file;
    this.#format = new RecordFormat(opened.directoryId);
    this.#syncedBytes = opened.file.sizeBytes;
    this.#lastIndex = opened.recovered.entries.length;
    this.#sealed = opened.report.sealed;
  }

  /**
   * Opens the log in `directory`, or makes an empty one if there is none. All that it returns in
   * `recovered` is durable: a torn tail has been cut, the rest and the directory have been synced.
   *
   * @param identity whose log it is; `directoryId` is used for a new file only
   * @throws CorruptLogError, IdentityError, DataDirectoryError (a newer format), StorageIoError
   */
  static open(fileSystem: FileSystem, directory: string, identity: LogIdentity): WriteAheadLog {
    try {
      return new WriteAheadLog(openLogFile(fileSystem, directory, identity));
    } catch (error) {
      throw error instanceof FileSystemError ? new StorageIoError(error) : error;
    }
  }

  /** The size of the file, unsynced bytes included. */
  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  /** How much of the file is known to be durable. */
  get syncedBytes(): number {
    return this.#syncedBytes;
  }

  /**
   * Writes a batch: the hard state, then the entries. It is durable after {@linkcode WriteAheadLog.sync}.
   *
   * @throws RangeError for an entry that leaves a gap (nothing was written)
   * @throws StorageIoError if the write failed, now or before
   */
  append(persist: Persist): void {
    this.#requireUsable();
    const base = this.sizeBytes;
    const writer = this.#writer;
    let lastIndex = this.#lastIndex;
    writer.reset();
    if (persist.hardState !== undefined) {
      this.#format.writeHardState(writer, base, this.#syncedBytes, persist.hardState);
    }
    for (const entry of persist.entries) {
      if (entry.index < 1 || entry.index > lastIndex + 1) {
        throw new RangeError(`entry ${entry.index} where ${lastIndex + 1} was next`);
      }
      this.#format.writeEntry(writer, base + writer.length, this.#syncedBytes, entry);
      lastIndex = entry.index;
    }
    this.#write();
    this.#lastIndex = lastIndex;
  }

  /** Makes all that was appended durable; does nothing if it is. @throws StorageIoError */
  sync(): void {
    this.#requireUsable();
    const sizeBytes = this.sizeBytes;
    if (sizeBytes === this.#syncedBytes) return;
    this.#attempt(() => this.#file.sync());
    this.#syncedBytes = sizeBytes;
  }

  /**
   * Syncs, and adds a record that bears witness that all before it was durable: damage to the last batch
   * can then be told from a torn one. Called by {@linkcode WriteAheadLog.close}.
   */
  seal(): void {
    this.sync();
    if (this.#sealed) return;
    this.#writer.reset();
    this.#format.writeSealed(this.#writer, this.sizeBytes, this.#syncedBytes, this.#lastIndex);
    this.#write();
    this.sync();
    this.#sealed = true;
  }

  /** Seals the log unless it has failed, and closes the file. */
  close(): void {
    if (this.#closed) return;
    try {
      if (this.#failure === undefined) this.seal();
    } finally {
      this.#closed = true;
      this.#file.close();
    }
  }

  /** Writes what the writer holds, in as many calls as the file system makes of it. */
  #write(): void {
    const bytes = this.#writer.view();
    if (bytes.length === 0) return;
    this.#sealed = false;
    this.#attempt(() => appendAll(this.#file, bytes));
    if (bytes.length > KEPT_BUFFER_BYTES) this.#writer = new ByteWriter(64 * 1024);
  }

  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      const failure = error instanceof FileSystemError ? new StorageIoError(error) : toError(error);
      this.#failure = failure;
      throw failure;
    }
  }

  #requireUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new Error(`${this.#file.path}: the log is closed`);
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
