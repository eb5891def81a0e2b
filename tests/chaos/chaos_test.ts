/**
 * The short version of `main.ts`: the same faults, clients and judge, for as long as a test may take.
 *
 * @module
 */
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { testOnProcesses } from "./registration.ts";
import { endCluster, runRound } from "./round.ts";
import type { Acknowledged } from "./stored_logs.ts";
import { straceProblem } from "./strace.ts";

const SEED = 1;
const DURATION_MS = 15_000;

testOnProcesses("runRound() finds no violation in three nodes under faults of all kinds", async () => {
  await using cluster = await TestCluster.start({ hasLinks: true });
  const acknowledged: Acknowledged[] = [];
  const result = await runRound({
    cluster,
    seed: SEED,
    name: "short",
    durationMs: DURATION_MS,
    hasStrace: await straceProblem() === undefined,
    acknowledged,
  });
  const problems = [...result.violations, ...await endCluster(cluster, acknowledged)];
  if (problems.length > 0) console.error(cluster.lastLines());
  assertEquals(problems.join("\n"), "");
  // That clients and nemesis were at work at all.
  assertGreater(result.operations.ok, 50);
  assertGreater(acknowledged.length, 20);
  assertGreaterOrEqual([...result.faults.values()].reduce((sum, count) => sum + count, 0), 4);
});
