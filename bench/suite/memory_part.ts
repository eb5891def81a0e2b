/**
 * The memory of the leader: of an idle one, after a load, and at its end with many keys.
 *
 * @module
 */
import type { TestCluster } from "../../tests/chaos/cluster.ts";
import { memoryBytes } from "../recovery_cluster.ts";
import { loadCluster, preloadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, loadName } from "./figures.ts";

const INFLIGHT = 256;

/** The resident memory of whichever node leads. */
export async function leaderMemoryBytes(cluster: TestCluster): Promise<number> {
  return memoryBytes(cluster, await cluster.waitForLeader());
}

export async function measureMemory({ seconds, entries, say }: Context): Promise<Figure[]> {
  return await withCluster(async (cluster) => {
    const figures: Figure[] = [];
    const note = async (when: string) => {
      figures.push({
        name: `resident memory of the leader, ${when}`,
        value: await leaderMemoryBytes(cluster) / 1e6,
        unit: "MB",
      });
    };
    await note("idle");
    say(loadName("put", INFLIGHT));
    const { perSecond } = await loadCluster(cluster, { work: "put", inflight: INFLIGHT, seconds });
    await note(`after puts, ${INFLIGHT} in flight`);
    figures.push({ name: "the puts before that", value: perSecond, unit: "/s" });
    say(`writing ${entries} keys`);
    await preloadCluster(cluster, entries);
    await note(`with ${entries.toLocaleString("en-US")} pairs of 256 B`);
    return figures;
  });
}
