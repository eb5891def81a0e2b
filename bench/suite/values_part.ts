/**
 * Values of different sizes.
 *
 * @module
 */
import { sizeOf } from "../../src/cli/render.ts";
import { limitsOf, loadCluster, withCluster } from "./cluster_load.ts";
import { type Context, type Figure, figuresOfLoad } from "./figures.ts";

const SIZES_BYTES = [128, 256, 1_024, 4_096, 16_384, 65_536];
const INFLIGHT = 64;
/** Few enough that the largest values fit into memory three times. */
const KEYS = 1_000;

export async function measureValues({ seconds, say }: Context): Promise<Figure[]> {
  return await withCluster(async (cluster) => {
    const figures: Figure[] = [];
    for (const valueBytes of SIZES_BYTES) {
      say(sizeOf(valueBytes));
      const limits = await limitsOf(cluster, valueBytes);
      const load = await loadCluster(cluster, {
        work: "put",
        inflight: INFLIGHT,
        seconds,
        keys: KEYS,
        valueBytes,
      });
      const name = `put of ${valueBytes.toLocaleString("en-US")} B, ${INFLIGHT} in flight`;
      figures.push(...figuresOfLoad(name, load, limits), {
        name: `${name}: values a second`,
        value: load.perSecond * valueBytes / 1e6,
        unit: "MB",
      });
    }
    return figures;
  });
}
