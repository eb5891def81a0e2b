/**
 * The log file, byte by byte. Numbers are big-endian; varints and entries are encoded as packraft does.
 *
 * ```
 * file header, 512 bytes: one sector of its own, so that no record shares a sector with it
 *   0    8  magic "drafty\r\n"
 *   8    2  format version
 *   10   6  zero
 *   16  16  directory id: random, drawn when the file was made, never sent anywhere
 *   32   8  node id
 *   40   1  length of the cluster id, then the cluster id in UTF-8, then zeros
 *   508  4  CRC-32 of bytes 0 to 507. Every format version keeps this place and the version's.
 *
 * record, at an offset that is a multiple of 8
 *   0    3  magic f0 9d a7
 *   3    1  type: 1 hard state, 2 entry, 3 sealed
 *   4    4  length of the body, 1 to MAX_BODY_BYTES
 *   8    8  syncedBytes: the file was durable up to this offset when the record was written
 *   16   4  CRC-32 of bytes 0 to 15, seeded by the directory id and the record's offset
 *   20   n  body
 *        p  zeros, until the record's length is a multiple of 8
 *        4  end mark 5a a5 c3 3c
 *        4  CRC-32 of body, zeros and end mark, seeded by the CRC at 16 (and so by the header)
 *
 * body of a hard state: varint currentTerm, varint votedFor
 * body of an entry:     ENTRY of packraft; replaces the entry at its index and all after it
 * body of a sealed:     varint last index; written at a clean stop, when all before it was synced
 * ```
 *
 * A record is valid if both CRCs match, and the length, the type and the mark are possible. Two properties
 * are what recovery (`recovery.ts`) rests on:
 *
 * 1. *Nothing but a record looks like one.* The header's CRC covers the place of the record and a secret
 *    of this file. A record that a client put into a value, or one that an earlier life of the file left,
 *    fails it at any other place.
 * 2. *A sector that was written is never all zeros*, and no flip of one byte makes it so. A record starts
 *    with its magic and ends with the end mark, and is aligned, so that the first and the last sector of a
 *    record hold one of the two. A sector that lies wholly inside a record may hold nothing but a client's
 *    zeros: its bytes {@linkcode WHITENED_FROM} and following are stored XORed with the directory id, which
 *    a client cannot know. So a sector of zeros says: this sector never reached the disk.
 *
 * @module
 */
import { ByteReader } from "../../packraft/byte_reader.ts";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import { MAX_CLUSTER_ID_BYTES, MAX_ENTRY_DATA_BYTES } from "../../packraft/limits.ts";
import { ENTRY, type Entry } from "../../packraft/messages.ts";
import type { HardState } from "../raft/types.ts";

/** The version that this build writes, and the only one that it reads. */
export const FORMAT_VERSION = 1;
export const FILE_HEADER_BYTES = 512;
export const DIRECTORY_ID_BYTES = 16;
/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;
/** Where in a sector its whitened bytes start: too far from both ends to be a header or an end mark. */
export const WHITENED_FROM = 256;

export const RECORD_HEADER_BYTES = 20;
const RECORD_TRAILER_BYTES = 8;
/** No record is shorter, and every record starts at a multiple of 8. */
export const RECORD_ALIGNMENT = 8;
/** The longest body: an entry with the most data, and its index, term, kind and length. */
export const MAX_BODY_BYTES = MAX_ENTRY_DATA_BYTES + 32;

/** The four types of a record, by the byte that stands for them. */
export const RECORD_TYPE = { hardState: 1, entry: 2, sealed: 3 } as const;
/** The first word of a record without its type byte. */
const RECORD_MAGIC = 0xf09da700;
const END_MARK = 0x5aa5c33c;
const FILE_MAGIC = new Uint8Array([0x64, 0x72, 0x61, 0x66, 0x74, 0x79, 0x0d, 0x0a]);
const VERSION_OFFSET = 8;
const IDENTITY_OFFSET = 16;
const FILE_CRC_OFFSET = FILE_HEADER_BYTES - 4;

