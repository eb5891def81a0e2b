/**
 * Chaos for as long as wanted: rounds of clients and faults on a cluster of real processes, each judged. After some
 * rounds the cluster is stopped, its logs are compared on disk, and a new one takes its place.
 *
 *     deno run -A tests/chaos/main.ts --minutes 30 [--seed S] [--nodes 1|3|5|7]
 *
 * Exit codes: 0 no violation, 1 a violation (with the seed and the history in a file), 2 usage.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import Table from "cli-table3";
import { TestCluster } from "./cluster.ts";
import { endCluster, type RoundResult, runRound } from "./round.ts";
import type { Acknowledged } from "./stored_logs.ts";
import { straceProblem } from "./strace.ts";

const ROUND_MS = 25_000;
/** Some minutes: logs grow, and are still compared in a moment. */
const ROUNDS_PER_CLUSTER = 8;
const USAGE = "usage: main.ts --minutes MINUTES [--seed SEED] [--nodes 1|3|5|7]";

interface Settings {
  readonly minutes: number;
  readonly seed: number;
  readonly nodeCount: number;
}

/** What happened in all rounds. */
class Totals {
  rounds = 0;
  clusters = 0;
  acknowledged = 0;
  violations = 0;
  readonly operations = { ok: 0, unknown: 0, failed: 0 };
  readonly faults = new Map<string, number>();

  add({ operations, faults }: RoundResult): void {
    this.rounds++;
    this.operations.ok += operations.ok;
    this.operations.unknown += operations.unknown;
    this.operations.failed += operations.failed;
    for (const [name, count] of faults) this.faults.set(name, (this.faults.get(name) ?? 0) + count);
  }

  toString(): string {
    const table = new Table({ style: { head: [], border: [] }, colAligns: ["left", "right"] });
    const { ok, unknown, failed } = this.operations;
    table.push(["rounds", this.rounds], ["clusters", this.clusters]);
    table.push(["operations ok", ok], ["operations of unknown outcome", unknown]);
    table.push(["operations that did nothing", failed]);
    table.push(["acknowledged writes found in every log", this.acknowledged]);
    for (const [name, count] of [...this.faults].sort(([a], [b]) => a < b ? -1 : 1)) {
      table.push([`fault: ${name}`, count]);
    }
    table.push(["violations", this.violations]);
    return table.toString();
  }
}

async function main(): Promise<number> {
  const settings = settingsOf(Deno.args);
  if (settings === undefined) {
    console.error(USAGE);
    return 2;
  }
  const problem = await straceProblem();
  const withFaults = problem === undefined ? "" : ` (no faults of system calls: ${problem})`;
  console.log(
    `chaos: ${settings.nodeCount} nodes, ${settings.minutes} min, seed ${settings.seed}${withFaults}`,
  );
  const totals = new Totals();
  const endMs = performance.now() + settings.minutes * 60_000;
  while (performance.now() < endMs && totals.violations === 0) {
    await runCluster(settings, totals, endMs, problem === undefined);
  }
  console.log(totals.toString());
  return totals.violations === 0 ? 0 : 1;
}

/** The life of one cluster. Ends early when something is wrong: what follows would only hide it. */
async function runCluster(
  { seed, nodeCount }: Settings,
  totals: Totals,
  endMs: number,
  hasStrace: boolean,
): Promise<void> {
  await using cluster = await TestCluster.start({ nodeCount, hasLinks: true });
  totals.clusters++;
  const acknowledged: Acknowledged[] = [];
  let problems: readonly string[] = [];
  let last: RoundResult | undefined;
  for (let round = 1; round <= ROUNDS_PER_CLUSTER && problems.length === 0; round++) {
    const leftMs = endMs - performance.now();
    if (leftMs < 1_000) break;
    const startMs = performance.now();
    const roundSeed = seed + totals.rounds;
    const options = { cluster, seed: roundSeed, hasStrace, acknowledged };
    last = await runRound({ ...options, name: `${round}`, durationMs: Math.min(ROUND_MS, leftMs) });
    totals.add(last);
    problems = last.violations;
    console.log(roundLine(totals.rounds, roundSeed, last, performance.now() - startMs));
  }
  if (problems.length === 0) {
    problems = await endCluster(cluster, acknowledged);
    totals.acknowledged += acknowledged.length;
  }
  if (problems.length === 0) return;
  totals.violations += problems.length;
  const seedOfLast = seed + totals.rounds - 1;
  console.error(`VIOLATION with seed ${seedOfLast}:\n${problems.join("\n")}\n${cluster.lastLines()}`);
  const path = Deno.makeTempFileSync({ prefix: `drafty-chaos-seed-${seedOfLast}-`, suffix: ".json" });
  Deno.writeTextFileSync(
    path,
    JSON.stringify({ seed: seedOfLast, nodeCount, problems, history: last?.history }),
  );
  console.error(`the history of the last round is in ${path}`);
}

function roundLine(round: number, seed: number, { operations, faults, violations }: RoundResult, ms: number) {
  const faultCount = [...faults.values()].reduce((sum, count) => sum + count, 0);
  return `round ${round} (seed ${seed}, ${(ms / 1_000).toFixed(1)} s): ` +
    `${operations.ok} ok, ${operations.unknown} unknown, ${operations.failed} failed, ` +
    `${faultCount} faults, ${violations.length} violations`;
}

function settingsOf(args: string[]): Settings | undefined {
  let isWrong = false;
  const given = parseArgs(args, {
    string: ["minutes", "seed", "nodes"],
    default: { seed: "1", nodes: "3" },
    unknown: (argument) => {
      isWrong ||= argument !== "--";
      return false;
    },
  });
  const minutes = Number(given.minutes);
  const seed = Number(given.seed);
  const nodeCount = Number(given.nodes);
  const isRight = !isWrong && minutes > 0 && Number.isSafeInteger(seed) && [1, 3, 5, 7].includes(nodeCount);
  return isRight ? { minutes, seed, nodeCount } : undefined;
}

if (import.meta.main) {
  // An exit in the middle still ends the nodes: they are children that would go on without us.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => Deno.exit(130));
  Deno.exit(await main());
}
