/**
 * All nodes die at the same moment, in the middle of writes.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { ClientError } from "../../src/client/mod.ts";
import { type TestCluster, withCluster } from "../chaos/cluster.ts";
import { countFromEnvironment, testOnProcesses } from "../chaos/registration.ts";
import type { Acknowledged } from "../chaos/stored_logs.ts";
import { sleep } from "../chaos/waiting.ts";
import { assertAllAgree, putNoted } from "./agreement.ts";

const ROUNDS = await countFromEnvironment("DRAFTY_ROUNDS", 2);
const WRITER_COUNT = 16;
const WRITING_MS = 400;
const decoder = new TextDecoder();

testOnProcesses(
  `nothing acknowledged is lost when all nodes are killed at once, ${ROUNDS} times`,
  async () => {
    await withCluster({}, async (cluster) => {
      const acknowledged: Acknowledged[] = [];
      for (let round = 1; round <= ROUNDS; round++) {
        await cluster.waitForLeader();
        const inRound = await killAllAmidWrites(cluster, round);
        assertGreater(inRound.length, 0);
        acknowledged.push(...inRound);
        await cluster.startAll();
        using client = cluster.client();
        const pairs = new Map((await client.data()).map(({ key, value }) => [decoder.decode(key), value]));
        const missing = acknowledged.filter(({ key, value }) => {
          const stored = pairs.get(key);
          return stored === undefined || decoder.decode(stored) !== value;
        });
        assertEquals(missing, []);
      }
      await assertAllAgree(cluster, acknowledged);
    });
  },
);

/** Resolves to what was acknowledged before the lights went out. */
async function killAllAmidWrites(cluster: TestCluster, round: number): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  using client = cluster.client({ timeoutMs: 1_000 });
  const writers = Array.from({ length: WRITER_COUNT }, async (_, writer) => {
    try {
      for (let count = 1;; count++) {
        await putNoted(client, acknowledged, `${round}-${writer}-${count}`, `${count}`);
      }
    } catch (error) {
      if (!(error instanceof ClientError)) throw error; // the nodes are dead
    }
  });
  await sleep(WRITING_MS);
  await cluster.killAll();
  client.close();
  await Promise.all(writers);
  return acknowledged;
}
