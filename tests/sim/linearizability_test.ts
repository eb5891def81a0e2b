import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import type { Operation } from "../../src/sim/history.ts";
import { checkLinearizability, describeViolation, type Verdict } from "../../src/sim/linearizability.ts";
import { searchOrder } from "../../src/sim/register_search.ts";
import { del, get, hasOrderByTryingAll, historyOfRegister, isValidOrder, put } from "./history_fixture.ts";

const GOOD: Record<string, Operation[]> = {
  "nothing at all": [],
  "a read of a key that was never written": [get(undefined, 1, 2), del(false, 3, 4)],
  "a read of what was written": [put("a", 1, 2), get("a", 3, 4)],
  "concurrent writes in the order that the reads show": [
    put("a", 1, 5),
    put("b", 2, 4),
    get("b", 6, 7),
    get("b", 8, 9),
  ],
  "a read during a write that sees the old value, then one that sees the new": [
    put("a", 1, 2),
    put("b", 3, 8),
    get("a", 4, 5),
    get("b", 6, 7),
  ],
  "the same value written twice, seen again": [
    put("a", 1, 2),
    put("b", 3, 4),
    put("a", 5, 8),
    get("b", 6, 7),
    get("a", 9, 10),
  ],
  "a delete between a write and its repetition": [
    put("a", 1, 2),
    del(true, 3, 4),
    get(undefined, 5, 6),
    put("a", 7, 8),
    get("a", 9, 10),
  ],
  "two deletes at once of which one found": [put("a", 1, 2), del(true, 3, 6), del(false, 4, 5)],
  "an unknown put that takes effect late": [
    put("a", 1),
    put("b", 2, 3),
    get("b", 4, 5),
    get("a", 6, 7),
  ],
  "an unknown put that never takes effect": [put("a", 1, 2), put("b", 3), get("a", 4, 5), get("a", 6, 7)],
  "an unknown delete that takes effect late": [
    put("a", 1, 2),
    del(undefined, 3),
    get("a", 4, 5),
    get(undefined, 6, 7),
  ],
  "an unknown put, then an unknown delete, seen by two deletes": [
    put("a", 1),
    del(true, 2, 3),
    put("b", 4, 5),
    del(undefined, 6),
    del(false, 7, 8),
  ],
  "an unknown get, which may have seen anything": [put("a", 1, 2), get(undefined, 3), get("a", 4, 5)],
  "unknown puts of the same value, each of which is seen": [
    put("a", 1),
    put("a", 2),
    put("b", 3, 4),
    get("a", 5, 6),
    put("c", 7, 8),
    get("a", 9, 10),
  ],
  "keys that have nothing to do with each other": [
    put("a", 1, 2, { key: "x" }),
    get(undefined, 3, 4, { key: "y" }),
    get("a", 5, 6, { key: "x" }),
  ],
};

/** For each bad history the position of the answer that breaks it. */
const BAD: Record<string, [Operation[], number]> = {
  "stale read": [[put("a", 1, 2), put("b", 3, 4), get("a", 5, 6)], 2],
  "stale read of a missing key": [[put("a", 1, 2), get(undefined, 3, 4)], 1],
  "lost update": [[put("a", 1, 2), put("b", 3, 4), get("b", 5, 6), get("a", 7, 8)], 3],
  "lost write of which nobody knew": [[put("a", 1, 2), put("b", 3, 4), del(false, 5, 6)], 2],
  "read of a value that was never written": [[put("a", 1, 2), get("b", 3, 4)], 1],
  "read of a value before its write was called": [[put("a", 1, 2), get("b", 3, 4), put("b", 5, 6)], 1],
  "own write not read": [
    [
      put("a", 1, 2, { client: 2 }),
      put("b", 3, 4, { client: 1 }),
      get("a", 5, 6, { client: 1 }),
    ],
    2,
  ],
  "new-old inversion": [[put("a", 1, 2), put("b", 3, 10), get("b", 4, 5), get("a", 6, 7)], 3],
  "concurrent writes seen in both orders": [
    [put("a", 1, 10), put("b", 2, 11), get("a", 3, 4), get("b", 5, 6), get("a", 7, 8)],
    4,
  ],
  "deleted value that comes back": [[put("a", 1, 2), del(true, 3, 4), get("a", 5, 6)], 2],
  "delete that finds what is gone": [[put("a", 1, 2), del(true, 3, 4), del(true, 5, 6)], 2],
  "two deletes at once that both found the same": [[put("a", 1, 2), del(true, 3, 6), del(true, 4, 5)], 1],
  "retry that applies a put again": [
    [put("a", 1, 2), get("a", 3, 4), put("b", 5, 6), get("b", 7, 8), get("a", 9, 10)],
    4,
  ],
  "retry of an unknown put that applies twice": [
    [put("a", 1), get("a", 2, 3), put("b", 4, 5), get("b", 6, 7), get("a", 8, 9)],
    4,
  ],
  "unknown put that is seen and then unseen": [
    [put("a", 1, 2), put("b", 3), get("b", 4, 5), get("a", 6, 7)],
    3,
  ],
  "unknown put that is seen before its call": [[get("a", 1, 2), put("a", 3)], 0],
  "unknown delete that takes effect twice": [
    [put("a", 1, 2), del(undefined, 3), get(undefined, 4, 5), put("a", 6, 7), get(undefined, 8, 9)],
    4,
  ],
};

