import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeMembers, encodeMembers, type Entry, type Member } from "../../packraft/mod.ts";
import { Store } from "../../src/kv/mod.ts";
import type { Command } from "../../src/kv/mod.ts";
import { bytes, entryOf, put, remove } from "./commands.ts";

function storeOf(...commands: Command[]): Store {
  const store = new Store();
  commands.forEach((command, i) => store.apply(entryOf(i + 1, command)));
  return store;
}

function shown(store: Store): string[] {
  const decoder = new TextDecoder();
  return [...store.pairs()].map(({ key, value }) => `${decoder.decode(key)}=${decoder.decode(value)}`);
}

Deno.test("apply() of a put sets the key and tells the index of its entry", () => {
  const store = new Store();
  assertEquals(store.apply(entryOf(1, put(1, 1, "a", "x"))), { kind: "put", index: 1 });
  assertEquals(store.get(bytes("a")), bytes("x"));
  assertEquals(store.get(bytes("b")), undefined);
});

Deno.test("apply() of a delete tells whether the key was there", () => {
  const store = storeOf(put(1, 1, "a", "x"));
  assertEquals(store.apply(entryOf(2, remove(1, 2, "a"))), { kind: "delete", index: 2, found: true });
  assertEquals(store.apply(entryOf(3, remove(1, 3, "a"))), { kind: "delete", index: 3, found: false });
  assertEquals(store.pairCount, 0);
});

Deno.test("apply() of a no-op changes nothing but lastApplied", () => {
  const store = storeOf(put(1, 1, "a", "x"));
  const { digest } = store;
  assertEquals(store.apply({ index: 2, term: 2, kind: "noop", data: new Uint8Array() }), undefined);
  assertEquals([store.lastApplied, store.digest], [2, digest]);
});

Deno.test("apply() of bytes that are no command does nothing and does not throw (drafty #11)", () => {
  const store = storeOf(put(1, 1, "a", "x"));
  const data = new Uint8Array([9, 9, 9]);
  assertEquals(store.apply({ index: 2, term: 1, kind: "command", data }), { kind: "invalid" });
  assertEquals(shown(store), ["a=x"]);
});

Deno.test("apply() refuses an entry out of order: the caller has lost its place", () => {
  const store = storeOf(put(1, 1, "a", "x"));
  assertThrows(
    () => store.apply(entryOf(3, put(1, 2, "a", "y"))),
    RangeError,
    "entry 3 applied after entry 1",
  );
  assertThrows(() => store.apply(entryOf(1, put(1, 2, "a", "y"))), RangeError);
});

Deno.test("a retried put does not overwrite a newer one (drafty #9)", () => {
  const store = storeOf(put(1, 1, "k", "old"), put(2, 1, "k", "new"));
  assertEquals(store.apply(entryOf(3, put(1, 1, "k", "old"))), { kind: "put", index: 1 });
  assertEquals(shown(store), ["k=new"]);
});

Deno.test("a retried delete tells again what the first one found", () => {
  const store = storeOf(put(1, 1, "k", "v"), remove(1, 2, "k"));
  assertEquals(store.apply(entryOf(3, remove(1, 2, "k"))), { kind: "delete", index: 2, found: true });
});

Deno.test("pairs() come in the order of their keys' bytes", () => {
  const store = storeOf(put(1, 1, "é", "3"), put(1, 2, "b", "2"), put(1, 3, "a", "1"), put(1, 4, "aa", "1b"));
  assertEquals(shown(store), ["a=1", "aa=1b", "b=2", "é=3"]);
});

Deno.test("pairs() are those of the moment at which the walk began", () => {
  const store = storeOf(put(1, 1, "a", "1"), put(1, 2, "b", "2"), put(1, 3, "c", "3"));
  const walk = store.pairs();
  const first = walk.next();
  store.apply(entryOf(4, put(1, 4, "b", "changed")));
  store.apply(entryOf(5, remove(1, 5, "c")));
  const rest = [...walk].map(({ value }) => new TextDecoder().decode(value));
  assertEquals([first.done, rest], [false, ["2", "3"]]);
});

