/**
 * How long there is no acknowledged write after the leader was killed.
 *
 * @module
 */
import { measureFailovers } from "../failover.ts";
import { spreadOf } from "../transfer.ts";
import type { Context, Figure } from "./figures.ts";

export async function measureFailover({ kills, say }: Context): Promise<Figure[]> {
  say(`${kills} kills`);
  const { medianMs, p99Ms, maxMs } = spreadOf(await measureFailovers(kills));
  return [
    {
      name: `leader killed (${kills} times) to the next write: median`,
      value: medianMs,
      unit: "ms",
      goal: { atMost: 350 },
    },
    {
      name: `leader killed (${kills} times) to the next write: p99`,
      value: p99Ms,
      unit: "ms",
      goal: { atMost: 700 },
    },
    { name: `leader killed (${kills} times) to the next write: max`, value: maxMs, unit: "ms" },
  ];
}
