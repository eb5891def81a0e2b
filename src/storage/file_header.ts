/**
 * What the files of a data directory have in common: a first sector that says what the file is and whose, and that
 * no record shares with it.
 *
 * ```
 *   0    8  magic: the kind of the file
 *   8    2  format version
 *   10   6  zero
 *   16  16  directory id: random, drawn when the directory was made, never sent anywhere
 *   32   8  node id
 *   40   8  place: a number that the lock file of the directory has and a copy of it has not, or 0 if unknown
 *   48      what the kind of file adds
 *   then    the length of the cluster id (1 byte), the cluster id in UTF-8, zeros
 *   508  4  CRC-32 of bytes 0 to 507. Every format version keeps this place, the magic's and the version's.
 * ```
 *
 * @module
 */
import { ByteReader } from "../../packraft/byte_reader.ts";
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import { PackraftError } from "../../packraft/errors.ts";
import { MAX_CLUSTER_ID_BYTES } from "../../packraft/limits.ts";

/** The version that this build writes, and the only one that it reads. */
export const FORMAT_VERSION = 3;
/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;
export const FILE_HEADER_BYTES = SECTOR_BYTES;
export const DIRECTORY_ID_BYTES = 16;

const VERSION_OFFSET = 8;
const OWNER_OFFSET = 16;
const CRC_OFFSET = FILE_HEADER_BYTES - 4;

/** Whose file it is. */
export interface FileOwner {
  readonly clusterId: string;
  /** The node's id, from 1. */
  readonly node: number;
  /** {@linkcode DIRECTORY_ID_BYTES} random bytes. */
  readonly directoryId: Uint8Array;
  /** `FileSystem.identityOf` the lock file, or 0 if it is unknown. */
  readonly place: number;
}

/** What the first sector of a file turned out to be. */
export type DecodedHeader<Header> =
  | { readonly kind: "valid"; readonly header: Header }
  | { readonly kind: "otherVersion"; readonly version: number }
  | { readonly kind: "invalid"; readonly problem: string };

/** The first {@linkcode FILE_HEADER_BYTES} of a file; `writeMore` writes what its kind adds. */
export function encodeFileHeader(
  magic: string,
  owner: FileOwner,
  writeMore: (writer: ByteWriter) => void,
): Uint8Array<ArrayBuffer> {
  if (owner.directoryId.length !== DIRECTORY_ID_BYTES) {
    throw new RangeError(`directory id of ${owner.directoryId.length} B, not ${DIRECTORY_ID_BYTES} B`);
  }
  const writer = new ByteWriter(FILE_HEADER_BYTES);
  writer.raw(magicBytes(magic));
  writer.u16(FORMAT_VERSION);
  writer.raw(new Uint8Array(6));
  writer.raw(owner.directoryId);
  writeU64(writer, owner.node);
  writeU64(writer, owner.place);
  writeMore(writer);
  writer.text(owner.clusterId, MAX_CLUSTER_ID_BYTES);
  writer.raw(new Uint8Array(CRC_OFFSET - writer.length));
  writer.u32(crc32(writer.view()));
  return writer.finish();
}

/**
 * Reads what {@linkcode encodeFileHeader} wrote.
 *
 * @param bytes the start of a file of any length
 * @param readMore reads what its kind adds
 */
export function decodeFileHeader<More>(
  bytes: Uint8Array,
  magic: string,
  readMore: (reader: ByteReader) => More,
): DecodedHeader<More & { readonly owner: FileOwner }> {
  if (bytes.length < FILE_HEADER_BYTES) {
    return invalid(`the file header has ${bytes.length} of ${FILE_HEADER_BYTES} B`);
  }
  if (magicBytes(magic).some((byte, at) => bytes[at] !== byte)) {
    return invalid("the file does not start with the magic bytes of its kind");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES);
  if (view.getUint32(CRC_OFFSET) !== crc32(bytes.subarray(0, CRC_OFFSET))) {
    return invalid("the file header does not match its checksum");
  }
  const version = view.getUint16(VERSION_OFFSET);
  if (version !== FORMAT_VERSION) return { kind: "otherVersion", version };
  try {
    const reader = new ByteReader(bytes.subarray(OWNER_OFFSET, CRC_OFFSET));
    const directoryId = reader.raw(DIRECTORY_ID_BYTES).slice();
    const node = readU64(reader);
    const place = readU64(reader);
    const more = readMore(reader);
    const clusterId = reader.text(MAX_CLUSTER_ID_BYTES);
    return { kind: "valid", header: { ...more, owner: { clusterId, node, directoryId, place } } };
  } catch (error) {
    if (error instanceof PackraftError) return invalid(error.message);
    throw error;
  }
}

export function writeU64(writer: ByteWriter, value: number): void {
  writer.u32(Math.floor(value / 2 ** 32));
  writer.u32(value >>> 0); // the rest, without the slow division of floating-point numbers
}

/** File names carry a number of 16 digits, so that they sort as their numbers do. */
export function numberInName(number: number): string {
  return String(number).padStart(16, "0");
}

export function readU64(reader: ByteReader): number {
  return reader.u32() * 2 ** 32 + reader.u32();
}

function magicBytes(magic: string): Uint8Array {
  return Uint8Array.from(magic, (letter) => letter.charCodeAt(0));
}

function invalid(problem: string): { readonly kind: "invalid"; readonly problem: string } {
  return { kind: "invalid", problem };
}
