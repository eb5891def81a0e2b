/**
 * Reads a segment back after whatever happened to it, and tells a torn tail from damage.
 *
 * The two look alike (a record that is not valid) and want opposite answers. A *torn tail* is a batch that
 * a power loss caught on its way to the disk: nobody was told that it is durable, so it is cut, and it must
 * be, or a node could not start after a power loss. *Damage* is durable bytes that changed: somebody was
 * told that they are safe, so cutting them would forget votes and acknowledged writes, silently. It is
 * reported, and never cut.
 *
 * What can be known: a batch is written, then synced, and only then is the next batch written, which
 * carries the mark `syncedBytes`: "when this was written, the segment was durable up to there". A disk may
 * write the sectors (of 512 bytes) of one batch in any order, and each of them whole or not at all; a
 * sector that was not written reads as zeros, or the file ends before it. So at the first invalid record,
 * at offset X:
 *
 * (a) A segment that has a successor was synced before that was made: damage.
 *
 * (b) In the last segment, a valid header after X with a mark above X proves that X was durable once: damage.
 *     Only headers are asked for, because a header's own CRC vouches for its mark even if its body is damaged
 *     too; and all places after X are asked, because the length in a damaged header leads nowhere.
 *
 * (c) Otherwise X lies in the last batch. If the file ends inside the record, or a sector that holds a part
 *     of it is all zeros from X on, a sector is missing: torn. The tail from X on is cut, even where valid
 *     records follow: they are of the same batch, their sectors just happened to be written.
 *
 * (d) Otherwise every sector of the record reached the disk and one of them changed later: damage, since
 *     the batch may well have been synced and acknowledged before.
 *
 * A valid header that names another record before it than the one that is there is damage in any case: its writer
 * had written that other record before.
 *
 * Why a client cannot fool it: see the two properties in `log_format.ts`. Records are read one after the
 * other, so bytes in a value are never taken for a record; the search of (b) does look into values, but a
 * look-alike there would need a CRC over a secret, and could at worst turn a cut into a refusal. Zeros in a
 * value cannot pass for a missing sector.
 *
 * What cannot be known: if whole sectors of the *last* batch turn to zeros, or the last segment loses its end or is
 * removed, long after the sync and with no later record as witness, that is taken for a torn tail. A clean stop
 * writes a record that is such a witness (`sealed`).
 *
 * @module
 */
import { FILE_HEADER_BYTES, SECTOR_BYTES } from "./file_header.ts";
import type { LogContent } from "./log_content.ts";
import {
  MAX_BODY_BYTES,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RECORD_TYPE,
  recordBytes,
  RecordFormat,
  type RecordHeader,
} from "./log_format.ts";
import { beginsWithHardState, type SegmentHeader } from "./segment_format.ts";

/** What is wrong at the place where the valid records of a segment end. */
export interface Fault {
  /** `torn`: nobody was told that it is durable. `damaged`: somebody may have been. */
  readonly kind: "torn" | "damaged";
  readonly problem: string;
}

/** A record that is valid as far as its own segment tells, or where one is missing. */
export type RawRecord =
  | {
    readonly kind: "valid";
    readonly offset: number;
    readonly end: number;
    readonly type: number;
    readonly body: Uint8Array;
    readonly bodyCrc: number;
  }
  | { readonly kind: "fault"; readonly offset: number; readonly fault: Fault };

/** Goes through the records of one segment, in order. */
export class SegmentReader {
  readonly #format: RecordFormat;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #header: SegmentHeader;
  /** Where the next segment says that this one ends; undefined for the last segment. */
  readonly #vouchedBytes: number | undefined;
  #offset = FILE_HEADER_BYTES;
  #syncedBytes = FILE_HEADER_BYTES;
  #crc: number;

  constructor(bytes: Uint8Array, header: SegmentHeader, vouchedBytes?: number) {
    this.#format = new RecordFormat(header.owner.directoryId, header.sequence);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#header = header;
    this.#vouchedBytes = vouchedBytes;
    this.#crc = header.previousCrc;
  }

  /** Where the next record starts: what is before it is valid. */
  get offset(): number {
    return this.#offset;
  }

  /** The body CRC of the record before that. */
  get crc(): number {
    return this.#crc;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#endBytes;
  }