/** Whose log a file is. */
export interface LogIdentity {
  readonly clusterId: string;
  /** The node's id, from 1. */
  readonly node: number;
  /** {@linkcode DIRECTORY_ID_BYTES} random bytes. */
  readonly directoryId: Uint8Array;
}

/** What the first 512 bytes of a file turned out to be. */
export type FileHeader =
  | { readonly kind: "valid"; readonly identity: LogIdentity }
  | { readonly kind: "otherVersion"; readonly version: number }
  | { readonly kind: "invalid"; readonly problem: string };

/** The first {@linkcode FILE_HEADER_BYTES} of a log file. */
export function encodeFileHeader(identity: LogIdentity): Uint8Array<ArrayBuffer> {
  if (identity.directoryId.length !== DIRECTORY_ID_BYTES) {
    throw new RangeError(`directory id of ${identity.directoryId.length} B, not ${DIRECTORY_ID_BYTES} B`);
  }
  const writer = new ByteWriter(FILE_HEADER_BYTES);
  writer.raw(FILE_MAGIC);
  writer.u16(FORMAT_VERSION);
  writer.raw(new Uint8Array(6));
  writer.raw(identity.directoryId);
  writeU64(writer, identity.node);
  writer.text(identity.clusterId, MAX_CLUSTER_ID_BYTES);
  writer.raw(new Uint8Array(FILE_CRC_OFFSET - writer.length));
  writer.u32(crc32(writer.view()));
  return writer.finish();
}

/** Reads what {@linkcode encodeFileHeader} wrote; `bytes` is the start of a file of any length. */
export function decodeFileHeader(bytes: Uint8Array): FileHeader {
  if (bytes.length < FILE_HEADER_BYTES) {
    return { kind: "invalid", problem: `the file header has ${bytes.length} of ${FILE_HEADER_BYTES} B` };
  }
  if (FILE_MAGIC.some((byte, at) => bytes[at] !== byte)) {
    return { kind: "invalid", problem: "the file does not start with drafty's magic bytes" };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES);
  if (view.getUint32(FILE_CRC_OFFSET) !== crc32(bytes.subarray(0, FILE_CRC_OFFSET))) {
    return { kind: "invalid", problem: "the file header does not match its checksum" };
  }
  const version = view.getUint16(VERSION_OFFSET);
  if (version !== FORMAT_VERSION) return { kind: "otherVersion", version };
  const reader = new ByteReader(bytes.subarray(IDENTITY_OFFSET, FILE_CRC_OFFSET));
  const directoryId = reader.raw(DIRECTORY_ID_BYTES).slice();
  const node = reader.u32() * 2 ** 32 + reader.u32();
  return { kind: "valid", identity: { directoryId, node, clusterId: reader.text(MAX_CLUSTER_ID_BYTES) } };
}

/** The header of a record. */
export interface RecordHeader {
  readonly type: number;
  readonly bodyBytes: number;
  readonly syncedBytes: number;
  readonly crc: number;
}

