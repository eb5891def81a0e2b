/**
 * What can go wrong on the simulated disk: the dials, and how often each fault came about.
 *
 * @module
 */

/** Probabilities from 0 to 1, to be changed at any time. All are 0 unless given. */
export interface DiskFaults {
  /** An append takes only a part of the bytes. */
  shortWrite: number;
  appendError: number;
  syncError: number;
  renameError: number;
  /** A sync returns without having made anything durable. */
  lyingSync: number;
  /** A sync takes long: `onStall` is told how long, evenly drawn up to `stallUpToMs`. */
  stall: number;
  stallUpToMs: number;
  /** At a crash, for each sector that was not synced: it was not written. */
  loseSector: number;
  /** At a crash, for each file: it ends somewhere in its unsynced bytes. */
  loseTail: number;
  /** At a crash, for each unsynced sector that was written: only its first part was. No real disk does that. */
  tearInsideSector: number;
  /** At a crash, for each unsynced change of a directory, or truncation of a file: it did not happen. */
  loseNameChange: number;
}

/** How often each fault was injected. */
export type DiskFaultCounts = { [Name in DiskFaultName]: number };
/** The dials that are probabilities. */
export type DiskProbability = Exclude<keyof DiskFaults, "stallUpToMs">;
export type DiskFaultName =
  | DiskProbability
  | "noSpace"
  | "bitFlip"
  | "crash"
  | "wipe";

/** A disk that does what it says. */
export const NO_FAULTS: Readonly<DiskFaults> = {
  shortWrite: 0,
  appendError: 0,
  syncError: 0,
  renameError: 0,
  lyingSync: 0,
  stall: 0,
  loseSector: 0,
  loseTail: 0,
  tearInsideSector: 0,
  loseNameChange: 0,
  stallUpToMs: 0,
};

export const NOTHING_COUNTED: Readonly<DiskFaultCounts> = {
  shortWrite: 0,
  appendError: 0,
  syncError: 0,
  renameError: 0,
  lyingSync: 0,
  stall: 0,
  loseSector: 0,
  loseTail: 0,
  tearInsideSector: 0,
  loseNameChange: 0,
  noSpace: 0,
  bitFlip: 0,
  crash: 0,
  wipe: 0,
};

/** Faults of an even mixture of crashes, for tests and for the simulator to start from. */
export const CRASH_FAULTS: Readonly<Partial<DiskFaults>> = {
  loseSector: 0.3,
  loseTail: 0.5,
  loseNameChange: 0.5,
};
