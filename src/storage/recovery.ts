/**
 * Reads a log file back after whatever happened to it, and tells a torn tail from damage.
 *
 * The two look alike (a record that is not valid) and want opposite answers. A *torn tail* is a batch that
 * a power loss caught on its way to the disk: nobody was told that it is durable, so it is cut, and it must
 * be, or a node could not start after a power loss. *Damage* is durable bytes that changed: somebody was
 * told that they are safe, so cutting them would forget votes and acknowledged writes, silently. It is
 * refused, and never cut.
 *
 * What can be known: a batch is written, then synced, and only then is the next batch written, which
 * carries the mark `syncedBytes`: "when this was written, the file was durable up to there". A disk may
 * write the sectors (of 512 bytes) of one batch in any order, and each of them whole or not at all; a
 * sector that was not written reads as zeros, or the file ends before it. So at the first invalid record,
 * at offset X:
 *
 * (a) A valid header after X with a mark above X proves that X was durable once: damage. Only headers are
 *     asked for, because a header's own CRC vouches for its mark even if its body is damaged too; and all
 *     places after X are asked, because the length in a damaged header leads nowhere.
 *
 * (b) Otherwise X lies in the last batch. If the file ends inside the record, or a sector that holds a part
 *     of it is all zeros from X on, a sector is missing: torn. The tail from X on is cut, even where valid
 *     records follow: they are of the same batch, their sectors just happened to be written.
 *
 * (c) Otherwise every sector of the record reached the disk and one of them changed later: damage, since
 *     the batch may well have been synced and acknowledged before.
 *
 * Why a client cannot fool it: see the two properties in `log_format.ts`. Records are read one after the
 * other, so bytes in a value are never taken for a record; the search of (a) does look into values, but a
 * look-alike there would need a CRC over a secret, and could at worst turn a cut into a refusal. Zeros in a
 * value cannot pass for a missing sector.
 *
 * What cannot be known: if whole sectors of the *last* batch turn to zeros, or the file loses its end, long
 * after the sync and with no later record as witness, that is taken for a torn tail. A clean stop writes a
 * record that is such a witness (`sealed`).
 *
 * @module
 */
import { ByteReader } from "../../packraft/byte_reader.ts";
import { PackraftError } from "../../packraft/errors.ts";
import { ENTRY, type Entry } from "../../packraft/messages.ts";
import type { HardState, Recovered } from "../raft/types.ts";
import { CorruptLogError } from "./errors.ts";
import {
  FILE_HEADER_BYTES,
  MAX_BODY_BYTES,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RECORD_TYPE,
  recordBytes,
  RecordFormat,
  type RecordHeader,
  SECTOR_BYTES,
} from "./log_format.ts";

/** What a log file holds. */
export interface RecoveredLog extends Recovered {
  /** The bytes of the file that count; what follows is a torn tail. */
  readonly validBytes: number;
  /** `sealed`: whole, and its last record says that it was stopped cleanly. `torn`: a tail is to be cut. */
  readonly verdict: "sealed" | "whole" | "torn";
  /** What is wrong at `validBytes` of a torn log. */
  readonly tear: string | undefined;
}

/**
 * Reads the records of a file whose header has been checked. Data of entries shares the memory of `bytes`
 * where it can, which therefore stays as long as any of these entries does.
 *
 * @param path for errors only
 * @param bytes the whole file
 * @throws CorruptLogError where durable bytes changed, or a valid record contradicts those before it
 */
export function recoverLog(path: string, bytes: Uint8Array, directoryId: Uint8Array): RecoveredLog {
  const format = new RecordFormat(directoryId);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const content = new Content(path);
  let offset = FILE_HEADER_BYTES;
  let sealed = false;
  let tear: string | undefined;
  while (offset < bytes.length) {
    const header = format.readHeader(bytes, view, offset);
    if (header === undefined) {
      tear = judge(path, format, bytes, view, offset, undefined);
      break;
    }
    content.checkHeader(header, offset);
    const end = offset + recordBytes(header.bodyBytes);
    if (end > bytes.length || !format.isBodyIntact(bytes, view, offset, header)) {
      tear = judge(path, format, bytes, view, offset, end);
      break;
    }
    content.take(header, format.readBody(bytes, offset, header), offset);
    sealed = header.type === RECORD_TYPE.sealed;
    offset = end;
  }
  return {
    hardState: content.hardState,
    entries: content.entries,
    validBytes: offset,
    verdict: tear !== undefined ? "torn" : sealed ? "sealed" : "whole",
    tear,
  };
}

/** The state that the records add up to, and the rules that each of them must keep. */
class Content {
  hardState: HardState = { currentTerm: 0, votedFor: 0 };
  readonly entries: Entry[] = [];
  readonly #path: string;
  #syncedBytes = FILE_HEADER_BYTES;

  constructor(path: string) {
    this.#path = path;
  }

