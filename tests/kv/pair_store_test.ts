/** The pairs as a map, in order, and as captures see them; and the memory that they take. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ByteWriter, MAX_VALUE_BYTES, PAIR } from "../../packraft/mod.ts";
import { digestOfPair } from "../../src/kv/digests.ts";
import { PairStore } from "../../src/kv/pair_store.ts";
import { bytes } from "./commands.ts";

function pairOf(key: string, value: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  PAIR.write(writer, { key: bytes(key), value });
  return writer.finish();
}

function put(store: PairStore, key: string, value: Uint8Array | string): void {
  const pair = pairOf(key, typeof value === "string" ? bytes(value) : value);
  store.put(pair, digestOfPair(pair));
}

function remove(store: PairStore, key: string): boolean {
  return store.delete(pairOf(key, new Uint8Array()));
}

function hex(pairs: Iterable<Uint8Array>): string[] {
  return Array.from(pairs, (pair) => pair.toHex());
}

function sorted(model: Map<string, Uint8Array>): string[] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => pairOf(key, value).toHex());
}

/** A key by its number: some are longer than one byte of length says. */
function keyOf(number: number): string {
  return number % 5 === 0 ? `${"long".repeat(40)}${number}` : `k${number}`;
}

const SIZES = [0, 1, 9, 10, 100, 127, 128, 300, 301, 5_000, 16_383, 16_384, 40_000];
const STEP = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      key: fc.nat(29),
      size: fc.constantFrom(...SIZES),
      fill: fc.nat(255),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), key: fc.nat(29) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("capture" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("walk" as const), which: fc.nat(3), count: fc.nat(12) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end" as const), which: fc.nat(3) }) },
);

Deno.test("the pairs equal a plain map, and every capture equals the map when it began, whatever is done in between", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 150 }), fc.boolean(), (steps, isLoaded) => {
      const model = new Map<string, Uint8Array>();
      let store = new PairStore();
      const walks: { walk: Iterator<Uint8Array>; expected: string[]; seen: string[] }[] = [];
      const advance = (walk: typeof walks[number], count: number) => {
        for (let i = 0; i < count; i++) {
          const { value, done } = walk.walk.next();
          if (done) return;
          walk.seen.push(value.toHex());
        }
      };
      for (const [i, step] of steps.entries()) {
        if (isLoaded && i === steps.length >>> 1) store = reloaded(store);
        switch (step.kind) {
          case "put": {
            const value = new Uint8Array(step.size).fill(step.fill);
            put(store, keyOf(step.key), value);
            model.set(keyOf(step.key), value);
            break;
          }
          case "delete":
            assertEquals(remove(store, keyOf(step.key)), model.delete(keyOf(step.key)));
            break;
          case "capture":
            walks.push({ walk: store.capture(), expected: sorted(model), seen: [] });
            break;
          case "walk": {
            const walk = walks[step.which];
            if (walk !== undefined) advance(walk, step.count);
            break;
          }
          case "end": {
            const [walk] = walks.splice(step.which, 1);
            if (walk !== undefined) {
              walk.walk.return?.();
              assertEquals(walk.seen, walk.expected.slice(0, walk.seen.length));
            }
            break;
          }
        }
        assertEquals(store.size, model.size);
      }
      for (const walk of walks) {
        advance(walk, Infinity);
        assertEquals(walk.seen, walk.expected);
      }
      assertEquals(hex(store.capture()), sorted(model));
      for (const [key, value] of model) assertEquals(store.get(bytes(key))?.toHex(), value.toHex());
      const fresh = new PairStore();
      for (const [key, value] of model) put(fresh, key, value);
      assertEquals([store.digest, store.contentBytes], [fresh.digest, fresh.contentBytes]);
    }),
    { numRuns: 150 },
  );
});

/** The same pairs, as from the page of a snapshot. */
function reloaded(store: PairStore): PairStore {
  const pairs = Array.from(store.capture(), (pair) => pair.slice());
  const copy = new PairStore();
  const page = new Uint8Array(pairs.reduce((sum, pair) => sum + pair.length, 0));
  copy.beginPage(page, pairs.length);
  let offset = 0;
  for (const pair of pairs) {
    page.set(pair, offset);
    assert(copy.load(page, offset, pair.length));
    offset += pair.length;
  }
  copy.endLoading(store.digest);
  return copy;
}

/** Some thousand keys in no order. */
function* shuffled(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i * 7_919 % count;
}

Deno.test("thousands of keys come and go in no order, and stay in order", () => {
  const store = new PairStore();
  const model = new Map<string, Uint8Array>();
  for (const i of shuffled(6_000)) {
    put(store, keyOf(i), `${i}`);
    model.set(keyOf(i), bytes(`${i}`));
  }
  const walk = store.capture();
  const expected = sorted(model);
  const first = Array.from({ length: 100 }, () => walk.next().value?.toHex());
  for (const i of shuffled(6_000)) {
    if (i % 50 === 0) continue;
    assert(remove(store, keyOf(i)));
    model.delete(keyOf(i));
  }
  assertEquals([...first, ...hex(walk)], expected);
  assertEquals(hex(store.capture()), sorted(model));
});

Deno.test("values of any length up to the longest are what was put, and are overwritten by any other", () => {
  const store = new PairStore();
  const sizes = [...SIZES, 32_768, 32_769, MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES];
  for (const before of sizes) {
    for (const after of sizes) {
      put(store, "k", new Uint8Array(before).fill(1));
      put(store, "k", new Uint8Array(after).fill(2));
      assertEquals(store.get(bytes("k"))?.length, after);
      assert(store.get(bytes("k"))?.every((byte) => byte === 2));
      assertEquals(store.contentBytes, after + 1);
    }
  }
});

