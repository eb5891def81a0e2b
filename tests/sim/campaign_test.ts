/**
 * Many seeds: what they add up to, and what must repeat itself.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { campaign, hunt, Tally } from "../../src/sim/campaign.ts";
import { type RunResult, runSeed } from "../../src/sim/run.ts";

const SHORT = { safetyMs: 2_000, nodes: 3 } as const;
const template = runSeed({ seed: 1, override: SHORT });

function resultOf(seed: number, parts: Partial<RunResult> = {}): RunResult {
  return { ...template, seed, ...parts };
}

Deno.test("campaign() runs the seeds in order, as far as they are taken", () => {
  const seen: number[] = [];
  for (const { seed } of campaign(7, 1_000, (seed) => resultOf(seed))) {
    seen.push(seed);
    if (seen.length === 3) break;
  }
  assertEquals(seen, [7, 8, 9]);
});

Deno.test("campaign() runs one seed in 50 twice", () => {
  const runs: number[] = [];
  const count = [...campaign(100, 101, (seed) => {
    runs.push(seed);
    return resultOf(seed);
  })].length;
  assertEquals(count, 101);
  assertEquals(runs.length, 104);
  assertEquals(runs.filter((seed, i) => runs.indexOf(seed) !== i), [100, 150, 200]);
});

Deno.test("campaign() reports a run that does not repeat itself as a failure of determinism", () => {
  let run = 0;
  const results = [...campaign(5, 2, (seed) => resultOf(seed, { traceHash: `hash ${run++}` }))];
  assertEquals(results.map(({ failure }) => failure?.invariant), ["determinism", undefined]);
  assertStringIncludes(results[0]?.failure?.detail ?? "", "hash 0, hash 1");
});

Deno.test("campaign() of real seeds finds nothing, and its tally shows that faults did happen", () => {
  const tally = new Tally();
  for (const result of campaign(1, 10, (seed) => runSeed({ seed }))) tally.add(result);
  assertEquals(tally.failed, []);
  assertEquals(tally.seeds, 10);
  for (const kind of ["partition", "kill", "powerCut", "lost", "duplicated"]) {
    assertEquals((tally.faults[kind] ?? 0) > 0, true, `no ${kind}`);
  }
  assertEquals(tally.operations.ok > 100, true);
  assertEquals(tally.simulatedMs > 10 * 15_000, true);
});

Deno.test("Tally.add() keeps the seeds that failed, and adds up the rest", () => {
  const tally = new Tally();
  const failure = { invariant: "no-crash", detail: "as told", atMs: 5 } as const;
  tally.add(resultOf(1, { faults: { kill: 2 }, operations: { ok: 1, unknown: 2, retries: 3 } }));
  tally.add(
    resultOf(2, { faults: { kill: 1, wipe: 4 }, operations: { ok: 1, unknown: 0, retries: 0 }, failure }),
  );
  assertEquals(tally.faults, { kill: 3, wipe: 4 });
  assertEquals(tally.operations, { ok: 2, unknown: 2, retries: 3 });
  assertEquals(tally.failed, [{ seed: 2, failure }]);
});

Deno.test("hunt() ends with the first seed that notices, and says so of a survivor", () => {
  const mutant = { name: "none", summary: "nothing is wrong", origin: "a test" };
  const failure = { invariant: "no-crash", detail: "as told", atMs: 5 } as const;
  const killed = hunt(mutant, 10, (seed) => resultOf(seed, seed === 4 ? { failure } : {}));
  assertEquals([killed.killed?.seed, killed.seeds], [4, 4]);
  const survivor = hunt(mutant, 10, (seed) => resultOf(seed));
  assertEquals([survivor.killed, survivor.seeds], [undefined, 10]);
});

Deno.test("runSeed() finds nothing on the seeds that once failed", () => {
  const seeds = [
    790, // a write that the network had held up was applied just before the last look, and was called lost
    5010300, // a learner that was taken in lost power before it knew, and was healed without one that it had to ask
    5002726, // a learner became a voter after the nodes were chosen that are healed: they were no majority any more
    3003540, // a voter that had moved told the others, after a power cut, where its snapshot had it
  ];
  for (const seed of seeds) assertEquals(runSeed({ seed }).failure, undefined, `drafty sim --seed ${seed}`);
});
