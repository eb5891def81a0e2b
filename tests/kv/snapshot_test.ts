/** Snapshots of the store: what goes in comes out, whatever happens meanwhile. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Configuration, encodeMembers, type Entry, PackraftError } from "../../packraft/mod.ts";
import { type Command, Sessions, Store } from "../../src/kv/mod.ts";
import { MAX_PAGE_BYTES, type RestorableState } from "../../src/storage/durable_storage.ts";
import { bytes, entryOf, put, remove } from "./commands.ts";

const MEMBERS: Configuration = {
  index: 0,
  term: 0,
  members: [{ id: 1, host: "host1", peerPort: 8001, clientPort: 9001, role: "voter", admission: 7 }],
};

function pagesOf(store: Store): Uint8Array[] {
  return [...store.snapshotPages()];
}

function restored(pages: Iterable<Uint8Array>): Store {
  const store = new Store();
  store.restore(pages);
  return store;
}

/** Applies commands as entries after what the store has. */
function apply(store: Store, ...commands: Command[]): unknown[] {
  return commands.map((command) => store.apply(entryOf(store.lastApplied + 1, command)));
}

function stateOf(store: Store): unknown {
  return {
    pairs: [...store.pairs()],
    lastApplied: store.lastApplied,
    digest: store.digest,
    count: store.pairCount,
    approximateBytes: store.approximateBytes,
  };
}

const COMMAND = fc.record({
  client: fc.integer({ min: 1, max: 6 }),
  sequence: fc.integer({ min: 0, max: 8 }),
  answeredUpTo: fc.integer({ min: 0, max: 6 }),
  key: fc.constantFrom("a", "b", "c", "é", "\u0000"),
  value: fc.option(fc.string({ maxLength: 5 })),
}).map(({ client, sequence, answeredUpTo, key, value }) =>
  value === null
    ? remove(client, sequence, key, answeredUpTo)
    : put(client, sequence, key, value, answeredUpTo)
);

Deno.test("a store restored from a snapshot is the store at that moment, and goes on as the original does", () => {
  fc.assert(fc.property(
    fc.array(COMMAND, { maxLength: 40 }),
    fc.array(COMMAND, { maxLength: 40 }),
    fc.array(COMMAND, { maxLength: 40 }),
    (before, during, after) => {
      const small = () => new Store(new Sessions({ maxClients: 3, maxResultsPerClient: 3 }));
      const original = small();
      apply(original, ...before);
      const then = stateOf(original);
      const snapshot = original.snapshotPages();
      // Nothing has been taken yet: the pages must be of the moment of the call all the same.
      apply(original, ...during);
      const copy = small();
      copy.restore(snapshot);
      assertEquals(stateOf(copy), then);
      const again = small();
      apply(again, ...before);
      assertEquals(pagesOf(copy), pagesOf(again), "equal states have equal pages");
      apply(copy, ...during);
      assertEquals(apply(copy, ...after), apply(original, ...after));
      assertEquals(stateOf(copy), stateOf(original));
      assertEquals(pagesOf(copy), pagesOf(original));
    },
  ));
});

Deno.test("a retry is answered from a snapshot as it was the first time", () => {
  const store = new Store();
  const write = put(1, 1, "k", "v");
  const [first] = apply(store, write);
  apply(store, put(2, 1, "k", "w"));
  const copy = restored(store.snapshotPages());
  assertEquals(apply(copy, write), [first]);
  assertEquals(copy.get(bytes("k")), bytes("w"));
});

Deno.test("the client that has not written for longest is forgotten first, after a snapshot too", () => {
  const limited = () => new Store(new Sessions({ maxClients: 2, maxResultsPerClient: 9 }));
  const store = limited();
  apply(store, put(1, 1, "a", "1"), put(2, 1, "b", "2"), put(1, 2, "a", "3"));
  const copy = limited();
  copy.restore(store.snapshotPages());
  apply(copy, put(3, 1, "c", "4"));
  assertEquals(apply(copy, put(1, 1, "a", "1")), [{ kind: "put", index: 1 }], "client 1 is known");
  assertEquals(apply(copy, put(2, 1, "b", "again", 1)), [{ kind: "stale" }], "client 2 is not");
});

Deno.test("an empty store has a snapshot, and no pages are an empty store", () => {
  const store = new Store();
  assertEquals(stateOf(restored(pagesOf(store))), stateOf(store));
  store.begin(MEMBERS);
  assertEquals(restored(pagesOf(store)).configuration, MEMBERS);
  const full = new Store();
  apply(full, put(1, 1, "k", "v"));
  full.restore([]);
  assertEquals(stateOf(full), stateOf(store));
});

