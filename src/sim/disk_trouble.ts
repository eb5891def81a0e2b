/**
 * What is to happen to a machine at its next disk operations: each comes once, when its turn has come.
 *
 * @module
 */
import { FileSystemError } from "../storage/file_system.ts";
import type { DiskOperation } from "./disk.ts";

/** Power was cut in the middle of a disk operation. */
export class PowerCut extends Error {}

export class DiskTrouble {
  /** The next operation of this kind fails. */
  failNext: "sync" | "append" | undefined;
  /** The operation of this number from now fails, whatever it is; 0 for none. */
  failAfter = 0;
  /** Power is cut at the operation of this number from now; 0 for never. */
  cutAfter = 0;

  /** All is well from now on. */
  end(): void {
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
