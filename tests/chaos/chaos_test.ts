/**
 * The short version of `main.ts`: the same faults, clients and judge, for as long as a test may take.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { processProblem, testOnProcesses } from "./registration.ts";
import { endCluster, runRound } from "./round.ts";
import { straceProblem } from "./strace.ts";
import type { Acknowledged } from "./stored_logs.ts";

const SEED = 1;
const DURATION_MS = 12_000;

for (const nodeCount of [3]) {
  testOnProcesses(
    `runRound() finds no violation in ${nodeCount} nodes under kills, pauses, cuts and system-call faults`,
    async () => {
      const hasStrace = processProblem === undefined && await straceProblem() === undefined;
      await using cluster = await TestCluster.start({ nodeCount, hasLinks: true });
      const acknowledged: Acknowledged[] = [];
      const result = await runRound({
        cluster,
        seed: SEED,
        name: "short",
        durationMs: DURATION_MS,
        hasStrace,
        acknowledged,
      });
      const problems = [...result.violations, ...await endCluster(cluster, acknowledged)];
      if (problems.length > 0) console.error(cluster.lastLines());
      assertEquals(problems.join("\n"), "");
      // That the clients and the nemesis were at work at all.
      assertGreater(result.operations.ok, 50);
      assertGreater(acknowledged.length, 20);
      assert([...result.faults.values()].reduce((sum, count) => sum + count, 0) >= 4);
    },
  );
}
