/**
 * A round: clients and a nemesis for a while, then calm, and a verdict on what the clients saw. Each round has fresh
 * keys, so that the judge never has to search through hours.
 *
 * @module
 */
import { HistoryRecorder, type Operation } from "../../src/sim/history.ts";
import { checkLinearizability, describeViolation } from "../../src/sim/linearizability.ts";
import type { TestCluster } from "./cluster.ts";
import { type Fault, LINK_FAULTS, PROCESS_FAULTS, SYSTEM_CALL_FAULTS } from "./faults.ts";
import { Nemesis } from "./nemesis.ts";
import { type Acknowledged, problemsOf, storedLogs } from "./stored_logs.ts";
import { sleep } from "./waiting.ts";
import { type OperationCounts, Workload } from "./workload.ts";

export interface RoundOptions {
  readonly cluster: TestCluster;
  readonly seed: number;
  /** Names the round's keys; unique for a cluster. */
  readonly name: string;
  readonly durationMs: number;
  /** Whether strace works here. */
  readonly hasStrace: boolean;
  /** Writes acknowledged in this round are added. */
  readonly acknowledged: Acknowledged[];
}

export interface RoundResult {
  readonly operations: OperationCounts;
  readonly faults: ReadonlyMap<string, number>;
  readonly history: readonly Operation[];
  /** What must not be, a paragraph each. */
  readonly violations: readonly string[];
}

const KEY_COUNT = 8;
const CLIENT_COUNT = 6;
/** With six clients some hundred calls a second: enough to meet every fault, and a harness that stays idle. */
const PAUSE_UP_TO_MS = 40;
/** The time in which a healed cluster must serve and agree, on a busy machine. */
const RECOVERY_LIMIT_MS = 30_000;

/** Runs a round. Rejects only for what no verdict can be made of. */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { cluster, seed, name, durationMs, acknowledged } = options;
  const recorder = new HistoryRecorder();
  const keys = Array.from({ length: KEY_COUNT }, (_, at) => `${name}-${"abcdefgh"[at]}`);
  const violations: string[] = [];
  const workload = new Workload({
    servers: cluster.servers,
    keys,
    clientCount: CLIENT_COUNT,
    seed,
    pauseUpToMs: PAUSE_UP_TO_MS,
    recorder,
    acknowledged,
  });
  const nemesis = new Nemesis({ cluster, seed, hands: handsFor(options) });
  await sleep(durationMs);
  await attempt("the faults could not be undone", violations, () => nemesis.stop());
  await attempt("a client failed", violations, () => workload.stop());
  await attempt("the healed cluster does not recover", violations, async () => {
    await cluster.waitForEqualApplied(RECOVERY_LIMIT_MS);
    await readAll(cluster, keys, recorder);
  });
  const history = recorder.operations();
  const verdict = checkLinearizability(history);
  if (verdict.outcome !== "linearizable") violations.push(describeViolation(verdict));
  violations.push(...cluster.surprises.splice(0));
  return { operations: workload.counts, faults: nemesis.counts, history, violations };
}

/**
 * The end of a cluster: it must agree, stop cleanly, and have all acknowledged writes in all logs on disk. Returns
 * what is not so.
 */
export async function endCluster(
  cluster: TestCluster,
  acknowledged: readonly Acknowledged[],
): Promise<string[]> {
  const problems: string[] = [];
  await attempt("the cluster could not be ended", problems, async () => {
    const applied = await cluster.waitForEqualApplied(RECOVERY_LIMIT_MS);
    const codes = await cluster.terminateAll();
    if (codes.some((code) => code !== 0)) problems.push(`nodes stopped with exit codes ${codes.join(", ")}`);
    problems.push(...problemsOf(storedLogs(cluster), applied, acknowledged));
  });
  return problems;
}

function handsFor({ cluster, hasStrace }: RoundOptions): Record<string, readonly Fault[]> {
  return {
    processes: [...PROCESS_FAULTS, ...(hasStrace ? SYSTEM_CALL_FAULTS : [])],
    links: cluster.links.length > 0 ? LINK_FAULTS : [],
  };
}

/** Reads every key when all is calm: what was acknowledged has to be there. */
async function readAll(
  cluster: TestCluster,
  keys: readonly string[],
  recorder: HistoryRecorder,
): Promise<void> {
  using client = cluster.client();
  const decoder = new TextDecoder();
  for (const key of keys) {
    const id = recorder.invoke({ client: 0, kind: "get", key });
    const value = await client.get(key);
    recorder.complete(id, value && decoder.decode(value));
  }
}

async function attempt(what: string, violations: string[], run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    violations.push(`${what}: ${error instanceof Error ? error.message : error}`);
  }
}
