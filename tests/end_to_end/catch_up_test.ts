/**
 * A follower that missed thousands of writes, and what two and one of three can do.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NoLeaderError } from "../../src/client/mod.ts";
import { withCluster } from "../chaos/cluster.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import type { Acknowledged } from "../chaos/stored_logs.ts";
import { eventually } from "../chaos/waiting.ts";
import { assertAllAgree, putNoted } from "./agreement.ts";

const WRITE_COUNT = 10_000;
const KEY_COUNT = 500;
const decoder = new TextDecoder();

testOnProcesses(`a follower that was down for ${WRITE_COUNT} writes catches up`, async () => {
  await withCluster({}, async (cluster) => {
    const leader = await cluster.waitForLeader();
    const [follower, other] = cluster.nodes.filter(({ id }) => id !== leader);
    assert(follower !== undefined && other !== undefined);
    await follower.kill();
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    // Two of three serve, all the way.
    await Promise.all(
      Array.from(
        { length: WRITE_COUNT },
        (_, count) => putNoted(client, acknowledged, `key-${count % KEY_COUNT}`, `${count}`),
      ),
    );
    assertEquals(acknowledged.length, WRITE_COUNT);
    assertEquals((await client.data()).length, KEY_COUNT);
    await follower.start();
    await cluster.waitForEqualApplied();
    // What it has caught up with it can serve from, once the node that never was down is dead.
    await other.kill();
    assertEquals((await client.data()).length, KEY_COUNT);
    await other.start();
    await assertAllAgree(cluster, acknowledged);
  });
});

testOnProcesses("one node of three refuses every request and says why", async () => {
  await withCluster({}, async (cluster) => {
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    await putNoted(client, acknowledged, "key", "value");
    const leader = await cluster.waitForLeader();
    // The leader stays: it is the one that could be tempted.
    const followers = cluster.nodes.filter(({ id }) => id !== leader);
    await Promise.all(followers.map((node) => node.kill()));
    // What is asked before it steps down has an unknown outcome; after that there is no leader.
    await eventually(
      "the leader to step down",
      10_000,
      async () => (await cluster.status(leader))?.role !== "leader",
    );
    using lonely = cluster.client({ timeoutMs: 1_000 });
    const refusals = await Promise.all([
      assertRejects(() => lonely.put("key", "lost"), NoLeaderError, "no leader after 1 s"),
      assertRejects(() => lonely.get("key"), NoLeaderError),
      assertRejects(() => lonely.delete("key"), NoLeaderError),
      assertRejects(() => lonely.data(), NoLeaderError),
    ]);
    for (const { exitCode, message } of refusals) {
      assertEquals(exitCode, 8);
      assert(!message.includes("\n"), message);
    }
    assertEquals((await cluster.status(leader))?.role === "leader", false);
    await Promise.all(followers.map((node) => node.start()));
    assertEquals(decoder.decode(await client.get("key")), "value");
    await assertAllAgree(cluster, acknowledged);
  });
});
