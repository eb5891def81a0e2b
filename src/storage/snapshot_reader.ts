/**
 * Reads the file of a snapshot in pieces, so that it never stands in memory as a whole.
 *
 * @module
 */
import { crc32 } from "../../packraft/crc32.ts";
import type { DiskGuard } from "./disk_guard.ts";
import { MAX_PAGE_BYTES, type SnapshotInfo, type SnapshotReader } from "./durable_storage.ts";
import { FILE_HEADER_BYTES } from "./file_header.ts";
import { FileSystemError, type ReadFile } from "./file_system.ts";
import { beginPageCrc, PAGE_HEADER_BYTES } from "./snapshot_format.ts";

/** How much is read at once. */
const PIECE_BYTES = 1024 * 1024;

/** The bytes of a snapshot are not what was written. */
export class SnapshotDamage extends Error {
  /** Where in the file. */
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(problem);
    this.offset = offset;
  }
}

/** What makes two bodies the same. */
export interface BodySum {
  readonly totalBytes: number;
  readonly checksum: number;
}

/**
 * The payloads of all pages, each a view into memory that is not used again; returns the sum at the end.
 *
 * @throws SnapshotDamage at the first page that is not what was written; those before it are sound
 */
export function* readPages(file: ReadFile): Generator<Uint8Array, BodySum> {
  let piece = new Uint8Array(0);
  let view = new DataView(piece.buffer);
  /** Where in the file the piece starts, and where in the piece the next page does. */
  let start = FILE_HEADER_BYTES;
  let at = 0;
  let crc = 0;
  const load = (neededBytes: number) => {
    if (at + neededBytes <= piece.length) return;
    start += at;
    at = 0;
    const wanted = Math.min(Math.max(PIECE_BYTES, neededBytes), Math.max(0, file.sizeBytes - start));
    const loaded = new Uint8Array(wanted);
    piece = loaded.subarray(0, file.read(start, loaded));
    view = new DataView(piece.buffer, 0, piece.length);
    if (neededBytes > piece.length) {
      throw new SnapshotDamage(start, `the file ends inside the page at byte ${start}`);
    }
  };
  for (;;) {
    load(PAGE_HEADER_BYTES);
    const length = view.getUint32(at);
    if (length > MAX_PAGE_BYTES) {
      throw new SnapshotDamage(start + at, `page of ${length} B is not within 1 to ${MAX_PAGE_BYTES}`);
    }
    load(PAGE_HEADER_BYTES + length);
    const payload = piece.subarray(at + PAGE_HEADER_BYTES, at + PAGE_HEADER_BYTES + length);
    crc = beginPageCrc(length, crc);
    if (length > 0) crc = crc32(payload, crc);
    if (crc !== view.getUint32(at + 4)) {
      throw new SnapshotDamage(start + at, "the page does not match its checksum");
    }
    at += PAGE_HEADER_BYTES + length;
    if (length === 0) break;
    yield payload;
  }
  const end = start + at;
  if (end !== file.sizeBytes) {
    throw new SnapshotDamage(end, `${file.sizeBytes - end} B after the end of the snapshot`);
  }
  return { totalBytes: end - FILE_HEADER_BYTES, checksum: crc };
}

/** The body of a snapshot as it is sent. */
export class SnapshotFileReader implements SnapshotReader {
  readonly info: SnapshotInfo;
  readonly #guard: DiskGuard;
  readonly #file: ReadFile;

  constructor(guard: DiskGuard, info: SnapshotInfo, file: ReadFile) {
    this.info = info;
    this.#guard = guard;
    this.#file = file;
  }

  read(offset: number, maxBytes: number): Uint8Array {
    const wanted = Math.max(0, Math.min(maxBytes, this.info.totalBytes - offset));
    const bytes = new Uint8Array(wanted);
    this.#guard.attempt(() => {
      const start = FILE_HEADER_BYTES + offset;
      const count = this.#file.read(start, bytes);
      if (count === wanted) return;
      throw new FileSystemError("io", "read", this.#file.path, `it ends at byte ${start + count}`);
    });
    return bytes;
  }

  close(): void {
    this.#file.close();
  }
}
