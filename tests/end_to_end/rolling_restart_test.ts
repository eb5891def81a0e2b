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
const PROBE_EVERY_MS = 10;
/** What a sync and a timer may take on a machine that is free. */
const USUAL_MS = 50;

testOnProcesses(
  `a rolling restart of all nodes fails no write, and none takes more than ${LIMIT_MS} ms`,
  async () => {
    await withCluster({}, async (cluster) => {
      const firstLeader = await cluster.waitForLeader();
      await using stalls = new MachineStalls(`${cluster.directory}/probe`);
      await using writers = new SteadyWriters(cluster, WRITERS);
      await sleep(BEFORE_AND_AFTER_MS);
      assertEquals(await restartAll(cluster), [0, 0, 0]);
      await sleep(BEFORE_AND_AFTER_MS);
      await writers.stop();
      const slowestMs = writers.slowestMs();
      console.log(
        `${writers.acknowledged.length} writes, the slowest ${Math.round(slowestMs)} ms; ` +
          `node ${firstLeader} led first; the machine stood still for ${Math.round(stalls.totalMs)} ms`,
      );
      assertEquals(writers.failures, []);
      assertLess(slowestMs, LIMIT_MS + stalls.totalMs);
      await assertAllAgree(cluster, writers.acknowledged);
    });
  },
);

/**
 * How long the machine made everybody wait, whatever they did: a disk that takes no sync for a while stops all nodes at
 * once, and so does a processor that others use. On a machine that is free it is 0, and the limit is what it says.
 */
class MachineStalls implements AsyncDisposable {
  totalMs = 0;
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(path: string) {
    this.#done = this.#watch(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #watch(path: string): Promise<void> {
    using file = await Deno.open(path, { write: true, create: true, append: true });
    const bytes = new Uint8Array(256);
    while (!this.#isStopped) {
      const beganMs = performance.now();
      await file.write(bytes);
      await file.syncData();
      await sleep(PROBE_EVERY_MS);
      const tookMs = performance.now() - beganMs - PROBE_EVERY_MS;
      if (tookMs > USUAL_MS) this.totalMs += tookMs;
    }
  }
}
