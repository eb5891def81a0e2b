/**
 * Who serves reads, and how current they are.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DraftyClient } from "../../src/client/mod.ts";
import { withCluster } from "../chaos/cluster.ts";
import { testOnProcesses } from "../chaos/registration.ts";

const decoder = new TextDecoder();

testOnProcesses(
  "each node serves reads with readFrom any, and they see every write before them",
  async () => {
    await withCluster({}, async (cluster) => {
      await cluster.waitForLeader();
      using writer = cluster.client();
      const readers = cluster.nodes.map(({ address: { host, clientPort } }) =>
        new DraftyClient({ servers: [{ host, port: clientPort }], readFrom: "any" })
      );
      for (let i = 0; i < 20; i++) {
        await writer.put("key", `${i}`);
        const seen = await Promise.all(readers.map((reader) => reader.get("key")));
        assertEquals(seen.map((value) => decoder.decode(value)), Array(readers.length).fill(`${i}`));
      }
      for (const reader of readers) reader.close();
    });
  },
);

testOnProcesses("a follower that is cut off serves stale reads only, and says how old they are", async () => {
  await withCluster({}, async (cluster) => {
    const leader = await cluster.waitForLeader();
    using writer = cluster.client();
    await writer.put("key", "old");
    await cluster.waitForEqualApplied();
    const [follower, ...others] = cluster.nodes.filter(({ id }) => id !== leader);
    assert(follower !== undefined);
    const { host, clientPort } = follower.address;
    using reader = new DraftyClient({
      servers: [{ host, port: clientPort }],
      readFrom: "any",
      timeoutMs: 1_000,
    });
    const fresh = await reader.getStale("key");
    assertEquals(decoder.decode(fresh.value), "old");
    assert(fresh.ageMs !== undefined && fresh.ageMs < 500, `${fresh.ageMs}`);
    const alive = cluster.nodes.find(({ id }) => id === leader);
    await Promise.all([...others, ...(alive === undefined ? [] : [alive])].map((node) => node.kill()));
    await assertRejects(() => reader.get("key"));
    const stale = await reader.getStale("key");
    assertEquals(decoder.decode(stale.value), "old");
    assert(stale.ageMs !== undefined && stale.ageMs >= 900, `${stale.ageMs}`);
  });
});
