/**
 * Clients that connect for each request, as the command line does.
 *
 * @module
 */
import { loadCluster, preloadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, figuresOfLoad, loadName } from "./figures.ts";

const INFLIGHTS = [1, 16, 64];
/** Few enough that they are there soon: it is connections that are measured. */
const KEYS = 1_000;

export async function measureOneShot({ seconds, say }: Context): Promise<Figure[]> {
  return await withCluster(async (cluster) => {
    await preloadCluster(cluster, KEYS);
    const figures: Figure[] = [];
    for (const work of ["put", "get"] as const) {
      for (const inflight of INFLIGHTS) {
        say(loadName(work, inflight));
        const load = await loadCluster(cluster, { work, inflight, seconds, keys: KEYS, isOneShot: true });
        figures.push(...figuresOfLoad(loadName(`one-shot ${work}`, inflight), load));
      }
    }
    return figures;
  });
}
