/**
 * What it costs to apply writes to the store, and to read from it, without a disk or a socket:
 * `deno run -A --v8-flags=--expose-gc bench/store_bench.ts [PATH]...` prints a table for each module, which is
 * `src/kv/mod.ts` unless others are named: two in one run can be compared.
 *
 * Keys are written in no order, from a few clients in turn. Each figure is the median of several rounds, because the
 * garbage of one falls into the next; the entries are made before the clock runs.
 */
import { crc32 as zlibCrc32 } from "node:zlib";
import { type Entry, offerNativeCrc32 } from "../packraft/mod.ts";

type Kv = Pick<typeof import("../src/kv/mod.ts"), "Store" | "encodeCommand">;
type Store = InstanceType<Kv["Store"]>;

const VALUE_BYTES = 256;
const CLIENTS = 64;
const BATCH = 10_000;
const ROUNDS = 15;
const SIZES = [1_000, 100_000, 1_000_000];
/** Steps of this prime reach every key before one comes twice. */
const STEP = 999_983;

const encoder = new TextEncoder();

function keyOf(number: number): Uint8Array {
  return encoder.encode(`customer/${String(number).padStart(9, "0")}`);
}

/** Entries that follow those that the store has, each a put of one of `keys` keys after the first `skipped`. */
function entriesOf(kv: Kv, store: Store, count: number, keys: number, skipped = 0): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const index = store.lastApplied + 1 + i;
    const clientId = new Uint8Array(16).fill(7);
    clientId[15] = index % CLIENTS;
    const sequence = Math.floor(index / CLIENTS) + 1;
    const key = keyOf(skipped + index * STEP % keys);
    const value = new Uint8Array(VALUE_BYTES).fill(index);
    // A client has a few writes on their way, and holds the answers to all before.
    const answeredUpTo = Math.max(0, sequence - 5);
    const data = kv.encodeCommand({ kind: "put", clientId, sequence, answeredUpTo, key, value });
    return { index, term: 1, kind: "command", data };
  });
}

/** The median of several rounds, in microseconds for each of what a round does. */
function medianUs(rounds: number, round: () => { ms: number; count: number }): number {
  const results = Array.from({ length: rounds }, () => {
    const { ms, count } = round();
    return ms * 1000 / count;
  }).sort((a, b) => a - b);
  return results[rounds >>> 1] ?? NaN;
}

function timedMs(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function apply(store: Store, entries: readonly Entry[]): number {
  return timedMs(() => {
    for (const entry of entries) store.apply(entry);
  });
}

function collectGarbage(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect === "function") collect();
}

function memoryBytes(): number {
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function show(what: string, value: number, unit: string): void {
  console.log(`  ${what.padEnd(52)} ${value.toFixed(2).padStart(9)} ${unit}`);
}

function fill(kv: Kv, store: Store, keys: number): void {
  for (let left = keys; left > 0; left -= BATCH) {
    apply(store, entriesOf(kv, store, Math.min(BATCH, left), keys));
  }
}

function measure(kv: Kv, keys: number): void {
  const before = memoryBytes();
  const store = new kv.Store();
  fill(kv, store, keys);
  if (store.pairCount !== keys) throw new Error(`${store.pairCount} pairs of ${keys}`);
  const dataBytes = store.approximateBytes;
  const heldBytes = memoryBytes() - before;

  const overwrite = () => {
    const entries = entriesOf(kv, store, BATCH, keys);
    return { ms: apply(store, entries), count: BATCH };
  };
  show(`${keys} keys: overwriting one`, medianUs(ROUNDS, overwrite), "us");
  const wanted = Array.from({ length: BATCH }, (_, i) => keyOf(i * STEP % keys));
  const read = () => ({
    ms: timedMs(() => {
      for (const key of wanted) if (store.get(key) === undefined) throw new Error("a key is missing");
    }),
    count: BATCH,
  });
  show(`${keys} keys: reading one`, medianUs(ROUNDS, read), "us");
  // What the rounds before have left is more than a smaller store takes.
  if (keys === SIZES.at(-1)) {
    show(`${keys} keys: heap and buffers for each pair`, heldBytes / keys, "B");
    show(`${keys} keys: of the bytes of keys and values`, heldBytes / dataBytes, "x");
  }

  if (keys >= 100_000) measureSnapshot(kv, store, keys, overwrite);

  let skipped = keys;
  const count = Math.min(BATCH, keys);
  const add = () => {
    const entries = entriesOf(kv, store, count, STEP, skipped);
    skipped += STEP;
    return { ms: apply(store, entries), count };
  };
  show(`${keys} keys: a new one`, medianUs(ROUNDS, add), "us");
}

function measureSnapshot(
  kv: Kv,
  store: Store,
  keys: number,
  overwrite: () => { ms: number; count: number },
): void {
  collectGarbage();
  let pages = store.snapshotPages();
  show(`${keys} keys: the call that begins a snapshot`, timedMs(() => pages = store.snapshotPages()), "ms");
  pages.next();
  show(`${keys} keys: overwriting one during a snapshot`, medianUs(3, overwrite), "us");
  let longestMs = 0;
  let isDone = false;
  const takingMs = timedMs(() => {
    while (!isDone) longestMs = Math.max(longestMs, timedMs(() => isDone = pages.next().done === true));
  });
  show(`${keys} keys: taking the pages`, takingMs, "ms");
  show(`${keys} keys: the longest of them`, longestMs, "ms");
  const taken = [...store.snapshotPages()];
  const restoreMs = () => {
    collectGarbage();
    const copy = new kv.Store();
    const ms = timedMs(() => copy.restore(taken));
    if (copy.digest !== store.digest) throw new Error("the copy is not the original");
    return { ms: ms, count: 1000 };
  };
  show(`${keys} keys: restoring a snapshot`, medianUs(3, restoreMs), "ms");
}

if (import.meta.main) {
  offerNativeCrc32(zlibCrc32);
  const paths = Deno.args.length > 0 ? Deno.args : ["src/kv/mod.ts"];
  for (const path of paths) {
    console.log(path);
    const url = new URL(path, `file://${Deno.cwd()}/`).href;
    const kv: Kv = await import(url);
    // Another copy of the project has its own packraft.
    const packraft: { offerNativeCrc32: typeof offerNativeCrc32 } = await import(
      new URL("../../packraft/mod.ts", url).href
    );
    packraft.offerNativeCrc32(zlibCrc32);
    for (const keys of SIZES) measure(kv, keys);
  }
}
