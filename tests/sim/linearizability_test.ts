import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { Operation } from "../../src/sim/history.ts";
import { checkLinearizability, describeViolation, type Verdict } from "../../src/sim/linearizability.ts";
import { searchOrder } from "../../src/sim/register_search.ts";
import { del, get, hasOrderByTryingAll, historyOfRegister, isValidOrder, put } from "./history_fixture.ts";

function numbered(operations: readonly Operation[]): Operation[] {
  return operations.map((operation, i) => ({ ...operation, id: i + 1 }));
}

function outcomeOf(operations: readonly Operation[]): Verdict["outcome"] {
  return checkLinearizability(numbered(operations)).outcome;
}

const GOOD: Readonly<Record<string, readonly Operation[]>> = {
  "an empty history": [],
  "a read of a key that nobody wrote, as missing": [get(undefined, 1, 2)],
  "a read of a concurrent write's value": [put("a", 1, 4), get("a", 2, 3)],
  "a read that comes before a concurrent write": [put("a", 1, 4), get(undefined, 2, 3)],
  "two concurrent writes of which the first called wins": [
    put("a", 1, 4),
    put("b", 2, 3),
    get("a", 5, 6),
  ],
  "one delete of two that finds the value": [
    put("a", 1, 2),
    del(true, 3, 6),
    del(false, 4, 5),
    get(undefined, 7, 8),
  ],
  "an unknown put that takes effect late": [
    put("a", 1),
    put("b", 2, 3),
    get("b", 4, 5),
    get("a", 6, 7),
  ],
  "an unknown put that never takes effect": [put("a", 1), get(undefined, 2, 3)],
  "an unknown delete that takes effect late": [
    put("a", 1, 2),
    del(undefined, 3),
    get("a", 4, 5),
    get(undefined, 6, 7),
  ],
  "an unknown put that only a delete saw": [
    put("a", 1),
    del(true, 2, 3),
    get(undefined, 4, 5),
  ],
  "two unknown puts of one value, seen twice": [
    put("a", 1),
    put("a", 2),
    get("a", 3, 4),
    put("b", 5, 6),
    get("a", 7, 8),
  ],
  "a delete that found the one of two unknown puts that nobody else needs at the time": [
    put("a", 1),
    put("b", 2),
    del(true, 3, 4),
    get("a", 5, 6),
    put("a", 7),
    put("b", 8),
    get("b", 9, 10),
  ],
  "an answer at the moment of the next call, which counts as concurrent": [
    put("a", 1, 2),
    get(undefined, 2, 3),
  ],
};

const BAD: Readonly<Record<string, readonly Operation[]>> = {
  "a stale read": [put("a", 1, 2), put("b", 3, 4), get("a", 5, 6)],
  "a lost update": [put("a", 1, 2), get(undefined, 3, 4)],
  "a read of a value that nobody wrote": [put("a", 1, 2), get("z", 3, 4)],
  "a read of a value before it was written": [get("a", 1, 2), put("a", 3, 4)],
  "a client that does not read its own write": [
    put("a", 1, 2),
    put("b", 3, 4),
    put("c", 5, 6),
    get("b", 7, 8),
  ],
  "a new-old inversion within one write": [
    put("a", 1, 2),
    put("b", 3, 10),
    get("b", 4, 5),
    get("a", 6, 7),
  ],
  "two readers that disagree on the order of two writes": [
    put("a", 1, 20),
    put("b", 2, 20),
    get("a", 3, 4),
    get("b", 5, 6),
    get("a", 7, 8),
  ],
  "a deleted value that comes back": [put("a", 1, 2), del(true, 3, 4), get("a", 5, 6)],
  "a retried put that is applied twice": [
    put("a", 1, 2),
    put("b", 3, 4),
    get("b", 5, 6),
    get("a", 7, 8),
  ],
  "a value that two deletes found": [put("a", 1, 2), del(true, 3, 6), del(true, 4, 5)],
  "a delete that did not find what was written": [put("a", 1, 2), del(false, 3, 4)],
  "an unknown put that is seen and then not": [
    put("a", 1),
    get("a", 2, 3),
    get(undefined, 4, 5),
  ],
  "an unknown put that takes effect twice": [
    put("a", 1),
    get("a", 2, 3),
    put("b", 4, 5),
    get("a", 6, 7),
  ],
  "an unknown put that is seen before its call": [get("a", 1, 2), put("a", 3)],
};

for (const [name, operations] of Object.entries(GOOD)) {
  Deno.test(`checkLinearizability() accepts ${name}`, () => {
    assertEquals(outcomeOf(operations), "linearizable");
  });
}

for (const [name, operations] of Object.entries(BAD)) {
  Deno.test(`checkLinearizability() rejects ${name}`, () => {
    assertEquals(outcomeOf(operations), "violation");
  });
}

