/**
 * The leader dies, again and again, under a client that goes on as if nothing had happened.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { withCluster } from "../chaos/cluster.ts";
import { countFromEnvironment, testOnProcesses } from "../chaos/registration.ts";
import type { Acknowledged } from "../chaos/stored_logs.ts";
import { assertAllAgree, putNoted } from "./agreement.ts";

const ROUNDS = await countFromEnvironment("DRAFTY_ROUNDS", 3);
const decoder = new TextDecoder();

testOnProcesses(`a client loses no write in ${ROUNDS} rounds of kill -9 for the leader`, async () => {
  await withCluster({}, async (cluster) => {
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      await putNoted(client, acknowledged, `before-${round}`, `value ${round}`);
      const leader = cluster.node(await cluster.waitForLeader());
      await leader.kill();
      await putNoted(client, acknowledged, `after-${round}`, `value ${round}`);
      await putNoted(client, acknowledged, "last round", `${round}`);
      await leader.start();
    }
    const pairs = new Map((await client.data()).map(({ key, value }) => [
      decoder.decode(key),
      decoder.decode(value),
    ]));
    assertEquals(pairs.size, ROUNDS * 2 + 1);
    assertEquals(pairs.get("last round"), `${ROUNDS}`);
    await assertAllAgree(cluster, acknowledged);
  });
});

testOnProcesses("put() under the same client id is applied once, with a failover in between", async () => {
  await withCluster({}, async (cluster) => {
    const clientId = crypto.getRandomValues(new Uint8Array(16));
    const firstIndex = await putAs(clientId, "first");
    using other = cluster.client();
    const { index: laterIndex } = await other.put("key", "later");
    const leader = cluster.node(await cluster.waitForLeader());
    await leader.kill();
    // The first write of a client with this id: the same request once more, to another leader.
    assertEquals(await putAs(clientId, "first"), firstIndex);
    assertEquals(decoder.decode(await other.get("key")), "later");
    // Nor does the node that was dead apply it again as it catches up.
    await leader.start();
    await cluster.waitForEqualApplied();
    assertEquals(decoder.decode(await other.get("key")), "later");
    assertGreater(laterIndex, firstIndex);
    await assertAllAgree(cluster, [{ kind: "put", key: "key", value: "later", index: laterIndex }]);

    async function putAs(id: Uint8Array, value: string): Promise<number> {
      using client = cluster.client({ clientId: id });
      return (await client.put("key", value)).index;
    }
  });
});
