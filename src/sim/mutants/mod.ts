/**
 * The museum: every bug that the simulator must notice, by name.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";
import { MEMBER_MUTANTS } from "./members.ts";
import { REPLICATION_MUTANTS } from "./replication.ts";
import { SERVICE_MUTANTS } from "./service.ts";
import { STORAGE_MUTANTS } from "./storage.ts";
import { VOTE_MUTANTS } from "./votes.ts";

export const MUTANTS: readonly Mutant[] = [
  ...VOTE_MUTANTS,
  ...REPLICATION_MUTANTS,
  ...SERVICE_MUTANTS,
  ...STORAGE_MUTANTS,
  ...MEMBER_MUTANTS,
];

export function mutantNamed(name: string): Mutant | undefined {
  return MUTANTS.find((mutant) => mutant.name === name);
}
