/**
 * What `drafty sim` prints: the sums of a campaign, and the story of a failure.
 *
 * @module
 */
import Table from "cli-table3";
import type { FailedSeed, MutantVerdict, Tally } from "../sim/campaign.ts";
import { INVARIANTS } from "../sim/invariants.ts";
import type { RunResult } from "../sim/run.ts";
import { sentencesOfPlan, storyOf } from "../sim/story.ts";

/** Of many failed seeds, so many are listed. */
const MAX_LISTED = 20;
const FAULT_COLUMNS = 3;

/** The one object of `--json`. */
export function jsonOfTally(tally: Tally, wallMs: number): string {
  const { ok, unknown } = tally.operations;
  return JSON.stringify({
    seeds: tally.seeds,
    failed: tally.failed.length,
    failures: tally.failed.map(({ seed, failure }) => ({ seed, invariant: failure.invariant })),
    simulated_ms: Math.round(tally.simulatedMs),
    wall_ms: Math.round(wallMs),
    faults: tally.faults,
    operations: ok + unknown,
  }) + "\n";
}

/** The sums, for people. */
export function summaryOf(tally: Tally, wallMs: number, isColourful: boolean): string {
  const { ok, unknown, retries } = tally.operations;
  const wallSeconds = Math.max(wallMs, 1) / 1_000;
  const rows = [
    ["seeds", `${whole(tally.seeds)}, ${whole(tally.failed.length)} failed`],
    ["speed", `${(tally.seeds / wallSeconds).toFixed(1)} seeds per second`],
    [
      "time",
      `${duration(tally.simulatedMs)} simulated in ${duration(wallMs)}, ` +
      `${whole(tally.simulatedMs / 1_000 / wallSeconds)} times as fast as real time`,
    ],
    ["events", whole(tally.events)],
    [
      "operations",
      `${whole(ok)} answered, ${whole(unknown)} with an unknown outcome, ${whole(retries)} retries`,
    ],
  ];
  const text = rows.map(([name = "", value]) => `${name.padEnd(12)}${value}\n`).join("");
  return `${text}\n${faultTable(tally, isColourful)}\n`;
}

/** A failure in full: the promise, the few faults that break it, the story, and how to see it again. */
export function failureReport(
  failed: FailedSeed,
  shown: { readonly result: RunResult; readonly faultsBefore: number; readonly runs: number },
  replay: string,
): string {
  const { result, faultsBefore, runs } = shown;
  const failure = result.failure ?? failed.failure;
  const { says, source } = INVARIANTS[failed.failure.invariant];
  const plan = sentencesOfPlan(result);
  const faults = runs === 0
    ? ["The faults are those of the scenario."]
    : plan.length === 0
    ? [`No fault is needed (shrunk from ${faultsBefore} in ${runs} runs).`]
    : [`The faults that it takes, ${plan.length} of ${faultsBefore} (shrunk in ${runs} runs):`, ...plan];
  return [
    `seed ${failed.seed} breaks "${failed.failure.invariant}": ${says} (${source})`,
    "",
    ...faults,
    "",
    "The story:",
    ...storyOf(result, failure),
    "",
    `To see it again: ${replay}`,
    "",
  ].join("\n");
}

/** The failed seeds, a line each. */
export function failedList(failed: readonly FailedSeed[], replay: (seed: number) => string): string {
  const lines = failed.slice(0, MAX_LISTED).map(({ seed, failure }) =>
    `seed ${seed} breaks "${failure.invariant}": ${replay(seed)}`
  );
  if (failed.length > MAX_LISTED) lines.push(`… and ${failed.length - MAX_LISTED} more`);
  return lines.map((line) => line + "\n").join("");
}

/** Mutants and who noticed them. */
export function mutantTable(verdicts: readonly MutantVerdict[], isColourful: boolean): string {
  const table = new Table({
    head: ["mutant", "found in", "killed by", "seeds"],
    style: styleOf(isColourful),
    colWidths: [28, 44, 28, 8],
    wordWrap: true,
  });
  for (const { mutant, killed, seeds } of verdicts) {
    table.push([mutant.name, mutant.origin, killed?.failure.invariant ?? "SURVIVES", seeds]);
  }
  return table.toString() + "\n";
}

function faultTable(tally: Tally, isColourful: boolean): string {
  const faults = Object.entries(tally.faults).filter(([, count]) => count > 0)
    .map(([kind, count]) => [FAULT_NAMES[kind] ?? kind, count] as const)
    .sort(([a], [b]) => a < b ? -1 : 1);
  if (faults.length === 0) return "no faults were injected";
  const table = new Table({
    head: Array.from({ length: FAULT_COLUMNS }, () => ["fault", "times"]).flat(),
    style: styleOf(isColourful),
    colAligns: Array.from({ length: FAULT_COLUMNS }, () => ["left", "right"] as const).flat(),
    chars: NO_LINES_BETWEEN_ROWS,
  });
  const height = Math.ceil(faults.length / FAULT_COLUMNS);
  for (let row = 0; row < height; row++) {
    const cells: string[] = [];
    for (let column = 0; column < FAULT_COLUMNS; column++) {
      const [name, count] = faults[column * height + row] ?? ["", undefined];
      cells.push(name, count === undefined ? "" : whole(count));
    }
    table.push(cells);
  }
  return table.toString();
}

const NO_LINES_BETWEEN_ROWS = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };

/** What happens to single messages counts beside what happens to links. */
const FAULT_NAMES: Readonly<Record<string, string>> = {
  lost: "message lost",
  duplicated: "message repeated",
  straggled: "message held up",
  cutOff: "message cut off",
  clogged: "message clogged",
  intercepted: "message intercepted",
};

function styleOf(isColourful: boolean): { head: string[]; border: string[] } {
  return { head: isColourful ? ["bold"] : [], border: isColourful ? ["grey"] : [] };
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function duration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = seconds / 60;
  if (minutes < 120) return `${minutes.toFixed(1)} min`;
  const hours = minutes / 60;
  return hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`;
}
