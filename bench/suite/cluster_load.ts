/**
 * Three real nodes under load, as most parts want them.
 *
 * @module
 */
import {
  benchValue,
  connectionsFor,
  LoadClients,
  type LoadFigures,
  type MachineLimits,
  measureLimits,
  preload,
  runLoad,
  type Work,
} from "../../src/bench/mod.ts";
import { TestCluster } from "../../tests/chaos/cluster.ts";

export const USUAL_KEYS = 100_000;
export const USUAL_VALUE_BYTES = 256;
const WARM_UP_SECONDS = 1;
const PRELOAD_CONNECTIONS = 4;

export interface ClusterLoad {
  readonly work: Work;
  readonly inflight: number;
  readonly seconds: number;
  readonly keys?: number;
  readonly valueBytes?: number;
  readonly isOneShot?: boolean;
}

/** Calls `use` with a cluster that has a leader. No node may end by itself meanwhile. */
export async function withCluster<Result>(use: (cluster: TestCluster) => Promise<Result>): Promise<Result> {
  await using cluster = await TestCluster.start();
  await cluster.waitForLeader();
  const result = await use(cluster);
  if (cluster.surprises.length > 0) {
    throw new Error(`${cluster.surprises.join("\n")}\n${cluster.lastLines()}`);
  }
  return result;
}

/** Warms up, and measures. */
export async function loadCluster(cluster: TestCluster, load: ClusterLoad): Promise<LoadFigures> {
  const { work, inflight, seconds, keys = USUAL_KEYS, valueBytes = USUAL_VALUE_BYTES, isOneShot } = load;
  using clients = new LoadClients(cluster.servers, connectionsFor(inflight), isOneShot);
  const value = benchValue(valueBytes);
  return await runLoad(clients, { work, inflight, seconds, warmUpSeconds: WARM_UP_SECONDS, keys, value });
}

/** Writes each key once. */
export async function preloadCluster(cluster: TestCluster, keys = USUAL_KEYS): Promise<void> {
  using clients = new LoadClients(cluster.servers, PRELOAD_CONNECTIONS);
  await preload(clients, keys, benchValue(USUAL_VALUE_BYTES));
}

/** What the machine takes at least, in the file system of the cluster. */
export async function limitsOf(cluster: TestCluster, valueBytes = USUAL_VALUE_BYTES): Promise<MachineLimits> {
  return await measureLimits(cluster.directory, valueBytes);
}
