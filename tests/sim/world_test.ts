/**
 * The simulated world: machines live and die as told, faults do what they say, and damage stays a minority's.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Settings } from "../../src/sim/settings.ts";
import { NO_FAULTS, settingsOf } from "../../src/sim/settings.ts";
import { CALM_NETWORK } from "../../src/sim/network.ts";
import { World } from "../../src/sim/world.ts";

function newWorld(override: Partial<Settings> = {}, seed = 1): World {
  const settings = settingsOf(seed, {
    nodes: 3,
    spares: 0,
    faults: NO_FAULTS,
    network: CALM_NETWORK,
    ...override,
  });
  const world = new World({ seed, settings, records: true });
  world.setRestarts(false);
  return world;
}

/** A world with a leader, and its id. */
function led(world: World): number {
  assert(world.advanceUntil(() => world.leader() !== 0, 20_000));
  world.advance(1_000);
  return world.leader();
}

Deno.test("World elects a leader and serves a client", () => {
  const world = newWorld();
  const client = world.addClient();
  let read: unknown;
  client.put("x", () => client.get("x", (answer) => read = answer), "1");
  assert(world.advanceUntil(() => read !== undefined, 20_000));
  const age = { appliedIndex: 2, isAgeKnown: true, ageMs: 0 };
  assertEquals(read, { type: "GetResponse", found: true, value: new Uint8Array([0x31]), ...age });
  assertEquals(client.counts.ok, 2);
  assertEquals(world.history.operations().map(({ kind, returnedAt }) => [kind, returnedAt !== undefined]), [
    ["put", true],
    ["get", true],
  ]);
});

Deno.test("World does the same for the same seed, event by event", () => {
  const hashes = [1, 1, 2].map((seed) => {
    const world = newWorld({}, seed);
    world.addClient().start();
    world.advance(5_000);
    return `${world.trace.hash} ${world.events}`;
  });
  assertEquals(hashes[0], hashes[1]);
  assertNotEquals(hashes[0], hashes[2]);
});

Deno.test("World.apply() partitions, bridges and heals", () => {
  const world = newWorld();
  world.apply({ kind: "partition", groups: [[1, 2], [2, 3]] });
  const { network } = world;
  assertEquals([network.isCut(1, 2), network.isCut(2, 3), network.isCut(1, 3), network.isCut(3, 1)], [
    false,
    false,
    true,
    true,
  ]);
  world.apply({ kind: "heal" });
  assertEquals(network.isCut(1, 3), false);
  assertEquals(world.faultCounts, { partition: 1, heal: 1 });
});

Deno.test("World.apply() kills, and the machine comes back by itself unless told otherwise", () => {
  const world = newWorld();
  world.apply({ kind: "kill", node: 2 });
  world.advance(5_000);
  assertEquals(world.machine(2).state, "down");
  world.setRestarts(true);
  world.advance(5_000);
  assertEquals(world.machine(2).state, "up");
});

Deno.test("World keeps what was synced through a power cut", () => {
  const world = newWorld();
  const leader = led(world);
  const before = world.machine(leader).view();
  world.apply({ kind: "powerCut", node: leader });
  assertEquals(world.machine(leader).view(), undefined);
  world.machine(leader).start();
  const after = world.machine(leader).view();
  assertEquals([after?.currentTerm, after?.lastLogIndex], [before?.currentTerm, before?.lastLogIndex]);
  assertEquals(after?.role, "follower");
});

Deno.test("World.apply() pauses: nothing is taken in until it is over, and then everything", () => {
  const world = newWorld();
  const leader = led(world);
  const follower = leader === 1 ? 2 : 1;
  const { intercept } = world;
  assertEquals(intercept, undefined);
  let answers = 0;
  world.intercept = ({ from }) => {
    if (from === follower) answers++;
    return false;
  };
  world.apply({ kind: "pause", node: follower, forMs: 1_000 });
  world.advance(999);
  assertEquals(answers, 0);
  world.advance(10);
  assert(answers > 1, `${answers} answers at once`);
});

Deno.test("World.apply() steps a clock without deposing a leader that is ahead", () => {
  const world = newWorld();
  const leader = led(world);
  world.apply({ kind: "clockStep", node: leader, byMs: -3_600_000 });
  world.advance(5_000);
  assertEquals(world.leader(), leader);
});

Deno.test("World.apply() damages a minority at most", () => {
  const world = newWorld({ nodes: 5 });
  led(world);
  for (const node of [1, 2, 3, 4, 5]) world.apply({ kind: "bitFlip", node });
  for (const node of [1, 2, 3, 4, 5]) world.apply({ kind: "wipe", node });
  assertEquals(world.undamaged, [3, 4, 5]);
  assertEquals(world.faultCounts, { bitFlip: 2 });
});

Deno.test("World.flipBit() in the middle of a log makes the node ask the others", () => {
  const world = newWorld();
  led(world);
  world.flipBit(3, (durableBytes) => Math.floor(durableBytes / 2));
  assertEquals(world.machine(3).state, "down");
  world.machine(3).start();
  assertEquals(world.machine(3).view()?.role, "rejoining");
  assertEquals(world.undamaged, [1, 2]);
  assert(world.advanceUntil(() => world.undamaged.length === 3, 10_000), "it finds its way back");
});

Deno.test("World.apply() wipes: the node remembers nothing until the others have told it", () => {
  const world = newWorld();
  world.apply({ kind: "wipe", node: 1 });
  world.machine(1).start();
  assertEquals(world.machine(1).view()?.role, "rejoining");
  assertEquals(world.undamaged, [2, 3]);
  assert(world.advanceUntil(() => world.undamaged.length === 3, 10_000), "it finds its way back");
});

Deno.test("World.healCore() starts the core whatever was wrong with it, and ends the others", () => {
  const world = newWorld();
  world.apply({ kind: "partition", groups: [[1], [2], [3]] });
  world.apply({ kind: "diskFull", node: 1, isFull: true });
  world.apply({ kind: "kill", node: 2 });
  world.advance(3_000);
  world.healCore([1, 2]);
  assertEquals(world.machines.map((machine) => machine.state), ["up", "up", "down"]);
  assert(world.advanceUntil(() => world.leader() !== 0, 10_000));
});

Deno.test("World.intercept takes a message out of the network, and can put it back", () => {
  const world = newWorld();
  const kept: (() => void)[] = [];
  world.intercept = ({ send }) => kept.push(send) > 0;
  world.advance(5_000);
  assertEquals(world.leader(), 0);
  assertEquals(world.network.counts.sent, 0);
  world.intercept = undefined;
  const count = kept.length;
  for (const send of kept) send();
  assertEquals(world.network.counts.sent, count);
  led(world);
});

Deno.test("World.machine() knows its nodes only", () => {
  assertThrows(() => newWorld().machine(4), RangeError, "node 4");
});
