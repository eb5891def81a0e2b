/**
 * The settings of a run: the size of the cluster and the dials of its faults. All of them follow from the seed,
 * unless some are given.
 *
 * @module
 */
import { type NetworkDials } from "./network.ts";
import { Random } from "./random.ts";

/** How often, in occurrences per minute of simulated time over the whole cluster, each fault strikes. */
export interface FaultRates {
  readonly partition: number;
  readonly oneWay: number;
  readonly clog: number;
  readonly kill: number;
  readonly powerCut: number;
  /** Power is cut in the middle of a disk operation. */
  readonly cutInOperation: number;
  readonly pause: number;
  readonly clockStep: number;
  readonly clockDrift: number;
  readonly diskStall: number;
  readonly diskError: number;
  readonly diskFull: number;
  readonly bitFlip: number;
  readonly wipe: number;
  readonly addMember: number;
  readonly removeMember: number;
  /** A member gets another address. */
  readonly moveMember: number;
  readonly transfer: number;
}

export interface Settings {
  /** The members that the cluster begins with. */
  readonly nodes: number;
  /** Machines beside them, which can become members. */
  readonly spares: number;
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: { readonly min: number; readonly max: number };
  readonly clients: number;
  readonly keys: number;
  /** The mean pause of a client between two operations. */
  readonly thinkMs: number;
  /** How many writes one client may have under way at once. */
  readonly inFlight: number;
  /** How long the phase of faults lasts. */
  readonly safetyMs: number;
  readonly network: NetworkDials;
  readonly faults: FaultRates;
  /** Whether every message is encoded to bytes and decoded again on its way. */
  readonly encodes: boolean;
  /** Small windows and batches, so that their edges are met. */
  readonly maxAppendBytes: number;
  readonly maxInflightAppends: number;
  readonly shortWrite: number;
  /** Small segments, and snapshots as often as the run has time for. */
  readonly segmentBytes: number;
  readonly snapshotAfterBytes: number;
  readonly snapshotChunkBytes: number;
  readonly keptLogBytes: number;
  /** Whether an operator has vouched that the cluster is new; if not, its nodes have to find that out. */
  readonly isNewCluster: boolean;
}

/** Some of the settings. */
export type SettingsOverride = {
  readonly [Name in keyof Settings]?: Settings[Name] | Partial<Settings[Name]>;
};

export const NO_FAULTS: FaultRates = {
  partition: 0,
  oneWay: 0,
  clog: 0,
  kill: 0,
  powerCut: 0,
  cutInOperation: 0,
  pause: 0,
  clockStep: 0,
  clockDrift: 0,
  diskStall: 0,
  diskError: 0,
  diskFull: 0,
  bitFlip: 0,
  wipe: 0,
  addMember: 0,
  removeMember: 0,
  moveMember: 0,
  transfer: 0,
};

/** The settings of `seed`. */
export function settingsOf(seed: number, override: SettingsOverride = {}): Settings {
  const random = new Random(seed, "settings");
  /** Mostly nothing or little, at times up to `max`: a run in which everything fails shows nothing. */
  const dial = (max: number) => random.chance(0.4) ? 0 : max * random.next() ** 3;
  const heartbeatMs = random.pick([50, 100, 200]);
  const drawn: Omit<Settings, "spares"> = {
    nodes: random.pick([3, 3, 5]),
    heartbeatMs,
    electionTimeoutMs: { min: heartbeatMs * 6, max: heartbeatMs * 12 },
    clients: 2 + random.below(4),
    keys: 1 + random.below(5),
    thinkMs: random.between(100, 1_500),
    inFlight: random.pick([1, 1, 3]),
    safetyMs: random.between(15_000, 60_000),
    network: {
      minDelayMs: 0.2,
      meanDelayMs: random.between(0.2, 3) * random.pick([1, 1, 10]),
      loss: dial(0.3),
      duplicate: dial(0.5),
      replayUpToMs: random.pick([5, 500, 5_000]),
      straggle: dial(0.3),
      straggleUpToMs: random.pick([20, 500, 3_000]),
    },
    faults: {
      partition: dial(20),
      oneWay: dial(20),
      clog: dial(15),
      kill: dial(20),
      powerCut: dial(20),
      cutInOperation: dial(20),
      pause: dial(15),
      clockStep: dial(10),
      clockDrift: dial(10),
      diskStall: dial(15),
      diskError: dial(6),
      diskFull: dial(4),
      bitFlip: dial(3),
      wipe: dial(2),
      addMember: 0,
      removeMember: 0,
      moveMember: 0,
      transfer: 0,
    },
    encodes: random.chance(0.05),
    maxAppendBytes: random.pick([64, 1_000, 1_000_000]),
    maxInflightAppends: random.pick([1, 4, 64]),
    shortWrite: dial(0.2),
    segmentBytes: random.pick([1_024, 8_192, 65_536]),
    snapshotAfterBytes: random.pick([500, 4_000, 30_000]),
    snapshotChunkBytes: random.pick([50, 500, 100_000]),
    keptLogBytes: random.pick([0, 1_000, 100_000]),
    isNewCluster: random.chance(0.7),
  };
  const spares = random.pick([0, 1, 2]);
  const churn = random.chance(0.5) ? 1 : 0;
  const members = {
    addMember: churn * random.between(2, 20),
    removeMember: churn * random.between(1, 15),
    moveMember: churn * dial(5),
    transfer: dial(15),
  };
  return merged({ ...drawn, spares, faults: { ...drawn.faults, ...members } }, override);
}

function merged(settings: Settings, override: SettingsOverride): Settings {
  const result: Record<string, unknown> = { ...settings };
  for (const [name, value] of Object.entries(override)) {
    const old = result[name];
    result[name] = typeof value === "object" && typeof old === "object" ? { ...old, ...value } : value;
  }
  return result as unknown as Settings;
}
