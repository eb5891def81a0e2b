import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Operation } from "../../src/sim/history.ts";
import { checkLinearizability } from "../../src/sim/linearizability.ts";
import { searchOrder } from "../../src/sim/register_search.ts";
import { del, get, hasOrderByTryingAll, historyOfRegister, isValidOrder, put } from "./history_fixture.ts";

const ENOUGH_STEPS = 100_000;

/** Calls and answers anywhere, equal moments included; few values and few events, so that most hang by a hair. */
const arbitraryHistory: fc.Arbitrary<Operation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("put", "put", "get", "get", "delete"),
    value: fc.constantFrom("a", "b", "c"),
    isThere: fc.boolean(),
    invokedAt: fc.integer({ min: 1, max: 12 }),
    length: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined, freq: 4 }),
  }),
  { minLength: 1, maxLength: 6 },
).map((calls) =>
  calls.map(({ kind, value, isThere, invokedAt, length }) => {
    const returnedAt = length === undefined ? undefined : invokedAt + length;
    if (kind === "put") return put(value, invokedAt, returnedAt);
    if (kind === "get") return get(isThere ? value : undefined, invokedAt, returnedAt);
    return del(length === undefined ? undefined : isThere, invokedAt, returnedAt);
  })
);

Deno.test("searchOrder() agrees with trying all orders, on arbitrary intervals and answers", () => {
  const outcomes = { linearizable: 0, violation: 0, undecided: 0 };
  fc.assert(
    fc.property(arbitraryHistory, (history) => {
      const result = searchOrder(history, ENOUGH_STEPS);
      outcomes[result.outcome]++;
      assertEquals(result.outcome, hasOrderByTryingAll(history) ? "linearizable" : "violation");
      if (result.outcome !== "linearizable") return;
      assert(isValidOrder(result.order));
      assertEquals(new Set(result.order).size, result.order.length);
      assert(history.every((one) => one.returnedAt === undefined || result.order.includes(one)));
    }),
    { numRuns: 4_000 },
  );
  assert(outcomes.linearizable > 400 && outcomes.violation > 400, JSON.stringify(outcomes));
});

Deno.test("searchOrder() agrees with trying all orders, where one answer of a real register is changed", () => {
  const outcomes = { linearizable: 0, violation: 0, undecided: 0 };
  const changes = fc.record({
    seed: fc.nat(),
    clients: fc.integer({ min: 2, max: 5 }),
    unknown: fc.constantFrom(0, 0.3, 0.6),
    values: fc.constantFrom(2, 100),
    victim: fc.nat(),
    output: fc.option(fc.nat({ max: 5 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(changes, ({ seed, clients, unknown, values, victim, output }) => {
      const history = historyOfRegister(seed, { operations: 6, clients, keys: 1, unknown, values });
      const answers = history.filter(({ kind, returnedAt }) => kind !== "put" && returnedAt !== undefined);
      const changed = answers[victim % answers.length];
      const lying = history.map((operation) =>
        operation === changed ? withLie(operation, output) : operation
      );
      const { outcome } = searchOrder(lying, ENOUGH_STEPS);
      outcomes[outcome]++;
      assertEquals(outcome, hasOrderByTryingAll(lying) ? "linearizable" : "violation");
    }),
    { numRuns: 4_000 },
  );
  assert(outcomes.linearizable > 400 && outcomes.violation > 400, JSON.stringify(outcomes));
});

function withLie(operation: Operation, output: number | undefined): Operation {
  if (operation.kind === "get") {
    return { ...operation, output: output === undefined ? undefined : `v${output}` };
  }
  return operation.kind === "delete" ? { ...operation, output: !operation.output } : operation;
}

Deno.test("checkLinearizability() accepts what interleaved clients of real registers see", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const values = seed % 3 === 0 ? { values: 3 } : {};
    const shape = { clients: 1 + seed % 8, keys: 1 + seed % 3, unknown: (seed % 5) / 10, ...values };
    const history = historyOfRegister(seed, { operations: 150, ...shape });
    assertEquals(checkLinearizability(history).outcome, "linearizable", `seed ${seed}`);
  }
});

Deno.test("checkLinearizability() finds the one read of an overwritten value in a long history", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const history = historyOfRegister(seed, { operations: 300, clients: 5, keys: 1, unknown: 0.2 });
    const lies = history.flatMap((operation) => {
      if (operation.kind !== "get" || operation.returnedAt === undefined) return [];
      const output = overwrittenBefore(history, operation.invokedAt);
      return output === undefined ? [] : [{ ...operation, output }];
    });
    const lie = lies[seed % lies.length];
    assert(lie !== undefined);
    const verdict = checkLinearizability(
      history.map((operation) => operation.id === lie.id ? lie : operation),
    );
    assert(verdict.outcome === "violation", `seed ${seed}`);
    // All before the lie is true, and with it nothing fits: the values are written once each.
    assertEquals(verdict.unexplained, [lie], `seed ${seed}`);
    assert(isValidOrder(verdict.explained), `seed ${seed}`);
  }
});

/** A value that is gone at `event`: its put returned before the call of another one that returned before `event`. */
function overwrittenBefore(history: readonly Operation[], event: number): string | undefined {
  const puts = history.filter(({ kind, returnedAt }) => kind === "put" && (returnedAt ?? Infinity) < event);
  const latestCall = Math.max(...puts.map(({ invokedAt }) => invokedAt));
  const gone = puts.find(({ returnedAt }) => (returnedAt ?? Infinity) < latestCall);
  return gone?.kind === "put" ? gone.input : undefined;
}

Deno.test("searchOrder() takes steps in proportion where half of the writes of one busy key are unknown", () => {
  // Each would double the work if the search asked of each whether it happened.
  for (const values of [{}, { values: 3 }]) {
    const shape = { operations: 4_000, clients: 10, keys: 1, unknown: 0.5, ...values };
    const history = historyOfRegister(7, shape);
    assert(history.filter(({ returnedAt }) => returnedAt === undefined).length > 900);
    const result = searchOrder(history, ENOUGH_STEPS);
    assertEquals(result.outcome, "linearizable");
    assertLess(result.steps, 2 * history.length);
  }
});

Deno.test("searchOrder() refuses an operation that returned before its call", () => {
  assertThrows(() => searchOrder([put("a", 5, 4)], 1), RangeError, "returned at 4, before its call at 5");
});

Deno.test("searchOrder() remembers where it was: overlapping writes cost their subsets, not their orders", () => {
  // Two puts of "x" are there, so that nothing is lost at once, but the last read would need a third.
  const overlapping = Array.from({ length: 10 }, (_, i) => put(`v${i}`, i + 3, 100 + i));
  const reads = [get("x", 200, 201), put("y", 202, 203), get("x", 204, 205)];
  const result = searchOrder([put("x", 1, 2), put("x", 3, 100), ...overlapping, ...reads], ENOUGH_STEPS);
  assertEquals(result.outcome, "violation");
});
