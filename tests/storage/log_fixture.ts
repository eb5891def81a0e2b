/**
 * What the tests of storage share: a seeded generator, short ways to write entries, segments made of bytes, a state
 * that is restored from pages, and the whole of what a directory remembers in words.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { Entry, HardState, LogPosition, Persist } from "../../src/raft/types.ts";
import { SimDisk, type SimDiskOptions } from "../../src/sim/disk.ts";
import { DataDirectory, type OpenOptions } from "../../src/storage/data_directory.ts";
import type { RestorableState, SnapshotInfo } from "../../src/storage/durable_storage.ts";
import type { FileOwner } from "../../src/storage/file_header.ts";
import type { FileSystem } from "../../src/storage/file_system.ts";
import { RecordFormat } from "../../src/storage/log_format.ts";
import { encodeSegmentHeader, type SegmentHeader } from "../../src/storage/segment_format.ts";

export const DIRECTORY_ID = Uint8Array.from({ length: 16 }, (_, i) => 0x91 + 7 * i);
export const IDENTITY = { clusterId: "test-cluster", node: 2 };
export const OWNER: FileOwner = { ...IDENTITY, directoryId: DIRECTORY_ID, place: 7 };
export const FIRST_HEADER: SegmentHeader = {
  owner: OWNER,
  sequence: 1,
  firstIndex: 1,
  baseTerm: 0,
  previousSequence: 0,
  previousBytes: 0,
  previousCrc: 0,
};

/** Stands for the end of the process in the middle of something. */
export class Crash extends Error {}

/** Mulberry32: even numbers in [0, 1) from a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function makeDisk(seed = 1, faults: SimDiskOptions["faults"] = {}): SimDisk {
  return new SimDisk({ random: seededRandom(seed), faults });
}

export function entry(index: number, term: number, data: Uint8Array | number = 0): Entry {
  const bytes = typeof data === "number" ? new Uint8Array(data).fill(index) : data;
  return { index, term, kind: "command", data: bytes };
}

export function persist(hardState: HardState | undefined, ...entries: Entry[]): Persist {
  return { sequence: 1, hardState, entries };
}

/** A first segment made directly of records, as the log would write them: one element is one synced batch. */
export function buildSegment(batches: readonly Persist[], options: { sealed?: boolean } = {}): {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where each record starts, and the end. */
  recordStarts: number[];
  /** Where each batch starts, and the end. */
  batchStarts: number[];
} {
  const format = new RecordFormat(DIRECTORY_ID, 1);
  const writer = new ByteWriter();
  writer.raw(encodeSegmentHeader(FIRST_HEADER));
  const recordStarts: number[] = [];
  const batchStarts: number[] = [];
  let [lastIndex, syncedBytes, previousCrc] = [0, 0, 0];
  const place = () => {
    recordStarts.push(writer.length);
    return { fileOffset: writer.length, syncedBytes, previousCrc };
  };
  for (const { hardState, entries } of batches) {
    syncedBytes = writer.length;
    batchStarts.push(syncedBytes);
    if (hardState !== undefined) previousCrc = format.writeHardState(writer, place(), hardState);
    for (const one of entries) {
      previousCrc = format.writeEntry(writer, place(), one);
      lastIndex = one.index;
    }
  }
  if (options.sealed) {
    syncedBytes = writer.length;
    batchStarts.push(syncedBytes);
    format.writeSealed(writer, place(), lastIndex);
  }
  recordStarts.push(writer.length);
  batchStarts.push(writer.length);
  return { bytes: writer.finish(), recordStarts, batchStarts };
}

/** A state that is nothing but the pages that it was restored from. */
export class PagesState implements RestorableState {
  pages: string[] = [];

  restore(pages: Iterable<Uint8Array>): void {
    this.pages = [];
    try {
      for (const page of pages) this.pages.push(new TextDecoder().decode(page));
    } catch (error) {
      this.pages = [];
      throw error;
    }
  }
}

export interface Opened {
  readonly storage: DataDirectory;
  readonly state: PagesState;
}

