/**
 * `drafty sim` as people and programs call it.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MUTANTS } from "../../src/sim/mutants/mod.ts";
import { SCENARIOS } from "../../src/sim/scenarios/mod.ts";
import { permitted, run } from "../cli/capture.ts";

const writing = await permitted("write", "read");

Deno.test("drafty sim --json prints exactly one object with the sums", async () => {
  const { exitCode, out, err } = await run("sim", "--seed", "1", "--seeds", "3", "--json");
  assertEquals([exitCode, err], [0, ""]);
  const report = JSON.parse(out);
  assertEquals(
    Object.keys(report).sort(),
    ["failed", "failures", "faults", "operations", "seeds", "simulated_ms", "wall_ms"],
  );
  assertEquals([report.seeds, report.failed, report.failures], [3, 0, []]);
  assert(report.simulated_ms > 3 * 15_000 && report.wall_ms > 0 && report.operations > 0);
  assert(report.faults.duplicated > 0);
});

Deno.test("drafty sim --json with a bug names the seed and the broken promise, exit 1", async () => {
  const { exitCode, out } = await run("sim", "--bug", "commits-on-one", "--json");
  const report = JSON.parse(out);
  assertEquals(exitCode, 1);
  assertEquals(report.failures, [{ seed: 1, invariant: "committed-on-quorum" }]);
  assertEquals([report.seeds, report.failed], [1, 1]);
});

Deno.test("drafty sim --seed runs that one seed and shows speed, time, operations and faults", async () => {
  const { exitCode, out } = await run("sim", "--seed", "1");
  assertEquals(exitCode, 0);
  assertMatch(out, /^seed 1\n/);
  assertMatch(out, /seeds +1, 0 failed\n/);
  assertMatch(out, /seeds per second/);
  assertMatch(out, /simulated in .* times as fast as real time/);
  assertMatch(out, /operations +\d+ answered, \d+ with an unknown outcome/);
  assertMatch(out, /message repeated +│/);
});

Deno.test("drafty sim draws the first seed by chance and prints it", async () => {
  const { out } = await run("sim", "--seeds", "2");
  assertMatch(out, /^2 seeds from \d+\n/);
});

Deno.test("drafty sim --bug tells the story of the bug and how to see it again", async () => {
  const { exitCode, out } = await run("sim", "--bug", "vote-ignores-log");
  assertEquals(exitCode, 1);
  assertStringIncludes(out, "bug vote-ignores-log: a candidate's log is not looked at");
  assertMatch(out, /seed \d+ breaks "leader-completeness": .* \(Raft §5\.4, Figure 3\)/);
  assertMatch(out, /The faults that it takes, \d+ of \d+ \(shrunk in \d+ runs\):/);
  assertStringIncludes(out, "The story:");
  const [, replay = ""] = /To see it again: drafty (.*)\n/.exec(out) ?? [];
  const again = await run(...replay.split(" "));
  assertEquals(again.exitCode, 1);
  assertStringIncludes(again.out, 'breaks "leader-completeness"');
});

Deno.test("drafty sim --bug says so when the seeds do not show the bug", async () => {
  const { exitCode, out } = await run("sim", "--bug", "votes-twice", "--seed", "1");
  assertEquals(exitCode, 0);
  assertStringIncludes(out, "bug votes-twice was not noticed");
});

Deno.test("drafty sim --nodes runs a cluster of that size", async () => {
  for (const nodes of ["1", "7"]) {
    const { exitCode, out } = await run("sim", "--nodes", nodes, "--seed", "1");
    assertEquals(exitCode, 0, out);
    assertStringIncludes(out, nodes === "1" ? "seed 1, 1 node\n" : "seed 1, 7 nodes\n");
  }
});

Deno.test("drafty sim --bug list and --scenario list show all there is", async () => {
  const bugs = (await run("sim", "--bug", "list")).out;
  for (const { name, summary, origin } of MUTANTS) {
    assertStringIncludes(bugs, `${name}\n    ${summary}\n    (${origin})\n`);
  }
  const scenarios = (await run("sim", "--scenario", "list")).out;
  for (const { name, says } of SCENARIOS) assertStringIncludes(scenarios, `${name}\n    ${says}`);
});

Deno.test("drafty sim --scenario plays a scenario on its seeds", async () => {
  const { exitCode, out } = await run("sim", "--scenario", "figure-8", "--seeds", "2");
  assertEquals(exitCode, 0, out);
  assertStringIncludes(out, "scenario figure-8: ");
  assertMatch(out, /seeds +2, 0 failed/);
});

Deno.test("drafty sim refuses what makes no sense, and says what would", async () => {
  const cases: readonly [readonly string[], string][] = [
    [["--bug", "vote-twice"], "--bug vote-twice is not known; did you mean votes-twice?"],
    [["--scenario", "figure8"], "--scenario figure8 is not known; did you mean figure-8?"],
    [["--nodes", "8"], "--nodes 8 is not a whole number from 1 to 7"],
    [["--nodes", "0"], "--nodes 0 is not a whole number from 1 to 7"],
    [["--seed", "-1"], "--seed -1 is not a whole number from 0"],
    [["--seeds", "1e3"], "--seeds 1e3 is not a whole number from 1"],
    [["--seeds", "0"], "--seeds 0 is not a whole number from 1"],
    [["--scenario", "figure-8", "--nodes", "3"], "--nodes does not go with --scenario"],
    [["--trace", "x", "--seeds", "5"], "--trace writes the trace of one run"],
    [["--mutants", "--seed", "1"], "--seed does not go with --mutants"],
    [["extra"], 'sim takes no "extra"'],
  ];
  for (const [args, message] of cases) {
    const { exitCode, out, err } = await run("sim", ...args);
    assertEquals([exitCode, out], [2, ""], args.join(" "));
    assertStringIncludes(err, message);
  }
});

Deno.test({
  name: writing.named("drafty sim --trace writes the run in sentences, with its hash at the end"),
  ignore: !writing.isAllowed,
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      const path = `${directory}/trace.txt`;
      assertEquals((await run("sim", "--seed", "5", "--trace", path)).exitCode, 0);
      const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
      assert(lines.length > 500);
      assertMatch(lines[0] ?? "", /^ +0\.000 s {2}node 1 starts with no entries in term 0$/);
      assertMatch(lines.at(-1) ?? "", /^trace hash [0-9a-f]{16}$/);
      const missing = await run("sim", "--seed", "5", "--trace", `${directory}/none/trace.txt`);
      assertEquals(missing.exitCode, 2);
      assertStringIncludes(missing.err, "cannot be written");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
