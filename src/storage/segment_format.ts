/**
 * The header of a segment, one of the files that the log consists of. Its records are specified in `log_format.ts`.
 *
 * ```
 *   0   48  as `file_header.ts` says; magic "drafty\r\n"
 *   48   8  sequence: 1 for the first segment of a directory, then one higher for each
 *   56   8  firstIndex: the index that the next entry had when the segment was made
 *   64   8  baseTerm: the term of the entry before that, 0 at the beginning
 *   72   8  previousSequence: the segment that the log comes from, or 0 if the log begins anew here
 *   80   8  previousBytes: where that segment ends; what follows there is void
 *   88   4  previousCrc: the body CRC of the last record there, or 0 if it holds none; then the cluster id
 * ```
 *
 * Segments form a chain: the one with the highest sequence is its end, and each header names the one before it and
 * how much of it counts. So a header both vouches for the segment before it (all of it was durable when this one was
 * made) and can declare parts of it void. Whatever is not in the chain is void; a repair, a log that begins anew
 * after a snapshot, and an ordinary new segment are all the same thing: one file that appears under its name.
 *
 * @module
 */
import {
  type DecodedHeader,
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  type FileOwner,
  numberInName,
  readU64,
  writeU64,
} from "./file_header.ts";

const MAGIC = "drafty\r\n";
const NAME = /^log-(\d{16})\.pack$/;

export interface SegmentHeader {
  readonly owner: FileOwner;
  readonly sequence: number;
  readonly firstIndex: number;
  readonly baseTerm: number;
  readonly previousSequence: number;
  readonly previousBytes: number;
  readonly previousCrc: number;
}

export function segmentName(sequence: number): string {
  return `log-${numberInName(sequence)}.pack`;
}

/** The sequence in the name of a segment, or undefined for any other name. */
export function segmentSequence(name: string): number | undefined {
  const sequence = Number(NAME.exec(name)?.[1] ?? 0);
  return sequence > 0 ? sequence : undefined;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array<ArrayBuffer> {
  return encodeFileHeader(MAGIC, header.owner, (writer) => {
    writeU64(writer, header.sequence);
    writeU64(writer, header.firstIndex);
    writeU64(writer, header.baseTerm);
    writeU64(writer, header.previousSequence);
    writeU64(writer, header.previousBytes);
    writer.u32(header.previousCrc);
  });
}

/** `bytes` is the start of a file of any length. */
export function decodeSegmentHeader(bytes: Uint8Array): DecodedHeader<SegmentHeader> {
  return decodeFileHeader(bytes, MAGIC, (reader) => ({
    sequence: readU64(reader),
    firstIndex: readU64(reader),
    baseTerm: readU64(reader),
    previousSequence: readU64(reader),
    previousBytes: readU64(reader),
    previousCrc: reader.u32(),
  }));
}

/** Why a header whose checksum is right cannot stand in the segment `sequence`, or undefined if it can. */
export function contradictionOf(header: SegmentHeader, sequence: number): string | undefined {
  if (header.sequence !== sequence) {
    return `the file is named as segment ${sequence}, and its header is that of segment ${header.sequence}`;
  }
  if (header.previousSequence >= sequence) {
    return `segment ${sequence} cannot follow segment ${header.previousSequence}`;
  }
  if (header.firstIndex < 1) return "the first index is 0";
  if (header.previousSequence > 0 && header.previousBytes < FILE_HEADER_BYTES) {
    return `segment ${header.previousSequence} cannot end at byte ${header.previousBytes}`;
  }
}

/**
 * Whether a segment must begin with a hard state. All do but the one with which a directory begins: they are renamed
 * to their name when that record is durable.
 */
export function beginsWithHardState({ sequence, firstIndex }: SegmentHeader): boolean {
  return sequence > 1 || firstIndex > 1;
}
