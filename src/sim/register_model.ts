/**
 * The operations of one key as the search sees them: what each demands of the register and what it does to it.
 *
 * Values become numbers. Values that no get returned are all alike: they can be found by a delete or overwritten,
 * no more. They count as one value, so that the search need not tell them apart.
 *
 * @module
 */
import type { Operation } from "./history.ts";

/** Values by number. The values that gets returned follow from 2 on. */
export const MISSING = 0;
const UNREAD = 1;
/** What an operation needs of the value that it meets, other than to be a certain one. */
export const NEEDS_NOTHING = -1;
export const NEEDS_ANY_VALUE = -2;
export const WRITES_NOTHING = -1;

/** An operation with an answer. */
export interface Answered {
  readonly operation: Operation;
  readonly invokedAt: number;
  readonly returnedAt: number;
  readonly needs: number;
  readonly writes: number;
}

export interface RegisterModel {
  /** In the order of calls. */
  readonly answered: Answered[];
  /** For each value the writes of it whose outcome is unknown, in the order of calls. */
  readonly unknown: Operation[][];
}

/**
 * Gets without an answer are left out: they say nothing. Throws a RangeError if an operation returned before it was
 * called: such a history was recorded wrong, and any verdict on it would be too.
 */
export function registerModelOf(operations: readonly Operation[]): RegisterModel {
  const inOrder = [...operations].sort((a, b) => a.invokedAt - b.invokedAt);
  const numbers = numbersOfReadValues(inOrder);
  const unknown: Operation[][] = Array.from({ length: UNREAD + 1 + numbers.size }, () => []);
  for (const operation of inOrder) {
    if (operation.returnedAt === undefined) unknown[writtenBy(operation, numbers)]?.push(operation);
  }
  return { answered: inOrder.flatMap((operation) => answeredOf(operation, numbers)), unknown };
}

function numbersOfReadValues(operations: readonly Operation[]): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const operation of operations) {
    if (operation.kind !== "get" || operation.output === undefined) continue;
    if (!numbers.has(operation.output)) numbers.set(operation.output, UNREAD + 1 + numbers.size);
  }
  return numbers;
}

/** The operation in a list of its own; an empty list if it has no answer. */
function answeredOf(operation: Operation, numbers: ReadonlyMap<string, number>): Answered[] {
  const { invokedAt, returnedAt } = operation;
  if (returnedAt === undefined) return [];
  if (returnedAt < invokedAt) {
    throw new RangeError(
      `operation ${operation.id}: returned at ${returnedAt}, before its call at ${invokedAt}`,
    );
  }
  const writes = writtenBy(operation, numbers);
  return [{ operation, invokedAt, returnedAt, needs: neededBy(operation, numbers), writes }];
}

function neededBy(operation: Operation, numbers: ReadonlyMap<string, number>): number {
  switch (operation.kind) {
    case "put":
      return NEEDS_NOTHING;
    case "delete":
      return operation.output === true ? NEEDS_ANY_VALUE : MISSING;
    case "get":
      return operation.output === undefined ? MISSING : numbers.get(operation.output) ?? UNREAD;
  }
}

function writtenBy(operation: Operation, numbers: ReadonlyMap<string, number>): number {
  switch (operation.kind) {
    case "put":
      return numbers.get(operation.input) ?? UNREAD;
    case "delete":
      return MISSING;
    case "get":
      return WRITES_NOTHING;
  }
}