Deno.test("overwriting takes no memory, whatever the sizes, and what is deleted is given back", () => {
  const store = new PairStore();
  const count = 20_000;
  let seed = 1;
  const random = () => (seed = Math.imul(seed, 1_103_515_245) + 12_345 >>> 0) / 2 ** 32;
  for (let round = 0; round < 6; round++) {
    // Each round has other sizes: what is left of a class must not stay for the sake of a few.
    const base = [256, 60, 700, 120, 400, 90][round] ?? 0;
    for (const i of shuffled(count)) {
      if (round === 0 || random() < 0.9) {
        put(store, keyOf(i), new Uint8Array(base + Math.floor(random() * 20)));
      }
    }
    // 40 B or so for what finds a pair, and half a page for each of the few classes.
    const allowed = store.contentBytes * 1.3 + store.size * 40 + 3 * 2 ** 20;
    assert(
      store.heldBytes < allowed,
      `${store.heldBytes} B held for ${store.contentBytes} B, in round ${round}`,
    );
  }
  for (const i of shuffled(count)) remove(store, keyOf(i));
  assertEquals([store.size, store.contentBytes, store.digest], [0, 0, 0]);
  assert(store.heldBytes < 2 ** 20, `${store.heldBytes} B held for nothing`);
});

Deno.test("the page of a snapshot goes when little of it is in use", () => {
  const original = new PairStore();
  for (let i = 0; i < 1_000; i++) put(original, keyOf(i), new Uint8Array(1_000).fill(i));
  const expected = hex(original.capture());
  const store = reloaded(original);
  for (let i = 0; i < 1_000; i++) if (i % 10 !== 0) remove(store, keyOf(i));
  assert(store.heldBytes < 500_000, `${store.heldBytes} B held for ${store.contentBytes} B`);
  for (let i = 0; i < 1_000; i++) put(store, keyOf(i), new Uint8Array(1_000).fill(i));
  assertEquals(hex(store.capture()), expected);
  assertEquals(store.digest, original.digest);
});

Deno.test("what captures kept is released when they end, in whatever order", () => {
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
    const store = new PairStore();
    const writeAll = () => {
      for (let i = 0; i < 500; i++) put(store, keyOf(i), new Uint8Array(2_000));
    };
    writeAll();
    const without = store.heldBytes;
    const walks = [0, 1, 2].map(() => {
      const walk = store.capture();
      walk.next();
      writeAll();
      return walk;
    });
    assert(store.heldBytes > 3 * without, "each keeps a copy");
    for (const which of order) walks[which]?.return(undefined);
    assertEquals(store.captureCount, 0);
    writeAll();
    writeAll();
    assert(store.heldBytes < 1.5 * without + 300_000, `${store.heldBytes} B held, ${without} B before`);
  }
});

Deno.test("a capture that is given up ends at once, also before its first pair", () => {
  const store = new PairStore();
  put(store, "a", "1");
  store.capture().return(undefined);
  assertEquals(store.captureCount, 0);
});

Deno.test("after a capture under which everything was overwritten, writes empty few pages and not one each", () => {
  const store = new PairStore();
  const count = 40_000;
  const key = (i: number) => `key-${(i * 7_919) % count}`;
  for (let i = 0; i < count; i++) put(store, key(i), "x".repeat(100));
  const walk = store.capture();
  for (let i = 0; i < count; i++) put(store, key(i * 3 + 1), "y".repeat(100));
  walk.return(undefined);
  const heldBytes = store.heldBytes;
  // Quadratic work would take minutes here.
  for (let i = 0; i < 2 * count; i++) put(store, key(i * 5 + 2), "z".repeat(100));
  assert(store.heldBytes <= heldBytes, `${store.heldBytes} B are held, after ${heldBytes}`);
  assertEquals(store.size, count);
});

Deno.test("a newer capture that ends hands over what the older one needs, whichever has kept more", () => {
  for (const [before, between] of [[1, 50], [50, 1]] as const) {
    const store = new PairStore();
    for (let i = 0; i < 100; i++) put(store, `k${i}`, "old");
    const expected = hex(store.capture());
    const older = store.capture();
    for (let i = 0; i < before; i++) put(store, `k${i}`, "newer");
    const newer = store.capture();
    const expectedOfNewer = hex(store.capture());
    for (let i = 0; i < between; i++) put(store, `k${i + 20}`, "newest");
    const third = store.capture();
    put(store, "k0", "last");
    third.return(undefined);
    assertEquals(hex(newer), expectedOfNewer);
    put(store, "k1", "last");
    assertEquals(hex(older), expected);
    assertEquals(store.captureCount, 0);
  }
});

Deno.test("a capture that is dropped, halfway or before its beginning, ends with the garbage", async () => {
  const collect = () => Array.from({ length: 30 }, () => new Array<number>(500_000).fill(1)).length;
  const store = new PairStore();
  for (let i = 0; i < 100; i++) put(store, keyOf(i), "v");
  const drop = () => {
    store.capture();
    store.capture().next();
  };
  drop();
  assertEquals(store.captureCount, 2);
  for (let tries = 0; tries < 100 && store.captureCount > 0; tries++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(store.captureCount, 0);
});
