/**
 * Loads a three-node cluster of real processes on this machine, as `etcd`'s own benchmark would, and prints what came
 * of it:
 *
 *     deno run -A bench/load.ts [--seconds 5] [--linger 5] [--json]
 *
 * 256-byte values, 100,000 keys, one client process with one connection to the leader. The first figures are those of
 * the machine: no acknowledged write can be faster than one sync and one exchange.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { LocalCluster } from "../src/cli/local_cluster.ts";
import { selfCommandOf } from "./self_command.ts";
import { DraftyClient } from "../src/client/mod.ts";

const VALUE = "x".repeat(256);
const KEYS = 100_000;

interface Figures {
  readonly work: string;
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const flags = parseArgs(Deno.args, { boolean: ["json"], string: ["seconds", "linger"] });
const seconds = Number(flags.seconds ?? 5);
const folder = await Deno.makeTempDir({ prefix: "drafty-bench-" });
const cluster = new LocalCluster(folder, 3, selfCommandOf);
try {
  if (flags.linger !== undefined) setLinger(`${folder}/cluster.toml`, Number(flags.linger));
  for (const { address } of cluster.nodes) cluster.start(address.id);
  using client = new DraftyClient({ servers: cluster.servers, timeoutMs: 30_000 });
  await client.put("warm", "up");
  const machine = machineFigures();
  const results: Figures[] = [];
  const put = () => client.put(`key-${Math.floor(Math.random() * KEYS)}`, VALUE);
  const get = () => client.get(`key-${Math.floor(Math.random() * KEYS)}`);
  await measured("put", 64, 1, put); // warm-up: what runs first runs unoptimised
  for (const inFlight of [1, 16, 64, 256]) results.push(await measured("put", inFlight, seconds, put));
  results.push(await measured("get", 256, seconds, get));
  if (flags.json === true) {
    console.log(JSON.stringify({ linger: flags.linger ?? "default", machine, results }));
  } else {
    console.log(`one sync of 256 B: ${machine.syncMs.toFixed(3)} ms (median)`);
    for (const { work, inFlight, perSecond, p50Ms, p99Ms } of results) {
      const rate = `${Math.round(perSecond)}/s`.padStart(9);
      const multiple = (p50Ms / machine.syncMs).toFixed(1);
      console.log(
        `${work} ${`${inFlight}`.padStart(4)} in flight: ${rate}, p50 ${
          p50Ms.toFixed(2)
        } ms (${multiple} syncs), p99 ${p99Ms.toFixed(2)} ms`,
      );
    }
  }
} finally {
  await cluster.killAll();
  await Deno.remove(folder, { recursive: true });
}

/** `inFlight` loops for `seconds`. */
async function measured(
  work: string,
  inFlight: number,
  seconds: number,
  run: () => Promise<unknown>,
): Promise<Figures> {
  const latencies: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (let beganMs = performance.now(); beganMs < endMs;) {
      await run();
      const nowMs = performance.now();
      latencies.push(nowMs - beganMs);
      beganMs = nowMs;
    }
  }));
  const perSecond = latencies.length / (performance.now() - startMs) * 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { work, inFlight, perSecond, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function machineFigures(): { syncMs: number } {
  const file = Deno.openSync(`${folder}/probe`, { write: true, create: true, append: true });
  const bytes = new Uint8Array(256);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const beganMs = performance.now();
    file.writeSync(bytes);
    file.syncDataSync();
    times.push(performance.now() - beganMs);
  }
  file.close();
  return { syncMs: times.sort((a, b) => a - b)[100] ?? 0 };
}

function setLinger(path: string, lingerMs: number): void {
  const text = Deno.readTextFileSync(path);
  const without = text.replace(/^linger_ms.*\n/m, "");
  const changed = /^\[cluster\]/m.test(without)
    ? without.replace(/^\[cluster\]\n/m, `[cluster]\nlinger_ms = ${lingerMs}\n`)
    : `[cluster]\nlinger_ms = ${lingerMs}\n${without}`;
  Deno.writeTextFileSync(path, changed);
}
