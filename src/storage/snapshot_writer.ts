/**
 * Writes the file of a snapshot, page by page, under another name than its own.
 *
 * @module
 */
import { ByteWriter } from "../../packraft/byte_writer.ts";
import { crc32 } from "../../packraft/crc32.ts";
import type { LogPosition } from "../raft/types.ts";
import type { DiskGuard } from "./disk_guard.ts";
import { MAX_PAGE_BYTES, type SnapshotInfo, type SnapshotWriter } from "./durable_storage.ts";
import type { FileOwner } from "./file_header.ts";
import type { FileSystem } from "./file_system.ts";
import { beginPageCrc, encodeSnapshotHeader, snapshotName } from "./snapshot_format.ts";
import { UnfinishedFile } from "./unfinished_file.ts";

/** Small pages are gathered until there is so much to write. */
const FLUSH_BYTES = 256 * 1024;

/** Where the snapshots of a directory live. */
export interface SnapshotSettings {
  readonly fileSystem: FileSystem;
  readonly guard: DiskGuard;
  readonly directory: string;
  readonly owner: FileOwner;
}

export class SnapshotFileWriter implements SnapshotWriter {
  readonly position: LogPosition;
  readonly #file: UnfinishedFile;
  /** Makes the file, which is whole, the newest snapshot: or says which one is newer. */
  readonly #install: (info: SnapshotInfo, file: UnfinishedFile) => SnapshotInfo;
  readonly #onEnd: () => void;
  readonly #buffer = new ByteWriter(FLUSH_BYTES + 4096);
  #crc = 0;
  #writtenBytes = 0;
  #isOpen = true;

  constructor(
    settings: SnapshotSettings,
    position: LogPosition,
    install: (info: SnapshotInfo, file: UnfinishedFile) => SnapshotInfo,
    onEnd: () => void,
  ) {
    const { fileSystem, guard, directory, owner } = settings;
    this.position = position;
    this.#install = install;
    this.#onEnd = onEnd;
    this.#buffer.raw(encodeSnapshotHeader({ owner, position }));
    this.#file = new UnfinishedFile(fileSystem, guard, directory, snapshotName(position.index));
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  write(page: Uint8Array): void {
    this.#requireOpen();
    if (page.length < 1 || page.length > MAX_PAGE_BYTES) {
      throw new RangeError(`page of ${page.length} B is not within 1 to ${MAX_PAGE_BYTES}`);
    }
    this.#crc = crc32(page, beginPageCrc(page.length, this.#crc));
    this.#buffer.u32(page.length);
    this.#buffer.u32(this.#crc);
    this.#buffer.raw(page);
    this.#writtenBytes += 8 + page.length;
    if (this.#buffer.length >= FLUSH_BYTES) this.#flush();
  }

  sync(): void {
    this.#requireOpen();
    this.#flush();
    this.#file.sync();
  }

  finish(): SnapshotInfo {
    this.#requireOpen();
    this.#crc = beginPageCrc(0, this.#crc);
    this.#buffer.u32(0);
    this.#buffer.u32(this.#crc);
    this.#writtenBytes += 8;
    this.#flush();
    const info = { ...this.position, totalBytes: this.#writtenBytes, checksum: this.#crc };
    const installed = this.#install(info, this.#file);
    this.#end();
    return installed;
  }

  abort(): void {
    if (!this.#isOpen) return;
    this.#end();
    this.#file.discard();
  }

  #flush(): void {
    if (this.#buffer.length === 0) return;
    // If there is no room for it, what is on the disk of it is unknown: only abort() is left.
    this.#file.append(this.#buffer.view());
    this.#buffer.reset();
  }

  #end(): void {
    this.#isOpen = false;
    this.#onEnd();
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new Error(`${this.#file.path}: the snapshot has ended`);
  }
}