Deno.test("a snapshot has the members as of its last entry, whatever comes while it is taken", () => {
  const membersEntry = (index: number, id: number): Entry => {
    const members = MEMBERS.members.map((member) => ({ ...member, id }));
    return { index, term: 2, kind: "configuration", data: encodeMembers(members) };
  };
  const store = new Store();
  store.begin(MEMBERS);
  store.apply(membersEntry(1, 5));
  const snapshot = store.snapshotPages();
  store.apply(membersEntry(2, 6));
  const copy = restored(snapshot);
  assertEquals([copy.configuration?.index, copy.configuration?.term, copy.configuration?.members[0]?.id], [
    1,
    2,
    5,
  ]);
  copy.apply(membersEntry(2, 6));
  assertEquals([copy.configuration, copy.digest], [store.configuration, store.digest]);
});

Deno.test("pages are short enough, whatever the sizes of keys and values", () => {
  const store: Store & RestorableState = new Store();
  const key = (i: number) => `${i}`.padStart(1_024, "k");
  for (let i = 0; i < 40; i++) {
    apply(store, put(1, i + 1, key(i), "v".repeat(i % 4 === 0 ? 1_048_576 : 3), i));
  }
  const pages = pagesOf(store);
  assert(
    pages.every((page) => page.length <= MAX_PAGE_BYTES),
    `${Math.max(...pages.map(({ length }) => length))}`,
  );
  assertEquals(stateOf(restored(pages)), stateOf(store));
});

Deno.test("a snapshot of many sessions and results comes back whole", () => {
  const store = new Store();
  for (let client = 1; client <= 3_000; client++) {
    apply(store, put(client, 1, `k${client}`, "v"), remove(client, 2, "x"));
  }
  const copy = restored(store.snapshotPages());
  assertEquals(stateOf(copy), stateOf(store));
  assertEquals(apply(copy, remove(77, 2, "x")), apply(store, remove(77, 2, "x")));
});

Deno.test("what fails on the way leaves the store empty, and the error goes on", () => {
  const store = new Store();
  apply(store, put(1, 1, "k", "v"));
  const pages = pagesOf(store);
  const target = new Store();
  apply(target, put(9, 1, "old", "state"));
  function* breaking(): Generator<Uint8Array> {
    yield pages[0] ?? new Uint8Array();
    throw new Error("the disk failed");
  }
  assertThrows(() => target.restore(breaking()), Error, "the disk failed");
  assertEquals(stateOf(target), stateOf(new Store()));
});

Deno.test("pages that are no snapshot of a store are refused", () => {
  const store = new Store();
  apply(store, put(1, 1, "a", "1"), put(1, 2, "b", "2"));
  const [head, sessions, pairs] = pagesOf(store);
  assert(head !== undefined && sessions !== undefined && pairs !== undefined);
  const otherVersion = head.slice();
  otherVersion[1] = 9;
  const unknownKind = pairs.slice();
  unknownKind[0] = 7;
  const noneIn = (page: Uint8Array) => new Uint8Array([page[0] ?? 0, 0, 0, 0, 0]);
  const header = 5;
  const twice = (page: Uint8Array) => {
    const body = [...page.subarray(header)];
    return new Uint8Array([page[0] ?? 0, 0, 0, 0, 2, ...body, ...body]);
  };
  const twoSessions = head.slice();
  // The head page of so small a store ends with one byte each: sessions, pairs, and a configuration without members.
  assertEquals([...twoSessions.slice(-5)], [1, 2, 0, 0, 0]);
  twoSessions[twoSessions.length - 5] = 2;
  const sameSequence = sessions.slice();
  sameSequence[sameSequence.length - 3] = 1;
  const [firstPair, secondPair] = [pairs.subarray(header, header + 4), pairs.subarray(header + 4)];
  const swapped = new Uint8Array([...pairs.subarray(0, header), ...secondPair, ...firstPair]);
  const longer = new Uint8Array(pairs.length + 1);
  longer.set(pairs);
  const wrong: Record<string, Uint8Array[]> = {
    "no head": [sessions, pairs],
    "two heads": [head, head, sessions, pairs],
    "sessions missing": [head, pairs],
    "pairs missing": [head, sessions],
    "pairs twice": [head, sessions, pairs, pairs],
    "pairs before sessions": [head, pairs, sessions],
    "another version": [otherVersion, sessions, pairs],
    "an unknown page": [head, sessions, unknownKind],
    "more than its content": [head, sessions, longer],
    "less than its content": [head, sessions, pairs.slice(0, -1)],
    "a page of no sessions": [head, sessions, noneIn(sessions), pairs],
    "a page of no pairs": [head, sessions, pairs, noneIn(pairs)],
    "two sessions of a client": [twoSessions, twice(sessions), pairs],
    "two results of a sequence": [head, sameSequence, pairs],
    "keys out of order": [head, sessions, swapped],
    "an empty page": [head, new Uint8Array()],
  };
  for (const [what, pages] of Object.entries(wrong)) {
    const target = new Store();
    assertThrows(() => target.restore(pages), PackraftError, undefined, what);
    assertEquals(stateOf(target), stateOf(new Store()), what);
  }
  assertNotEquals(stateOf(restored([head, sessions, pairs])), stateOf(new Store()));
});
