/**
 * Every known bug put back: the simulator must notice. Those that need many seeds are run by `deno task mutants`.
 */
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { hunt } from "../../src/sim/campaign.ts";
import { mutantNamed, MUTANTS } from "../../src/sim/mutants/mod.ts";
import { runMutant } from "../../src/sim/mutants/run.ts";
import { runSeed } from "../../src/sim/run.ts";

/** They wait for a rare meeting of faults: up to a thousand seeds and more. */
const SLOW: readonly string[] = [
  "vote-needs-both",
  "vote-by-length",
  "counts-old-terms",
  "commits-old-terms",
  "removed-counts",
  "begins-twice",
];
const MAX_SEEDS = 200;

Deno.test("MUTANTS has at least 25 bugs, each with its own name, what is wrong and where it was found", () => {
  assertGreaterOrEqual(MUTANTS.length, 25);
  assertEquals(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const { name, summary, origin } of MUTANTS) {
    assert(/^[a-z]+(-[a-z]+)*$/.test(name), name);
    assert(summary.length > 10 && origin.length > 3, name);
  }
});

Deno.test("mutantNamed() finds a bug by its name", () => {
  assertEquals(mutantNamed("votes-twice")?.name, "votes-twice");
  assertEquals(mutantNamed("votes-thrice"), undefined);
  assertEquals(SLOW.filter((name) => mutantNamed(name) === undefined), []);
});

for (const mutant of MUTANTS.filter(({ name }) => !SLOW.includes(name))) {
  Deno.test(`runSeed() notices the bug ${mutant.name}: ${mutant.summary}`, () => {
    const { killed } = hunt(mutant, MAX_SEEDS, (seed, { records }) => runMutant(mutant, seed, records));
    assert(killed !== undefined, `survives ${MAX_SEEDS} seeds`);
  });
}

Deno.test("runSeed() finds nothing under the settings of the mutants when no bug is put back", () => {
  for (const { name, settings } of MUTANTS) {
    if (settings === undefined) continue;
    const { failure } = runSeed({ seed: 1, override: settings });
    assertEquals(failure, undefined, `with the settings of ${name}: drafty sim --seed 1`);
  }
});