for (const [name, history] of Object.entries(GOOD)) {
  Deno.test(`checkLinearizability() accepts ${name}`, () => {
    assertEquals(checkLinearizability(history).outcome, "linearizable");
    assert(hasOrderByTryingAll(history.filter(({ key }) => key !== "y")));
  });
}

for (const [name, [history, culprit]] of Object.entries(BAD)) {
  Deno.test(`checkLinearizability() finds the answer at fault in: ${name}`, () => {
    const verdict = checkLinearizability(history);
    assert(verdict.outcome === "violation");
    assertEquals<Operation | undefined>(verdict.culprit, history[culprit]);
    assert(!hasOrderByTryingAll(history));
  });
}

Deno.test("checkLinearizability() counts equal event numbers as concurrent", () => {
  assertEquals(checkLinearizability([put("a", 1, 2), get(undefined, 2, 3)]).outcome, "linearizable");
});

Deno.test("checkLinearizability() refuses an operation that returned before its call", () => {
  assertThrows(
    () => checkLinearizability([put("a", 5, 4)]),
    RangeError,
    "returned at 4, before its call at 5",
  );
});

Deno.test("checkLinearizability() names the key at fault among others", () => {
  const place = { key: "other" };
  const verdict = checkLinearizability([put("a", 1, 2), put("a", 3, 4, place), get(undefined, 5, 6, place)]);
  assert(verdict.outcome === "violation");
  assertEquals(verdict.key, "other");
});

Deno.test("checkLinearizability() accepts every history of a real register", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const values = seed % 3 === 0 ? { values: 3 } : {};
    const shape = {
      operations: 150,
      clients: 1 + seed % 8,
      keys: 1 + seed % 3,
      unknown: (seed % 5) / 10,
      ...values,
    };
    const history = historyOfRegister(seed, shape);
    assertEquals(checkLinearizability(history).outcome, "linearizable", `seed ${seed}`);
  }
});

Deno.test("checkLinearizability() finds one overwritten value read in a long history", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const history = historyOfRegister(seed, { operations: 300, clients: 5, keys: 1, unknown: 0.2 });
    const lies = history.flatMap((operation) => {
      const stale = operation.kind === "get" && operation.returnedAt !== undefined
        ? overwrittenBefore(history, operation.invokedAt)
        : undefined;
      return stale === undefined ? [] : [{ ...operation, output: stale } as Operation];
    });
    const lie = lies[seed % lies.length];
    assert(lie !== undefined);
    const verdict = checkLinearizability(
      history.map((operation) => operation.id === lie.id ? lie : operation),
    );
    assert(verdict.outcome === "violation", `seed ${seed}`);
    // The lie itself, or one that told the truth after it, never one before.
    assert((verdict.culprit.returnedAt ?? 0) >= (lie.returnedAt ?? 0), `seed ${seed}`);
    assert(verdict.order !== undefined && isValidOrder(withoutUnanswered(verdict.order, verdict.culprit)));
  }
});

/** A value that is surely gone at `event`: its put returned before another put was called that returned before. */
function overwrittenBefore(history: readonly Operation[], event: number): string | undefined {
  const puts = history.filter((operation) =>
    operation.kind === "put" && (operation.returnedAt ?? Infinity) < event
  );
  const latestCall = Math.max(...puts.map(({ invokedAt }) => invokedAt));
  const gone = puts.find(({ returnedAt }) => (returnedAt ?? Infinity) < latestCall);
  return gone?.kind === "put" ? gone.input : undefined;
}