Deno.test("keys and values may be any bytes", () => {
  const key = Uint8Array.from({ length: 256 }, (_, i) => i);
  const store = new Store();
  const command: Command = { ...put(1, 1, "x", ""), key, value: key };
  store.apply(entryOf(1, command));
  assertEquals([...store.pairs()], [{ key, value: key }]);
});

Deno.test("digest is equal for equal histories and differs when a value, or the order of writes, differs", () => {
  const a = storeOf(put(1, 1, "a", "x"), put(1, 2, "b", "y"));
  assertEquals(storeOf(put(1, 1, "a", "x"), put(1, 2, "b", "y")).digest, a.digest);
  assertNotEquals(storeOf(put(1, 1, "a", "x"), put(1, 2, "b", "z")).digest, a.digest);
  assertNotEquals(storeOf(put(1, 2, "b", "y"), put(1, 1, "a", "x")).digest, a.digest);
});

Deno.test("the store equals a plain map under random writes", () => {
  const write = fc.record({ key: fc.constantFrom("a", "b", "c", "d"), value: fc.option(fc.string()) });
  fc.assert(fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
    const model = new Map<string, string>();
    const store = new Store();
    writes.forEach(({ key, value }, i) => {
      store.apply(entryOf(i + 1, value === null ? remove(1, i + 1, key) : put(1, i + 1, key, value)));
      if (value === null) model.delete(key);
      else model.set(key, value);
    });
    const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`);
    assertEquals(shown(store), expected.map((text) => new TextDecoder().decode(bytes(text))));
  }));
});

Deno.test("approximateBytes is the sum of the keys and values that are there", () => {
  const store = storeOf(put(1, 1, "a", "123"), put(1, 2, "bb", "1"));
  assertEquals(store.approximateBytes, 7);
  store.apply(entryOf(3, put(1, 3, "a", "12345")));
  assertEquals(store.approximateBytes, 9);
  store.apply(entryOf(4, remove(1, 4, "bb")));
  store.apply(entryOf(5, remove(1, 5, "none")));
  assertEquals(store.approximateBytes, 6);
});

// ------------------------------------------------------------------------------------------ members

function membersEntry(index: number, ...ids: number[]): Entry {
  const members = ids.map((id): Member => (
    { id, host: `host${id}`, peerPort: 8_000 + id, clientPort: 9_000 + id, role: "voter", admission: 0 }
  ));
  return { index, term: 3, kind: "configuration", data: encodeMembers(members) };
}

Deno.test("the members are a part of the state: as they were at the beginning, then as the last entry has them", () => {
  const store = new Store();
  assertEquals(store.configuration, undefined);
  const beginning = { index: 0, term: 0, members: decodeMembers(membersEntry(1, 1, 2).data) };
  store.begin(beginning);
  store.apply(entryOf(1, put(1, 1, "a", "x")));
  assertEquals(store.configuration, beginning);
  assertEquals(store.apply(membersEntry(2, 1, 2, 3)), undefined);
  assertEquals([store.configuration?.index, store.configuration?.term], [2, 3]);
  assertEquals(store.configuration?.members.map(({ id }) => id), [1, 2, 3]);
  assertEquals([shown(store), store.lastApplied], [["a=x"], 2]);
});

Deno.test("digest differs when the members differ, or when they changed at another entry", () => {
  const after = (...entries: Entry[]) => {
    const store = new Store();
    for (const entry of entries) store.apply(entry);
    return store.digest;
  };
  const noop: Entry = { index: 1, term: 3, kind: "noop", data: new Uint8Array() };
  const digests = [
    after(membersEntry(1, 1, 2), { ...noop, index: 2 }),
    after(membersEntry(1, 1, 3), { ...noop, index: 2 }),
    after(noop, membersEntry(2, 1, 2)),
    after(noop, { ...noop, index: 2 }),
  ];
  assertEquals(new Set(digests).size, 4);
  assertEquals(after(membersEntry(1, 1, 2), { ...noop, index: 2 }), digests[0]);
});
