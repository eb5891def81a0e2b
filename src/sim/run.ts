/**
 * One run: a phase of faults in which nothing wrong may happen (safety), then a healed majority that must come
 * to agree and serve while the rest stays dead (liveness), then the judgement of what the clients saw.
 *
 * @module
 */
import type { NodeId } from "../raft/mod.ts";
import { type Action, planOf } from "./actions.ts";
import type { InvariantName } from "./invariants.ts";
import { checkLinearizability, describeViolation } from "./linearizability.ts";
import { isMajority } from "./membership.ts";
import type { Mutant } from "./mutant.ts";
import { Random } from "./random.ts";
import { type Settings, settingsOf, type SettingsOverride } from "./settings.ts";
import type { TraceLine } from "./trace.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** How long a healed majority may take to serve a write and to agree. */
const LIVENESS_LIMIT_MS = 60_000;
const LIVENESS_STEP_MS = 200;

export interface RunOptions {
  readonly seed: number;
  /** Settings that do not follow from the seed. */
  readonly override?: SettingsOverride;
  /** A plan of faults instead of the seed's own. */
  readonly plan?: readonly Action[];
  readonly mutant?: Mutant;
  readonly records?: boolean;
}

export interface Failure {
  readonly invariant: InvariantName;
  readonly detail: string;
  readonly atMs: number;
}

