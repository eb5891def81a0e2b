/**
 * What `drafty sim` is asked to do, read from its arguments: bad values are told with what would be right.
 *
 * @module
 */
import { MUTANTS } from "../sim/mutants/mod.ts";
import type { Mutant } from "../sim/mutant.ts";
import { SCENARIOS } from "../sim/scenarios/mod.ts";
import type { Scenario } from "../sim/scenario.ts";
import type { Arguments } from "./arguments.ts";
import { suggestion, UsageError } from "./errors.ts";
import { wholeNumber } from "./values.ts";

const DEFAULT_SEEDS = 100;
/** A bug that no seed up to here shows would have to be called a survivor. */
export const HUNT_SEEDS = 10_000;
const MAX_SEEDS = 10_000_000;
const MAX_NODES = 7;

export interface SimOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly nodes: number | undefined;
  readonly scenario: Scenario | undefined;
  readonly mutant: Mutant | undefined;
  readonly tracePath: string | undefined;
  readonly isJson: boolean;
}

/** `drawSeed` gives the first seed where nobody names one. */
export async function simOptionsOf(given: Arguments, drawSeed: () => number): Promise<SimOptions> {
  const bug = given.values.get("bug");
  const name = given.values.get("scenario");
  const nodes = numberOf(given, "nodes", 1, MAX_NODES);
  if (name !== undefined && nodes !== undefined) {
    throw new UsageError("--nodes does not go with --scenario, which has its own number; leave --nodes out");
  }
  const mutant = bug === undefined ? undefined : await mutantOf(bug);
  // A bug that shows itself in one scenario only is watched there.
  const place = name ?? mutant?.scenario;
  const scenario = place === undefined ? undefined : await scenarioOf(place);
  const seed = numberOf(given, "seed", 0, Number.MAX_SAFE_INTEGER - MAX_SEEDS);
  const seeds = numberOf(given, "seeds", 1, MAX_SEEDS) ??
    (mutant !== undefined && name === undefined && seed === undefined
      ? HUNT_SEEDS
      : seed === undefined
      ? DEFAULT_SEEDS
      : 1);
  const tracePath = given.values.get("trace");
  if (tracePath !== undefined && seeds > 1 && mutant === undefined) {
    throw new UsageError("--trace writes the trace of one run; name it with --seed, and leave --seeds out");
  }
  // A museum shows the same piece to all its visitors.
  const firstSeed = seed ?? (mutant === undefined ? drawSeed() : 1);
  return { firstSeed, seeds, nodes, scenario, mutant, tracePath, isJson: given.flags.has("json") };
}

async function mutantOf(name: string): Promise<Mutant> {
  const mutant = MUTANTS.find((mutant) => mutant.name === name);
  if (mutant !== undefined) return mutant;
  const near = await suggestion(name, MUTANTS.map((mutant) => mutant.name));
  throw new UsageError(`--bug ${name} is not known${near || "; --bug list shows all"}`);
}

async function scenarioOf(name: string): Promise<Scenario> {
  const scenario = SCENARIOS.find((scenario) => scenario.name === name);
  if (scenario === undefined) {
    const near = await suggestion(name, SCENARIOS.map((scenario) => scenario.name));
    throw new UsageError(`--scenario ${name} is not known${near || "; --scenario list shows all"}`);
  }
  return scenario;
}

function numberOf(given: Arguments, option: string, min: number, max: number): number | undefined {
  const text = given.values.get(option);
  return text === undefined ? undefined : wholeNumber(option, text, min, max);
}
