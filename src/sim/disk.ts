/**
 * A disk in memory that fails as disks do: what was not synced may be lost at a crash, sector by sector and
 * in any order; a sync may fail, stall or lie; a write may be short; space may run out; bits may flip.
 *
 * What is durable and what is not: of each file, the first `durableBytes` survive a crash. What was appended
 * since the last sync survives sector by sector, by chance, and the file's size may be anything in between.
 * A truncation that was not synced may be undone. Names (created, renamed, removed) survive by chance until
 * their directory is synced; a rename is atomic. A directory itself is durable once made, because
 * `makeDirectory` promises to sync the parent.
 *
 * All chance comes from one injected generator, so the same seed gives the same faults.
 *
 * @module
 */
import {
  type AppendFile,
  type DirectoryLock,
  type FileSystem,
  FileSystemError,
  type ReadFile,
} from "../storage/file_system.ts";
import { encodeLockText, LOCK_FILE_NAME } from "../storage/lock_file.ts";
import {
  type DiskFaultCounts,
  type DiskFaults,
  type DiskProbability,
  NO_FAULTS,
  NOTHING_COUNTED,
} from "./disk_faults.ts";
import { SimFile } from "./disk_file.ts";

export { CRASH_FAULTS, type DiskFaultCounts, type DiskFaultName, type DiskFaults } from "./disk_faults.ts";

export interface SimDiskOptions {
  /** Even numbers in [0, 1): the disk's only source of chance. */
  readonly random: () => number;
  readonly faults?: Partial<DiskFaults>;
  /** The bytes that fit; more are refused with `noSpace`. Unlimited unless given. */
  readonly capacityBytes?: number;
  /** Called from within a sync that stalls, for the simulator to let time pass. */
  readonly onStall?: (ms: number) => void;
  /** Called before each operation; what it throws goes to the caller, and the operation does not happen. */
  readonly beforeOperation?: (operation: DiskOperation, path: string) => void;
}

/** The operations that change something, or that make a change durable. */
export type DiskOperation =
  | "makeDirectory"
  | "create"
  | "append"
  | "sync"
  | "truncate"
  | "rename"
  | "remove"
  | "syncDirectory";

type Names = Map<string, SimFile>;
type NameChange =
  | { readonly kind: "add"; readonly name: string; readonly file: SimFile }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly file: SimFile }
  | { readonly kind: "remove"; readonly name: string; readonly file: SimFile };

interface SimDirectory {
  readonly names: Names;
  readonly durableNames: Names;
  /** What was done to `names` since the last sync of the directory. */
  changes: NameChange[];
  mode: number;
}

export class SimDisk implements FileSystem {
  readonly faults: DiskFaults;
  readonly counts: DiskFaultCounts = { ...NOTHING_COUNTED };
  /** May be raised or lowered at any time. */
  capacityBytes: number;
  onStall: ((ms: number) => void) | undefined;
  beforeOperation: ((operation: DiskOperation, path: string) => void) | undefined;
  readonly #random: () => number;
  readonly #directories = new Map<string, SimDirectory>();
  readonly #locks = new Map<string, DirectoryLock>();
  /** Counts the lives of the process on this disk: a handle of an earlier life is dead. */
  #life = 0;
  #lastIdentity = 0;
  #usedBytes = 0;

  constructor(options: SimDiskOptions) {
    this.#random = options.random;
    this.capacityBytes = options.capacityBytes ?? Infinity;
    this.onStall = options.onStall;
    this.beforeOperation = options.beforeOperation;
    this.faults = { ...NO_FAULTS, ...options.faults };
  }

  // --------------------------------------------------------------------------------- as a file system

