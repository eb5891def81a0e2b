/**
 * Measures snapshots of the store without a disk: `deno run -A bench/snapshot_bench.ts [PAIRS]` (1,000,000 by default).
 *
 * The store has pairs of 256 B and as many sessions as are kept. The call is what a write may have to wait for; taking
 * is spread over slices, with writes in between; restoring is what a restart waits for. Each is measured in several
 * rounds, because the garbage of one falls into the next.
 */
import process from "node:process";
import { encodeCommand, MAX_CLIENTS, Store } from "../src/kv/mod.ts";

const VALUE_BYTES = 256;
const ROUNDS = 5;
/** How many times a session is written to between the call and the last page: each copies the session. */
const WRITES_MEANWHILE = 100_000;

function timeMs(run: () => void): { ms: number; cpuMs: number } {
  const cpu = process.cpuUsage();
  const start = performance.now();
  run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 };
}

function show(what: string, { ms, cpuMs }: { ms: number; cpuMs: number }, more = ""): void {
  console.log(
    `${what.padEnd(36)} ${ms.toFixed(1).padStart(8)} ms ${cpuMs.toFixed(0).padStart(6)} ms CPU${more}`,
  );
}

const encoder = new TextEncoder();

/** Applies writes of `count` more entries: every client in its turn, keys in no order, each below `keys` once. */
function write(store: Store, count: number, keys: number): void {
  for (let left = count; left > 0; left--) {
    const index = store.lastApplied + 1;
    const clientId = new Uint8Array(16);
    new DataView(clientId.buffer).setUint32(12, (index - 1) % MAX_CLIENTS);
    const sequence = Math.floor((index - 1) / MAX_CLIENTS) + 1;
    // 999,983 is prime: steps of it reach every key, but for counts that are multiples of it.
    const key = encoder.encode(`customer/${String(index * 999_983 % keys).padStart(9, "0")}`);
    const value = new Uint8Array(VALUE_BYTES).fill(index);
    const data = encodeCommand({
      kind: "put",
      clientId,
      sequence,
      answeredUpTo: sequence - 1,
      key,
      value,
    });
    store.apply({ index, term: 1, kind: "command", data });
  }
}

const pairs = Number(Deno.args[0] ?? 1_000_000);
const store = new Store();
show(`applying ${pairs} writes`, timeMs(() => write(store, pairs, pairs)));
if (store.pairCount !== pairs) throw new Error(`${store.pairCount} of ${pairs} pairs`);

for (let round = 1; round <= ROUNDS; round++) {
  console.log(`round ${round}`);
  let snapshot: Iterable<Uint8Array> = [];
  show("  the call", timeMs(() => snapshot = store.snapshotPages()));
  const { digest } = store;
  let count = 0;
  let sizeBytes = 0;
  let longestMs = 0;
  const taking = timeMs(() => {
    let last = performance.now();
    for (const page of snapshot) {
      const now = performance.now();
      longestMs = Math.max(longestMs, now - last);
      last = now;
      count++;
      sizeBytes += page.length;
    }
  });
  const mebibytes = sizeBytes / 2 ** 20;
  show(
    "  taking",
    taking,
    `, ${count} pages, ${mebibytes.toFixed(0)} MiB, the longest page ${longestMs.toFixed(1)} ms`,
  );
  const pages = [...store.snapshotPages()];
  const copy = new Store();
  show("  restoring", timeMs(() => copy.restore(pages)));
  if (copy.digest !== digest || copy.pairCount !== pairs) throw new Error("the copy is not the original");

  const shared = store.snapshotPages();
  show(`  ${WRITES_MEANWHILE} writes after a call`, timeMs(() => write(store, WRITES_MEANWHILE, pairs)));
  show(`  ${WRITES_MEANWHILE} writes without one`, timeMs(() => write(store, WRITES_MEANWHILE, pairs)));
  shared.return(undefined);
}
