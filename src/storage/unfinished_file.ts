/**
 * A file that is made under another name and gets its own only when it is whole and durable: whatever stands under
 * the final name was synced before. A crash leaves the file, no file, or one under the other name, which the next
 * start removes.
 *
 * @module
 */
import { appendAll, type DiskGuard } from "./disk_guard.ts";
import { StorageFullError } from "./errors.ts";
import type { AppendFile, FileSystem } from "./file_system.ts";

/** Each method throws StorageFullError where there is no room: then the file can only be discarded. */
export class UnfinishedFile {
  readonly #fileSystem: FileSystem;
  readonly #guard: DiskGuard;
  readonly #directory: string;
  readonly #finalPath: string;
  readonly #file: AppendFile;
  readonly path: string;
  #isOpen = true;
  /** There was no room for a part of it. */
  #full: StorageFullError | undefined;

  /** @param suffix what the name ends with until it is final */
  constructor(fileSystem: FileSystem, guard: DiskGuard, directory: string, name: string, suffix = ".tmp") {
    this.#fileSystem = fileSystem;
    this.#guard = guard;
    this.#directory = directory;
    this.#finalPath = `${directory}/${name}`;
    this.path = this.#finalPath + suffix;
    this.#file = this.#attempt(() => fileSystem.openAppend(this.path, { create: true }));
  }

  append(bytes: Uint8Array): void {
    this.#attempt(() => appendAll(this.#file, bytes));
  }

  sync(): void {
    this.#attempt(() => this.#file.sync());
  }

  /** Syncs it, gives it its name, and makes that durable. Returns the path. */
  publish(): string {
    this.sync();
    this.#attempt(() => {
      this.#close();
      this.#fileSystem.rename(this.path, this.#finalPath);
    });
    this.#guard.attempt(() => this.#fileSystem.syncDirectory(this.#directory));
    return this.#finalPath;
  }

  /** Removes it, unless it has been published. After a failure of the disk it is left for the next start. */
  discard(): void {
    this.#close();
    if (!this.#guard.hasFailed) this.#guard.removeIfPossible(() => this.#fileSystem.remove(this.path));
  }

  /** Nothing to undo for want of room: nobody relies on the file, and it goes away as a whole. */
  #attempt<Result>(run: () => Result): Result {
    if (this.#full !== undefined) throw this.#full;
    try {
      return this.#guard.attemptOrUndo(run, () => {});
    } catch (error) {
      if (error instanceof StorageFullError) this.#full = error;
      throw error;
    }
  }

  #close(): void {
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
