/**
 * A failing run made small.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { runSeed } from "../../src/sim/run.ts";
import { shrink } from "../../src/sim/shrink.ts";
import { firstFailure, LENIENT_VOTERS, SMALL_QUORUM } from "./broken_cores.ts";

Deno.test("shrink() leaves no fault where a bug needs none", () => {
  const { options, result } = firstFailure(SMALL_QUORUM);
  assertEquals(result.failure?.invariant, "committed-on-quorum");
  const { result: small } = shrink(options, result);
  assertEquals(small.failure?.invariant, "committed-on-quorum");
  assertEquals(small.plan, []);
  assertEquals(small.settings.clients, 1);
});

Deno.test("shrink() keeps exactly the faults that a failure takes", () => {
  const { options, result } = firstFailure(LENIENT_VOTERS);
  assertEquals(result.failure?.invariant, "leader-completeness");
  const { options: small, result: shrunk } = shrink(options, result);
  assertEquals(shrunk.failure?.invariant, "leader-completeness");
  assertLess(shrunk.plan.length, result.plan.length);
  for (const left of shrunk.plan) {
    const without = runSeed({ ...small, plan: shrunk.plan.filter((action) => action !== left) });
    assert(without.failure?.invariant !== "leader-completeness", `${left.fault.kind} is not needed`);
  }
});

Deno.test("shrink() gives options that fail in the same way again, and its trace as sentences", () => {
  const { options, result } = firstFailure(LENIENT_VOTERS);
  const shrunk = shrink(options, result);
  const again = runSeed(shrunk.options);
  assertEquals(again.failure, shrunk.result.failure);
  assertEquals(again.traceHash, shrunk.result.traceHash);
  assert(shrunk.result.lines.length > 0);
});

Deno.test("shrink() gives the same on every call", () => {
  const { options, result } = firstFailure(LENIENT_VOTERS);
  const [a, b] = [shrink(options, result), shrink(options, result)];
  assertEquals(a.result.traceHash, b.result.traceHash);
  assertEquals([a.runs, a.result.plan], [b.runs, b.result.plan]);
});

Deno.test("shrink() ends at its limit of runs, with what it has by then", () => {
  const { options, result } = firstFailure(LENIENT_VOTERS);
  const { runs, result: shrunk } = shrink(options, result, { maxRuns: 3, maxEvents: Infinity });
  assertEquals(runs, 4); // and the one that records
  assertEquals(shrunk.failure?.invariant, "leader-completeness");
});