/** How many bytes a record with a body of `bodyBytes` takes. */
export function recordBytes(bodyBytes: number): number {
  const unpadded = RECORD_HEADER_BYTES + bodyBytes + RECORD_TRAILER_BYTES;
  return Math.ceil(unpadded / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** Writes and checks the records of one file. */
export class RecordFormat {
  readonly #directoryId: Uint8Array;
  readonly #seed: number;

  /** @param directoryId the one in the file's header */
  constructor(directoryId: Uint8Array) {
    this.#directoryId = directoryId;
    this.#seed = crc32(directoryId);
  }

  writeHardState(writer: ByteWriter, fileOffset: number, syncedBytes: number, state: HardState): void {
    this.#write(writer, fileOffset, syncedBytes, RECORD_TYPE.hardState, () => {
      writer.varint(state.currentTerm);
      writer.varint(state.votedFor);
    });
  }

  writeEntry(writer: ByteWriter, fileOffset: number, syncedBytes: number, entry: Entry): void {
    this.#write(writer, fileOffset, syncedBytes, RECORD_TYPE.entry, () => ENTRY.write(writer, entry));
  }

  writeSealed(writer: ByteWriter, fileOffset: number, syncedBytes: number, lastIndex: number): void {
    this.#write(writer, fileOffset, syncedBytes, RECORD_TYPE.sealed, () => writer.varint(lastIndex));
  }

  /**
   * The header at `offset`, or undefined where there is no valid one. What a valid header says was written
   * by this file's writer at this place; that it makes sense is still to be checked.
   */
  readHeader(bytes: Uint8Array, view: DataView, offset: number): RecordHeader | undefined {
    if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined;
    const word = view.getUint32(offset);
    if ((word & 0xffffff00) >>> 0 !== RECORD_MAGIC) return undefined;
    const crc = view.getUint32(offset + 16);
    if (crc !== crc32(bytes.subarray(offset, offset + 16), this.#seedAt(offset))) return undefined;
    return {
      type: word & 0xff,
      bodyBytes: view.getUint32(offset + 4),
      syncedBytes: view.getUint32(offset + 8) * 2 ** 32 + view.getUint32(offset + 12),
      crc,
    };
  }

  /** Whether the body of the record at `offset` is what was written. The record must lie within `bytes`. */
  isBodyIntact(bytes: Uint8Array, view: DataView, offset: number, header: RecordHeader): boolean {
    const crcOffset = offset + recordBytes(header.bodyBytes) - 4;
    return view.getUint32(crcOffset) ===
      crc32(bytes.subarray(offset + RECORD_HEADER_BYTES, crcOffset), header.crc);
  }

  /** The body of an intact record as it was before it was whitened: shared with `bytes` where it can be. */
  readBody(bytes: Uint8Array, offset: number, header: RecordHeader): Uint8Array {
    const start = offset + RECORD_HEADER_BYTES;
    const end = offset + recordBytes(header.bodyBytes);
    const body = bytes.subarray(start, start + header.bodyBytes);
    if (firstSectorFrom(offset) + SECTOR_BYTES > end) return body;
    const copy = body.slice();
    this.#whiten(copy, offset, end, start);
    return copy;
  }

  #write(
    writer: ByteWriter,
    fileOffset: number,
    syncedBytes: number,
    type: number,
    writeBody: () => void,
  ): void {
    const start = writer.length;
    writer.u32(RECORD_MAGIC + type);
    writer.u32(0);
    writeU64(writer, syncedBytes);
    writer.u32(0);
    writeBody();
    const bodyBytes = writer.length - start - RECORD_HEADER_BYTES;
    if (bodyBytes < 1 || bodyBytes > MAX_BODY_BYTES) {
      throw new RangeError(`record body of ${bodyBytes} B is not within 1 to ${MAX_BODY_BYTES}`);
    }
    const endBytes = recordBytes(bodyBytes);
    while (writer.length - start < endBytes - RECORD_TRAILER_BYTES) writer.u8(0);
    writer.u32(END_MARK);
    writer.patchU32(start + 4, bodyBytes);
    this.#whiten(writer.view(), fileOffset, fileOffset + endBytes, fileOffset - start);
    const headerCrc = crc32(writer.view(start, start + 16), this.#seedAt(fileOffset));
    writer.patchU32(start + 16, headerCrc);
    writer.u32(crc32(writer.view(start + RECORD_HEADER_BYTES), headerCrc));
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

function firstSectorFrom(offset: number): number {
  return Math.ceil(offset / SECTOR_BYTES) * SECTOR_BYTES;
}

function writeU64(writer: ByteWriter, value: number): void {
  writer.u32(Math.floor(value / 2 ** 32));
  writer.u32(value % 2 ** 32);
}