/** Opens "d" with segments of 4 KiB. */
export function open(fileSystem: FileSystem, options: Partial<OpenOptions> = {}, path = "d"): Opened {
  const state = new PagesState();
  const all = { drawId: () => DIRECTORY_ID.slice(), segmentBytes: 4096, ...options };
  return { storage: DataDirectory.open(fileSystem, path, IDENTITY, all, state), state };
}

export function appendAndSync(storage: DataDirectory, batch: Persist): void {
  storage.append(batch);
  storage.sync();
}

/** All that a node remembers. Entry `i + 1` is `log[i]`, whether a snapshot stands for it or not. */
export interface Remembered {
  readonly hardState: HardState;
  readonly log: readonly Entry[];
}

export const NOTHING: Remembered = { hardState: { currentTerm: 0, votedFor: 0 }, log: [] };

/** An entry in words: what the page of a snapshot holds for it. */
export function describeEntry({ index, term, kind, data }: Entry): string {
  return `${index}:${term}:${kind}:${data.length}:${data.reduce((mix, byte) => (mix * 31 + byte) | 0, 7)}`;
}

export function describe({ hardState, log }: Remembered): string {
  return describeLines(hardState, log.map(describeEntry));
}

/** The same of a directory that was opened: what its snapshot stands for, and the entries after that. */
export function describeOpened({ storage, state }: Opened): string {
  const { hardState, snapshot, base, entries } = storage.recovered;
  const lines = [...state.pages];
  if (lines.length !== snapshot.index) {
    throw new Error(`${lines.length} pages of a snapshot up to ${snapshot.index}`);
  }
  if (base.index > snapshot.index) throw new Error(`base ${base.index} after the snapshot ${snapshot.index}`);
  entries.forEach((one, at) => {
    if (one.index !== base.index + 1 + at) throw new Error(`entry ${one.index} at ${base.index + 1 + at}`);
    const line = describeEntry(one);
    if (one.index <= snapshot.index) {
      if (lines[one.index - 1] !== line) {
        throw new Error(`${line} in the log, ${lines[one.index - 1]} in the state`);
      }
    } else lines.push(line);
  });
  return describeLines(hardState, lines);
}

function describeLines({ currentTerm, votedFor, rejoinTerm }: HardState, lines: readonly string[]): string {
  return `term ${currentTerm} vote ${votedFor} rejoin ${rejoinTerm ?? 0} log ${lines.join(" ")}`;
}

/** What is remembered after a batch. */
export function after(from: Remembered, batch: Persist): Remembered {
  return statesAfterEachRecord(from, [batch]).at(-1) ?? from;
}

/** All that is remembered, in turn, while these batches are taken in record by record, from `from` on. */
export function statesAfterEachRecord(from: Remembered, batches: readonly Persist[]): Remembered[] {
  const states = [from];
  let { hardState, log } = from;
  for (const batch of batches) {
    if (batch.hardState !== undefined) {
      hardState = batch.hardState;
      states.push({ hardState, log });
    }
    for (const one of batch.entries) {
      log = [...log.slice(0, one.index - 1), one];
      states.push({ hardState, log });
    }
  }
  return states;
}

/** Takes a snapshot of what `remembered` holds up to `index`. */
export function takeSnapshot(storage: DataDirectory, { log }: Remembered, index: number): SnapshotInfo {
  const writer = storage.beginSnapshot(positionOf(log, index));
  try {
    for (const page of pagesOf(log, index)) writer.write(page);
    return writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

export function positionOf(log: readonly Entry[], index: number): LogPosition {
  return { index, term: log[index - 1]?.term ?? 0 };
}

export function pagesOf(log: readonly Entry[], index: number): Uint8Array[] {
  return log.slice(0, index).map((one) => new TextEncoder().encode(describeEntry(one)));
}

/** The body of a snapshot, made in a directory of its own as another node would. */
export function bodyOf(log: readonly Entry[], index: number): { info: SnapshotInfo; body: Uint8Array } {
  const { storage } = open(makeDisk());
  const info = takeSnapshot(storage, { hardState: NOTHING.hardState, log }, index);
  const reader = storage.openSnapshot();
  const body = reader?.read(0, info.totalBytes) ?? new Uint8Array(0);
  reader?.close();
  return { info, body };
}
