/**
 * Whether a node grows: an hour of load, and the resident memory of each node every minute, as a curve.
 *
 *     deno run -A bench/soak.ts [--minutes 60] [--rate 500] [--out bench/results/soak.json]
 *
 * `--rate` writes a second, of 256 bytes to 100,000 keys, and as many reads. A log of 64 MiB and a snapshot come and go
 * many times: what does not go with them is a leak.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { DraftyClient } from "../src/client/mod.ts";
import { TestCluster } from "../tests/chaos/cluster.ts";
import { sleep } from "../tests/chaos/waiting.ts";
import { memoryBytes } from "./recovery_cluster.ts";
import { withCluster } from "./suite/cluster_load.ts";

const KEYS = 100_000;
const VALUE = new Uint8Array(256).fill(120);
const TICK_MS = 10;

interface Sample {
  readonly minute: number;
  /** In MB, of nodes 1 to 3. */
  readonly memoryMb: readonly number[];
  readonly writes: number;
  readonly errors: number;
}

const flags = parseArgs(Deno.args, { string: ["minutes", "rate", "out"] });
const minutes = Number(flags.minutes ?? 60);
const rate = Number(flags.rate ?? 500);
const samples = await withCluster((cluster) => soak(cluster));
if (flags.out !== undefined) {
  Deno.writeTextFileSync(String(flags.out), JSON.stringify({ rate, samples }, undefined, 1) + "\n");
}
console.log(curveOf(samples));

async function soak(cluster: TestCluster): Promise<Sample[]> {
  using client = new DraftyClient({ servers: cluster.servers });
  const samples: Sample[] = [];
  const counts = { writes: 0, errors: 0 };
  const startMs = performance.now();
  let due = 0;
  let nextSampleMs = 0;
  for (let ms = 0; ms < minutes * 60_000; ms = performance.now() - startMs) {
    if (ms >= nextSampleMs) {
      const memoryMb = cluster.nodes.map(({ id }) => Math.round(memoryBytes(cluster, id) / 1e6));
      samples.push({ minute: nextSampleMs / 60_000, memoryMb, ...counts });
      console.log(`minute ${nextSampleMs / 60_000}: ${memoryMb.join(", ")} MB, ${counts.writes} writes`);
      nextSampleMs += 60_000;
    }
    for (; due < ms / 1_000 * rate; due++) {
      const key = `key-${Math.floor(Math.random() * KEYS)}`;
      void client.put(key, VALUE).then(() => counts.writes++, () => counts.errors++);
      void client.get(key).catch(() => counts.errors++);
    }
    await sleep(TICK_MS);
  }
  return samples;
}

/** One row for each minute, as long as the largest node of that minute takes memory. */
function curveOf(samples: readonly Sample[]): string {
  const largest = Math.max(...samples.flatMap(({ memoryMb }) => memoryMb));
  return samples.map(({ minute, memoryMb }) => {
    const most = Math.max(...memoryMb);
    return `${`${minute}`.padStart(4)} min ${"█".repeat(Math.round(most / largest * 60))} ${most} MB`;
  }).join("\n");
}
