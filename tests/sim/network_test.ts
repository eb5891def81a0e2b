/**
 * The simulated network: what it loses, repeats, delays, cuts and clogs, and that its counts say so.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { EventQueue } from "../../src/sim/event_queue.ts";
import { CALM_NETWORK, Network, type NetworkDials } from "../../src/sim/network.ts";
import { Random } from "../../src/sim/random.ts";

interface Setting {
  readonly queue: EventQueue;
  readonly network: Network;
  /** What arrived, with its time. */
  readonly arrived: { readonly what: number; readonly atMs: number }[];
  readonly lost: string[];
  send(what: number, from?: number, to?: number): void;
  run(forMs?: number): void;
}

function setUp(dials: Partial<NetworkDials> = {}, seed = 1): Setting {
  const queue = new EventQueue();
  const network = new Network(queue, new Random(seed, "network"), { ...CALM_NETWORK, ...dials });
  const arrived: { what: number; atMs: number }[] = [];
  const lost: string[] = [];
  return {
    queue,
    network,
    arrived,
    lost,
    send: (what, from = 1, to = 2) =>
      network.send(
        from,
        to,
        queue.nowMs,
        () => arrived.push({ what, atMs: queue.nowMs }),
        (why) => lost.push(why),
      ),
    run: (forMs = 10_000) => {
      const untilMs = queue.nowMs + forMs;
      while (queue.runNext(untilMs));
    },
  };
}

function sendMany(setting: Setting, count: number): void {
  for (let i = 0; i < count; i++) setting.send(i);
  setting.run();
}

Deno.test("Network delivers each message once, after the least delay", () => {
  const setting = setUp();
  sendMany(setting, 1_000);
  assertEquals(new Set(setting.arrived.map(({ what }) => what)).size, 1_000);
  assertEquals(setting.arrived.length, 1_000);
  assert(setting.arrived.every(({ atMs }) => atMs >= CALM_NETWORK.minDelayMs));
  assertEquals(setting.network.counts.sent, 1_000);
  assertEquals(setting.network.counts.delivered, 1_000);
});

Deno.test("Network.send() delays by the mean that was set", () => {
  const setting = setUp({ minDelayMs: 1, meanDelayMs: 4 });
  sendMany(setting, 10_000);
  const mean = setting.arrived.reduce((sum, { atMs }) => sum + atMs, 0) / setting.arrived.length;
  assert(Math.abs(mean - 5) < 0.2, `${mean} ms`);
});

Deno.test("Network.send() keeps the order when all delays are equal", () => {
  const setting = setUp({ meanDelayMs: 0 });
  sendMany(setting, 100);
  assertEquals(setting.arrived.map(({ what }) => what), Array.from({ length: 100 }, (_, i) => i));
});

Deno.test("Network.send() loses the share that was set, and says so", () => {
  const setting = setUp({ loss: 0.25 });
  sendMany(setting, 10_000);
  const { lost, delivered } = setting.network.counts;
  assert(lost > 2_300 && lost < 2_700, `${lost} lost`);
  assertEquals(lost + delivered, 10_000);
  assertEquals(setting.lost.length, lost);
  assertEquals(setting.arrived.length, delivered);
});

Deno.test("Network.send() delivers the share that was set a second time, later", () => {
  const setting = setUp({ duplicate: 0.25, replayUpToMs: 1_000 });
  sendMany(setting, 10_000);
  const { duplicated, delivered } = setting.network.counts;
  assert(duplicated > 2_300 && duplicated < 2_700, `${duplicated} duplicated`);
  assertEquals(delivered, 10_000 + duplicated);
  assert(setting.arrived.some(({ atMs }) => atMs > 900));
});

Deno.test("Network.send() may deliver a message that was lost the first time: its repetition", () => {
  const setting = setUp({ loss: 1, duplicate: 1, replayUpToMs: 10 });
  sendMany(setting, 10);
  assertEquals(setting.network.counts.lost, 10);
  assertEquals(setting.arrived.length, 10);
});

Deno.test("Network.send() lets some messages be overtaken", () => {
  const setting = setUp({ straggle: 0.2, straggleUpToMs: 100 });
  sendMany(setting, 1_000);
  const order = setting.arrived.map(({ what }) => what);
  assert(order.some((what, i) => what < (order[i - 1] ?? 0)));
  const { straggled } = setting.network.counts;
  assert(straggled > 150 && straggled < 250, `${straggled} straggled`);
});

Deno.test("Network.cut() stops one direction, and mend() opens it again", () => {
  const setting = setUp();
  setting.network.cut(1, 2);
  setting.send(0, 1, 2);
  setting.send(1, 2, 1);
  setting.run();
  assertEquals(setting.arrived.map(({ what }) => what), [1]);
  assertEquals([setting.network.counts.cut, setting.lost], [1, ["cut"]]);
  setting.network.mend(1, 2);
  setting.send(2, 1, 2);
  setting.run();
  assertEquals(setting.arrived.map(({ what }) => what), [1, 2]);
});

Deno.test("Network.cut() takes what is under way as well, and lets through what arrives after heal()", () => {
  const setting = setUp({ minDelayMs: 10, meanDelayMs: 0 });
  setting.send(0);
  setting.run(5);
  setting.network.cut(1, 2);
  setting.run(10);
  assertEquals(setting.arrived, []);
  setting.send(1);
  setting.run(5);
  setting.network.heal();
  setting.run(10);
  assertEquals(setting.arrived.map(({ what }) => what), [1]);
});

Deno.test("Network.clog() holds back what is sent until its time, in one direction, and loses nothing", () => {
  const setting = setUp();
  setting.network.clog(1, 2, 500);
  setting.send(0, 1, 2);
  setting.send(1, 2, 1);
  setting.run();
  assertEquals(setting.arrived.map(({ what }) => what), [1, 0]);
  assert((setting.arrived[0]?.atMs ?? 0) < 100);
  assert((setting.arrived[1]?.atMs ?? 0) >= 500);
  assertEquals(setting.network.counts.clogged, 1);
  // The clog has passed: nothing ends it, and nothing is held any more.
  setting.send(2, 1, 2);
  const beforeMs = setting.queue.nowMs;
  setting.run(100);
  assert((setting.arrived[2]?.atMs ?? Infinity) < beforeMs + 100);
});

Deno.test("Network does the same for the same seed, and something else for another", () => {
  const dials = { loss: 0.1, duplicate: 0.1, replayUpToMs: 10, straggle: 0.1, straggleUpToMs: 10 };
  const arrivals = [1, 1, 2].map((seed) => {
    const setting = setUp(dials, seed);
    sendMany(setting, 200);
    return JSON.stringify(setting.arrived);
  });
  assertEquals(arrivals[0], arrivals[1]);
  assert(arrivals[0] !== arrivals[2]);
});
