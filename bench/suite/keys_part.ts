/**
 * Whether many keys make a cluster slower than few.
 *
 * @module
 */
import { takeSnapshot } from "../recovery_cluster.ts";
import { loadCluster, preloadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, figuresOfLoad } from "./figures.ts";

const FEW_KEYS = 1_000;
const INFLIGHT = 256;
/** Throughput with many keys, as a part of that with few. */
const GOAL = { atLeast: 0.9 };

export async function measureKeys({ seconds, entries, say }: Context): Promise<Figure[]> {
  const figures: Figure[] = [];
  const perSecond = new Map<string, number>();
  for (const keys of [FEW_KEYS, entries]) {
    await withCluster(async (cluster) => {
      const named = `${keys.toLocaleString("en-US")} keys`;
      say(`writing ${named}`);
      await preloadCluster(cluster, keys);
      // Those that all the writing has made due are taken now, and none falls into what is measured: what they cost is
      // a question of its own (`recovery_part.ts`).
      say(`snapshots of ${named}`);
      for (const { id } of cluster.nodes) await takeSnapshot(cluster, id);
      for (const work of ["put", "get"] as const) {
        say(`${work}, ${named}`);
        const load = await loadCluster(cluster, { work, inflight: INFLIGHT, seconds, keys });
        figures.push(...figuresOfLoad(`${work} over ${named}, ${INFLIGHT} in flight`, load));
        const few = perSecond.get(work);
        if (few === undefined) perSecond.set(work, load.perSecond);
        else {figures.push({
            name: `${work}: many keys / few`,
            value: load.perSecond / few,
            unit: "×",
            goal: GOAL,
          });}
      }
    });
  }
  return figures;
}
