/**
 * What is wrong with a machine's disk: what is to happen at its next operations (each comes once, when its turn has
 * come), how slow it is, and whether there is room.
 *
 * @module
 */
import { FileSystemError } from "../storage/file_system.ts";
import type { DiskOperation, SimDisk } from "./disk.ts";

/** Power was cut in the middle of a disk operation. */
export class PowerCut extends Error {}

export class DiskTrouble {
  /** The next operation of this kind fails. */
  failNext: "sync" | "append" | undefined;
  /** The operation of this number from now fails, whatever it is; 0 for none. */
  failAfter = 0;
  /** Power is cut at the operation of this number from now; 0 for never. */
  cutAfter = 0;

  readonly #disk: SimDisk;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  /** Syncs take up to `upToMs` from now on. */
  stall(upToMs: number): void {
    this.#disk.faults.stall = upToMs > 0 ? 0.3 : 0;
    this.#disk.faults.stallUpToMs = upToMs;
  }

  /** No more bytes fit, or as many as ever. */
  fill(isFull: boolean): void {
    this.#disk.capacityBytes = isFull ? 0 : Infinity;
  }

  /** All is well from now on. */
  end(): void {
    Object.assign(this.#disk.faults, {
      stall: 0,
      shortWrite: 0,
      syncError: 0,
      appendError: 0,
      renameError: 0,
    });
    this.fill(false);
    this.failNext = undefined;
    this.failAfter = 0;
    this.cutAfter = 0;
  }

  /** To be called before each operation: throws what is to happen instead of it. */
  before(operation: DiskOperation, path: string): void {
    const isItsTurn = operation === this.failNext || (this.failAfter > 0 && --this.failAfter === 0);
    if (operation === this.failNext) this.failNext = undefined;
    if (isItsTurn) throw new FileSystemError("io", operation, path, "simulated I/O error");
    if (this.cutAfter > 0 && --this.cutAfter === 0) throw new PowerCut();
  }
}
