/**
 * Restarts with a full log and from a snapshot, and writes while a snapshot is taken.
 *
 * @module
 */
import { medianOf } from "../../src/bench/mod.ts";
import { measureRecovery } from "../recovery.ts";
import type { Context, Figure, Goal } from "./figures.ts";

const RUNS = 3;
const LIMIT_MS = 180_000;
const PARTS = ["a", "b", "d"];
const BEFORE = "puts before a snapshot: p99";
const DURING = "puts during a snapshot on all nodes: p99";
const GOALS: Readonly<Record<string, Goal>> = {
  "restart of a follower from the log: first ping": { atMost: 5_000 },
  "restart of a follower from the snapshot: first ping": { atMost: 1_000 },
};

export async function measureRestarts({ entries, say }: Context): Promise<Figure[]> {
  const measured = await measureRecovery(
    { parts: new Set(PARTS), entries, runs: RUNS, limitMs: LIMIT_MS, isInOrder: false },
    say,
  );
  const values = Map.groupBy(measured, ({ what }) => what);
  const figures = [...values].flatMap(([name, runs]): Figure[] => {
    const [first] = runs;
    if (first === undefined) return [];
    const goal = GOALS[name];
    const value = medianOf(runs.map((run) => run.value));
    return [{ name, value, unit: first.unit === "writes" ? "count" : first.unit, ...(goal && { goal }) }];
  });
  const of = (name: string) => figures.find((figure) => figure.name === name)?.value ?? NaN;
  const moved = of(DURING) - of(BEFORE);
  return [...figures, {
    name: "a snapshot moves the p99 of puts by",
    value: moved,
    unit: "ms",
    goal: { atMost: 10 },
  }];
}
