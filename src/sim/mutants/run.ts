/**
 * Runs a bug where it can show itself: on the seeds of its settings, or in the scenario that it names.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";
import { type RunResult, runSeed } from "../run.ts";
import { runScenario, scenarioNamed } from "../scenarios/mod.ts";

export function runMutant(mutant: Mutant, seed: number, records: boolean): RunResult {
  if (mutant.scenario === undefined) return runSeed({ seed, mutant, records });
  const scenario = scenarioNamed(mutant.scenario);
  if (scenario === undefined) throw new RangeError(`there is no scenario ${mutant.scenario}`);
  return runScenario(scenario, seed, { mutant, records });
}