Deno.test("checkLinearizability() judges each key by itself and names the bad one", () => {
  const good = numbered([put("a", 1, 2), get("a", 3, 4)]);
  const bad = numbered([put("a", 5, 6), get(undefined, 7, 8)])
    .map((operation) => ({ ...operation, id: operation.id + 10, key: "other" }));
  const verdict = checkLinearizability([...good, ...bad]);
  assert(verdict.outcome === "violation");
  assertEquals(verdict.key, "other");
});

Deno.test("checkLinearizability() explains a violation by the first answer that does not fit", () => {
  const operations = numbered([
    put("a", 1, 2, { client: 1 }),
    put("b", 3, undefined, { client: 2 }),
    put("c", 4, 12, { client: 1 }),
    get("b", 5, 6, { client: 3 }),
    get("a", 7, 8, { client: 3 }),
    get("b", 9, 10, { client: 3 }),
  ]);
  const verdict = checkLinearizability(operations);
  assert(verdict.outcome === "violation");
  assertEquals(verdict.explained.map(({ id }) => id), [1, 2, 4]);
  assertEquals(verdict.unexplained.map(({ id }) => id), [5]);
  assertEquals(verdict.open.map(({ id }) => id), [3]);
  assertEquals(
    describeViolation(verdict),
    [
      'no order of the operations on key "k" explains what the clients saw',
      "This answer does not fit:",
      '  client 3 got "a" (called at 7, answered at 8)',
      "All answers before it fit this order, which began with the key missing:",
      '  client 1 put "a" (called at 1, answered at 2)',
      '  client 2 put "b" (called at 3, not answered)',
      '  client 3 got "b" (called at 5, answered at 6)',
      "Also under way, but no help:",
      '  client 1 put "c" (called at 4, not answered)',
    ].join("\n"),
  );
});

Deno.test("describeViolation() leaves out all but the end of long lists and long values", () => {
  const operations: Operation[] = [];
  for (let i = 0; i < 30; i++) operations.push(put(`${i}`.repeat(100), 2 * i + 1, 2 * i + 2));
  const verdict = checkLinearizability(numbered([...operations, get(undefined, 70, 71)]));
  assert(verdict.outcome === "violation");
  const text = describeViolation(verdict);
  assertStringIncludes(text, "(18 earlier ones)");
  assertStringIncludes(text, "(200 characters)");
  assert(text.length < 2_500);
});

Deno.test("checkLinearizability() says undecided, never linearizable, when it runs out of steps", () => {
  const operations = numbered([put("a", 1, 4), put("b", 2, 3), get("a", 5, 6)]);
  const verdict = checkLinearizability(operations, { maxSteps: 1 });
  assert(verdict.outcome === "undecided");
  assertEquals(verdict.key, "k");
  assertStringIncludes(describeViolation(verdict), "undecided: the search ended after 1 steps");
});

Deno.test("checkLinearizability() prefers a violation of one key to another that is undecided", () => {
  const hard = numbered([put("a", 1, 4), put("b", 2, 3), get("a", 5, 6)]);
  const bad = { ...get("z", 7, 8), id: 10, key: "other" };
  assertEquals(checkLinearizability([...hard, bad], { maxSteps: 1 }).outcome, "violation");
});

// ---------------------------------------------------------------------------------------- properties

type Kind = "put" | "get" | "delete";

/** What one client does: the interval is stretched around the moment of the effect. */
interface Deed {
  readonly client: number;
  readonly kind: Kind;
  readonly key: number;
  readonly value: number;
  readonly before: number;
  readonly after: number;
  readonly fate: "answered" | "answered" | "unanswered" | "never";
}

function deeds(maxLength: number, valueCount: number, keyCount = 1): fc.Arbitrary<Deed[]> {
  return fc.array(
    fc.record({
      client: fc.nat(4),
      kind: fc.constantFrom<Kind>("put", "put", "get", "get", "delete"),
      key: fc.nat(keyCount - 1),
      value: fc.nat(valueCount - 1),
      before: fc.nat(60),
      after: fc.nat(60),
      fate: fc.constantFrom("answered", "answered", "answered", "answered", "unanswered", "never" as const),
    }),
    { maxLength },
  );
}

/** The history of a true register: deed i takes effect at 10·i, between its call and its answer. */
function historyOf(all: readonly Deed[]): Operation[] {
  const registers = new Map<number, string>();
  return all.map((deed, i): Operation => {
    const { client, kind, fate } = deed;
    const invokedAt = 10 * i - deed.before;
    const returnedAt = fate === "answered" ? 10 * i + deed.after : undefined;
    const call = { id: i + 1, client, key: `k${deed.key}`, invokedAt, returnedAt };
    const held = registers.get(deed.key);
    const input = `v${deed.value}`;
    if (fate !== "never" && kind === "put") registers.set(deed.key, input);
    if (fate !== "never" && kind === "delete") registers.delete(deed.key);
    if (kind === "put") return { ...call, kind, input };
    const isAnswered = fate === "answered";
    if (kind === "get") return { ...call, kind, output: isAnswered ? held : undefined };
    return { ...call, kind, output: isAnswered ? held !== undefined : undefined };
  });
}

