/**
 * Scenarios: what may happen to a cluster, told step by step and given a name.
 *
 * ```ts
 * scenario("paused-leader", {
 *   nodes: 3,
 *   says: "a leader that slept serves no stale read",
 *   source: "Raft §8",
 * }, (c) => {
 *   c.elect(1);
 *   c.put("x", "old");
 *   c.pause(1, 3_000);
 *   c.elect(2);
 *   c.put("x", "new", { at: 2 });
 *   c.advance(3_000);
 *   c.expectSame("x", c.get("x", { at: 1 }), "new");
 * });
 * ```
 *
 * The steps are methods of {@linkcode Stage}. Time passes only in a step that says so, and what a step leaves to
 * chance follows from the seed: a scenario holds on every seed. All invariants are checked after every event, and
 * unless a scenario says otherwise it ends as every run does: a healed majority must serve and agree, and what the
 * clients saw must be linearizable.
 *
 * @module
 */
import { type InvariantName, INVARIANTS } from "./invariants.ts";
import type { Mutant } from "./mutant.ts";
import { CALM_NETWORK } from "./network.ts";
import { Random } from "./random.ts";
import {
  type Failure,
  failureOf,
  faultsOf,
  judgeHistory,
  livenessPhase,
  operationsOf,
  type RunResult,
} from "./run.ts";
import { NO_FAULTS, type Settings } from "./settings.ts";
import { Stage } from "./stage.ts";
import { World } from "./world.ts";

export interface ScenarioOptions {
  readonly nodes: number;
  /** What is to be seen, in one sentence. */
  readonly says: string;
  /** Where it is stated, or where it went wrong. */
  readonly source: string;
  /** Settings that differ from those of all scenarios. */
  readonly settings?: Partial<Settings>;
  /** The promise that no server can keep here: the scenario fails unless the checker sees it broken. */
  readonly breaks?: InvariantName;
}

export interface Scenario extends ScenarioOptions {
  readonly name: string;
  readonly play: (c: Stage) => void;
}

/** What came of a scenario. */
export interface ScenarioResult extends RunResult {
  readonly scenario: string;
}

export interface ScenarioRunOptions {
  readonly mutant?: Mutant;
  readonly records?: boolean;
}

/** Short timeouts, a calm network, and no fault that the scenario does not name. */
const SETTINGS: Omit<Settings, "nodes"> = {
  spares: 0,
  heartbeatMs: 50,
  electionTimeoutMs: { min: 300, max: 600 },
  clients: 0,
  keys: 0,
  thinkMs: 100,
  inFlight: 1,
  safetyMs: 0,
  // Almost the same delay for all: what is sent first arrives first, unless a scenario sees to it.
  network: { ...CALM_NETWORK, minDelayMs: 0.5, meanDelayMs: 0.02 },
  faults: NO_FAULTS,
  encodes: true,
  maxAppendBytes: 1_000_000,
  maxInflightAppends: 64,
  shortWrite: 0,
  segmentBytes: 1_000_000,
  snapshotAfterBytes: 1_000_000_000,
  snapshotChunkBytes: 1_000,
  keptLogBytes: 0,
  isNewCluster: true,
};

export function scenario(name: string, options: ScenarioOptions, play: (c: Stage) => void): Scenario {
  return { name, ...options, play };
}

/** Runs a scenario. Equal arguments give equal results. A mutant's settings are left out: the scenario has its own. */
export function runScenario(
  scenario: Scenario,
  seed: number,
  options: ScenarioRunOptions = {},
): ScenarioResult {
  const settings: Settings = { ...SETTINGS, nodes: scenario.nodes, ...scenario.settings };
  const { mutant, records = false } = options;
  const world = new World({ seed, settings, records, ...(mutant === undefined ? {} : { mutant }) });
  const stage = new Stage(world, seed);
  const failure = failureOf(world, () => {
    scenario.play(stage);
    stage.clear();
    livenessPhase(world, new Random(seed, "liveness"));
    stage.readAll();
    judgeHistory(world);
  });
  const operations = operationsOf(world);
  return {
    scenario: scenario.name,
    seed,
    settings,
    plan: [],
    failure: scenario.breaks === undefined ? failure : failureToNotice(world, scenario.breaks, failure),
    traceHash: world.trace.hash,
    lines: world.trace.lines,
    simulatedMs: world.queue.nowMs,
    events: world.events,
    faults: { ...faultsOf(world), intercepted: stage.interceptedCount },
    operations: {
      ...operations,
      ok: operations.ok + stage.requests.doneCount,
      unknown: operations.unknown + stage.requests.undoneCount,
    },
  };
}

/** Where a promise must break, the failure is that it does not. */
function failureToNotice(
  world: World,
  breaks: InvariantName,
  failure: Failure | undefined,
): Failure | undefined {
  const { nowMs } = world.queue;
  if (failure === undefined) {
    return {
      invariant: "expectation",
      detail: `the checker did not notice that this breaks: ${INVARIANTS[breaks].says}`,
      atMs: nowMs,
    };
  }
  if (failure.invariant !== breaks) return failure;
  world.trace.say(nowMs, () => `as expected, "${breaks}" is broken: ${failure.detail}`);
  return undefined;
}