  makeDirectory(path: string): void {
    this.#before("makeDirectory", path);
    if (this.kindOf(path) === "file") throw new FileSystemError("exists", "makeDirectory", path, "is a file");
    if (this.#directories.has(path)) return;
    this.#directories.set(path, { names: new Map(), durableNames: new Map(), changes: [], mode: 0o700 });
  }

  kindOf(path: string): "file" | "directory" | "other" | "nothing" {
    if (this.#directories.has(path)) return "directory";
    return this.#find(path) === undefined ? "nothing" : "file";
  }

  modeOf(path: string): number | undefined {
    return this.#directories.get(path)?.mode ?? 0o600;
  }

  list(path: string): string[] {
    return [...this.#directory("list", path).names.keys()].sort();
  }

  read(path: string): Uint8Array {
    return this.#file("read", path).bytes().slice();
  }

  openRead(path: string): ReadFile {
    const file = this.#file("open", path);
    const use = this.#handle(path);
    return {
      path,
      get sizeBytes() {
        return file.sizeBytes;
      },
      read: (offset, into) => {
        use.check("read");
        const part = file.bytes().subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: use.close,
    };
  }

  identityOf(path: string): number | undefined {
    return this.#file("stat", path).identity;
  }

  openAppend(path: string, options: { create: boolean }): AppendFile {
    if (!options.create) return this.#open(path, this.#file("open", path));
    this.#before("create", path);
    if (this.kindOf(path) !== "nothing") throw new FileSystemError("exists", "open", path, "File exists");
    return this.#open(path, this.#create(path));
  }

  rename(from: string, to: string): void {
    this.#before("rename", from);
    const file = this.#file("rename", from);
    if (this.#happens("renameError")) throw ioError("rename", from);
    const [directory, fromName] = this.#split("rename", from);
    const [target, toName] = this.#split("rename", to);
    if (directory !== target) {
      throw new FileSystemError("io", "rename", from, `not within one directory: ${to}`);
    }
    this.#usedBytes -= directory.names.get(toName)?.sizeBytes ?? 0;
    const change: NameChange = { kind: "rename", from: fromName, to: toName, file };
    applyChange(directory.names, change);
    directory.changes.push(change);
  }

  remove(path: string): void {
    this.#before("remove", path);
    const file = this.#file("remove", path);
    this.#usedBytes -= file.sizeBytes;
    const [directory, name] = this.#split("remove", path);
    const change: NameChange = { kind: "remove", name, file };
    applyChange(directory.names, change);
    directory.changes.push(change);
  }

  syncDirectory(path: string): void {
    this.#before("syncDirectory", path);
    const directory = this.#directory("syncDirectory", path);
    if (this.#happens("syncError")) throw ioError("syncDirectory", path);
    if (directory.changes.length === 0 || this.#happens("lyingSync")) return;
    for (const change of directory.changes) applyChange(directory.durableNames, change);
    directory.changes = [];
  }

  lock(path: string): DirectoryLock {
    this.#directory("lock", path);
    if (this.#locks.has(path)) throw new FileSystemError("locked", "lock", path, "by another process");
    const lockPath = `${path}/${LOCK_FILE_NAME}`;
    const file = this.#find(lockPath) ?? this.#create(lockPath);
    this.#replace(file, encodeLockText(1 + this.#life));
    const lock: DirectoryLock = {
      close: () => {
        if (this.#locks.get(path) !== lock) return;
        this.#replace(file, new Uint8Array(0));
        this.#locks.delete(path);
      },
    };
    this.#locks.set(path, lock);
    return lock;
  }

  // ------------------------------------------------------------------------------------------- faults

  /** Power is lost: what was not synced survives by chance. All handles and locks are gone. */
  crash(): void {
    this.counts.crash++;
    this.killProcess();
    // Files first: one that has two names for the moment must meet its fate once.
    for (const file of this.#allFiles()) {
      file.crash((fault) => this.#happens(fault), this.#random);
    }
    for (const directory of this.#directories.values()) {
      for (const change of directory.changes) {
        if (!this.#happens("loseNameChange")) applyChange(directory.durableNames, change);
      }
      directory.changes = [];
      directory.names.clear();
      for (const [name, file] of directory.durableNames) directory.names.set(name, file);
    }
    this.#usedBytes = 0;
    for (const directory of this.#directories.values()) {
      for (const file of directory.names.values()) this.#usedBytes += file.sizeBytes;
    }
  }

  /** The process ends, the machine does not: nothing written is lost. All handles and locks are gone. */
  killProcess(): void {
    this.#life++;
    this.#locks.clear();
  }

  /** Everything is gone, as on a replaced disk. */
  wipe(): void {
    this.counts.wipe++;
    this.killProcess();
    this.#directories.clear();
    this.#usedBytes = 0;
  }

  /** Flips one bit of a file; `bit` 0 to 7. */
  flipBit(path: string, offset: number, bit = 0): void {
    this.#file("flipBit", path).flipBit(offset, bit);
    this.counts.bitFlip++;
  }

  /** Flips a bit somewhere in the durable bytes of a file; tells where, or undefined if there are none. */
  flipRandomBit(path: string): number | undefined {
    const durableBytes = this.#file("flipBit", path).durableBytes;
    if (durableBytes === 0) return undefined;
    const offset = Math.floor(this.#random() * durableBytes);
    this.flipBit(path, offset, Math.floor(this.#random() * 8));
    return offset;
  }

  /** Copies a directory, as a backup does: the same bytes in other files. All of it is durable at once. */
  copyDirectory(from: string, to: string): void {
    this.makeDirectory(to);
    for (const name of this.list(from)) {
      if (this.#find(`${to}/${name}`) !== undefined) this.remove(`${to}/${name}`);
      const file = this.#create(`${to}/${name}`);
      this.#replace(file, this.read(`${from}/${name}`));
      file.sync();
    }
    this.syncDirectory(to);
  }

  /** For tests of what a node refuses. */
  setMode(path: string, mode: number): void {
    this.#directory("setMode", path).mode = mode;
  }

  /** What is certain to survive a crash: for checkers. Undefined if the file might not even be there. */
  durableBytes(path: string): Uint8Array | undefined {
    const { directory, name } = splitPath(path);
    const file = this.#directories.get(directory)?.durableNames.get(name);
    return file?.bytes().slice(0, file.durableBytes);
  }

  /** The paths of all files, sorted. */
  paths(): string[] {
    return [...this.#directories].flatMap(([path, { names }]) => [...names.keys()].map((n) => `${path}/${n}`))
      .sort();
  }

  // ------------------------------------------------------------------------------------------ within

  /** A new file under a name that is free. */
  #create(path: string): SimFile {
    const [directory, name] = this.#split("open", path);
    const file = new SimFile(++this.#lastIdentity);
    directory.names.set(name, file);
    directory.changes.push({ kind: "add", name, file });
    return file;
  }

  /** Gives a file other bytes, as cheap as they are: without faults, and not durable. */
  #replace(file: SimFile, bytes: Uint8Array): void {
    this.#usedBytes += bytes.length - file.sizeBytes;
    file.truncate(0);
    file.append(bytes);
  }

  /** What an open file asks before each use: a handle that is closed or of an earlier life is dead. */
  #handle(path: string): { readonly check: (operation: string) => void; readonly close: () => void } {
    const life = this.#life;
    let closed = false;
    return {
      check: (operation) => {
        if (!closed && life === this.#life) return;
        const detail = closed ? "the file is closed" : "the process has ended";
        throw new FileSystemError("io", operation, path, detail);
      },
      close: () => {
        closed = true;
      },
    };
  }

  #open(path: string, file: SimFile): AppendFile {
    const handle = this.#handle(path);
    const use = (operation: DiskOperation) => {
      handle.check(operation);
      this.#before(operation, path);
    };
    return {
      path,
      get sizeBytes() {
        return file.sizeBytes;
      },
      append: (bytes) => {
        use("append");
        return this.#append(path, file, bytes);
      },
      sync: () => {
        use("sync");
        this.#sync(path, file);
      },
      truncate: (sizeBytes) => {
        use("truncate");
        this.#usedBytes += Math.min(0, sizeBytes - file.sizeBytes);
        file.truncate(sizeBytes);
      },
      close: handle.close,
    };
  }

  #append(path: string, file: SimFile, bytes: Uint8Array): number {
    if (this.#happens("appendError")) throw ioError("append", path);
    const freeBytes = Math.max(0, this.capacityBytes - this.#usedBytes);
    let count = bytes.length;
    if (count > freeBytes) {
      this.counts.noSpace++;
      if (freeBytes === 0) throw new FileSystemError("noSpace", "append", path, "No space left on device");
      count = freeBytes;
    }
    if (count > 1 && this.#happens("shortWrite")) count = 1 + Math.floor(this.#random() * (count - 1));
    file.append(count < bytes.length ? bytes.subarray(0, count) : bytes);
    this.#usedBytes += count;
    return count;
  }

  #sync(path: string, file: SimFile): void {
    if (this.faults.stall > 0 && this.#happens("stall")) {
      this.onStall?.(this.#random() * this.faults.stallUpToMs);
    }
    if (this.#happens("syncError")) throw ioError("sync", path);
    if (!this.#happens("lyingSync")) file.sync();
  }

  #happens(fault: DiskProbability): boolean {
    const probability = this.faults[fault];
    // No number is drawn for a fault that is off: turning one on leaves the others' chances as they were.
    if (probability === 0 || this.#random() >= probability) return false;
    this.counts[fault]++;
    return true;
  }

  #before(operation: DiskOperation, path: string): void {
    this.beforeOperation?.(operation, path);
  }

  #find(path: string): SimFile | undefined {
    const { directory, name } = splitPath(path);
    return this.#directories.get(directory)?.names.get(name);
  }

  #file(operation: string, path: string): SimFile {
    const file = this.#find(path);
    if (file === undefined) throw notFound(operation, path);
    return file;
  }

  #directory(operation: string, path: string): SimDirectory {
    const directory = this.#directories.get(path);
    if (directory === undefined) throw notFound(operation, path);
    return directory;
  }

  #split(operation: string, path: string): [SimDirectory, string] {
    const { directory, name } = splitPath(path);
    return [this.#directory(operation, directory), name];
  }

  #allFiles(): Set<SimFile> {
    const files = new Set<SimFile>();
    for (const directory of this.#directories.values()) {
      for (const file of directory.names.values()) files.add(file);
      for (const file of directory.durableNames.values()) files.add(file);
    }
    return files;
  }
}

/**
 * A change is about a file, not about a name: where the changes before it were lost, it must not remove or
 * rename whatever stands under that name instead.
 */
function applyChange(names: Names, change: NameChange): void {
  switch (change.kind) {
    case "add":
      names.set(change.name, change.file);
      return;
    case "remove":
      if (names.get(change.name) === change.file) names.delete(change.name);
      return;
    case "rename":
      if (names.get(change.from) === change.file) names.delete(change.from);
      names.set(change.to, change.file);
  }
}

function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { directory: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

function notFound(operation: string, path: string): FileSystemError {
  return new FileSystemError("notFound", operation, path, "No such file or directory");
}

function ioError(operation: string, path: string): FileSystemError {
  return new FileSystemError("io", operation, path, "Input/output error");
}
