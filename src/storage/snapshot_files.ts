/**
 * The snapshots of a directory: the newest one, and those that are on their way to be it. A snapshot is in use when
 * its name is durable; only then go the older one and the segments that it makes superfluous. Those removals are not
 * made durable: recovery stands any of these files coming back.
 *
 * @module
 */
import { PackraftError } from "../../packraft/errors.ts";
import type { LogPosition } from "../raft/types.ts";
import type {
  RestorableState,
  SnapshotInfo,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotWriter,
} from "./durable_storage.ts";
import { BadSnapshotError, DataDirectoryError } from "./errors.ts";
import { FileSystemError, type ReadFile } from "./file_system.ts";
import { snapshotName } from "./snapshot_format.ts";
import { type BodySum, readPages, SnapshotDamage, SnapshotFileReader } from "./snapshot_reader.ts";
import { SnapshotFileReceiver } from "./snapshot_receiver.ts";
import { SnapshotFileWriter, type SnapshotSettings } from "./snapshot_writer.ts";
import type { UnfinishedFile } from "./unfinished_file.ts";
import type { WriteAheadLog } from "./write_ahead_log.ts";

export class SnapshotFiles {
  readonly #settings: SnapshotSettings;
  readonly #log: WriteAheadLog;
  #newest: SnapshotInfo | undefined;
  #isWriting = false;
  #isReceiving = false;

  constructor(settings: SnapshotSettings, log: WriteAheadLog, newest: SnapshotInfo | undefined) {
    this.#settings = settings;
    this.#log = log;
    this.#newest = newest;
  }

  get newest(): SnapshotInfo | undefined {
    return this.#newest;
  }

  openNewest(): SnapshotReader | undefined {
    const { fileSystem, guard } = this.#settings;
    const newest = this.#newest;
    if (newest === undefined) return undefined;
    return new SnapshotFileReader(
      guard,
      newest,
      guard.attempt(() => fileSystem.openRead(this.#pathOf(newest))),
    );
  }

  beginWriting(position: LogPosition): SnapshotWriter {
    if (this.#isWriting) throw new Error("a snapshot is being taken already");
    const writer = new SnapshotFileWriter(
      this.#settings,
      position,
      (info, file) => this.#installWritten(info, file),
      () => this.#isWriting = false,
    );
    this.#isWriting = true;
    return writer;
  }

  beginReceiving(info: SnapshotInfo): SnapshotReceiver {
    if (this.#isReceiving) throw new Error("a snapshot is being received already");
    const receiver = new SnapshotFileReceiver(
      this.#settings,
      info,
      (...received) => this.#installReceived(...received),
      () => this.#isReceiving = false,
    );
    this.#isReceiving = true;
    return receiver;
  }

  #installWritten(info: SnapshotInfo, file: UnfinishedFile): SnapshotInfo {
    // One that was received meanwhile stands for more.
    if (this.#newest !== undefined && this.#newest.index >= info.index) {
      file.discard();
      return this.#newest;
    }
    this.#publish(info, file);
    this.#log.dropUpTo(info.index);
    return info;
  }

  #installReceived(
    info: SnapshotInfo,
    file: UnfinishedFile,
    state: RestorableState,
    keepsLog: boolean,
  ): void {
    if (this.#newest !== undefined && this.#newest.index >= info.index) {
      throw new BadSnapshotError(
        `the snapshot up to entry ${info.index} is not newer than the one up to ${this.#newest.index}`,
      );
    }
    const path = this.#publish(info, file);
    this.#restore(path, state);
    if (keepsLog) this.#log.dropUpTo(info.index);
    else this.#log.beginAfter({ index: info.index, term: info.term });
  }

  #publish(info: SnapshotInfo, file: UnfinishedFile): string {
    const { fileSystem, guard } = this.#settings;
    const older = this.#newest;
    const path = file.publish();
    this.#newest = info;
    if (older !== undefined) guard.removeIfPossible(() => fileSystem.remove(this.#pathOf(older)));
    return path;
  }

  /** From here there is no way back: the disk says already that this is the state. */
  #restore(path: string, state: RestorableState): void {
    const { fileSystem, guard } = this.#settings;
    guard.attempt(() => {
      const file = fileSystem.openRead(path);
      try {
        restoreFrom(file, state);
      } catch (error) {
        if (!(error instanceof SnapshotDamage)) throw error;
        throw new FileSystemError(
          "io",
          "read",
          path,
          `not what was written: byte ${error.offset}: ${error.message}`,
        );
      } finally {
        file.close();
      }
    });
  }

  #pathOf({ index }: LogPosition): string {
    return `${this.#settings.directory}/${snapshotName(index)}`;
  }
}

/**
 * Restores a state from the file of a snapshot whose header has been checked.
 *
 * @throws SnapshotDamage if it is not what was written: then the state has forgotten what it took in
 */
export function restoreFrom(file: ReadFile, state: RestorableState): BodySum {
  let sum: BodySum | undefined;
  function* pages(): Generator<Uint8Array> {
    sum = yield* readPages(file);
  }
  try {
    state.restore(pages());
  } catch (error) {
    if (!(error instanceof PackraftError)) throw error;
    throw new DataDirectoryError(
      `${file.path}: every byte is what was written, and this build cannot read it (${error.message}): ` +
        "use the build that wrote it",
    );
  }
  if (sum === undefined) throw new Error("the state was restored from a part of its pages");
  return sum;
}
