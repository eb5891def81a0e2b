/**
 * Every node is stopped and started again, one after the other, while clients write.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import { restartAll } from "../../bench/rolling_restart.ts";
import { SteadyWriters } from "../../bench/transfer.ts";
import { withCluster } from "../chaos/cluster.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import { sleep } from "../chaos/waiting.ts";
import { assertAllAgree } from "./agreement.ts";

const WRITERS = 4;
const LIMIT_MS = 1_000;
const BEFORE_AND_AFTER_MS = 500;

testOnProcesses(
  `a rolling restart of all nodes fails no write, and none takes more than ${LIMIT_MS} ms`,
  async () => {
    await withCluster({}, async (cluster) => {
      const firstLeader = await cluster.waitForLeader();
      await using writers = new SteadyWriters(cluster, WRITERS);
      await sleep(BEFORE_AND_AFTER_MS);
      assertEquals(await restartAll(cluster), [0, 0, 0]);
      await sleep(BEFORE_AND_AFTER_MS);
      await writers.stop();
      const slowestMs = writers.slowestMs();
      console.log(
        `${writers.acknowledged.length} writes, the slowest ${
          Math.round(slowestMs)
        } ms; node ${firstLeader} led first`,
      );
      assertEquals(writers.failures, []);
      assertLess(slowestMs, LIMIT_MS);
      await assertAllAgree(cluster, writers.acknowledged);
    });
  },
);
