/**
 * The file of a snapshot, byte by byte. Numbers are big-endian.
 *
 * ```
 * header, 512 bytes
 *   0   48  as `file_header.ts` says; magic "draftysn"
 *   48   8  index: the snapshot stands for all entries up to this one
 *   56   8  term: of that entry; then the cluster id
 *
 * body, from 512 on: the same on all nodes, and what is sent from one to another
 *   pages:  4  length of the payload, 1 to MAX_PAGE_BYTES
 *           4  CRC-32 of the length and the payload, seeded by the CRC of the page before (0 for the first)
 *           n  payload: a piece of the state, of the state machine's own making
 *   end:    4  zero
 *           4  CRC-32 of that zero, seeded in the same way: the checksum of the whole body
 * ```
 *
 * The pages are a chain, so that none can be missing, doubled or in another's place, and the end tells that there is
 * nothing after it. Every byte is covered.
 *
 * @module
 */
import { crc32 } from "../../packraft/crc32.ts";
import type { LogPosition } from "../raft/types.ts";
import {
  type DecodedHeader,
  decodeFileHeader,
  encodeFileHeader,
  type FileOwner,
  numberInName,
  readU64,
  writeU64,
} from "./file_header.ts";

const MAGIC = "draftysn";
const NAME = /^snapshot-(\d{16})\.pack$/;

/** What stands before each payload, and at the end of the body. */
export const PAGE_HEADER_BYTES = 8;

export interface SnapshotHeader {
  readonly owner: FileOwner;
  readonly position: LogPosition;
}

export function snapshotName(index: number): string {
  return `snapshot-${numberInName(index)}.pack`;
}

/** The index in the name of a snapshot, or undefined for any other name. */
export function snapshotIndex(name: string): number | undefined {
  const index = Number(NAME.exec(name)?.[1] ?? 0);
  return index > 0 ? index : undefined;
}

export function encodeSnapshotHeader({ owner, position }: SnapshotHeader): Uint8Array<ArrayBuffer> {
  return encodeFileHeader(MAGIC, owner, (writer) => {
    writeU64(writer, position.index);
    writeU64(writer, position.term);
  });
}

/** `bytes` is the start of a file of any length. */
export function decodeSnapshotHeader(bytes: Uint8Array): DecodedHeader<SnapshotHeader> {
  return decodeFileHeader(bytes, MAGIC, (reader) => {
    const index = readU64(reader);
    return { position: { index, term: readU64(reader) } };
  });
}

const lengthBytes = new Uint8Array(4);
const lengthView = new DataView(lengthBytes.buffer);

/** The CRC of a page, as far as its length goes: the payload is to follow. */
export function beginPageCrc(payloadBytes: number, previousCrc: number): number {
  lengthView.setUint32(0, payloadBytes);
  return crc32(lengthBytes, previousCrc);
}
