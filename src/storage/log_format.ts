/**
 * The records of a log, byte by byte. Numbers are big-endian; varints and entries are encoded as packraft does. The
 * records of a segment stand behind its header (`segment_format.ts`), each right behind the one before.
 *
 * ```
 * record, at an offset that is a multiple of 8
 *   0    3  magic f0 9d a7
 *   3    1  type: 1 hard state, 2 entry, 3 sealed
 *   4    4  length of the body, 1 to MAX_BODY_BYTES
 *   8    8  syncedBytes: the segment was durable up to this offset when the record was written
 *   16   4  the body CRC of the record before this one; for the first of a segment, the header's previousCrc
 *   20   4  CRC-32 of bytes 0 to 19, seeded by the directory id, the segment's sequence and the record's offset
 *   24   n  body
 *        p  zeros, until the record's length is a multiple of 8
 *        4  end mark 5a a5 c3 3c
 *        4  body CRC: CRC-32 of body, zeros and end mark, seeded by the CRC at 20 (and so by the header)
 *
 * body of a hard state: varint currentTerm, varint votedFor, varint rejoinTerm (0: none)
 * body of an entry:     ENTRY of packraft; replaces the entry at its index and all after it
 * body of a sealed:     varint last index; written at a clean stop, when all before it was synced
 * ```
 *
 * A record is valid if both CRCs match, it names the CRC of the record before it, and the length, the type and the
 * mark are possible. So the records of a log are a chain across its segments: one that is missing or stands in the
 * place of another is noticed at the next one. Two properties are what recovery (`segment_reader.ts`) rests on:
 *
 * 1. *Nothing but a record looks like one.* The header's CRC covers the place of the record, its segment and a
 *    secret of this directory. A record that a client put into a value, or a copy of one, fails it at any other
 *    place.
 * 2. *A sector that was written is never all zeros*, and no flip of one byte makes it so. A record starts
 *    with its magic and ends with the end mark, and is aligned, so that the first and the last sector of a
 *    record hold one of the two. A sector that lies wholly inside a record may hold nothing but a client's
 *    zeros: its bytes {@linkcode WHITENED_FROM} and following are stored XORed with the directory id, which
 *    a client cannot know. So a sector of zeros says: this sector never reached the disk.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import { MAX_ENTRY_DATA_BYTES } from "../../packraft/limits.ts";
import { ENTRY, type Entry } from "../../packraft/records.ts";
import type { HardState } from "../raft/types.ts";
import { DIRECTORY_ID_BYTES, SECTOR_BYTES, writeU64 } from "./file_header.ts";

/** Where in a sector its whitened bytes start: too far from both ends to be a header or an end mark. */
export const WHITENED_FROM = 256;

export const RECORD_HEADER_BYTES = 24;
const HEADER_CRC_OFFSET = 20;
const RECORD_TRAILER_BYTES = 8;
/** No record is shorter, and every record starts at a multiple of 8. */
export const RECORD_ALIGNMENT = 8;
/** The longest body: an entry with the most data, and its index, term, kind and length. */
export const MAX_BODY_BYTES = MAX_ENTRY_DATA_BYTES + 32;

/** The three types of a record, by the byte that stands for them. */
export const RECORD_TYPE = { hardState: 1, entry: 2, sealed: 3 } as const;
/** The first word of a record without its type byte. */
const RECORD_MAGIC = 0xf09da700;
const END_MARK = 0x5aa5c33c;

/** The header of a record. */
export interface RecordHeader {
  readonly type: number;
  readonly bodyBytes: number;
  readonly syncedBytes: number;
  readonly previousCrc: number;
  readonly crc: number;
}

/** Where a record is written: what its header says besides its content. */
export interface RecordPlace {
  readonly fileOffset: number;
  readonly syncedBytes: number;
  readonly previousCrc: number;
}

