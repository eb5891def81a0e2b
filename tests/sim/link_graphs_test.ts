/**
 * Liveness under partial partitions, for every graph of links that three or five nodes can have: as long as some
 * majority can talk to each other, at most one change of leader, and no more than two seconds without a write.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { CALM_NETWORK } from "../../src/sim/network.ts";
import { NO_FAULTS, settingsOf } from "../../src/sim/settings.ts";
import { World } from "../../src/sim/world.ts";

/** The settings that a node has by default. */
const TIMES = { heartbeatMs: 30, electionTimeoutMs: { min: 180, max: 360 } };
const WATCHED_MS = 4_000;
const MAX_GAP_MS = 2_000;

type Link = readonly [number, number];

function linksOf(nodes: number): Link[] {
  const links: Link[] = [];
  for (let a = 1; a <= nodes; a++) for (let b = a + 1; b <= nodes; b++) links.push([a, b]);
  return links;
}

/** Whether some majority of the nodes are all linked with each other. */
function hasMajority(nodes: number, present: readonly Link[]): boolean {
  const linked = (a: number, b: number) =>
    present.some(([x, y]) => (x === a && y === b) || (x === b && y === a));
  for (let set = 0; set < 2 ** nodes; set++) {
    const members = Array.from({ length: nodes }, (_, i) => i + 1).filter((node) => (set >> (node - 1)) & 1);
    if (members.length <= nodes / 2) continue;
    if (members.every((a) => members.every((b) => a >= b || linked(a, b)))) return true;
  }
  return false;
}

interface Outcome {
  readonly changes: number;
  readonly longestGapMs: number;
}

/** Node 1 leads; then only the links of `graph` are left, and a client that reaches every node goes on writing. */
function watch(nodes: number, graph: number, links: readonly Link[]): Outcome {
  const settings = settingsOf(graph, {
    ...TIMES,
    nodes,
    spares: 0,
    clients: 0,
    keys: 1,
    faults: NO_FAULTS,
    network: { ...CALM_NETWORK, loss: 0, duplicate: 0, straggle: 0 },
    isNewCluster: true,
    shortWrite: 0,
  });
  const world = new World({ seed: graph, settings });
  world.setRestarts(false);
  // Whichever leads at first: by the symmetry of the graphs it is node 1 once in so many.
  world.advanceUntil(() => world.leader() !== 0, 10_000);
  world.advance(500);
  const client = world.addClient();
  let acknowledgedMs = world.queue.nowMs;
  let longestGapMs = 0;
  const write = () =>
    client.put("x", (outcome) => {
      if (outcome !== "unknown") {
        longestGapMs = Math.max(longestGapMs, world.queue.nowMs - acknowledgedMs);
        acknowledgedMs = world.queue.nowMs;
      }
      world.queue.after(10, write);
    });
  write();
  world.advance(200);
  let changes = 0;
  let leader = world.leader();
  for (const [bit, [a, b]] of links.entries()) {
    if ((graph >> bit) & 1) continue;
    world.network.cut(a, b);
    world.network.cut(b, a);
  }
  const untilMs = world.queue.nowMs + WATCHED_MS;
  while (world.queue.nowMs < untilMs) {
    world.advance(5);
    const now = world.leader();
    if (now !== 0 && now !== leader) {
      changes++;
      leader = now;
    }
  }
  return { changes, longestGapMs: Math.max(longestGapMs, world.queue.nowMs - acknowledgedMs) };
}

for (const nodes of [3, 5]) {
  Deno.test(`all link graphs of ${nodes} nodes: one change of leader at most, and no gap over two seconds`, () => {
    const links = linksOf(nodes);
    const wrong: string[] = [];
    let watched = 0;
    for (let graph = 0; graph < 2 ** links.length; graph++) {
      const present = links.filter((_, bit) => (graph >> bit) & 1);
      if (!hasMajority(nodes, present)) continue;
      watched++;
      const { changes, longestGapMs } = watch(nodes, graph, links);
      if (changes <= 1 && longestGapMs <= MAX_GAP_MS) continue;
      const shown = present.map(([a, b]) => `${a}-${b}`).join(" ");
      wrong.push(`graph ${graph} (${shown}): ${changes} changes, gap ${Math.round(longestGapMs)} ms`);
    }
    assertEquals(wrong, [], `of ${watched} graphs`);
  });
}