  /** A valid header that no writer of this format writes is damage, or a bug: it is never cut. */
  checkHeader(header: RecordHeader, offset: number): void {
    if (header.bodyBytes < 1 || header.bodyBytes > MAX_BODY_BYTES) {
      throw this.#corrupt(
        offset,
        `record body of ${header.bodyBytes} B is not within 1 to ${MAX_BODY_BYTES}`,
      );
    }
    if (header.syncedBytes < this.#syncedBytes || header.syncedBytes > offset) {
      throw this.#corrupt(
        offset,
        `mark ${header.syncedBytes} is not within ${this.#syncedBytes} to ${offset}`,
      );
    }
    this.#syncedBytes = header.syncedBytes;
  }

  take(header: RecordHeader, body: Uint8Array, offset: number): void {
    try {
      const reader = new ByteReader(body);
      this.#takeBody(header.type, reader, offset);
      if (reader.remaining > 0) {
        throw this.#corrupt(offset, `${reader.remaining} B after the record's content`);
      }
    } catch (error) {
      if (error instanceof PackraftError) throw this.#corrupt(offset, error.message);
      throw error;
    }
  }

  #takeBody(type: number, reader: ByteReader, offset: number): void {
    switch (type) {
      case RECORD_TYPE.hardState:
        return this.#takeHardState({ currentTerm: reader.varint(), votedFor: reader.varint() }, offset);
      case RECORD_TYPE.entry:
        return this.#takeEntry(ENTRY.read(reader), offset);
      case RECORD_TYPE.sealed: {
        const lastIndex = reader.varint();
        if (lastIndex === this.entries.length) return;
        throw this.#corrupt(
          offset,
          `sealed at index ${lastIndex}, but the log ends at ${this.entries.length}`,
        );
      }
      default:
        throw this.#corrupt(offset, `record type ${type} is not known`);
    }
  }

  #takeHardState(state: HardState, offset: number): void {
    if (state.currentTerm < this.hardState.currentTerm) {
      throw this.#corrupt(offset, `term ${state.currentTerm} after term ${this.hardState.currentTerm}`);
    }
    this.hardState = state;
  }

  #takeEntry(entry: Entry, offset: number): void {
    const { entries } = this;
    if (entry.index < 1 || entry.index > entries.length + 1) {
      throw this.#corrupt(offset, `entry ${entry.index} where ${entries.length + 1} was next`);
    }
    const previousTerm = entries[entry.index - 2]?.term ?? 0;
    if (entry.term < previousTerm) {
      throw this.#corrupt(
        offset,
        `entry ${entry.index} of term ${entry.term} after one of term ${previousTerm}`,
      );
    }
    if (entry.index <= entries.length) entries.length = entry.index - 1;
    entries.push(entry);
  }

  #corrupt(offset: number, problem: string): CorruptLogError {
    return new CorruptLogError(this.#path, offset, problem);
  }
}

/**
 * Rules (a) to (c): returns what is torn at `offset`, or throws.
 *
 * @param end where the record ends, or undefined where its header is invalid
 */
function judge(
  path: string,
  format: RecordFormat,
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  end: number | undefined,
): string {
  const what = end === undefined ? "record header" : "record";
  const witness = findWitness(format, bytes, view, offset);
  if (witness !== undefined) {
    throw new CorruptLogError(
      path,
      offset,
      `the ${what} does not match its checksum, but the record at byte ${witness} proves that it was durable`,
    );
  }
  const partEnd = end ?? offset + RECORD_HEADER_BYTES;
  if (partEnd > bytes.length) return `the file ends inside the ${what} at byte ${offset}`;
  const missing = findMissingSector(bytes, offset, partEnd);
  if (missing !== undefined) {
    return `the sector at byte ${missing} of the ${what} at byte ${offset} is missing`;
  }
  throw new CorruptLogError(
    path,
    offset,
    `the ${what} does not match its checksum, and no sector of it is missing`,
  );
}

/** Where the first valid header after `offset` is whose mark lies above it. */
function findWitness(
  format: RecordFormat,
  bytes: Uint8Array,
  view: DataView,
  offset: number,
): number | undefined {
  for (let at = offset + RECORD_ALIGNMENT; at < bytes.length; at += RECORD_ALIGNMENT) {
    const header = format.readHeader(bytes, view, at);
    if (header !== undefined && header.syncedBytes > offset) return at;
  }
  return undefined;
}

/** The first sector with a part of `from` to `to` that is all zeros, from `from` to its or the file's end. */
function findMissingSector(bytes: Uint8Array, from: number, to: number): number | undefined {
  let start = from;
  while (start < to) {
    const sectorEnd = Math.floor(start / SECTOR_BYTES + 1) * SECTOR_BYTES;
    if (bytes.subarray(start, Math.min(sectorEnd, bytes.length)).every((byte) => byte === 0)) return start;
    start = sectorEnd;
  }
  return undefined;
}
