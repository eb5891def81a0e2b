/**
 * Many seeds, one after the other, and what they add up to: faults and operations are counted, so that it is
 * visible that they did happen.
 *
 * @module
 */
import type { Mutant } from "./mutant.ts";
import type { Failure, RunResult } from "./run.ts";

/** One run in so many is run twice: the two must be the same. The first is among them. */
const RUNS_PER_REPEAT = 50;

/** Runs one seed, by itself or in a scenario. */
export type Runner = (seed: number, options: { readonly records: boolean }) => RunResult;

/** A seed and the promise that it saw broken. */
export interface FailedSeed {
  readonly seed: number;
  readonly failure: Failure;
}

/** The sums of a campaign. */
export class Tally {
  seeds = 0;
  simulatedMs = 0;
  events = 0;
  readonly failed: FailedSeed[] = [];
  readonly faults: Record<string, number> = {};
  readonly operations = { ok: 0, unknown: 0, retries: 0 };

  add(result: RunResult): void {
    this.seeds++;
    this.simulatedMs += result.simulatedMs;
    this.events += result.events;
    if (result.failure !== undefined) this.failed.push({ seed: result.seed, failure: result.failure });
    for (const [kind, count] of Object.entries(result.faults)) {
      this.faults[kind] = (this.faults[kind] ?? 0) + count;
    }
    this.operations.ok += result.operations.ok;
    this.operations.unknown += result.operations.unknown;
    this.operations.retries += result.operations.retries;
  }
}

/** Runs `count` seeds from `firstSeed` on. Runs as far as the results are taken. */
export function* campaign(firstSeed: number, count: number, run: Runner): Generator<RunResult> {
  for (let i = 0; i < count; i++) {
    const result = run(firstSeed + i, { records: false });
    yield i % RUNS_PER_REPEAT === 0 ? repeated(result, run) : result;
  }
}

/** The same run again; what differs is a failure of its own, and the worst: no other seed can be trusted. */
function repeated(first: RunResult, run: Runner): RunResult {
  const again = run(first.seed, { records: false });
  if (again.traceHash === first.traceHash && again.failure?.detail === first.failure?.detail) return first;
  const detail =
    `the traces of two runs of seed ${first.seed} differ: ${first.traceHash}, ${again.traceHash}`;
  return { ...first, failure: { invariant: "determinism", detail, atMs: first.simulatedMs } };
}

/** How a mutant fared. */
export interface MutantVerdict {
  readonly mutant: Mutant;
  /** The seed that killed it and the promise that it broke; undefined for a survivor. */
  readonly killed: FailedSeed | undefined;
  /** How many seeds were run, the last one included. */
  readonly seeds: number;
}

/** Runs a mutant on seeds from 1 until it is noticed, `maxSeeds` at most. */
export function hunt(mutant: Mutant, maxSeeds: number, run: Runner): MutantVerdict {
  for (let seed = 1; seed <= maxSeeds; seed++) {
    const { failure } = run(seed, { records: false });
    if (failure !== undefined) return { mutant, killed: { seed, failure }, seeds: seed };
  }
  return { mutant, killed: undefined, seeds: maxSeeds };
}
