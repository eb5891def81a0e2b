/**
 * Cores with a bug that is in no list: what the simulator says of them was not arranged beforehand.
 */
import type { Mutant } from "../../src/sim/mutant.ts";
import { type RunOptions, type RunResult, runSeed } from "../../src/sim/run.ts";

/** Off by one: one node less than a majority commits. */
export const SMALL_QUORUM: Mutant = {
  name: "small-quorum",
  summary: "an entry is committed when one node less than a majority has it",
  origin: "this test",
  rules: { quorumIndex: (matchIndexes, quorum) => [...matchIndexes].sort((a, b) => b - a)[quorum - 2] ?? 0 },
  settings: { nodes: 5 },
};

/** Off by one: harmless until a leader is lost at the wrong moment. */
export const LENIENT_VOTERS: Mutant = {
  name: "lenient-voters",
  summary: "a candidate may lack the last entry of the voter",
  origin: "this test",
  rules: { isUpToDate: (candidate, own) => candidate.lastLogIndex + 1 >= own.lastLogIndex },
  settings: { faults: { kill: 20, partition: 20, powerCut: 10 } },
};

/** The first seed on which the bug shows. */
export function firstFailure(mutant: Mutant, maxSeeds = 300): { options: RunOptions; result: RunResult } {
  for (let seed = 1; seed <= maxSeeds; seed++) {
    const options = { seed, mutant };
    const result = runSeed(options);
    if (result.failure !== undefined) return { options, result };
  }
  throw new Error(`${mutant.name} was not noticed within ${maxSeeds} seeds`);
}
