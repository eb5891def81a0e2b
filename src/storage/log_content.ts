/**
 * What the records of a log add up to, and the rules that each of them must keep. A record that is valid and breaks
 * one was written by a bug or is not where it belongs: that is damage, and never cut.
 *
 * @module
 */
import { ByteReader } from "../../packraft/byte_reader.ts";
import { PackraftError } from "../../packraft/errors.ts";
import { ENTRY, type Entry } from "../../packraft/records.ts";
import type { HardState, LogPosition } from "../raft/types.ts";
import { RECORD_TYPE } from "./log_format.ts";

/** A record as a reader may want to see it. */
export type RecordContent =
  | { readonly type: "hardState"; readonly hardState: HardState }
  | { readonly type: "entry"; readonly entry: Entry }
  | { readonly type: "sealed"; readonly lastIndex: number };

/** Why a record cannot be taken. */
class Contradiction extends Error {}

export class LogContent {
  hardState: HardState = { currentTerm: 0, votedFor: 0 };
  /** Whether there was any record of it. */
  hasHardState = false;
  /** Whether the last record says that the node stopped in good order. */
  isSealed = false;
  base: LogPosition;
  entries: Entry[] = [];

  constructor(base: LogPosition) {
    this.base = base;
  }

  get lastIndex(): number {
    return this.base.index + this.entries.length;
  }

  get lastTerm(): number {
    return this.entries[this.entries.length - 1]?.term ?? this.base.term;
  }

  /** The term of the entry at `index`, if that is known. */
  termAt(index: number): number | undefined {
    return index === this.base.index ? this.base.term : this.entries[index - 1 - this.base.index]?.term;
  }

  /** Takes in a record; returns why it cannot be, or undefined. */
  take(type: number, body: Uint8Array): string | undefined {
    try {
      const content = decodeRecord(type, body);
      this.isSealed = content.type === "sealed";
      switch (content.type) {
        case "hardState":
          return this.#takeHardState(content.hardState);
        case "entry":
          return this.#takeEntry(content.entry);
        case "sealed":
          if (content.lastIndex === this.lastIndex) return undefined;
          return `sealed at index ${content.lastIndex}, but the log ends at ${this.lastIndex}`;
      }
    } catch (error) {
      if (error instanceof Contradiction || error instanceof PackraftError) return error.message;
      throw error;
    }
  }

  #takeHardState(state: HardState): string | undefined {
    if (state.currentTerm < this.hardState.currentTerm) {
      return `term ${state.currentTerm} after term ${this.hardState.currentTerm}`;
    }
    this.hardState = state;
    this.hasHardState = true;
  }

  #takeEntry(entry: Entry): string | undefined {
    const { base, lastIndex } = this;
    if (entry.index < 1 || entry.index > lastIndex + 1) {
      return `entry ${entry.index} where ${lastIndex + 1} was next`;
    }
    if (entry.index <= base.index) {
      // It replaces entries of a segment that is gone, because a snapshot stands for them. What stood before it is
      // not known, so the log goes on from it.
      this.base = { index: entry.index, term: entry.term };
      this.entries = [];
      return;
    }
    const previousTerm = this.termAt(entry.index - 1) ?? 0;
    if (entry.term < previousTerm) {
      return `entry ${entry.index} of term ${entry.term} after one of term ${previousTerm}`;
    }
    if (entry.index <= lastIndex) this.entries.length = entry.index - 1 - base.index;
    this.entries.push(entry);
  }
}

/** What a record's body says. @throws Error with one line where it says nothing that a writer writes */
export function decodeRecord(type: number, body: Uint8Array): RecordContent {
  const reader = new ByteReader(body);
  const content = readContent(type, reader);
  if (reader.remaining > 0) throw new Contradiction(`${reader.remaining} B after the record's content`);
  return content;
}

function readContent(type: number, reader: ByteReader): RecordContent {
  switch (type) {
    case RECORD_TYPE.hardState: {
      const [currentTerm, votedFor, rejoinTerm] = [reader.varint(), reader.varint(), reader.varint()];
      const hardState = rejoinTerm === 0 ? { currentTerm, votedFor } : { currentTerm, votedFor, rejoinTerm };
      return { type: "hardState", hardState };
    }
    case RECORD_TYPE.entry:
      return { type: "entry", entry: ENTRY.read(reader) };
    case RECORD_TYPE.sealed:
      return { type: "sealed", lastIndex: reader.varint() };
    default:
      throw new Contradiction(`record type ${type} is not known`);
  }
}
