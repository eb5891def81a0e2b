/**
 * Real nodes that come, go, move and are replaced, while clients write.
 *
 * @module
 */
import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { SteadyWriters } from "../../bench/transfer.ts";
import type { DraftyClient } from "../../src/client/mod.ts";
import type { NodeAddress } from "../../src/config/mod.ts";
import { type TestCluster, withCluster } from "../chaos/cluster.ts";
import { type ProcessEnd, runDrafty } from "../chaos/node_process.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import { eventually, sleep } from "../chaos/waiting.ts";
import { assertAllAgree } from "./agreement.ts";

const WRITERS = 4;
/** The time that clients may be without a leader, on a machine that is busy with other things. */
const FAILOVER_GAP_MS = 2_000;
/** To end a test that will not succeed. */
const LIMIT_MS = 20_000;
const PARTITION_MS = 2_000;
const EXIT_IDENTITY = 7;
const REMOVED = /^drafty: node \d ends: node \d was removed from the cluster by entry \d+/m;
const decoder = new TextDecoder();

testOnProcesses("3 members become 5 and 3 again under load: no write fails or waits for long", async () => {
  await withCluster({}, async (cluster) => {
    using operator = cluster.client();
    await using writers = await writersOf(cluster);
    for (const id of [4, 5]) await join(cluster, operator, id);
    assertEquals(await membersOf(cluster), { 1: "voter", 2: "voter", 3: "voter", 4: "voter", 5: "voter" });
    // The leader goes, and another of those of the beginning.
    const leader = await cluster.waitForLeader();
    const other = [1, 2, 3].find((id) => id !== leader) ?? 0;
    assertEquals(await remove(cluster, operator, leader), EXIT_IDENTITY);
    assertEquals(await remove(cluster, operator, other), EXIT_IDENTITY);
    const stayed = cluster.nodes.map(({ id }) => id);
    assertEquals(await membersOf(cluster), Object.fromEntries(stayed.map((id) => [id, "voter"])));
    await assertNoWriteSuffered(cluster, writers);
    // They bear the loss of one, as three do.
    using later = cluster.client();
    await cluster.node(await cluster.waitForLeader()).kill();
    await later.put("after", "all");
    await cluster.startAll();
    await assertAllAgree(cluster, writers.acknowledged);
  });
});

testOnProcesses("a node whose disk was replaced takes part again, and has everything", async () => {
  await withCluster({}, async (cluster) => {
    await using writers = await writersOf(cluster);
    const id = await someFollower(cluster);
    await cluster.node(id).kill();
    wipe(cluster, id);
    await cluster.node(id).start();
    await cluster.waitUntilFollows(id);
    await assertNoWriteSuffered(cluster, writers);
    // It is needed now, for the majority and for what it has.
    const lost = [1, 2, 3].find((other) => other !== id) ?? 0;
    await cluster.node(lost).kill();
    using client = cluster.client();
    await client.put("after", "all");
    await cluster.node(lost).start();
    await assertAllAgree(cluster, writers.acknowledged);
  });
});

testOnProcesses(
  "a node whose disk was replaced while another is down waits; registered again, it takes part",
  async () => {
    await withCluster({ nodeCount: 5 }, async (cluster) => {
      using operator = cluster.client();
      await using writers = await writersOf(cluster);
      const leader = await cluster.waitForLeader();
      const [id = 0, down = 0] = [1, 2, 3, 4, 5].filter((node) => node !== leader);
      const node = cluster.node(id);
      await cluster.node(down).kill();
      await node.kill();
      wipe(cluster, id);
      await node.start();
      await sleep(1_000);
      assertEquals((await cluster.status(id))?.role, "rejoining");
      await node.kill();
      await operator.deregister(id);
      await operator.register(id, node.address);
      wipe(cluster, id);
      await cluster.place(node.address, ["--join", clientAddressOf(cluster, leader)]).start();
      await untilVoter(cluster, operator, id);
      await cluster.waitUntilFollows(id);
      await assertNoWriteSuffered(cluster, writers);
      // Three of five run without it: with one less it is needed.
      const lost = cluster.nodes.find((other) => ![id, down, leader].includes(other.id));
      await lost?.kill();
      await operator.put("after", "all");
      await cluster.startAll();
      await assertAllAgree(cluster, writers.acknowledged);
    });
  },
);

