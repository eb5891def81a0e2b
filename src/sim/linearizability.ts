/**
 * The judge of what clients saw: whether each operation can have taken effect at one moment between its call and
 * its answer.
 *
 * Each key is judged by itself: a history is linearizable if and only if its part on each object is (Herlihy and
 * Wing 1990), and keys are independent objects. Horn and Kroening call this P-compositionality; it turns one
 * search that is exponential in the concurrency of all clients into many short ones. How one key is searched is
 * told in `register_search.ts`.
 *
 * A violation is explained by the shortest bad prefix. Every prefix of a linearizable history is linearizable, so
 * there is one answer with which it first goes wrong, and bisection over the answers finds it. Operations that are
 * not answered within a prefix count as unknown there.
 *
 * A search that runs out of steps is "undecided", which is never a pass.
 *
 * Sources: M. Herlihy, J. Wing, "Linearizability", TOPLAS 12 (1990); A. Horn, D. Kroening, "Faster linearizability
 * checking via P-compositionality", FORTE 2015.
 *
 * @module
 */
import type { Operation } from "./history.ts";
import { searchOrder } from "./register_search.ts";

/** Enough for any history that the simulator makes; some seconds and some 100 MiB if all are used up. */
const DEFAULT_MAX_STEPS = 500_000;
/** How many operations of a kind a description lists. */
const LISTED_UP_TO = 12;
const SHOWN_VALUE_UP_TO_CHARS = 60;

export interface LinearizabilityOptions {
  /** How many placements the search may try for one key. */
  readonly maxSteps?: number;
}

export interface NotLinearizable {
  readonly outcome: "violation";
  readonly key: string;
  /** An order that explains all answers before the first bad one; operations that were open then have no answer. */
  readonly explained: readonly Operation[];
  /**
   * The operation whose answer no order explains. Several, in the order of their answers, if the budget did not
   * suffice to say which of them is the first.
   */
  readonly unexplained: readonly Operation[];
  /** Operations that were under way at the first bad answer and are in neither of the above. */
  readonly open: readonly Operation[];
}

export interface Undecided {
  readonly outcome: "undecided";
  readonly key: string;
  /** How many operations the key has. */
  readonly operations: number;
  readonly maxSteps: number;
}

export type Verdict =
  | { readonly outcome: "linearizable"; readonly steps: number }
  | NotLinearizable
  | Undecided;

/**
 * Judges a history. The keys start out missing. The first violation wins over keys that are undecided, these over
 * a pass. Operations come in any order; their ids must be unique.
 */
export function checkLinearizability(
  operations: readonly Operation[],
  options: LinearizabilityOptions = {},
): Verdict {
  const maxSteps = options.maxSteps ?? DEFAULT_MAX_STEPS;
  let undecided: Undecided | undefined;
  let steps = 0;
  for (const [key, ofKey] of byKey(operations)) {
    const result = searchOrder(ofKey, maxSteps);
    steps += result.steps;
    if (result.outcome === "violation") return explainedViolation(key, ofKey, maxSteps);
    if (result.outcome === "undecided") {
      undecided ??= { outcome: "undecided", key, operations: ofKey.length, maxSteps };
    }
  }
  return undecided ?? { outcome: "linearizable", steps };
}

/** Says in sentences what no order explains, or what was not decided. */
export function describeViolation(verdict: NotLinearizable | Undecided): string {
  if (verdict.outcome === "undecided") {
    return `whether the ${verdict.operations} operations on key ${shown(verdict.key)} are linearizable is ` +
      `undecided: the search ended after ${verdict.maxSteps} steps`;
  }
  const { key, explained, unexplained, open } = verdict;
  const lines = [`no order of the operations on key ${shown(key)} explains what the clients saw`];
  lines.push(unexplained.length === 1 ? "This answer does not fit:" : "One of these answers does not fit:");
  lines.push(...listed(unexplained));
  if (explained.length > 0) {
    lines.push("All answers before it fit this order, which began with the key missing:");
    lines.push(...listed(explained));
  }
  if (open.length > 0) lines.push("Also under way, but no help:", ...listed(open));
  return lines.join("\n");
}

function byKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const ofKey = keys.get(operation.key);
    if (ofKey === undefined) keys.set(operation.key, [operation]);
    else ofKey.push(operation);
  }
  return keys;
}

function explainedViolation(
  key: string,
  operations: readonly Operation[],
  maxSteps: number,
): NotLinearizable {
  const answers = operations.flatMap((operation) =>
    operation.returnedAt === undefined ? [] : [{ operation, returnedAt: operation.returnedAt }]
  ).sort((a, b) => a.returnedAt - b.returnedAt);
  const prefixOf = (answerCount: number) => {
    const last = answers[answerCount - 1];
    return last === undefined ? [] : cutAfter(operations, last.returnedAt);
  };
  let fitting = 0; // so many answers fit
  let failing = answers.length; // so many do not
  let explained: readonly Operation[] = [];
  while (failing - fitting > 1) {
    const middle = (fitting + failing) >>> 1;
    const result = searchOrder(prefixOf(middle), maxSteps);
    if (result.outcome === "undecided") break;
    if (result.outcome === "linearizable") {
      fitting = middle;
      explained = result.order;
    } else {
      failing = middle;
    }
  }
  const unexplained = answers.slice(fitting, failing).map(({ operation }) => operation);
  const told = new Set([...explained, ...unexplained].map(({ id }) => id));
  const open = prefixOf(failing).filter((operation) =>
    operation.returnedAt === undefined && !told.has(operation.id)
  );
  return { outcome: "violation", key, explained, unexplained, open };
}

/** What was known right after an event: later calls are not there, later answers are not in. */
function cutAfter(operations: readonly Operation[], event: number): Operation[] {
  return operations.filter(({ invokedAt }) => invokedAt <= event).map((operation) => {
    if (operation.returnedAt === undefined || operation.returnedAt <= event) return operation;
    return operation.kind === "put"
      ? { ...operation, returnedAt: undefined }
      : { ...operation, output: undefined, returnedAt: undefined };
  });
}

/** The last operations of a list, a line each. */
function listed(operations: readonly Operation[]): string[] {
  const left = operations.length - LISTED_UP_TO;
  const lines = operations.slice(-LISTED_UP_TO).map((operation) => `  ${sentenceOf(operation)}`);
  return left > 0 ? [`  (${left} earlier ones)`, ...lines] : lines;
}

function sentenceOf(operation: Operation): string {
  const { client, invokedAt, returnedAt } = operation;
  const span = returnedAt === undefined
    ? `called at ${invokedAt}, not answered`
    : `called at ${invokedAt}, answered at ${returnedAt}`;
  return `client ${client} ${deedOf(operation)} (${span})`;
}

function deedOf(operation: Operation): string {
  const isAnswered = operation.returnedAt !== undefined;
  switch (operation.kind) {
    case "put":
      return `put ${shown(operation.input)}`;
    case "get":
      if (!isAnswered) return "asked for the value";
      return operation.output === undefined ? "got nothing: missing" : `got ${shown(operation.output)}`;
    case "delete":
      if (!isAnswered) return "deleted";
      return operation.output === true ? "deleted and found a value" : "deleted and found nothing";
  }
}

function shown(text: string): string {
  const isLong = text.length > SHOWN_VALUE_UP_TO_CHARS;
  return isLong
    ? `${JSON.stringify(text.slice(0, SHOWN_VALUE_UP_TO_CHARS))}... (${text.length} characters)`
    : JSON.stringify(text);
}
