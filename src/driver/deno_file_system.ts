/**
 * The file system of storage over `Deno`: synchronous calls, real syncs, one kind of error.
 *
 * @module
 */
import {
  type AppendFile,
  type DirectoryLock,
  type FileSystem,
  FileSystemError,
  type FileSystemErrorCode,
  type ReadFile,
} from "../storage/file_system.ts";
import { crc32 } from "../../packraft/crc32.ts";
import { decodeLockText, encodeLockText, LOCK_FILE_NAME } from "../storage/lock_file.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** What POSIX calls an error, and what storage calls it. All others are `io`. */
const CODES: Readonly<Record<string, FileSystemErrorCode>> = {
  ENOENT: "notFound",
  EEXIST: "exists",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOTDIR: "denied",
  EISDIR: "denied",
  ENOSPC: "noSpace",
  EDQUOT: "noSpace",
  EFBIG: "noSpace",
};

export class DenoFileSystem implements FileSystem {
  makeDirectory(path: string): void {
    attempt("makeDirectory", path, () => {
      const missing = missingFrom(path);
      if (missing.length === 0) return syncParentIfAllowed(path);
      Deno.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
      for (const made of missing) syncDirectory(parentOf(made));
    });
  }

  kindOf(path: string): "file" | "directory" | "other" | "nothing" {
    return attempt("stat", path, () => {
      const info = statOrUndefined(path);
      if (info === undefined) return "nothing";
      if (info.isSymlink) return "other";
      return info.isFile ? "file" : info.isDirectory ? "directory" : "other";
    });
  }

  modeOf(path: string): number | undefined {
    return attempt("stat", path, () => {
      const mode = Deno.lstatSync(path).mode;
      return mode === null ? undefined : mode & 0o7777;
    });
  }

  list(path: string): string[] {
    return attempt("list", path, () => [...Deno.readDirSync(path)].map((entry) => entry.name).sort());
  }

  read(path: string): Uint8Array {
    return attempt("read", path, () => Deno.readFileSync(path));
  }

  openRead(path: string): ReadFile {
    return attempt("open", path, () => new DenoReadFile(path, Deno.openSync(path, { read: true })));
  }

  identityOf(path: string): number | undefined {
    return attempt("stat", path, () => {
      const { ino, birthtime } = Deno.lstatSync(path);
      if (ino === null || ino === 0) return undefined;
      // The inode alone is not enough: where a directory is removed and restored, the new file gets the old number.
      // The device's number is left out: it may be another after the machine has started again.
      const born = new TextEncoder().encode(`${ino} ${birthtime?.getTime() ?? 0}`);
      return (ino % 2 ** 20) * 2 ** 32 + crc32(born) + 1;
    });
  }

  openAppend(path: string, options: { create: boolean }): AppendFile {
    return attempt("open", path, () => {
      const file = Deno.openSync(path, { append: true, createNew: options.create, mode: FILE_MODE });
      return new DenoAppendFile(path, file);
    });
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => Deno.renameSync(from, to));
  }

  remove(path: string): void {
    attempt("remove", path, () => Deno.removeSync(path));
  }

  syncDirectory(path: string): void {
    attempt("syncDirectory", path, () => syncDirectory(path));
  }

  lock(path: string): DirectoryLock {
    const lockPath = `${path}/${LOCK_FILE_NAME}`;
    return attempt("lock", lockPath, () => {
      const options = { read: true, write: true, create: true, mode: FILE_MODE };
      const file = Deno.openSync(lockPath, options);
      try {
        if (!file.tryLockSync(true)) {
          throw new FileSystemError("locked", "lock", lockPath, describeHolder(lockPath));
        }
        // For the message of whoever comes next only: the lock itself is the kernel's, and ends with us.
        file.truncateSync(0);
        writeAll(file, encodeLockText(Deno.pid));
      } catch (error) {
        file.close();
        throw error;
      }
      return {
        close() {
          try {
            file.truncateSync(0);
          } catch {
            // A text that stays names a process that is gone: nobody is misled, because the lock is free.
          } finally {
            file.close();
          }
        },
      };
    });
  }
}

class DenoAppendFile implements AppendFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  #sizeBytes: number;

  constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#file = file;
    this.#sizeBytes = file.statSync().size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  append(bytes: Uint8Array): number {
    return attempt("append", this.path, () => {
      const count = this.#file.writeSync(bytes);
      this.#sizeBytes += count;
      return count;
    });
  }

  sync(): void {
    attempt("sync", this.path, () => this.#file.syncDataSync());
  }

  truncate(sizeBytes: number): void {
    attempt("truncate", this.path, () => {
      this.#file.truncateSync(sizeBytes);
      this.#sizeBytes = sizeBytes;
    });
  }

  close(): void {
    this.#file.close();
  }
}

class DenoReadFile implements ReadFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: Deno.FsFile;
  /** Where the next read without a seek would start. */
  #position = 0;

  constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#file = file;
    this.sizeBytes = file.statSync().size;
  }

  read(offset: number, into: Uint8Array): number {
    return attempt("read", this.path, () => {
      if (offset !== this.#position) this.#file.seekSync(offset, Deno.SeekMode.Start);
      let done = 0;
      while (done < into.length) {
        const count = this.#file.readSync(into.subarray(done));
        if (count === null) break;
        done += count;
      }
      this.#position = offset + done;
      return done;
    });
  }

  close(): void {
    this.#file.close();
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

function syncDirectory(path: string): void {
  const directory = Deno.openSync(path, { read: true });
  try {
    directory.syncSync();
  } finally {
    directory.close();
  }
}

/**
 * For a directory that was there: a process that made it may have been killed before it synced the parent.
 * Where the parent may not be opened, it was another user who made the directory for this node.
 */
function syncParentIfAllowed(path: string): void {
  try {
    syncDirectory(parentOf(path));
  } catch (error) {
    if (!isDenied(error)) throw error;
  }
}

/** The directories that are missing on the way to `path`, the outermost first. */
function missingFrom(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; statOrUndefined(at) === undefined; at = parentOf(at)) {
    missing.unshift(at);
    if (parentOf(at) === at) break;
  }
  return missing;
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : trimmed.slice(0, slash);
}

function statOrUndefined(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function describeHolder(lockPath: string): string {
  const pid = decodeLockText(Deno.readFileSync(lockPath)) ?? 0;
  return pid > 0 ? `by process ${pid}` : "by another process";
}

function attempt<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof FileSystemError) throw error;
    const { code, message } = error instanceof Error
      ? error as Error & { readonly code?: string }
      : { code: undefined, message: String(error) };
    const ourCode = isDenied(error) ? "denied" : CODES[code ?? ""] ?? "io";
    // Deno repeats the call and the path after the system's words; FileSystemError has both already.
    throw new FileSystemError(ourCode, operation, path, message.replace(/ \(os error \d+\).*$/s, ""));
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied;
}
