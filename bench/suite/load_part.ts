/**
 * Puts and gets, from one at a time to many.
 *
 * @module
 */
import { limitsOf, loadCluster, preloadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, figuresOfLimits, figuresOfLoad, loadName } from "./figures.ts";

const INFLIGHTS = [1, 16, 64, 256, 1_024];

export async function measureLoads({ seconds, say }: Context): Promise<Figure[]> {
  return await withCluster(async (cluster) => {
    const limits = await limitsOf(cluster);
    const figures = figuresOfLimits(limits);
    for (const work of ["put", "get"] as const) {
      if (work === "get") await preloadCluster(cluster);
      for (const inflight of INFLIGHTS) {
        say(loadName(work, inflight));
        const load = await loadCluster(cluster, { work, inflight, seconds });
        figures.push(...figuresOfLoad(loadName(work, inflight), load, limits));
      }
    }
    return figures;
  });
}
