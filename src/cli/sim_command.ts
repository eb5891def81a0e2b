/**
 * `drafty sim`: the cluster under a simulated world, seed after seed.
 *
 * @module
 */
import { campaign, hunt, type MutantVerdict, type Runner, Tally } from "../sim/campaign.ts";
import { MUTANTS } from "../sim/mutants/mod.ts";
import { runMutant } from "../sim/mutants/run.ts";
import { type RunOptions, type RunResult, runSeed } from "../sim/run.ts";
import { runScenario, SCENARIOS } from "../sim/scenarios/mod.ts";
import { shrink } from "../sim/shrink.ts";
import { sentencesOfTrace } from "../sim/story.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { HUNT_SEEDS, type SimOptions, simOptionsOf } from "./sim_options.ts";
import { type Progress, progressOn } from "./sim_progress.ts";
import { failedList, failureReport, jsonOfTally, mutantTable, summaryOf } from "./sim_report.ts";

const EXIT_FAILED = 1;
/** Between runs, so often, the process looks up: the bar moves, and a signal is heard. */
const BREATH_MS = 100;

export async function runSim(given: Arguments, io: CliIo): Promise<number> {
  const [extra] = given.positionals;
  if (extra !== undefined) throw new UsageError(`sim takes no "${extra}"; leave it out`);
  if (given.flags.has("mutants")) return await runMutants(given, io);
  if (given.values.get("bug") === "list") return listMutants(io);
  if (given.values.get("scenario") === "list") return listScenarios(io);
  const options = await simOptionsOf(given, drawSeed);
  if (!options.isJson) io.out(headOf(options));
  const run = runnerOf(options);
  const progress = await progressOn(io, options.seeds, options.isJson);
  const tally = new Tally();
  let traced: RunResult | undefined;
  const startMs = performance.now();
  const breathe = breather();
  for (const result of campaign(options.firstSeed, options.seeds, run)) {
    tally.add(result);
    showProgress(progress, tally, performance.now() - startMs);
    if (result.failure !== undefined) traced ??= result;
    // A bug has shown itself when it is noticed once.
    if (options.mutant !== undefined && result.failure !== undefined) break;
    await breathe();
  }
  const wallMs = performance.now() - startMs;
  progress?.stop();
  if (options.tracePath !== undefined) writeTrace(options, run, traced?.seed ?? options.firstSeed);
  if (options.isJson) io.out(jsonOfTally(tally, wallMs));
  else {
    io.out(summaryOf(tally, wallMs, io.isColourful));
    io.out(failuresOf(options, tally, traced, run));
  }
  return tally.failed.length > 0 ? EXIT_FAILED : 0;
}

function headOf(options: SimOptions): string {
  const { firstSeed, seeds, nodes, mutant, scenario } = options;
  const lines = [
    seeds === 1
      ? `seed ${firstSeed}`
      : `${mutant === undefined ? "" : "up to "}${seeds} seeds from ${firstSeed}`,
  ];
  if (nodes !== undefined) lines[0] += `, ${nodes} ${nodes === 1 ? "node" : "nodes"}`;
  if (mutant !== undefined) lines.push(`bug ${mutant.name}: ${mutant.summary} (${mutant.origin})`);
  if (scenario !== undefined) {
    lines.push(`scenario ${scenario.name}: ${scenario.says} (${scenario.source})`);
  }
  return lines.join("\n") + "\n\n";
}

function runnerOf(options: SimOptions): Runner {
  const { scenario, mutant } = options;
  if (scenario === undefined) {
    return (seed, { records }) => runSeed({ ...runOptionsOf(options, seed), records });
  }
  return (seed, { records }) =>
    runScenario(scenario, seed, { records, ...(mutant === undefined ? {} : { mutant }) });
}

function runOptionsOf({ mutant, nodes }: SimOptions, seed: number): RunOptions {
  return {
    seed,
    ...(mutant === undefined ? {} : { mutant }),
    ...(nodes === undefined ? {} : { override: { nodes } }),
  };
}