testOnProcesses(
  "a follower, and a leader, that are started elsewhere and moved are found there",
  async () => {
    await withCluster({}, async (cluster) => {
      await using writers = await writersOf(cluster);
      const leader = await cluster.waitForLeader();
      const follower = await someFollower(cluster);
      for (const id of [follower, leader]) {
        await cluster.node(id).terminate();
        const address = cluster.freshAddress(id);
        const [here, before] = [placeOf(address), placeOf(cluster.node(id).address)];
        await cluster.place(address, ["--listen", here]).start();
        await eventually(
          `node ${id} to say where the cluster looks for it`,
          LIMIT_MS,
          () =>
            cluster.node(id).countLogged(
              new RegExp(`listens at ${here}, and the cluster knows it at ${before}`),
            ) > 0,
        );
        // Not of itself: where it is now, it hears from nobody.
        const asked = await cluster.waitForLeader();
        const { code, output } = await drafty(cluster, asked, "move", `${id}`, here);
        assertEquals(code, 0, output);
        assertMatch(output, new RegExp(`${address.peerPort}.*${address.clientPort}`));
        await cluster.waitUntilFollows(id);
      }
      // It leads at its new address, and is followed there.
      using operator = cluster.client();
      assertEquals(await operator.transfer(leader), { leader });
      await cluster.waitUntilFollows(follower);
      await assertNoWriteSuffered(cluster, writers);
      // From now on the log says where they are; a start without --listen would go by the file.
      await cluster.killAll();
      await cluster.startAll();
      await assertAllAgree(cluster, writers.acknowledged);
    });
  },
);

testOnProcesses(
  "a node that missed its own move is found by one that has it in its log, when the third stays down",
  async () => {
    await withCluster({}, async (cluster) => {
      using operator = cluster.client();
      // Some configuration with an index, and a snapshot of node 3 that has it.
      await operator.put("key", "before");
      await operator.register(4, cluster.freshAddress(4));
      await operator.deregister(4);
      await cluster.waitForEqualApplied();
      using third = cluster.client({ servers: cluster.servers.slice(2) });
      await third.snapshot();
      await cluster.node(3).terminate();
      const address = cluster.freshAddress(3);
      await operator.move(3, address);
      await operator.put("key", "after");
      await Promise.all([1, 2].map((id) => cluster.waitUntilFollows(id)));
      await cluster.terminateAll();
      await cluster.node(1).start();
      await cluster.place(address, ["--listen", placeOf(address)]).start();
      assertEquals(decoder.decode(await operator.get("key")), "after");
    });
  },
);

testOnProcesses(`a follower that was paused for ${PARTITION_MS} ms causes no election`, () =>
  withoutElection(
    false,
    (cluster, id) => cluster.node(id).pause(),
    (cluster, id) => cluster.node(id).resume(),
  ));

testOnProcesses(
  `a follower that was cut off for ${PARTITION_MS} ms causes no election`,
  () =>
    withoutElection(
      true,
      (cluster, id) => linksOf(cluster, id).forEach((link) => link.set({ kind: "cut" })),
      (cluster, id) => linksOf(cluster, id).forEach((link) => link.open()),
    ),
);

testOnProcesses(
  "--join works before and after registering, and a removed node says so at its start",
  async () => {
    await withCluster({}, async (cluster) => {
      using operator = cluster.client();
      await operator.put("key", "value");
      const leader = await cluster.waitForLeader();
      const early = cluster.place(cluster.freshAddress(4), ["--join", clientAddressOf(cluster, leader)]);
      const started = early.start();
      const waits =
        /^node 4 is not a member yet \(the members are 1, 2, 3\).*client --server .* register 4 HOST:PEER:CLIENT$/;
      await eventually("node 4 to say that it waits", LIMIT_MS, () => early.countLogged(waits) > 0);
      const registered = await drafty(cluster, leader, "register", "4", placeOf(early.address));
      assertEquals(registered.code, 0, registered.output);
      assertMatch(registered.output, /node 4 is a learner now/);
      await started;
      await untilVoter(cluster, operator, 4);
      // The second one later, and through a follower.
      await operator.register(
        5,
        cluster.place(cluster.freshAddress(5), [
          "--join",
          clientAddressOf(cluster, await someFollower(cluster)),
        ]).address,
      );
      await cluster.node(5).start();
      await untilVoter(cluster, operator, 5);
      // One is removed while it runs, the other while it does not.
      await cluster.node(5).kill();
      assertEquals((await drafty(cluster, leader, "deregister", "5")).code, 0);
      assertEquals(await deregister(cluster, operator, 4), EXIT_IDENTITY);
      for (const id of [4, 5]) {
        const { code, output } = await restarted(cluster, id);
        assertMatch(output, REMOVED);
        assertMatch(output, new RegExp(`to bring it back, register it again: drafty client register ${id} `));
        assertEquals(code, EXIT_IDENTITY);
        cluster.takeOut(id);
      }
      await assertAllAgree(cluster, []);
    });
  },
);

// ------------------------------------------------------------------------------------------ the steps

/** A follower is away for a while; all terms are afterwards what they were before. */
async function withoutElection(
  hasLinks: boolean,
  partition: (cluster: TestCluster, id: number) => void,
  heal: (cluster: TestCluster, id: number) => void,
): Promise<void> {
  await withCluster({ hasLinks }, async (cluster) => {
    await using writers = await writersOf(cluster);
    const id = await someFollower(cluster);
    await cluster.waitUntilFollows(id);
    const before = await leadersOf(cluster);
    partition(cluster, id);
    await sleep(PARTITION_MS);
    heal(cluster, id);
    await cluster.waitUntilFollows(id);
    await sleep(500);
    assertEquals(await leadersOf(cluster), before);
    await assertNoWriteSuffered(cluster, writers);
    await assertAllAgree(cluster, writers.acknowledged);
  });
}

