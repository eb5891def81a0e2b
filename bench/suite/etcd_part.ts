/**
 * The same load for drafty and for etcd, one after the other in each round: only one of the two runs at a time. Who is
 * first changes with the rounds, so that a machine that grows slower or faster is fair to both.
 *
 * @module
 */
import { connectionsFor } from "../../src/bench/mod.ts";
import {
  limitsOf,
  loadCluster,
  preloadCluster,
  USUAL_KEYS,
  USUAL_VALUE_BYTES,
  withCluster,
} from "./cluster_load.ts";
import { buildEtcdLoad, EtcdCluster, etcdVersionCall } from "./etcd_cluster.ts";
import { type Context, type Figure, figuresOfLimits, type Goal, loadName } from "./figures.ts";
import { leaderMemoryBytes } from "./memory_part.ts";
import { callMs, withExecutable } from "./version_part.ts";

/** More than drafty's client gets: with these etcd is faster than with fewer. */
const ETCD_CONNECTIONS = 16;
const FEW_IN_FLIGHT = 16;
const PRELOAD_INFLIGHT = 256;

interface Workload {
  readonly work: "put" | "get";
  readonly inflight: number;
  /** What is to be so many times etcd's. */
  readonly goalOf: "throughput" | "p50";
  readonly goal: Goal;
}

const WORKLOADS: readonly Workload[] = [
  { work: "put", inflight: 1, goalOf: "p50", goal: { atMost: 0.6 } },
  { work: "put", inflight: 16, goalOf: "throughput", goal: { atLeast: 4 } },
  { work: "put", inflight: 64, goalOf: "throughput", goal: { atLeast: 6 } },
  { work: "put", inflight: 256, goalOf: "throughput", goal: { atLeast: 10 } },
  { work: "get", inflight: 256, goalOf: "throughput", goal: { atLeast: 10 } },
];
const MEMORY_GOAL: Goal = { atMost: 0.5 };
const VERSION_GOAL: Goal = { atMost: 1.5 };

/** What was measured of one of the two. */
interface Side {
  readonly loads: readonly { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number }[];
  readonly memoryMb: number;
  readonly more: readonly Figure[];
}

export async function measureBesideEtcd(context: Context): Promise<Figure[]> {
  const drafty = () => measureDrafty(context);
  const etcd = () => measureEtcd(context);
  const isEtcdFirst = context.round % 2 === 1;
  const first = await (isEtcdFirst ? etcd : drafty)();
  const second = await (isEtcdFirst ? drafty : etcd)();
  const [ours, theirs] = isEtcdFirst ? [second, first] : [first, second];
  return [
    ...ours.more,
    ...WORKLOADS.flatMap((workload, at) => comparisonOf(workload, ours.loads[at], theirs.loads[at])),
    ...pairOf("resident memory of the leader", "MB", ours.memoryMb, theirs.memoryMb, MEMORY_GOAL),
    // It repeats by itself, and has nothing to do with the load.
    ...(context.round === 0 ? await compareVersions(context) : []),
  ];
}

async function measureDrafty({ seconds, say }: Context): Promise<Side> {
  return await withCluster(async (cluster) => {
    const more = figuresOfLimits(await limitsOf(cluster));
    say("drafty: writing keys");
    await preloadCluster(cluster);
    const loads: Side["loads"][number][] = [];
    for (const { work, inflight } of WORKLOADS) {
      say(`drafty: ${loadName(work, inflight)}`);
      const { perSecond, latencies } = await loadCluster(cluster, { work, inflight, seconds });
      loads.push({ perSecond, p50Ms: latencies.percentileMs(0.5), p99Ms: latencies.percentileMs(0.99) });
    }
    return { loads, memoryMb: await leaderMemoryBytes(cluster) / 1e6, more };
  });
}

async function measureEtcd({ seconds, say }: Context): Promise<Side> {
  const folder = await Deno.makeTempDir({ prefix: "drafty-bench-" });
  try {
    say("etcd: building its load program");
    await buildEtcdLoad(`${folder}/load`);
    await using cluster = await EtcdCluster.start(`${folder}/load`);
    const common = { keys: USUAL_KEYS, "value-bytes": USUAL_VALUE_BYTES };
    say("etcd: writing keys");
    await cluster.preload({ ...common, inflight: PRELOAD_INFLIGHT, connections: ETCD_CONNECTIONS });
    const loads: Side["loads"][number][] = [];
    for (const { work, inflight } of WORKLOADS) {
      say(`etcd: ${loadName(work, inflight)}`);
      const connections = inflight < FEW_IN_FLIGHT ? connectionsFor(inflight) : ETCD_CONNECTIONS;
      const load = await cluster.load({ ...common, work, inflight, connections, seconds });
      loads.push({ perSecond: load.per_s, p50Ms: load.p50_ms, p99Ms: load.p99_ms });
    }
    return { loads, memoryMb: cluster.leaderMemoryBytes() / 1e6, more: [] };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function compareVersions({ say }: Context): Promise<Figure[]> {
  const call = await etcdVersionCall();
  say(`drafty --version, ${call.join(" ")}`);
  return await withExecutable(async (path) => {
    const [ours = NaN, theirs = NaN] = await callMs([[path, "--version"], call]);
    return pairOf(`--version, the whole process (${call.join(" ")})`, "ms", ours, theirs, VERSION_GOAL);
  });
}

function comparisonOf(
  { work, inflight, goalOf, goal }: Workload,
  ours: Side["loads"][number] | undefined,
  theirs: Side["loads"][number] | undefined,
): Figure[] {
  const name = loadName(work, inflight);
  const goals = { [goalOf]: goal };
  return [
    ...pairOf(`${name}, throughput`, "/s", ours?.perSecond, theirs?.perSecond, goals.throughput),
    ...pairOf(`${name}, p50`, "ms", ours?.p50Ms, theirs?.p50Ms, goals.p50),
    ...pairOf(`${name}, p99`, "ms", ours?.p99Ms, theirs?.p99Ms),
  ];
}

/** Ours, theirs, and ours as a multiple of theirs. */
function pairOf(name: string, unit: Figure["unit"], ours = NaN, theirs = NaN, goal?: Goal): Figure[] {
  return [
    { name: `${name}: drafty`, value: ours, unit },
    { name: `${name}: etcd`, value: theirs, unit },
    { name: `${name}: drafty / etcd`, value: ours / theirs, unit: "×", ...(goal && { goal }) },
  ];
}