/** The first failure in full, the others in a line each. */
function failuresOf(options: SimOptions, tally: Tally, first: RunResult | undefined, run: Runner): string {
  const [failed, ...others] = tally.failed;
  if (failed === undefined || first === undefined) {
    return options.mutant === undefined ? "" : `bug ${options.mutant.name} was not noticed\n`;
  }
  const replay = (seed: number) => replayOf(options, seed);
  // A scenario is small already. What does not repeat itself cannot be made smaller.
  const isShrinkable = options.scenario === undefined && failed.failure.invariant !== "determinism";
  const shown = isShrinkable
    ? shrink(runOptionsOf(options, failed.seed), first)
    : { result: run(failed.seed, { records: true }), runs: 0 };
  const report = failureReport(failed, { ...shown, faultsBefore: first.plan.length }, replay(failed.seed));
  return report + (others.length === 0 ? "" : `\nAlso:\n${failedList(others, replay)}`);
}

function replayOf({ nodes, mutant, scenario }: SimOptions, seed: number): string {
  const parts = [`drafty sim --seed ${seed}`];
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`);
  if (scenario !== undefined) parts.push(`--scenario ${scenario.name}`);
  if (mutant !== undefined) parts.push(`--bug ${mutant.name}`);
  return parts.join(" ");
}

function writeTrace({ tracePath }: SimOptions, run: Runner, seed: number): void {
  if (tracePath === undefined) return;
  const { lines, traceHash } = run(seed, { records: true });
  const text = [...sentencesOfTrace(lines), `trace hash ${traceHash}`].join("\n") + "\n";
  try {
    Deno.writeTextFileSync(tracePath, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `--trace ${tracePath} cannot be written (${reason}); name a file in a folder that exists`,
    );
  }
}

// ---------------------------------------------------------------------------------------- the museum

function listMutants(io: CliIo): number {
  io.out(MUTANTS.map(({ name, summary, origin }) => `${name}\n    ${summary}\n    (${origin})\n`).join(""));
  return 0;
}

function listScenarios(io: CliIo): number {
  const lines = SCENARIOS.map(({ name, says, source }) => `${name}\n    ${says} (${source})\n`);
  io.out(lines.join(""));
  return 0;
}

/** Puts every bug back, one after the other. */
async function runMutants(given: Arguments, io: CliIo): Promise<number> {
  const clash = [...given.values.keys()][0];
  if (clash !== undefined) throw new UsageError(`--${clash} does not go with --mutants; leave it out`);
  const isJson = given.flags.has("json");
  const progress = await progressOn(io, MUTANTS.length, isJson);
  const breathe = breather();
  const startMs = performance.now();
  const verdicts: MutantVerdict[] = [];
  for (const mutant of MUTANTS) {
    verdicts.push(hunt(mutant, HUNT_SEEDS, (seed, { records }) => runMutant(mutant, seed, records)));
    progress?.update(verdicts.length, mutant.name);
    await breathe();
  }
  progress?.stop();
  const survivors = verdicts.filter(({ killed }) => killed === undefined);
  if (isJson) {
    const mutants = verdicts.map(({ mutant, killed, seeds }) => (
      { name: mutant.name, killed_by: killed?.failure.invariant ?? null, seeds }
    ));
    io.out(JSON.stringify({ mutants, survivors: survivors.length }) + "\n");
  } else {
    io.out(mutantTable(verdicts, io.isColourful));
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    io.out(`${verdicts.length - survivors.length} of ${verdicts.length} mutants killed in ${seconds} s\n`);
  }
  return survivors.length > 0 ? EXIT_FAILED : 0;
}

// ------------------------------------------------------------------------------------------- within

function showProgress(progress: Progress | undefined, tally: Tally, wallMs: number): void {
  if (progress === undefined) return;
  const perSecond = (tally.seeds * 1_000 / Math.max(wallMs, 1)).toFixed(1);
  const ratio = Math.round(tally.simulatedMs / Math.max(wallMs, 1));
  progress.update(tally.seeds, `${perSecond} seeds/s, ${ratio} × real time, ${tally.failed.length} failed`);
}

function breather(): () => Promise<void> {
  let dueMs = performance.now() + BREATH_MS;
  return async () => {
    if (performance.now() < dueMs) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    dueMs = performance.now() + BREATH_MS;
  };
}

function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