  /** The next record, shared with the segment's bytes where it can be; undefined at the end. */
  next(): RawRecord | undefined {
    const offset = this.#offset;
    if (this.isAtEnd) {
      // Unless a repair has declared all of it void.
      const isCutShort = this.#vouchedBytes === undefined && this.#isCutShort();
      return isCutShort ? this.#damaged("the segment does not hold its first record") : undefined;
    }
    const header = this.#format.readHeader(this.#bytes, this.#view, offset);
    if (header === undefined) return { kind: "fault", offset, fault: this.#judge(undefined) };
    const problem = this.#problemOf(header);
    if (problem !== undefined) return this.#damaged(problem);
    const end = offset + recordBytes(header.bodyBytes);
    if (end > this.#bytes.length || !this.#format.isBodyIntact(this.#bytes, this.#view, offset, header)) {
      return { kind: "fault", offset, fault: this.#judge(end) };
    }
    if (end > (this.#vouchedBytes ?? end)) {
      return this.#damaged(`the next segment says that this one ends at byte ${this.#vouchedBytes}`);
    }
    this.#offset = end;
    this.#syncedBytes = header.syncedBytes;
    this.#crc = this.#format.bodyCrcOf(this.#view, offset, header);
    const body = this.#format.readBody(this.#bytes, offset, header);
    return { kind: "valid", offset, end, type: header.type, body, bodyCrc: this.#crc };
  }

  /**
   * For those who want to see what is behind damage: goes to the next valid header, or to the end, and takes what
   * it says for granted.
   */
  skipFault(): void {
    const end = this.#endBytes;
    for (let at = this.#offset + RECORD_ALIGNMENT; at < end; at += RECORD_ALIGNMENT) {
      const header = this.#format.readHeader(this.#bytes, this.#view, at);
      if (header === undefined || header.syncedBytes < this.#syncedBytes) continue;
      this.#offset = at;
      this.#crc = header.previousCrc;
      return;
    }
    this.#offset = end;
  }

  get #endBytes(): number {
    return this.#vouchedBytes ?? this.#bytes.length;
  }

  /** A segment gets its name when its first record is durable: without it, it lost that later. */
  #isCutShort(): boolean {
    return this.#offset === FILE_HEADER_BYTES && beginsWithHardState(this.#header);
  }

  #problemOf(header: RecordHeader): string | undefined {
    const { bodyBytes, syncedBytes, previousCrc } = header;
    if (bodyBytes < 1 || bodyBytes > MAX_BODY_BYTES) {
      return `record body of ${bodyBytes} B is not within 1 to ${MAX_BODY_BYTES}`;
    }
    if (syncedBytes < this.#syncedBytes || syncedBytes > this.#offset) {
      return `mark ${syncedBytes} is not within ${this.#syncedBytes} to ${this.#offset}`;
    }
    if (previousCrc !== this.#crc) {
      return "the record does not follow the one before it: one is missing or misplaced";
    }
    if (this.#isCutShort() && header.type !== RECORD_TYPE.hardState) {
      return "the segment does not begin with a hard state";
    }
  }

  #damaged(problem: string): RawRecord {
    return { kind: "fault", offset: this.#offset, fault: { kind: "damaged", problem } };
  }

  /**
   * Rules (a) to (d).
   *
   * @param end where the record ends, or undefined where its header is invalid
   */
  #judge(end: number | undefined): Fault {
    const offset = this.#offset;
    const what = end === undefined ? "record header" : "record";
    if (this.#vouchedBytes !== undefined || this.#isCutShort()) {
      const problem = (end ?? offset + RECORD_HEADER_BYTES) > this.#bytes.length
        ? `the file ends inside the ${what}`
        : `the ${what} does not match its checksum`;
      return { kind: "damaged", problem };
    }
    const witness = this.#findWitness();
    if (witness !== undefined) {
      const problem =
        `the ${what} does not match its checksum, but the record at byte ${witness} proves that it ` +
        "was durable";
      return { kind: "damaged", problem };
    }
    const partEnd = end ?? offset + RECORD_HEADER_BYTES;
    if (partEnd > this.#bytes.length) {
      return { kind: "torn", problem: `the file ends inside the ${what} at byte ${offset}` };
    }
    const missing = findMissingSector(this.#bytes, offset, partEnd);
    if (missing !== undefined) {
      return {
        kind: "torn",
        problem: `the sector at byte ${missing} of the ${what} at byte ${offset} is missing`,
      };
    }
    const problem = `the ${what} does not match its checksum, and no sector of it is missing`;
    return { kind: "damaged", problem };
  }

  /** Where the first valid header after the current place is whose mark lies above it. */
  #findWitness(): number | undefined {
    const bytes = this.#bytes;
    for (let at = this.#offset + RECORD_ALIGNMENT; at < bytes.length; at += RECORD_ALIGNMENT) {
      const header = this.#format.readHeader(bytes, this.#view, at);
      if (header !== undefined && header.syncedBytes > this.#offset) return at;
    }
    return undefined;
  }
}

/** Takes all valid records of a segment into `content`; returns what is wrong where they end, if anything is. */
export function replaySegment(
  reader: SegmentReader,
  content: LogContent,
): { readonly endBytes: number; readonly crc: number; readonly fault: Fault | undefined } {
  for (;;) {
    const { offset: endBytes, crc } = reader;
    const record = reader.next();
    if (record === undefined) return { endBytes, crc, fault: undefined };
    if (record.kind === "fault") return { endBytes, crc, fault: record.fault };
    const problem = content.take(record.type, record.body);
    if (problem !== undefined) return { endBytes, crc, fault: { kind: "damaged", problem } };
  }
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