/** Gives some answers a value that has nothing to do with what happened. */
function falsified(operations: readonly Operation[], lies: readonly (number | undefined)[]): Operation[] {
  return operations.map((operation, i) => {
    const lie = lies[i];
    if (lie === undefined || operation.returnedAt === undefined || operation.kind === "put") return operation;
    if (operation.kind === "delete") return { ...operation, output: lie % 2 === 0 };
    return { ...operation, output: lie === 0 ? undefined : `v${lie - 1}` };
  });
}

/** Fails unless `order` has every answer of the operations and explains it. */
function assertExplains(order: readonly Operation[], operations: readonly Operation[]): void {
  assert(isValidOrder(order), "the order does not give the answers");
  const placed = new Set(order.map(({ id }) => id));
  assertEquals(placed.size, order.length);
  for (const { id, returnedAt } of operations) assert(returnedAt === undefined || placed.has(id));
}

Deno.test("checkLinearizability() accepts every history of a true register", () => {
  fc.assert(
    fc.property(deeds(120, 40, 3), (all) => {
      assertEquals(checkLinearizability(historyOf(all)).outcome, "linearizable");
    }),
    { numRuns: 400 },
  );
});

Deno.test("searchOrder() returns an order that explains all answers", () => {
  fc.assert(
    fc.property(deeds(60, 6), (all) => {
      const operations = historyOf(all);
      const result = searchOrder(operations, 100_000);
      assert(result.outcome === "linearizable");
      assertExplains(result.order, operations);
    }),
    { numRuns: 400 },
  );
});

Deno.test("checkLinearizability() agrees with the definition on small histories, true or not", () => {
  const counts = { linearizable: 0, violation: 0, undecided: 0 };
  const lies = fc.array(fc.option(fc.nat(3), { nil: undefined }), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(deeds(6, 3), lies, (all, lie) => {
      const operations = falsified(historyOf(all), lie);
      const { outcome } = checkLinearizability(operations);
      counts[outcome]++;
      assertEquals(outcome, hasOrderByTryingAll(operations) ? "linearizable" : "violation");
    }),
    { numRuns: 5_000 },
  );
  // Neither side may be a rare case, or the agreement would say little.
  assert(counts.linearizable > 500 && counts.violation > 500, JSON.stringify(counts));
});

Deno.test("checkLinearizability() names an answer without which the prefix before it fits, and with which not", () => {
  const lies = fc.array(fc.option(fc.nat(3), { nil: undefined }), { minLength: 6, maxLength: 6 });
  let violations = 0;
  fc.assert(
    fc.property(deeds(6, 3), lies, (all, lie) => {
      const operations = falsified(historyOf(all), lie);
      const verdict = checkLinearizability(operations);
      if (verdict.outcome !== "violation") return;
      violations++;
      assertEquals(verdict.unexplained.length, 1);
      const bad = verdict.unexplained[0];
      assert(bad?.returnedAt !== undefined);
      const answeredBefore = verdict.explained.filter(({ returnedAt }) => returnedAt !== undefined);
      assertExplains(verdict.explained, answeredBefore);
      for (const { returnedAt } of answeredBefore) assert((returnedAt ?? Infinity) <= bad.returnedAt);
      const { returnedAt: end } = bad;
      const prefix = operations.filter(({ invokedAt }) => invokedAt <= end).map((operation) =>
        operation.returnedAt !== undefined && operation.returnedAt > end
          ? { ...operation, returnedAt: undefined } as Operation
          : operation
      );
      assert(!hasOrderByTryingAll(prefix));
    }),
    { numRuns: 2_000 },
  );
  assert(violations > 200, `${violations} violations`);
});

Deno.test("checkLinearizability() needs few steps for many unknown writes, read or not", () => {
  const operations: Operation[] = [];
  for (let i = 0; i < 1_000; i++) {
    operations.push(put(`a${i}`, 10 * i), del(undefined, 10 * i + 1));
    operations.push(put(`b${i}`, 10 * i + 2, 10 * i + 4));
    operations.push(get(i % 3 === 0 ? `a${i}` : `b${i}`, 10 * i + 5, 10 * i + 6));
  }
  const verdict = checkLinearizability(numbered(operations));
  assert(verdict.outcome === "linearizable");
  assert(verdict.steps < 10_000, `${verdict.steps} steps`);
});

Deno.test("checkLinearizability() needs few steps for 10,000 operations of 10 clients on 10 keys", () => {
  for (const values of [undefined, 4]) {
    const shape = { operations: 10_000, clients: 10, keys: 10, unknown: 0.1 };
    const verdict = checkLinearizability(
      historyOfRegister(1, values === undefined ? shape : { ...shape, values }),
    );
    assert(verdict.outcome === "linearizable");
    assert(verdict.steps < 30_000, `${verdict.steps} steps`);
  }
});