/** Each node's term, and who leads it. */
async function leadersOf(cluster: TestCluster): Promise<{ node: number; term: number; leader: number }[]> {
  return (await cluster.statuses()).map(({ node, term, leader }) => ({ node, term, leader }));
}

/** Clients that write. Not before there is a leader: the first election is not what they are here to notice. */
async function writersOf(cluster: TestCluster): Promise<SteadyWriters> {
  await cluster.waitForLeader();
  return new SteadyWriters(cluster, WRITERS);
}

/** Registers a node, starts it, and waits until it votes. */
async function join(cluster: TestCluster, operator: DraftyClient, id: number): Promise<void> {
  const through = cluster.nodes[0]?.id ?? 0;
  const node = cluster.place(cluster.freshAddress(id), ["--join", clientAddressOf(cluster, through)]);
  await operator.register(id, node.address);
  await node.start();
  await untilVoter(cluster, operator, id);
}

/** Removes a member that runs, for good. Resolves to its exit code. */
async function remove(cluster: TestCluster, operator: DraftyClient, id: number): Promise<number> {
  const code = await deregister(cluster, operator, id);
  cluster.takeOut(id);
  return code;
}

async function deregister(cluster: TestCluster, operator: DraftyClient, id: number): Promise<number> {
  const node = cluster.node(id);
  const code = node.ended();
  await operator.deregister(id);
  await eventually(`node ${id} to end`, LIMIT_MS, () => !node.isRunning);
  const endCode = await code;
  assertEquals(node.countLogged(REMOVED), 1);
  return endCode;
}

async function untilVoter(cluster: TestCluster, operator: DraftyClient, id: number): Promise<void> {
  await eventually(`node ${id} to become a voter`, LIMIT_MS, async () => {
    if (!cluster.node(id).isRunning) throw new Error(`node ${id} does not run`);
    return (await operator.members()).members.find((member) => member.id === id)?.role === "voter";
  });
}

/** Starts a node that is to end by itself. */
async function restarted(cluster: TestCluster, id: number): Promise<ProcessEnd> {
  const args = ["--node", `${id}`, "--config", `${cluster.directory}/node-${id}.toml`];
  return await runDrafty([...args, "--data", cluster.dataDirectory], LIMIT_MS);
}

/** `drafty client WORDS`, asking node `id` first. */
async function drafty(cluster: TestCluster, id: number, ...words: string[]): Promise<ProcessEnd> {
  return await runDrafty(["client", ...words, "--server", clientAddressOf(cluster, id)]);
}

/** The roles of the members, as the command tells programs. */
async function membersOf(cluster: TestCluster): Promise<Record<string, string>> {
  const { code, output } = await drafty(cluster, cluster.nodes[0]?.id ?? 0, "members", "--json");
  assertEquals(code, 0, output);
  const line = output.split("\n").find((line) => line.startsWith("[")) ?? "";
  const members: { readonly id: number; readonly role: string }[] = JSON.parse(line);
  return Object.fromEntries(members.map(({ id, role }) => [id, role]));
}

/** A node that is not the leader. */
async function someFollower(cluster: TestCluster): Promise<number> {
  const leader = await cluster.waitForLeader();
  return cluster.nodes.find(({ id }) => id !== leader)?.id ?? 0;
}

/** The longest wait is printed. Ends with what was acknowledged last under each key. */
async function assertNoWriteSuffered(cluster: TestCluster, writers: SteadyWriters): Promise<void> {
  await sleep(300); // what is still to be disturbed by the last step
  await writers.stop();
  const slowestMs = writers.slowestMs();
  console.log(`${writers.acknowledged.length} writes, the slowest ${Math.round(slowestMs)} ms`);
  assertEquals(writers.failures, []);
  assertLess(slowestMs, FAILOVER_GAP_MS);
  using client = cluster.client();
  const pairs = await client.data();
  const stored = new Map(pairs.map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]));
  for (const [key, value] of writers.lastValues()) assertEquals(stored.get(key), value, key);
}

function linksOf(cluster: TestCluster, id: number): TestCluster["links"] {
  return cluster.links.filter(({ from, to }) => from === id || to === id);
}

function wipe(cluster: TestCluster, id: number): void {
  Deno.removeSync(`${cluster.dataDirectory}/${id}`, { recursive: true });
}

function clientAddressOf(cluster: TestCluster, id: number): string {
  const { host, clientPort } = cluster.node(id).address;
  return `${host}:${clientPort}`;
}

function placeOf({ host, peerPort, clientPort }: NodeAddress): string {
  return `${host}:${peerPort}:${clientPort}`;
}
