/**
 * An invariant that does not hold. Thrown by the checkers, caught by the runner.
 *
 * @module
 */
import type { InvariantName } from "./invariants.ts";

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: InvariantName;

  constructor(invariant: InvariantName, detail: string) {
    super(detail);
    this.invariant = invariant;
  }
}
