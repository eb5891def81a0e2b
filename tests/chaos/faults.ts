/**
 * What can be done to a cluster, each fault with its undoing. All of it happens to a real cluster in the real world
 * too; none of it may cost an acknowledged write or a client's trust in what it reads.
 *
 * @module
 */
import type { Random } from "../../src/sim/random.ts";
import type { TestCluster } from "./cluster.ts";
import type { LinkState } from "./link.ts";
import { SystemCallTrace } from "./strace.ts";

/** Sleeps until the fault is to be undone: for its time, or until the nemesis is stopped. */
export type Wait = (ms: number) => Promise<void>;

export interface Fault {
  readonly name: string;
  /** How much more often than a fault of weight 1 it is chosen. */
  readonly weight: number;
  /** Does it, waits, and undoes it. */
  readonly strike: (cluster: TestCluster, random: Random, wait: Wait) => Promise<void>;
}

const MAX_PAUSE_MS = 3_000;

/** Faults of processes; one at a time. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "kill a node",
    weight: 3,
    strike: (cluster, random, wait) => killAndRestart(cluster, [anyNode(cluster, random)], random, wait),
  },
  {
    name: "kill the leader",
    weight: 3,
    strike: async (cluster, random, wait) =>
      await killAndRestart(cluster, [await leaderOf(cluster, random)], random, wait),
  },
  {
    name: "kill all",
    weight: 1,
    strike: (cluster, random, wait) =>
      killAndRestart(cluster, cluster.nodes.map(({ id }) => id), random, wait),
  },
  {
    name: "pause a node",
    weight: 2,
    strike: (cluster, random, wait) => pause(cluster, anyNode(cluster, random), random, wait),
  },
  {
    name: "pause the leader",
    weight: 3,
    strike: async (cluster, random, wait) =>
      await pause(cluster, await leaderOf(cluster, random), random, wait),
  },
];

/** Faults of links; one at a time, beside one of processes. */
export const LINK_FAULTS: readonly Fault[] = [
  {
    name: "cut one way",
    weight: 2,
    strike: (cluster, random, wait) => disturb([random.pick(cluster.links)], { kind: "cut" }, random, wait),
  },
  {
    name: "cut both ways",
    weight: 2,
    strike: (cluster, random, wait) => {
      const link = random.pick(cluster.links);
      return disturb([link, cluster.link(link.to, link.from)], { kind: "cut" }, random, wait);
    },
  },
  {
    name: "isolate the leader",
    weight: 3,
    strike: async (cluster, random, wait) => {
      const leader = await leaderOf(cluster, random);
      const links = cluster.links.filter(({ from, to }) => from === leader || to === leader);
      await disturb(links, { kind: "cut" }, random, wait);
    },
  },
  {
    name: "deafen the leader",
    weight: 1,
    strike: async (cluster, random, wait) => {
      const leader = await leaderOf(cluster, random);
      await disturb(cluster.links.filter(({ to }) => to === leader), { kind: "cut" }, random, wait);
    },
  },
  {
    name: "mute the leader",
    weight: 1,
    strike: async (cluster, random, wait) => {
      const leader = await leaderOf(cluster, random);
      await disturb(cluster.links.filter(({ from }) => from === leader), { kind: "cut" }, random, wait);
    },
  },
  {
    name: "half-open links",
    weight: 2,
    strike: (cluster, random, wait) => {
      const node = anyNode(cluster, random);
      return disturb(cluster.links.filter(({ to }) => to === node), { kind: "halfOpen" }, random, wait);
    },
  },
  {
    name: "slow links",
    weight: 2,
    strike: (cluster, random, wait) => {
      const node = anyNode(cluster, random);
      const slow = { kind: "slow", delayMs: random.between(5, 150) } as const;
      return disturb(cluster.links.filter(({ from }) => from === node), slow, random, wait);
    },
  },
];

/** Faults of system calls, where strace works; they count as faults of processes. */
export const SYSTEM_CALL_FAULTS: readonly Fault[] = [
  {
    name: "fail a sync",
    weight: 1,
    strike: (cluster, random, wait) => failDisk(cluster, { call: "fdatasync", error: "EIO" }, random, wait),
  },
  {
    name: "fill the disk",
    weight: 1,
    strike: (cluster, random, wait) => failDisk(cluster, { call: "write", error: "ENOSPC" }, random, wait),
  },
  {
    name: "stall syncs",
    weight: 1,
    strike: async (cluster, random, wait) => {
      const node = await leaderOf(cluster, random);
      const delayMs = Math.round(random.between(100, 1_500));
      await using _trace = await SystemCallTrace.attach(cluster, node, { call: "fdatasync", delayMs });
      await wait(random.between(500, MAX_PAUSE_MS));
    },
  },
];

/** The exit code of a node whose disk failed. */
const EXIT_IO = 6;

async function killAndRestart(
  cluster: TestCluster,
  ids: readonly number[],
  random: Random,
  wait: Wait,
): Promise<void> {
  await Promise.all(ids.map((id) => cluster.node(id).kill()));
  await wait(random.between(0, 2_000));
  await Promise.all(ids.map((id) => cluster.node(id).start()));
}

async function pause(cluster: TestCluster, id: number, random: Random, wait: Wait): Promise<void> {
  cluster.node(id).pause();
  await wait(random.between(100, MAX_PAUSE_MS));
  cluster.node(id).resume();
}

async function disturb(
  links: readonly { set(state: LinkState): void; open(): void }[],
  state: LinkState,
  random: Random,
  wait: Wait,
): Promise<void> {
  for (const link of links) link.set(state);
  await wait(random.between(300, 4_000));
  for (const link of links) link.open();
}

/** The node has to end by itself, with the right exit code; it is then started again. */
async function failDisk(
  cluster: TestCluster,
  fault: { readonly call: "fdatasync" | "write"; readonly error: "EIO" | "ENOSPC" },
  random: Random,
  wait: Wait,
): Promise<void> {
  const node = cluster.node(await leaderOf(cluster, random));
  const ended = node.ended();
  const when = 1 + random.below(50);
  const trace = await SystemCallTrace.attach(cluster, node.id, { ...fault, when });
  let code: number | undefined;
  void ended.then((endCode) => code = endCode);
  await Promise.race([ended, wait(3_000)]);
  await trace[Symbol.asyncDispose]();
  // It may have had too little to write to come across the fault.
  if (node.isRunning && code === undefined) return await killAndRestart(cluster, [node.id], random, wait);
  code ??= await ended;
  if (code !== EXIT_IO) cluster.surprises.push(`node ${node.id} ended with ${code} after ${fault.error}`);
  await wait(random.between(0, 1_000));
  await node.start();
}

function anyNode(cluster: TestCluster, random: Random): number {
  return random.pick(cluster.nodes).id;
}

/** The leader, or any node where none is known. */
async function leaderOf(cluster: TestCluster, random: Random): Promise<number> {
  const fallback = anyNode(cluster, random); // drawn in any case: the same draws follow
  return await cluster.leader() ?? fallback;
}
