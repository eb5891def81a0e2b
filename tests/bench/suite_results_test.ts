import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Figure, isMet, type Part } from "../../bench/suite/figures.ts";
import { fileNameOf, markdownOf, partResultOf, type SuiteResults } from "../../bench/suite/results.ts";

const PART: Part = { name: "load", says: "puts", run: () => Promise.resolve([]) };

function suiteOf(parts: SuiteResults["parts"]): SuiteResults {
  return {
    date: "2026-01-02T03:04:05.000Z",
    machine: { system: "linux", processor: "a processor", processors: 2, memoryMb: 8_000, deno: "2.9.6" },
    seconds: 3,
    rounds: 3,
    entries: 1_000_000,
    loadAverage: [0.1, 2],
    parts,
  };
}

Deno.test("partResultOf() gives the median of the rounds, and judges it by the goal", () => {
  const rounds = [5, 1, 3].map((value): Figure[] => [
    { name: "p50", value, unit: "ms", goal: { atMost: 4 } },
    { name: "ratio", value, unit: "×", goal: { atLeast: 4 } },
    { name: "max", value, unit: "ms" },
  ]);
  assertEquals(partResultOf(PART, rounds, undefined), {
    name: "load",
    says: "puts",
    results: [
      { name: "p50", unit: "ms", median: 3, runs: [5, 1, 3], goal: { atMost: 4 }, isMet: true },
      { name: "ratio", unit: "×", median: 3, runs: [5, 1, 3], goal: { atLeast: 4 }, isMet: false },
      { name: "max", unit: "ms", median: 3, runs: [5, 1, 3] },
    ],
  });
});

Deno.test("isMet() takes what could not be measured for a goal that is missed", () => {
  assertEquals([isMet(NaN, { atMost: 1 }), isMet(NaN, undefined)], [false, undefined]);
  assertEquals([isMet(1, { atMost: 1 }), isMet(1, { atLeast: 1 })], [true, true]);
});

Deno.test("markdownOf() puts things of the same kind into one table, and the goals first", () => {
  const figures = ["put", "get"].flatMap((work): Figure[] => [
    { name: `${work}: throughput`, value: 12_345.6, unit: "/s" },
    { name: `${work}: p50`, value: 1.234, unit: "ms", goal: { atMost: 2 } },
  ]);
  const alone: Figure = { name: "alone", value: 0.0123, unit: "ms" };
  const text = markdownOf(suiteOf([partResultOf(PART, [[...figures, alone]], undefined)]));
  assert(text.indexOf("## Goals") < text.indexOf("## load: puts"));
  assertStringIncludes(
    text,
    "| put: p50 | 1.23 ms | ≤ 2 ms | met |\n| get: p50 | 1.23 ms | ≤ 2 ms | met |\n",
  );
  assertStringIncludes(text, "|  | throughput | p50 |\n| --- | --- | --- |\n| put | 12,346 /s | 1.23 ms |\n");
  assertStringIncludes(text, "| alone | 0.012 ms |  |\n");
});

Deno.test("markdownOf() says why a part has no figures", () => {
  const text = markdownOf(suiteOf([partResultOf(PART, [], "skipped: go is not installed")]));
  assertStringIncludes(text, "## load: puts\n\n_skipped: go is not installed_\n");
});

Deno.test("fileNameOf() is a name that sorts by time", () => {
  assertEquals(fileNameOf(new Date("2026-01-02T03:04:05Z")), "2026-01-02-0304.json");
});
