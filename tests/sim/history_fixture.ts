import type { Operation } from "../../src/sim/history.ts";
import { Random } from "../../src/sim/random.ts";

type Place = { readonly client?: number; readonly key?: string };

let nextId = 1;

function call(invokedAt: number, returnedAt: number | undefined, place: Place) {
  const id = nextId++;
  return { id, client: place.client ?? id, key: place.key ?? "k", invokedAt, returnedAt };
}

/** A put that was called and answered at these events; its outcome is unknown without the second. */
export function put(input: string, invokedAt: number, returnedAt?: number, place: Place = {}): Operation {
  return { ...call(invokedAt, returnedAt, place), kind: "put", input };
}

export function get(
  output: string | undefined,
  invokedAt: number,
  returnedAt?: number,
  place: Place = {},
): Operation {
  return { ...call(invokedAt, returnedAt, place), kind: "get", output };
}

export function del(
  output: boolean | undefined,
  invokedAt: number,
  returnedAt?: number,
  place: Place = {},
): Operation {
  return { ...call(invokedAt, returnedAt, place), kind: "delete", output };
}

/** Whether `order` obeys who returned before whom was called, and gives every answer that there was. */
export function isValidOrder(order: readonly Operation[]): boolean {
  let value: string | undefined;
  return order.every((operation, i) => {
    if (order.slice(i + 1).some((later) => precedes(later, operation))) return false;
    const answer = operation.kind === "get"
      ? value
      : operation.kind === "delete"
      ? value !== undefined
      : null;
    if (operation.kind === "put") value = operation.input;
    if (operation.kind === "delete") value = undefined;
    return operation.kind === "put" || operation.returnedAt === undefined || operation.output === answer;
  });
}

/** The definition, word for word: tries every order of every choice of what took effect. For few operations. */
export function hasOrderByTryingAll(
  operations: readonly Operation[],
  order: readonly Operation[] = [],
): boolean {
  const left = operations.filter((operation) => !order.includes(operation));
  if (left.every(({ returnedAt }) => returnedAt === undefined)) return true;
  return left.some((operation) => {
    const longer = [...order, operation];
    return isValidOrder(longer) && hasOrderByTryingAll(operations, longer);
  });
}

function precedes(first: Operation, second: Operation): boolean {
  return first.returnedAt !== undefined && first.returnedAt < second.invokedAt;
}

export interface HistoryShape {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** The share of the writes that get no answer. Half of them take effect, at some time. */
  readonly unknown: number;
  /** How many different values there are; unlimited by default. */
  readonly values?: number;
}

/**
 * What clients of a real register see. Each has one operation at a time; a call, its effect and its answer are
 * steps in random order among those of the others.
 */
export function historyOfRegister(seed: number, shape: HistoryShape): Operation[] {
  const random = new Random(seed, "history");
  const registers = new Map<string, string>();
  const done: Operation[] = [];
  const late: (() => void)[] = [];
  const running = new Map<number, { step: () => boolean }>();
  let event = 0;
  let begun = 0;
  const begin = (client: number) => {
    const place = { client, key: `k${random.below(shape.keys)}` };
    const invokedAt = ++event;
    const count = begun++;
    const dice = random.next();
    const value = `v${shape.values === undefined ? count : random.below(shape.values)}`;
    const isUnknown = dice >= 0.45 && random.chance(shape.unknown);
    let answer: Operation | undefined;
    const takeEffect = () => {
      const old = registers.get(place.key);
      if (dice < 0.45) {
        answer = get(old, invokedAt, 0, place);
      } else if (dice < 0.85) {
        registers.set(place.key, value);
        answer = put(value, invokedAt, 0, place);
      } else {
        registers.delete(place.key);
        answer = del(old !== undefined, invokedAt, 0, place);
      }
    };
    const step = () => {
      if (isUnknown) {
        done.push(
          dice < 0.85 ? put(value, invokedAt, undefined, place) : del(undefined, invokedAt, undefined, place),
        );
        if (random.chance(0.5)) late.push(takeEffect);
        return true;
      }
      if (answer === undefined) {
        takeEffect();
        return false;
      }
      done.push({ ...answer, returnedAt: ++event });
      return true;
    };
    running.set(client, { step });
  };
  while (begun < shape.operations || running.size > 0) {
    if (late.length > 0 && random.chance(0.05)) late.splice(random.below(late.length), 1)[0]?.();
    const client = random.below(shape.clients);
    const operation = running.get(client);
    if (operation === undefined) {
      if (begun < shape.operations) begin(client);
    } else if (operation.step()) running.delete(client);
  }
  return done;
}
