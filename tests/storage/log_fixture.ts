/**
 * What the tests of storage share: a seeded generator, short ways to write entries, logs made of bytes.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import type { Entry, HardState, Persist, Recovered } from "../../src/raft/types.ts";
import { encodeFileHeader, type LogIdentity, RecordFormat } from "../../src/storage/log_format.ts";

export const DIRECTORY_ID = Uint8Array.from({ length: 16 }, (_, i) => 0x91 + 7 * i);
export const IDENTITY: LogIdentity = { clusterId: "test-cluster", node: 2, directoryId: DIRECTORY_ID };

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

export function entry(index: number, term: number, data: Uint8Array | number = 0): Entry {
  const bytes = typeof data === "number" ? new Uint8Array(data).fill(index) : data;
  return { index, term, kind: "command", data: bytes };
}

export function persist(hardState: HardState | undefined, ...entries: Entry[]): Persist {
  return { sequence: 1, hardState, entries };
}

/** A log made directly of records, as the write-ahead log would write them: one element is one synced batch. */
export function buildLog(batches: readonly Persist[], options: { sealed?: boolean } = {}): {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where each record starts, and the end. */
  recordStarts: number[];
  /** Where each batch starts, and the end. */
  batchStarts: number[];
} {
  const format = new RecordFormat(DIRECTORY_ID);
  const writer = new ByteWriter();
  writer.raw(encodeFileHeader(IDENTITY));
  const recordStarts: number[] = [];
  const batchStarts: number[] = [];
  let lastIndex = 0;
  for (const { hardState, entries } of batches) {
    const synced = writer.length;
    batchStarts.push(synced);
    if (hardState !== undefined) {
      recordStarts.push(writer.length);
      format.writeHardState(writer, writer.length, synced, hardState);
    }
    for (const one of entries) {
      recordStarts.push(writer.length);
      format.writeEntry(writer, writer.length, synced, one);
      lastIndex = one.index;
    }
  }
  if (options.sealed) {
    recordStarts.push(writer.length);
    batchStarts.push(writer.length);
    format.writeSealed(writer, writer.length, writer.length, lastIndex);
  }
  recordStarts.push(writer.length);
  batchStarts.push(writer.length);
  return { bytes: writer.finish(), recordStarts, batchStarts };
}

/** A state in words, for comparisons: terms, vote, and each entry with its length and a mix of its bytes. */
export function describe(recovered: Recovered): string {
  const { hardState, entries } = recovered;
  const words = entries.map(({ index, term, kind, data }) =>
    `${index}:${term}:${kind}:${data.length}:${data.reduce((mix, byte) => (mix * 31 + byte) | 0, 7)}`
  );
  return `term ${hardState.currentTerm} vote ${hardState.votedFor} log ${words.join(" ")}`;
}

/** All states that a log goes through while it takes these batches, one record at a time, from `from` on. */
export function statesAfterEachRecord(from: Recovered, batches: readonly Persist[]): Recovered[] {
  const states: Recovered[] = [from];
  let { hardState } = from;
  let entries = from.entries;
  for (const batch of batches) {
    if (batch.hardState !== undefined) {
      hardState = batch.hardState;
      states.push({ hardState, entries });
    }
    for (const one of batch.entries) {
      entries = [...entries.slice(0, one.index - 1), one];
      states.push({ hardState, entries });
    }
  }
  return states;
}

export const NOTHING: Recovered = { hardState: { currentTerm: 0, votedFor: 0 }, entries: [] };
