/**
 * The write-ahead log of one node: what Raft must not forget, in segments that only grow. Their bytes are specified in
 * `segment_format.ts` and `log_format.ts`, their way back after a crash in `recovery.ts`.
 *
 * A batch is encoded into one buffer and written with one call; one sync makes it durable. When a segment is as large
 * as it may be, the next batch begins a new one. Everything unusual is done by the same step, the beginning of a new
 * segment: it leaves damage behind (its header says how much of the old segments counts), and it begins the log anew
 * after a snapshot. That step is one rename, so a crash leaves the old log or the new one.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { HardState, LogPosition, Persist } from "../raft/types.ts";
import { appendAll, type DiskGuard } from "./disk_guard.ts";
import { StorageFullError } from "./errors.ts";
import { FILE_HEADER_BYTES, type FileOwner } from "./file_header.ts";
import type { AppendFile, FileSystem } from "./file_system.ts";
import { RecordFormat } from "./log_format.ts";
import { encodeSegmentHeader, segmentName } from "./segment_format.ts";
import { UnfinishedFile } from "./unfinished_file.ts";

/** A buffer that one huge batch made larger than this is given back afterwards. */
const KEPT_BUFFER_BYTES = 4 * 1024 * 1024;
const FIRST_BUFFER_BYTES = 64 * 1024;

/** Where the log lives, and by which rules. */
export interface LogSettings {
  readonly fileSystem: FileSystem;
  readonly guard: DiskGuard;
  readonly directory: string;
  readonly owner: FileOwner;
  /** A segment that has reached this size is followed by a new one. */
  readonly segmentBytes: number;
}

/** A segment that is complete, or the end of one that counts. */
export interface ClosedSegment {
  readonly path: string;
  readonly firstIndex: number;
  readonly bytes: number;
}

/** The segment that is appended to. */
export interface OpenSegment {
  readonly file: AppendFile;
  readonly sequence: number;
  readonly firstIndex: number;
  /** What of it counts: all, but where a new segment must follow. */
  readonly endBytes: number;
  readonly crc: number;
  readonly isSealed: boolean;
}

/** What the log goes on from. */
export interface LogStart {
  readonly hardState: HardState;
  /** The last entry. */
  readonly last: LogPosition;
  /** The segments before the current one, the oldest first. */
  readonly closed: readonly ClosedSegment[];
  /** Undefined if the log begins anew. */
  readonly current: OpenSegment | undefined;
  /** The highest sequence that any segment in the directory has. */
  readonly highestSequence: number;
  /** The next batch must begin a new segment. */
  readonly mustBegin: boolean;
  /** The first batch must say that the node rejoins: its memory has holes, which the new segment would hide. */
  readonly mustRejoin: boolean;
  /** Files that the next new segment makes void. */
  readonly voided: readonly string[];
}

export class WriteAheadLog {
  readonly #settings: LogSettings;
  #hardState: HardState;
  #last: LogPosition;
  #closed: ClosedSegment[];
  #current: OpenSegment | undefined;
  #format: RecordFormat;
  #crc: number;
  #endBytes: number;
  #syncedBytes: number;
  #isSealed: boolean;
  #highestSequence: number;
  #mustBegin: boolean;
  #mustRejoin: boolean;
  #voided: string[];
  #writer = new ByteWriter(FIRST_BUFFER_BYTES);
  #isClosed = false;

  /** All that `start` says is durable. */
  constructor(settings: LogSettings, start: LogStart) {
    this.#settings = settings;
    this.#hardState = start.hardState;
    this.#last = start.last;
    this.#closed = [...start.closed];
    this.#current = start.current;
    this.#format = new RecordFormat(settings.owner.directoryId, start.current?.sequence ?? 0);
    this.#crc = start.current?.crc ?? 0;
    this.#endBytes = start.current?.endBytes ?? 0;
    this.#syncedBytes = this.#endBytes;
    this.#isSealed = start.current?.isSealed ?? false;
    this.#highestSequence = start.highestSequence;
    this.#mustBegin = start.mustBegin;
    this.#mustRejoin = start.mustRejoin;
    this.#voided = [...start.voided];
  }

  get lastIndex(): number {
    return this.#last.index;
  }

  /** The bytes of all segments that a start would read. */
  get sizeBytes(): number {
    return this.#closed.reduce((sum, { bytes }) => sum + bytes, this.#endBytes);
  }

  get segmentCount(): number {
    return this.#closed.length + (this.#current === undefined ? 0 : 1);
  }

