/**
 * What clients notice of a rolling restart: every node is told to stop (SIGTERM), is started again, and the next one's turn
 * comes when it follows. Three nodes on loopback, default settings, the default client, under a steady load.
 *
 *     deno run -A bench/rolling_restart.ts [--runs 5] [--clients 4] [--in-flight 4] [--json]
 *
 * A run restarts every node once. Its figure is the slowest write; no write may fail.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import Table from "cli-table3";
import { TestCluster } from "../tests/chaos/cluster.ts";
import { sleep } from "../tests/chaos/waiting.ts";
import { countOf, spreadOf, SteadyWriters } from "./transfer.ts";

const DEFAULT_RUNS = 5;
const DEFAULT_CLIENTS = 4;
const DEFAULT_IN_FLIGHT = 4;
const WARM_UP_MS = 2_000;

/** Restarts every node, one after the other. Resolves to the exit codes. */
export async function restartAll(cluster: TestCluster): Promise<number[]> {
  const codes: number[] = [];
  for (const node of cluster.nodes) {
    codes.push(await node.terminate());
    await node.start();
    await cluster.waitUntilFollows(node.id);
  }
  return codes;
}

interface Measured {
  /** For each run. */
  readonly slowestMs: number[];
  /** The longest time without an acknowledgement, for each run. */
  readonly gapsMs: number[];
  readonly tookMs: number[];
}

export async function measureRollingRestarts(
  runs: number,
  clientCount: number,
  inFlightPerClient: number,
): Promise<Measured> {
  await using cluster = await TestCluster.start();
  await using writers = new SteadyWriters(cluster, clientCount, inFlightPerClient);
  await sleep(WARM_UP_MS);
  const measured: Measured = { slowestMs: [], gapsMs: [], tookMs: [] };
  for (let run = 0; run < runs; run++) {
    const fromMs = performance.now();
    const codes = await restartAll(cluster);
    if (codes.some((code) => code !== 0)) {
      throw new Error(`nodes stopped with exit codes ${codes.join(", ")}`);
    }
    await sleep(WARM_UP_MS); // what is slow has been acknowledged by then, or is seen as a gap
    const toMs = performance.now();
    measured.slowestMs.push(writers.slowestMs(fromMs, toMs));
    measured.gapsMs.push(writers.longestGapMs(fromMs, toMs));
    measured.tookMs.push(toMs - fromMs);
  }
  await writers.stop();
  if (writers.failures.length > 0) throw new Error(writers.failures.join("\n"));
  if (cluster.surprises.length > 0) throw new Error(cluster.surprises.join("\n"));
  return measured;
}

async function main(): Promise<void> {
  const given = parseArgs(Deno.args, { string: ["runs", "clients", "in-flight"], boolean: ["json"] });
  const runs = countOf("runs", given.runs, DEFAULT_RUNS);
  const clients = countOf("clients", given.clients, DEFAULT_CLIENTS);
  const inFlight = countOf("in-flight", given["in-flight"], DEFAULT_IN_FLIGHT);
  const measured = await measureRollingRestarts(runs, clients, inFlight);
  const loadAverage = Deno.loadavg()[0] ?? NaN;
  if (!given.json) {
    const table = new Table({
      head: [`${runs} rolling restarts`, "median", "max"],
      style: { head: [], border: [] },
    });
    const rows = { "slowest write": measured.slowestMs, "no write acknowledged": measured.gapsMs };
    for (const [name, valuesMs] of Object.entries(rows)) {
      const { medianMs, maxMs } = spreadOf(valuesMs);
      table.push([name, ...[medianMs, maxMs].map((ms) => `${ms.toFixed(0)} ms`)]);
    }
    console.log(table.toString());
    console.log(
      `${clients} clients with ${inFlight} writes in flight each; load average ${loadAverage.toFixed(1)}`,
    );
  }
  console.log(JSON.stringify({ runs, clients, inFlight, loadAverage, ...measured }));
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}
