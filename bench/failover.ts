/**
 * How long a cluster takes no writes after its leader was killed: from `kill -9` to the next write that a client,
 * which keeps writing, gets acknowledged. Three nodes on loopback, default settings, the default client.
 *
 *     deno run -A bench/failover.ts [--runs 20] [--json]
 *
 * What is measured ends with the first acknowledgement of a write that was *begun* after the kill. One that was under
 * way may have been answered by the leader before it died, which would look like a failover in no time; the
 * price is that the figure is up to one write too long (about a millisecond).
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import Table from "cli-table3";
import { DraftyClient } from "../src/client/mod.ts";
import { TestCluster } from "../tests/chaos/cluster.ts";
import { sleep } from "../tests/chaos/waiting.ts";

const DEFAULT_RUNS = 20;
/** How long the client writes before the kill: its connection to the leader is then in full use. */
const WARM_UP_MS = 500;

/** A client that writes one value after the other until it is disposed of. */
class Writer implements AsyncDisposable {
  readonly #client: DraftyClient;
  readonly #done: Promise<void>;
  #isStopped = false;
  #waiting: { readonly afterMs: number; readonly resolve: (ackMs: number) => void } | undefined;
  #failure: Error | undefined;

  constructor(cluster: TestCluster) {
    this.#client = new DraftyClient({ servers: cluster.servers });
    this.#done = this.#run();
  }

  /** Resolves to when the first write that is begun after `afterMs` is acknowledged. */
  async acknowledgedAfter(afterMs: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting = { afterMs, resolve };
    const ackMs = await Promise.race([promise, this.#done.then(() => NaN)]);
    if (this.#failure !== undefined) throw this.#failure;
    return ackMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    this.#client.close();
  }

  async #run(): Promise<void> {
    try {
      for (let count = 0; !this.#isStopped; count++) {
        const beganMs = performance.now();
        await this.#client.put("failover", `${count}`);
        if (this.#waiting === undefined || beganMs < this.#waiting.afterMs) continue;
        this.#waiting.resolve(performance.now());
        this.#waiting = undefined;
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** The times without an acknowledged write, in milliseconds, one for each time that the leader was killed. */
export async function measureFailovers(runs: number): Promise<number[]> {
  await using cluster = await TestCluster.start();
  await using writer = new Writer(cluster);
  const gapsMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    await sleep(WARM_UP_MS);
    const leader = cluster.node(await cluster.waitForLeader());
    const killedMs = performance.now();
    const killed = leader.kill();
    gapsMs.push(await writer.acknowledgedAfter(killedMs) - killedMs);
    await killed;
    await leader.start();
    await untilCaughtUp(cluster, leader.id);
  }
  return gapsMs;
}

/** The next kill must meet three nodes that could all become the leader. */
async function untilCaughtUp(cluster: TestCluster, id: number): Promise<void> {
  const goal = Math.max(...(await cluster.statuses()).map(({ commitIndex }) => commitIndex));
  while (((await cluster.status(id))?.lastApplied ?? 0) < goal) await sleep(20);
}

/** The smallest value that is not exceeded by `share` of them. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

async function main(): Promise<void> {
  const given = parseArgs(Deno.args, { string: ["runs"], boolean: ["json"] });
  const runs = Number(given.runs ?? DEFAULT_RUNS);
  if (!Number.isSafeInteger(runs) || runs < 1) throw new RangeError(`--runs ${given.runs}: give a count`);
  const gapsMs = (await measureFailovers(runs)).sort((a, b) => a - b);
  const medianMs = percentile(gapsMs, 0.5);
  const p99Ms = percentile(gapsMs, 0.99);
  const maxMs = percentile(gapsMs, 1);
  if (given.json) {
    console.log(JSON.stringify({ runs, medianMs, p99Ms, maxMs, gapsMs }));
    return;
  }
  const table = new Table({ head: ["runs", "median", "p99", "max"], style: { head: [], border: [] } });
  table.push([runs, ...[medianMs, p99Ms, maxMs].map((ms) => `${ms.toFixed(0)} ms`)]);
  console.log(table.toString());
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}
