/**
 * Receives a snapshot from another node: its bytes go to the disk as they come, and are checked on the way.
 *
 * @module
 */
import type { RestorableState, SnapshotInfo, SnapshotReceiver } from "./durable_storage.ts";
import { BadSnapshotError } from "./errors.ts";
import { PageCheck } from "./page_check.ts";
import { encodeSnapshotHeader, snapshotName } from "./snapshot_format.ts";
import type { SnapshotSettings } from "./snapshot_writer.ts";
import { UnfinishedFile } from "./unfinished_file.ts";

/** So much is brought to the disk at once, so that the last sync has little left to do. */
const SYNC_BYTES = 4 * 1024 * 1024;

/** What makes a received file the newest snapshot. */
export type InstallReceived = (
  info: SnapshotInfo,
  file: UnfinishedFile,
  state: RestorableState,
  keepsLog: boolean,
) => void;

export class SnapshotFileReceiver implements SnapshotReceiver {
  readonly info: SnapshotInfo;
  readonly #file: UnfinishedFile;
  readonly #install: InstallReceived;
  readonly #onEnd: () => void;
  readonly #check = new PageCheck();
  #unsyncedBytes = 0;
  #isOpen = true;

  constructor(settings: SnapshotSettings, info: SnapshotInfo, install: InstallReceived, onEnd: () => void) {
    const { fileSystem, guard, directory, owner } = settings;
    this.info = info;
    this.#install = install;
    this.#onEnd = onEnd;
    // Not the name of one that is being taken here meanwhile.
    const suffix = ".received.tmp";
    this.#file = new UnfinishedFile(fileSystem, guard, directory, snapshotName(info.index), suffix);
    try {
      this.#file.append(encodeSnapshotHeader({ owner, position: info }));
    } catch (error) {
      this.#file.discard();
      throw error;
    }
  }

  get receivedBytes(): number {
    return this.#check.totalBytes;
  }

  write(data: Uint8Array): void {
    this.#requireOpen();
    if (this.receivedBytes + data.length > this.info.totalBytes) {
      const count = this.receivedBytes + data.length;
      throw new BadSnapshotError(`${count} B of a snapshot of ${this.info.totalBytes} B were sent`);
    }
    this.#check.push(data);
    this.#file.append(data);
    this.#unsyncedBytes += data.length;
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    this.#file.sync();
    this.#unsyncedBytes = 0;
  }

  finish(state: RestorableState, keepsLog: boolean): void {
    this.#requireOpen();
    const { totalBytes, checksum } = this.info;
    if (!this.#check.isComplete || this.receivedBytes !== totalBytes) {
      throw new BadSnapshotError(`the snapshot ends at byte ${this.receivedBytes} of ${totalBytes}`);
    }
    if (this.#check.checksum !== checksum) {
      throw new BadSnapshotError(
        `the snapshot has the checksum ${this.#check.checksum}, and ${checksum} was announced`,
      );
    }
    this.#install(this.info, this.#file, state, keepsLog);
    this.#end();
  }

  abort(): void {
    if (!this.#isOpen) return;
    this.#end();
    this.#file.discard();
  }

  #end(): void {
    this.#isOpen = false;
    this.#onEnd();
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new Error(`${this.#file.path}: the snapshot has ended`);
  }
}
