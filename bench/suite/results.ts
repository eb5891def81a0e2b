/**
 * The results of a run of the suite: medians over its rounds, as JSON for programs and as tables for people.
 *
 * @module
 */
import { medianOf } from "../../src/bench/mod.ts";
import { type Figure, type Goal, isMet, type Part, type Unit } from "./figures.ts";

/** A figure over all rounds. */
export interface Result {
  readonly name: string;
  readonly unit: Unit;
  readonly median: number;
  /** Of each round, in their order. */
  readonly runs: readonly number[];
  readonly goal?: Goal;
  readonly isMet?: boolean;
}

export interface PartResult {
  readonly name: string;
  readonly says: string;
  readonly results: readonly Result[];
  /** Why there are none, or not of all rounds. */
  readonly problem?: string;
}

export interface SuiteResults {
  readonly date: string;
  readonly machine: {
    readonly system: string;
    readonly processor: string;
    readonly processors: number;
    readonly memoryMb: number;
    readonly deno: string;
  };
  readonly seconds: number;
  readonly rounds: number;
  readonly entries: number;
  /** Load average of the last minute, before and after: a busy machine makes everything slower. */
  readonly loadAverage: readonly [before: number, after: number];
  readonly parts: readonly PartResult[];
}

/** The medians of a part's rounds. */
export function partResultOf(
  { name, says }: Part,
  rounds: readonly (readonly Figure[])[],
  problem: string | undefined,
): PartResult {
  const grouped = Map.groupBy(rounds.flat(), (figure) => figure.name);
  const results = [...grouped].flatMap(([name, figures]): Result[] => {
    const [first] = figures;
    if (first === undefined) return [];
    const runs = figures.map(({ value }) => value);
    const median = medianOf(runs);
    const { unit, goal } = first;
    const met = isMet(median, goal);
    return [{ name, unit, median, runs, ...(goal && { goal }), ...(met !== undefined && { isMet: met }) }];
  });
  return { name, says, results, ...(problem !== undefined && { problem }) };
}

export function machineOf(): SuiteResults["machine"] {
  const { os, arch } = Deno.build;
  return {
    system: `${os} ${Deno.osRelease()} ${arch}`,
    processor: processorName(),
    processors: navigator.hardwareConcurrency,
    memoryMb: Math.round(Deno.systemMemoryInfo().total / 1e6),
    deno: Deno.version.deno,
  };
}

/** What the results of a run are called. */
export function fileNameOf(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", "-").replace(":", "")}.json`;
}

export function markdownOf(results: SuiteResults): string {
  const { date, machine, seconds, rounds, entries, loadAverage, parts } = results;
  const [before, after] = loadAverage;
  const head = [
    `# Benchmarks of ${date.slice(0, 10)}`,
    `${machine.processor}, ${machine.processors} processors, ${machine.memoryMb} MB; ${machine.system}, ` +
    `Deno ${machine.deno}. ${seconds} s a load; the median of ${rounds} ${
      rounds === 1 ? "round" : "rounds"
    }; ` +
    `"many" are ${entries.toLocaleString("en-US")}. ` +
    `Load average ${before.toFixed(1)} before, ${after.toFixed(1)} after.`,
  ];
  return [...head, goalsOf(parts), ...parts.map(sectionOf)].filter((text) => text !== "").join("\n\n") + "\n";
}

/** All goals in one table, since they are what one looks for first. */
function goalsOf(parts: readonly PartResult[]): string {
  const rows = parts.flatMap(({ results }) => results)
    // That nothing fails is expected, and not worth a row.
    .filter((result) => result.goal !== undefined && !(result.unit === "count" && result.isMet === true))
    .map((result) => [result.name, shown(result.median, result.unit), goalText(result), verdictOf(result)]);
  return rows.length === 0 ? "" : `## Goals\n\n${table(["what", "median", "goal", ""], rows)}`;
}

function sectionOf({ name, says, results, problem }: PartResult): string {
  const title = `## ${name}: ${says}`;
  const trouble = problem === undefined ? "" : `_${problem}_`;
  const tables = results.length === 0 && problem === undefined
    ? ["Nothing was measured."]
    : tablesOf(results);
  return [title, trouble, ...tables].filter((text) => text !== "").join("\n\n");
}

/** Figures of the same kinds about different things ("put: p50", "get: p50") share a table, with a row for each thing. */
function tablesOf(results: readonly Result[]): string[] {
  const things = Map.groupBy(results, ({ name }) => nameParts(name)[0]);
  const kinds = ([, about]: [string, Result[]]) => about.map(({ name }) => nameParts(name)[1]).join("\n");
  const tables: string[] = [];
  const others: Result[] = [];
  for (const [key, rows] of Map.groupBy(things, kinds)) {
    const columns = key.split("\n");
    if (rows.length === 1 || columns.length === 1) {
      others.push(...rows.flatMap(([, about]) => about));
      continue;
    }
    const cells = rows.map(([thing, about]) => [
      thing,
      ...about.map(({ median, unit }) => shown(median, unit)),
    ]);
    tables.push(table(["", ...columns], cells));
  }
  return others.length === 0 ? tables : [listOf(others), ...tables];
}

/** "put, 16 in flight: p50" is about "put, 16 in flight", and tells its "p50". */
function nameParts(name: string): [string, string] {
  const at = name.lastIndexOf(": ");
  return at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at + 2)];
}

function listOf(results: readonly Result[]): string {
  const rows = results.map((
    { name, unit, median, runs },
  ) => [name, shown(median, unit), runsText(runs, unit)]);
  return table(["what", "median", "rounds"], rows);
}

function runsText(runs: readonly number[], unit: Unit): string {
  return runs.length < 2 ? "" : runs.map((value) => shown(value, unit).replace(/ .*/, "")).join("; ");
}

function goalText({ goal, unit }: Result): string {
  const parts = [
    goal?.atLeast === undefined ? "" : `≥ ${plain(goal.atLeast)} ${unit}`,
    goal?.atMost === undefined ? "" : `≤ ${plain(goal.atMost)} ${unit}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function verdictOf({ isMet }: Result): string {
  return isMet === undefined ? "" : isMet ? "met" : "missed";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function shown(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return "–";
  const digits = unit === "count" || value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  const number = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === "count" ? number : `${number} ${unit}`;
}

function plain(value: number): string {
  return value.toLocaleString("en-US");
}

function processorName(): string {
  try {
    return /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? "unknown processor";
  } catch {
    return "unknown processor";
  }
}