/** Puts what had not answered at the time of the culprit back to unknown, as the order was made. */
function withoutUnanswered(order: readonly Operation[], culprit: Operation): Operation[] {
  const end = culprit.returnedAt ?? Infinity;
  return order.map((operation) =>
    (operation.returnedAt ?? Infinity) < end ? operation : { ...operation, returnedAt: undefined }
  );
}

// Few values and few events, so that most histories hang by a hair.
const smallHistory: fc.Arbitrary<Operation[]> = fc.array(
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

Deno.test("checkLinearizability() agrees with trying all orders, on arbitrary small histories", () => {
  fc.assert(
    fc.property(smallHistory, (history) => {
      const expected = hasOrderByTryingAll(history) ? "linearizable" : "violation";
      assertEquals(checkLinearizability(history).outcome, expected);
    }),
    { numRuns: 4000 },
  );
});

Deno.test("checkLinearizability() agrees with trying all orders, where one answer of a real register is changed", () => {
  const outcomes = { linearizable: 0, violation: 0, undecided: 0 };
  const spare = fc.record({
    seed: fc.nat(),
    clients: fc.integer({ min: 2, max: 5 }),
    unknown: fc.constantFrom(0, 0.3, 0.6),
    values: fc.constantFrom(2, 100),
    changed: fc.nat(),
    output: fc.option(fc.nat({ max: 5 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(spare, ({ seed, clients, unknown, values, changed, output }) => {
      const history = historyOfRegister(seed, { operations: 6, clients, keys: 1, unknown, values });
      const target = history.filter((operation) =>
        operation.kind !== "put" && operation.returnedAt !== undefined
      );
      const victim = target[changed % target.length];
      const mutated = history.map((operation) =>
        operation === victim ? changedAnswer(operation, output) : operation
      );
      const { outcome } = checkLinearizability(mutated);
      outcomes[outcome]++;
      assertEquals(outcome, hasOrderByTryingAll(mutated) ? "linearizable" : "violation");
    }),
    { numRuns: 4000 },
  );
  assert(outcomes.linearizable > 400 && outcomes.violation > 400, JSON.stringify(outcomes));
});

function changedAnswer(operation: Operation, output: number | undefined): Operation {
  if (operation.kind === "get") {
    return { ...operation, output: output === undefined ? undefined : `v${output}` };
  }
  return operation.kind === "delete" ? { ...operation, output: !operation.output } : operation;
}

Deno.test("searchOrder() gives an order that holds all answers and obeys the calls", () => {
  fc.assert(
    fc.property(smallHistory, (history) => {
      const result = searchOrder(history, 10_000);
      if (result.outcome !== "linearizable") return;
      assert(isValidOrder(result.order));
      assertEquals(new Set(result.order).size, result.order.length);
      assert(history.every((one) => one.returnedAt === undefined || result.order.includes(one)));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("checkLinearizability() names the first answer at fault and all that it could have been", () => {
  fc.assert(
    fc.property(smallHistory, (history) => {
      const verdict = checkLinearizability(history);
      if (verdict.outcome !== "violation") return;
      const { culprit, possible } = verdict;
      assert(hasOrderByTryingAll(knownBefore(history, culprit)));
      if (culprit.kind !== "get") return;
      const fixed = (
        output: string | undefined,
      ) => [...knownBefore(history, culprit).filter(({ id }) => id !== culprit.id), { ...culprit, output }];
      const expected = [undefined, "a", "b", "c"].filter((output) => hasOrderByTryingAll(fixed(output)));
      assertEquals(new Set(possible), new Set(expected));
      assert(!hasOrderByTryingAll(fixed(culprit.output)));
    }),
    { numRuns: 2000 },
  );
});

/** What was known just before `last` returned. Of answers at the same moment, those before it in the list count. */
function knownBefore(history: readonly Operation[], last: Operation): Operation[] {
  const end = last.returnedAt ?? Infinity;
  return history.filter(({ invokedAt }) => invokedAt <= end).map((operation) =>
    operation !== last && (operation.returnedAt ?? Infinity) <= end
      ? operation
      : { ...operation, returnedAt: undefined }
  );
}

Deno.test("checkLinearizability() takes steps in proportion, whatever is unknown", () => {
  // Many unknown writes on one key: each would double the work if the search asked of each whether it happened.
  const history = historyOfRegister(7, { operations: 4000, clients: 10, keys: 1, unknown: 0.5 });
  assert(history.filter(({ returnedAt }) => returnedAt === undefined).length > 900);
  const verdict = checkLinearizability(history);
  assertEquals(verdict.outcome, "linearizable");
  assertLess(verdict.steps, 20 * history.length);
});

Deno.test("checkLinearizability() judges 10,000 operations of 10 clients on 10 keys in few steps", () => {
  const history = historyOfRegister(1, { operations: 10_000, clients: 10, keys: 10, unknown: 0.02 });
  const verdict = checkLinearizability(history);
  assertEquals(verdict.outcome, "linearizable");
  assertLess(verdict.steps, 2 * history.length);
});

Deno.test("checkLinearizability() says undecided, never linearizable, when it runs out of steps", () => {
  const history = historyOfRegister(3, { operations: 200, clients: 8, keys: 1, unknown: 0 });
  const verdict = checkLinearizability(history, { maxStepsPerKey: 20 });
  assertEquals(verdict, { outcome: "undecided", steps: 20, key: "k0", operations: 200 });
  assert(verdict.outcome === "undecided");
  assertMatch(
    describeViolation(verdict),
    /^key "k0": undecided after 20 steps over its 200 operations; [^\n]+$/,
  );
});

Deno.test("checkLinearizability() reports a key that is wrong rather than one that is undecided", () => {
  const history = historyOfRegister(3, { operations: 200, clients: 8, keys: 1, unknown: 0 });
  const place = { key: "zz" };
  const wrong = [put("a", 1, 2, place), get(undefined, 3, 4, place)];
  const verdict = checkLinearizability([...history, ...wrong], { maxStepsPerKey: 20 });
  assert(verdict.outcome === "violation");
  assertEquals(verdict.key, "zz");
});

function storyOf(history: Operation[]): string {
  const verdict: Verdict = checkLinearizability(history);
  assert(verdict.outcome !== "linearizable");
  return describeViolation(verdict);
}

Deno.test("describeViolation() tells a stale read: what was possible, and an order of what came before", () => {
  const story = storyOf([
    put("a", 1, 2, { client: 1 }),
    put("b", 3, 4, { client: 2 }),
    put("c", 5, undefined, { client: 2 }),
    get("a", 6, 7, { client: 3 }),
  ]);
  assertEquals(
    story,
    [
      'key "k": client 3 got "a" (events 6 to 7), but only "b" or "c" was possible',
      "Until then all answers are explained by this order:",
      '  client 1 put "a" (events 1 to 2)',
      '  client 2 put "b" (events 3 to 4)',
    ].join("\n"),
  );
});

Deno.test("describeViolation() tells of a value that nobody had put", () => {
  const story = storyOf([get("x", 1, 2, { client: 1 })]);
  assertEquals(
    story,
    'key "k": client 1 got "x" (events 1 to 2), but nobody had put that, and only nothing was possible\n' +
      "Nothing that took effect was answered before.",
  );
});

Deno.test("describeViolation() tells of deletes, and of what had not answered yet", () => {
  const found = storyOf([put("a", 1, 2), del(true, 3, 4), del(true, 5, 6, { client: 9 })]);
  assertStringIncludes(
    found,
    "client 9 deleted what it found (events 5 to 6), but there was nothing to find\n",
  );
  const notFound = storyOf([
    put("a", 1, undefined, { client: 8 }),
    get("a", 2, 3),
    del(false, 4, 5, { client: 9 }),
  ]);
  assertStringIncludes(
    notFound,
    "client 9 found nothing to delete (events 4 to 5), but there was something\n",
  );
  assertStringIncludes(notFound, '  client 8 put "a" (event 1, not answered by then)\n');
});

Deno.test("describeViolation() cuts a long explanation at its start", () => {
  const puts = Array.from({ length: 30 }, (_, i) => put(`v${i}`, 2 * i + 1, 2 * i + 2));
  const lines = storyOf([...puts, get("v3", 100, 101)]).split("\n");
  assertEquals(lines.length, 14);
  assertEquals(lines[1], "Until then all answers are explained by this order after 18 others:");
  assertStringIncludes(lines.at(-1) ?? "", 'put "v29"');
});
