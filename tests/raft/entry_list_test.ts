import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EntryList } from "../../src/raft/entry_list.ts";
import type { Entry } from "../../src/raft/mod.ts";

const KINDS = ["noop", "command", "configuration"] as const;

/** Entries after `after` that share memory by tens, as those do that came with one read. */
function someEntries(after: number, count: number, term: number): Entry[] {
  const memories = Array.from({ length: Math.ceil(count / 10) }, () => new Uint8Array(100));
  return Array.from({ length: count }, (_, at): Entry => {
    const index = after + at + 1;
    const offset = (at % 10) * 10;
    const memory = memories[Math.floor(at / 10)] ?? new Uint8Array(100);
    memory[offset] = index % 251;
    return {
      index,
      term: term + (index % 700 === 0 ? 1 : 0),
      kind: KINDS[index % 3] ?? "noop",
      data: memory.subarray(offset, offset + (index % 11)),
    };
  });
}

/** What a list tells, by each of its ways. */
function assertHolds(list: EntryList, entries: readonly Entry[]): void {
  assertEquals(list.length, entries.length);
  const places = [-300, -1, 0, 1, 255, 256, 257, entries.length - 1, entries.length, entries.length + 300];
  for (const place of places) {
    const entry = place < 0 ? undefined : entries[place];
    assertEquals(list.at(place), entry);
    assertEquals(list.termAt(place), entry?.term);
    assertEquals(list.dataBytesAt(place), entry?.data.length ?? 0);
  }
  const middle = Math.floor(entries.length / 2);
  assertEquals(list.slice(0, middle), entries.slice(0, middle));
  assertEquals(list.slice(middle, Infinity), entries.slice(middle));
  assertEquals(list.slice(middle, middle), []);
}

Deno.test("EntryList gives back what was put in, packed or not, whatever is removed at its ends", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("push" as const), count: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ do: fc.constant("truncate" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ do: fc.constant("dropFirst" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const list = new EntryList([]);
      let model: Entry[] = [];
      let after = 0;
      for (const [turn, one] of steps.entries()) {
        if (one.do === "push") {
          const pushed = someEntries(after + model.length, one.count, turn + 1);
          for (const entry of pushed) list.push(entry);
          model.push(...pushed);
        } else if (one.do === "truncate") {
          const count = Math.floor(model.length * one.share);
          list.truncate(count);
          model = model.slice(0, count);
        } else {
          const count = Math.floor(model.length * one.share);
          list.dropFirst(count);
          model = model.slice(count);
          after += count;
        }
        assertHolds(list, model);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("EntryList keeps no object for an entry that is not among the newest", () => {
  const entries = someEntries(0, 3_000, 1);
  const list = new EntryList(entries);
  assert(list.at(0) !== entries[0]);
  assertEquals(list.at(0), entries[0]);
  assert(list.at(2_999) === entries[2_999], "what is in use is not made anew");
  assert(list.at(0)?.data.buffer === entries[0]?.data.buffer, "nor is its data copied");
});

Deno.test("EntryList can be cut into what it has packed, and grow again", () => {
  const entries = someEntries(0, 3_000, 1);
  const list = new EntryList(entries);
  list.dropFirst(300);
  list.truncate(200);
  assertHolds(list, entries.slice(300, 500));
  const others = someEntries(500, 2_000, 9);
  for (const entry of others) list.push(entry);
  assertHolds(list, [...entries.slice(300, 500), ...others]);
  list.truncate(0);
  assertHolds(list, []);
});
