/**
 * What the benchmark of recovery does with a cluster: sets how it stores, takes snapshots, restarts nodes against
 * the clock, and reads from the system what disk and memory they use.
 *
 * @module
 */
import { DraftyClient } from "../src/client/mod.ts";
import type { TestCluster } from "../tests/chaos/cluster.ts";
import { eventually } from "../tests/chaos/waiting.ts";

/** Far above what anything here takes: it ends a benchmark that will not end. */
export const PATIENCE_MS = 10 * 60_000;
/** A block of `stat`, whatever the file system's own are. */
const STAT_BLOCK_BYTES = 512;
const SAMPLE_INTERVAL_MS = 200;

/** How long a restart took, from the start of the process. */
export interface RestartTimes {
  /** To the line that says that the node listens: the disk has been read. */
  readonly listeningMs: number;
  /** To the first answered ping. */
  readonly pingMs: number;
  /** To all that was committed before being applied. */
  readonly appliedMs: number;
}

/** Gives every node this `[storage]` table, in place of the one it has: none at all are the defaults. */
export function setStorage(cluster: TestCluster, settings: Readonly<Record<string, number>>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  const table = lines.length === 0 ? "" : `\n[storage]\n${lines.join("")}`;
  for (const { id } of cluster.nodes) {
    const path = `${cluster.directory}/node-${id}.toml`;
    const [text = ""] = Deno.readTextFileSync(path).split("\n[storage]\n");
    Deno.writeTextFileSync(path, text + table);
  }
}

/** Lets node `id` take a snapshot, as `drafty client snapshot --node` does. Resolves when it is durable. */
export async function takeSnapshot(cluster: TestCluster, id: number): Promise<{ totalBytes: number }> {
  using client = clientOf(cluster, id);
  return await client.snapshot();
}

/** `kill -9` for a follower, and a start with all else running. */
export async function restartFollower(cluster: TestCluster): Promise<RestartTimes> {
  const follower = await aFollower(cluster);
  const goal = await committed(cluster);
  const node = cluster.node(follower);
  await node.kill();
  const startMs = performance.now();
  const took = () => performance.now() - startMs;
  await node.start();
  const listeningMs = took();
  using client = clientOf(cluster, follower);
  await client.ping();
  const pingMs = took();
  await eventually("the follower to apply all", PATIENCE_MS, async () => {
    return (await client.status()).lastApplied >= goal;
  });
  return { listeningMs, pingMs, appliedMs: took() };
}

/** `kill -9` for all at once. Resolves to the time from the start of all processes to the first read of `key`. */
export async function restartAll(cluster: TestCluster, key: string): Promise<number> {
  await cluster.killAll();
  const startMs = performance.now();
  await cluster.startAll();
  using client = cluster.client({ timeoutMs: PATIENCE_MS });
  if (await client.get(key) === undefined) throw new Error(`${key} is gone`);
  return performance.now() - startMs;
}

export async function aFollower(cluster: TestCluster): Promise<number> {
  const leader = await cluster.waitForLeader();
  const follower = cluster.nodes.find(({ id }) => id !== leader);
  if (follower === undefined) throw new Error("the cluster has one node");
  return follower.id;
}

export async function committed(cluster: TestCluster): Promise<number> {
  return Math.max(...(await cluster.statuses()).map(({ commitIndex }) => commitIndex));
}

/** A client that knows one node only. */
export function clientOf(cluster: TestCluster, id: number): DraftyClient {
  const { host, clientPort } = cluster.node(id).address;
  return new DraftyClient({ servers: [{ host, port: clientPort }], timeoutMs: PATIENCE_MS });
}

/** What the files of node `id` take on the disk, as `du` counts it. */
export function diskBytes(cluster: TestCluster, id: number): number {
  const directory = `${cluster.dataDirectory}/${id}`;
  let bytes = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    try {
      bytes += (Deno.statSync(`${directory}/${name}`).blocks ?? 0) * STAT_BLOCK_BYTES;
    } catch (error) {
      // Removed since the directory was read.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return bytes;
}

/** The resident memory of node `id`, or 0 if it does not run. */
export function memoryBytes(cluster: TestCluster, id: number): number {
  const node = cluster.node(id);
  if (!node.isRunning) return 0;
  const status = Deno.readTextFileSync(`/proc/${node.pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Keeps the largest of what it reads, until it is disposed of. */
export class Peak implements Disposable {
  readonly #read: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #max = 0;

  constructor(read: () => number) {
    this.#read = read;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
    this.#sample();
  }

  get max(): number {
    this.#sample();
    return this.#max;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    this.#max = Math.max(this.#max, this.#read());
  }
}
