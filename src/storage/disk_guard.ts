/**
 * Stands between storage and its disk: the first failure is final. After a failed write or sync nothing is known of
 * what is on the disk (the operating system may drop the pages and report success the next time), so everything is
 * refused from then on. Only a full disk is no failure, where what was begun could be undone.
 *
 * @module
 */
import { StorageFullError, StorageIoError } from "./errors.ts";
import { type AppendFile, FileSystemError } from "./file_system.ts";

export class DiskGuard {
  #failure: Error | undefined;

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Throws the failure if there was one. */
  requireUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Runs file operations. @throws StorageIoError for every failure, now and from then on */
  attempt<Result>(run: () => Result): Result {
    this.requireUsable();
    try {
      return run();
    } catch (error) {
      throw this.fail(error);
    }
  }

  /**
   * Runs file operations which `undo` takes back if there is no room for them.
   *
   * @throws StorageFullError if they were taken back; StorageIoError for every other failure, also of `undo`
   */
  attemptOrUndo<Result>(run: () => Result, undo: () => void): Result {
    this.requireUsable();
    try {
      return run();
    } catch (error) {
      throw this.failUnlessUndone(error, undo);
    }
  }

  /** What a failure of operations which `undo` takes back is to be thrown as. */
  failUnlessUndone(error: unknown, undo: () => void): Error {
    if (!(error instanceof FileSystemError) || error.code !== "noSpace") return this.fail(error);
    this.attempt(undo);
    return new StorageFullError(error);
  }

  /** Removes a file that nothing depends on: only a failing disk is an error, all else is tried again some day. */
  removeIfPossible(remove: () => void): void {
    this.attempt(() => {
      try {
        remove();
      } catch (error) {
        if (!(error instanceof FileSystemError) || error.code === "io") throw error;
      }
    });
  }

  /** Makes an error the failure, and returns what it is to be thrown as. */
  fail(error: unknown): Error {
    this.#failure ??= error instanceof FileSystemError
      ? new StorageIoError(error)
      : error instanceof Error
      ? error
      : new Error(String(error));
    return this.#failure;
  }
}

/** Appends all of `bytes`, in as many writes as the file system makes of it. */
export function appendAll(file: AppendFile, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    const count = file.append(done === 0 ? bytes : bytes.subarray(done));
    // A write that takes nothing and reports nothing would otherwise be tried for ever.
    if (count < 1) throw new FileSystemError("io", "append", file.path, "the file takes no more bytes");
    done += count;
  }
}