  /** How much of the current segment is known to be durable. */
  get syncedBytes(): number {
    return this.#syncedBytes;
  }

  /**
   * Writes a batch: the hard state, then the entries. It is durable after {@linkcode WriteAheadLog.sync}.
   *
   * @throws RangeError for an entry that leaves a gap (nothing was written)
   * @throws StorageFullError if there is no room for it: nothing of it was written, and it may be tried again
   * @throws StorageIoError if the write failed, now or before
   */
  append(persist: Persist): void {
    this.#requireUsable();
    this.#requireNoGap(persist);
    if (persist.hardState === undefined && persist.entries.length === 0) return;
    if (this.#mustRejoin) this.#requireRejoin(persist.hardState);
    if (this.#mustBegin) {
      // The hard state is in the segment before it gets its name: or a crash in between would leave a log that looks
      // whole, and does not say that the node has forgotten something.
      this.#beginSegment(persist.hardState ?? this.#hardState);
      this.#writeBatch({ ...persist, hardState: undefined });
    } else {
      if (this.#endBytes >= this.#settings.segmentBytes) this.#beginSegment(this.#hardState);
      this.#writeBatch(persist);
    }
  }

  /** Makes all that was appended durable; does nothing if it is. @throws StorageIoError */
  sync(): void {
    this.#requireUsable();
    if (this.#current === undefined || this.#syncedBytes === this.#endBytes) return;
    try {
      this.#current.file.sync();
    } catch (error) {
      throw this.#settings.guard.fail(error);
    }
    this.#syncedBytes = this.#endBytes;
  }

  /** Lets the log begin anew after `position`: what it held is void, or a snapshot stands for it. */
  beginAfter(position: LogPosition): void {
    // What was appended of the hard state counts, also if there is no room for a new segment now.
    this.sync();
    this.#voided.push(...this.#closed.map(({ path }) => path));
    if (this.#current !== undefined) this.#voided.push(this.#current.file.path);
    this.#current?.file.close();
    this.#closed = [];
    this.#current = undefined;
    this.#crc = 0;
    this.#endBytes = 0;
    this.#syncedBytes = 0;
    this.#last = position;
    this.#mustBegin = true;
    // Not before it is known with which hard state: see `append`.
    if (!this.#mustRejoin) this.#beginIfThereIsRoom();
  }

  /**
   * Removes the segments that a durable snapshot of everything up to `index` makes superfluous. If that is all that
   * the log holds, it goes on in a new segment, so that an idle node need not keep a log that nobody reads.
   */
  dropUpTo(index: number): void {
    this.#requireUsable();
    const { fileSystem, guard } = this.#settings;
    const isCovered = this.#last.index <= index &&
      (this.#current?.firstIndex ?? Infinity) <= this.#last.index;
    if (isCovered && !this.#mustBegin) this.#beginIfThereIsRoom();
    const followers = [...this.#closed.slice(1), this.#current];
    const kept = followers.findIndex((next) => next === undefined || next.firstIndex > index + 1);
    const dropped = this.#closed.splice(0, kept < 0 ? this.#closed.length : kept);
    for (const { path } of dropped) guard.removeIfPossible(() => fileSystem.remove(path));
  }

  /**
   * Syncs, and adds a record that bears witness that all before it was durable: damage to the last batch
   * can then be told from a torn one. Called by {@linkcode WriteAheadLog.close}.
   */
  seal(): void {
    this.sync();
    if (this.#isSealed || this.#mustBegin || this.#current === undefined) return;
    this.#writer.reset();
    const crc = this.#format.writeSealed(this.#writer, this.#placeOf(this.#crc), this.#last.index);
    this.#write();
    this.#crc = crc;
    this.sync();
    this.#isSealed = true;
  }

  /** Seals the log unless it has failed, and closes the file. */
  close(): void {
    if (this.#isClosed) return;
    try {
      if (!this.#settings.guard.hasFailed) this.seal();
    } catch (error) {
      // Without the witness the log is as whole as with it.
      if (!(error instanceof StorageFullError)) throw error;
    } finally {
      this.#isClosed = true;
      this.#current?.file.close();
    }
  }

  #writeBatch({ hardState, entries }: Omit<Persist, "sequence">): void {
    const writer = this.#writer;
    writer.reset();
    let crc = this.#crc;
    if (hardState !== undefined) crc = this.#format.writeHardState(writer, this.#placeOf(crc), hardState);
    for (const entry of entries) crc = this.#format.writeEntry(writer, this.#placeOf(crc), entry);
    this.#write();
    this.#crc = crc;
    this.#hardState = hardState ?? this.#hardState;
    const last = entries[entries.length - 1];
    if (last !== undefined) this.#last = { index: last.index, term: last.term };
  }

  #placeOf(previousCrc: number) {
    return { fileOffset: this.#endBytes + this.#writer.length, syncedBytes: this.#syncedBytes, previousCrc };
  }

  /** Writes what the writer holds, in as many calls as the file system makes of it. */
  #write(): void {
    const bytes = this.#writer.view();
    if (bytes.length === 0 || this.#current === undefined) return;
    const { file } = this.#current;
    // Not through closures: this and the sync below are what each batch costs besides the disk.
    try {
      appendAll(file, bytes);
    } catch (error) {
      throw this.#settings.guard.failUnlessUndone(error, () => this.#takeBack(file));
    }
    this.#isSealed = false;
    this.#endBytes += bytes.length;
    if (bytes.length > KEPT_BUFFER_BYTES) this.#writer = new ByteWriter(FIRST_BUFFER_BYTES);
  }

  #takeBack(file: AppendFile): void {
    file.truncate(this.#endBytes);
    // Durable before anything else is written in that place, or a crash could bring back a mixture.
    file.sync();
    this.#syncedBytes = this.#endBytes;
  }

  #beginIfThereIsRoom(): void {
    try {
      this.#beginSegment(this.#hardState);
    } catch (error) {
      if (!(error instanceof StorageFullError)) throw error;
    }
  }

  /** Goes on in a new segment, which begins with `hardState`. @throws StorageFullError: then nothing has changed */
  #beginSegment(hardState: HardState): void {
    this.sync();
    const { fileSystem, guard, owner } = this.#settings;
    const previous = this.#current;
    const sequence = this.#highestSequence + 1;
    const firstIndex = this.#last.index + 1;
    const writer = new ByteWriter(FILE_HEADER_BYTES * 2);
    writer.raw(encodeSegmentHeader({
      owner,
      sequence,
      firstIndex,
      baseTerm: this.#last.term,
      previousSequence: previous?.sequence ?? 0,
      previousBytes: previous === undefined ? 0 : this.#endBytes,
      previousCrc: this.#crc,
    }));
    const format = new RecordFormat(owner.directoryId, sequence);
    const place = { fileOffset: writer.length, syncedBytes: FILE_HEADER_BYTES, previousCrc: this.#crc };
    const crc = format.writeHardState(writer, place, hardState);
    const path = publishSegment(this.#settings, sequence, writer.view());
    const file = guard.attempt(() => fileSystem.openAppend(path, { create: false }));
    if (previous !== undefined) {
      const { firstIndex, file: { path } } = previous;
      this.#closed.push({ path, firstIndex, bytes: this.#endBytes });
      previous.file.close();
    }
    this.#format = format;
    this.#crc = crc;
    this.#endBytes = writer.length;
    this.#syncedBytes = writer.length;
    this.#current = { file, sequence, firstIndex, endBytes: writer.length, crc, isSealed: false };
    this.#isSealed = false;
    this.#highestSequence = sequence;
    this.#hardState = hardState;
    this.#mustBegin = false;
    this.#mustRejoin = false;
    for (const path of this.#voided.splice(0)) guard.removeIfPossible(() => fileSystem.remove(path));
  }

  #requireNoGap({ entries }: Persist): void {
    let lastIndex = this.#last.index;
    for (const { index } of entries) {
      if (index < 1 || index > lastIndex + 1) {
        throw new RangeError(`entry ${index} where ${lastIndex + 1} was next`);
      }
      lastIndex = index;
    }
  }

  #requireRejoin(hardState: HardState | undefined): void {
    if ((hardState?.rejoinTerm ?? 0) > 0) return;
    throw new Error("the first batch of a node whose memory is lost must say in which term it rejoins");
  }

  #requireUsable(): void {
    this.#settings.guard.requireUsable();
    if (this.#isClosed) throw new Error(`${this.#settings.directory}: the log is closed`);
  }
}

/** Writes a segment's file and gives it its name. Returns its path. */
export function publishSegment(settings: LogSettings, sequence: number, bytes: Uint8Array): string {
  const { fileSystem, guard, directory } = settings;
  const unfinished = new UnfinishedFile(fileSystem, guard, directory, segmentName(sequence));
  try {
    unfinished.append(bytes);
    return unfinished.publish();
  } catch (error) {
    if (error instanceof StorageFullError) unfinished.discard();
    throw error;
  }
}