export interface RunResult {
  readonly seed: number;
  readonly settings: Settings;
  readonly plan: readonly Action[];
  readonly failure: Failure | undefined;
  readonly traceHash: string;
  /** Empty unless recorded. */
  readonly lines: readonly TraceLine[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly operations: { readonly ok: number; readonly unknown: number; readonly retries: number };
}

/** Runs one seed. Equal arguments give equal results, byte for byte. */
export function runSeed(options: RunOptions): RunResult {
  const { seed, mutant } = options;
  const settings = settingsOf(seed, { ...mutant?.settings, ...options.override });
  const plan = options.plan ?? planOf(seed, settings);
  const world = new World({
    seed,
    settings,
    ...(mutant === undefined ? {} : { mutant }),
    records: options.records ?? false,
  });
  const failure = failureOf(world, () => {
    safetyPhase(world, plan);
    livenessPhase(world, new Random(seed, "liveness"));
    judgeHistory(world);
  });
  return {
    seed,
    settings,
    plan,
    failure,
    traceHash: world.trace.hash,
    lines: world.trace.lines,
    simulatedMs: world.queue.nowMs,
    events: world.events,
    faults: faultsOf(world),
    operations: operationsOf(world),
  };
}

/** Runs `phases` and catches the first violation. */
export function failureOf(world: World, phases: () => void): Failure | undefined {
  try {
    phases();
    return undefined;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { invariant: error.invariant, detail: error.message, atMs: world.queue.nowMs };
  }
}

function safetyPhase(world: World, plan: readonly Action[]): void {
  for (const { atMs, fault } of plan) world.queue.at(atMs, () => world.apply(fault));
  for (let i = 0; i < world.settings.clients; i++) world.addClient().start();
  world.advance(world.settings.safetyMs);
  for (const client of world.clients) client.stop();
}

/** Heals a majority of the nodes that can be healed, and demands service and agreement of it. */
export function livenessPhase(world: World, random: Random): void {
  const core = coreOf(world, random);
  world.healCore(core);
  const startMs = world.queue.nowMs;
  const probe = world.addClient();
  let isServed = false;
  const write = () =>
    probe.put("probe", (outcome) => {
      if (outcome === "unknown") write();
      else isServed = true;
    });
  write();
  if (!world.advanceUntil(() => isServed, LIVENESS_LIMIT_MS)) {
    throw new Violation(
      "availability",
      `nodes ${core.join(", ")} served no write within ${LIVENESS_LIMIT_MS} ms`,
    );
  }
  while (!isConverged(world, core)) {
    if (world.queue.nowMs - startMs > LIVENESS_LIMIT_MS) {
      throw new Violation(
        "convergence",
        `nodes ${core.join(", ")} do not agree after ${LIVENESS_LIMIT_MS} ms`,
      );
    }
    world.advance(LIVENESS_STEP_MS);
  }
  // At this very moment: a write that was held up in the network may be applied later, and is then on its way.
  checkDurability(world, core);
  readAll(world);
}

/**
 * Who is to be healed. Either all members, those with a damaged disk included: they find their way back if all others
 * answer them. Or only a majority that remembers everything, of each configuration that may be in force.
 */
function coreOf(world: World, random: Random): NodeId[] {
  const inPlay = world.configurationsInPlay();
  const members = world.nodes.filter((node) =>
    inPlay.some((one) => one.members.some(({ id }) => id === node))
  );
  // What is under way may need any of them.
  if (random.chance(0.3) || world.membership.isChanging) return members;
  const isEnough = (nodes: readonly NodeId[]) => isMajority(nodes, inPlay);
  let core = world.independent.filter((node) => members.includes(node) && node !== world.membership.moving);
  for (const node of random.shuffled(core)) {
    const without = core.filter((other) => other !== node);
    if (isEnough(without) && random.chance(0.7)) core = without;
  }
  return isEnough(core) ? core : members;
}

/** The nodes of the core that are members still: a change of the members may have been under way. */
function membersAmong(world: World, core: readonly NodeId[]): NodeId[] {
  const [committed] = world.checker.configurationsInPlay();
  return core.filter((node) => committed?.members.some(({ id }) => id === node));
}

function isConverged(world: World, core: readonly NodeId[]): boolean {
  const views = membersAmong(world, core).map((node) => world.machine(node).view());
  const first = views[0];
  return first !== undefined && world.clients.every((client) => client.isIdle) &&
    views.every((view) =>
      view?.lastApplied === first.lastLogIndex && view.lastLogIndex === first.lastLogIndex
    ) &&
    new Set(membersAmong(world, core).map((node) => world.machine(node).replica?.store.digest)).size === 1;
}

/** The last word of the history: what every key holds now. */
function readAll(world: World): void {
  const reader = world.addClient();
  let left = 0;
  for (let i = 0; i < world.settings.keys; i++) {
    left++;
    reader.get(`k${i}`, () => left--);
  }
  if (!world.advanceUntil(() => left === 0, LIVENESS_LIMIT_MS)) {
    throw new Violation("availability", `reads were not answered within ${LIVENESS_LIMIT_MS} ms`);
  }
}

/** Every entry that was ever applied is in every log of the core, or under its snapshot; acknowledged writes are among them. */
function checkDurability(world: World, core: readonly NodeId[]): void {
  for (const node of membersAmong(world, core)) {
    const view = world.machine(node).view();
    // That a snapshot stands for what was applied up to there is checked when a node starts from it or installs it.
    for (let index = (view?.snapshot.index ?? 0) + 1; index <= world.checker.committedUpTo; index++) {
      const applied = world.checker.appliedAt(index);
      if (applied === undefined || view?.log.termAt(index) === applied.term) continue;
      throw new Violation(
        "durability",
        `node ${node} lacks entry ${index} of term ${applied.term}, which was applied`,
      );
    }
  }
}

/** Whether what the clients saw can be explained by doing one thing at a time. */
export function judgeHistory(world: World): void {
  const verdict = checkLinearizability(world.history.operations());
  if (verdict.outcome === "linearizable") return;
  throw new Violation("linearizability", describeViolation(verdict));
}

/** How often each fault came about in `world`. */
export function faultsOf(world: World): Record<string, number> {
  const counts: Record<string, number> = { ...world.faultCounts };
  const { lost, duplicated, straggled, cut, clogged } = world.network.counts;
  Object.assign(counts, { lost, duplicated, straggled, cutOff: cut, clogged });
  for (const machine of world.machines) {
    for (const [name, count] of Object.entries(machine.disk.counts)) {
      counts[`disk ${name}`] = (counts[`disk ${name}`] ?? 0) + count;
    }
  }
  return counts;
}

/** How the operations of the clients of `world` ended. */
export function operationsOf(world: World): RunResult["operations"] {
  const sum = { ok: 0, unknown: 0, retries: 0 };
  for (const { counts } of world.clients) {
    sum.ok += counts.ok;
    sum.unknown += counts.unknown;
    sum.retries += counts.retries;
  }
  return sum;
}