/** How many bytes a record with a body of `bodyBytes` takes. */
export function recordBytes(bodyBytes: number): number {
  const unpadded = RECORD_HEADER_BYTES + bodyBytes + RECORD_TRAILER_BYTES;
  return Math.ceil(unpadded / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** Writes and checks the records of one segment. Each `write` returns the record's body CRC. */
export class RecordFormat {
  readonly #directoryId: Uint8Array;
  readonly #seed: number;

  constructor(directoryId: Uint8Array, sequence: number) {
    this.#directoryId = directoryId;
    const writer = new ByteWriter(8);
    writeU64(writer, sequence);
    this.#seed = crc32(writer.view(), crc32(directoryId));
  }

  writeHardState(writer: ByteWriter, place: RecordPlace, state: HardState): number {
    const start = begin(writer, place, RECORD_TYPE.hardState);
    writer.varint(state.currentTerm);
    writer.varint(state.votedFor);
    writer.varint(state.rejoinTerm ?? 0);
    return this.#finish(writer, start, place.fileOffset);
  }

  writeEntry(writer: ByteWriter, place: RecordPlace, entry: Entry): number {
    const start = begin(writer, place, RECORD_TYPE.entry);
    ENTRY.write(writer, entry);
    return this.#finish(writer, start, place.fileOffset);
  }

  writeSealed(writer: ByteWriter, place: RecordPlace, lastIndex: number): number {
    const start = begin(writer, place, RECORD_TYPE.sealed);
    writer.varint(lastIndex);
    return this.#finish(writer, start, place.fileOffset);
  }

  /**
   * The header at `offset`, or undefined where there is no valid one. What a valid header says was written
   * by this segment's writer at this place; that it makes sense is still to be checked.
   */
  readHeader(bytes: Uint8Array, view: DataView, offset: number): RecordHeader | undefined {
    if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined;
    const word = view.getUint32(offset);
    if ((word & 0xffffff00) >>> 0 !== RECORD_MAGIC) return undefined;
    const crc = view.getUint32(offset + HEADER_CRC_OFFSET);
    if (crc !== crc32(bytes, this.#seedAt(offset), offset, offset + HEADER_CRC_OFFSET)) {
      return undefined;
    }
    return {
      type: word & 0xff,
      bodyBytes: view.getUint32(offset + 4),
      syncedBytes: view.getUint32(offset + 8) * 2 ** 32 + view.getUint32(offset + 12),
      previousCrc: view.getUint32(offset + 16),
      crc,
    };
  }

  /** The body CRC that is stored with the record at `offset`. The record must lie within `bytes`. */
  bodyCrcOf(view: DataView, offset: number, header: RecordHeader): number {
    return view.getUint32(offset + recordBytes(header.bodyBytes) - 4);
  }

  /** Whether the body of the record at `offset` is what was written. The record must lie within `bytes`. */
  isBodyIntact(bytes: Uint8Array, view: DataView, offset: number, header: RecordHeader): boolean {
    const crcOffset = offset + recordBytes(header.bodyBytes) - 4;
    return this.bodyCrcOf(view, offset, header) ===
      crc32(bytes, header.crc, offset + RECORD_HEADER_BYTES, crcOffset);
  }

  /** The body of an intact record as it was before it was whitened: shared with `bytes` where it can be. */
  readBody(bytes: Uint8Array, offset: number, header: RecordHeader): Uint8Array {
    const start = offset + RECORD_HEADER_BYTES;
    const end = offset + recordBytes(header.bodyBytes);
    const body = bytes.subarray(start, start + header.bodyBytes);
    if (!hasWhitened(offset, end)) return body;
    const copy = body.slice();
    this.#whiten(copy, offset, end, start);
    return copy;
  }

  /** Completes the record at `start` of the writer, whose body was written. Returns its body CRC. */
  #finish(writer: ByteWriter, start: number, fileOffset: number): number {
    const bodyStart = start + RECORD_HEADER_BYTES;
    const bodyBytes = writer.length - bodyStart;
    if (bodyBytes < 1 || bodyBytes > MAX_BODY_BYTES) {
      throw new RangeError(`record body of ${bodyBytes} B is not within 1 to ${MAX_BODY_BYTES}`);
    }
    const endBytes = recordBytes(bodyBytes);
    writer.zeros(endBytes - RECORD_TRAILER_BYTES - RECORD_HEADER_BYTES - bodyBytes);
    writer.u32(END_MARK);
    if (hasWhitened(fileOffset, fileOffset + endBytes)) {
      this.#whiten(writer.view(), fileOffset, fileOffset + endBytes, fileOffset - start);
    }
    writer.patchU32(start + 4, bodyBytes);
    const headerCrc = writer.crc32(start, start + HEADER_CRC_OFFSET, this.#seedAt(fileOffset));
    writer.patchU32(start + HEADER_CRC_OFFSET, headerCrc);
    const bodyCrc = writer.crc32(bodyStart, writer.length, headerCrc);
    writer.u32(bodyCrc);
    return bodyCrc;
  }

  /** A CRC takes each seed to another value, so equal headers at two places (within 32 GiB) differ. */
  #seedAt(fileOffset: number): number {
    return (this.#seed + fileOffset / RECORD_ALIGNMENT) >>> 0;
  }

  /**
   * Whitens the whole sectors of the record from file offset `from` to `end`; a second time undoes it.
   * `bytes[0]` is at file offset `base`.
   */
  #whiten(bytes: Uint8Array, from: number, end: number, base: number): void {
    for (let sector = firstSectorFrom(from); sector + SECTOR_BYTES <= end; sector += SECTOR_BYTES) {
      const at = sector + WHITENED_FROM - base;
      for (let i = 0; i < DIRECTORY_ID_BYTES; i++) {
        bytes[at + i] = (bytes[at + i] ?? 0) ^ (this.#directoryId[i] ?? 0);
      }
    }
  }
}

/** The header of a record, as far as it is known before the body. Returns where it begins in the writer. */
function begin(writer: ByteWriter, place: RecordPlace, type: number): number {
  const start = writer.length;
  writer.u32(RECORD_MAGIC + type);
  writer.u32(0); // the length of the body, known later
  writeU64(writer, place.syncedBytes);
  writer.u32(place.previousCrc);
  writer.u32(0); // the header's CRC, known later
  return start;
}

/** Whether a sector lies wholly inside the record from file offset `from` to `end`. */
function hasWhitened(from: number, end: number): boolean {
  return firstSectorFrom(from) + SECTOR_BYTES <= end;
}

function firstSectorFrom(offset: number): number {
  return Math.ceil(offset / SECTOR_BYTES) * SECTOR_BYTES;
}
