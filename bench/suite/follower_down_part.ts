/**
 * A cluster of three of which one is dead: each write waits for both of the others.
 *
 * @module
 */
import { aFollower } from "../recovery_cluster.ts";
import { loadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, figuresOfLoad, loadName } from "./figures.ts";

const INFLIGHTS = [1, 64, 256];

export async function measureFollowerDown({ seconds, say }: Context): Promise<Figure[]> {
  return await withCluster(async (cluster) => {
    await cluster.node(await aFollower(cluster)).kill();
    const figures: Figure[] = [];
    for (const inflight of INFLIGHTS) {
      say(loadName("put", inflight));
      const load = await loadCluster(cluster, { work: "put", inflight, seconds });
      figures.push(...figuresOfLoad(`follower down: ${loadName("put", inflight)}`, load));
    }
    return figures;
  });
}
