/**
 * Measures the write-ahead log: `deno run -A bench/log_bench.ts [ENTRIES]` (1,000,000 by default).
 *
 * Appends are measured beside a bare write and sync of as many bytes to the same disk, in turns, because an
 * absolute time says more about the disk than about the log. Recovery is measured from the page cache: it
 * is the work of the log, not of the disk.
 */
import { DenoFileSystem } from "../src/driver/deno_file_system.ts";
import type { Entry } from "../src/raft/types.ts";
import { SimDisk } from "../src/sim/disk.ts";
import { WriteAheadLog } from "../src/storage/write_ahead_log.ts";

const ENTRY_DATA_BYTES = 256;
const ROUNDS = 2000;
const fileSystem = new DenoFileSystem();
const identity = { clusterId: "bench", node: 1, directoryId: crypto.getRandomValues(new Uint8Array(16)) };

function makeEntries(first: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(ENTRY_DATA_BYTES).fill(first + i);
    return { index: first + i, term: 1, kind: "command", data };
  });
}

function timeMs(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function describeTimes(timesMs: number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(3);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function benchAppend(directory: string, count: number): void {
  const path = `${directory}/append-${count}`;
  Deno.mkdirSync(path, { mode: 0o700 });
  const log = WriteAheadLog.open(fileSystem, path, identity);
  const bare = fileSystem.openAppend(`${directory}/bare-${count}`, { create: true });
  const logTimes: number[] = [];
  const bareTimes: number[] = [];
  let index = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const entries = makeEntries(index, count);
    index += count;
    const sizeBefore = log.sizeBytes;
    logTimes.push(timeMs(() => {
      log.append({ sequence: round, hardState: undefined, entries });
      log.sync();
    }));
    const bytes = new Uint8Array(log.sizeBytes - sizeBefore).fill(7);
    bareTimes.push(timeMs(() => {
      bare.append(bytes);
      bare.sync();
    }));
  }
  console.log(`append + sync of ${count} × ${ENTRY_DATA_BYTES} B: ${describeTimes(logTimes)}`);
  console.log(`  bare write + sync of the same bytes: ${describeTimes(bareTimes)}`);
  bare.close();
  log.close();
}

function benchRecovery(directory: string, count: number): void {
  const path = `${directory}/recovery`;
  Deno.mkdirSync(path, { mode: 0o700 });
  const batch = 1000;
  const writer = WriteAheadLog.open(fileSystem, path, identity);
  const writeMs = timeMs(() => {
    for (let first = 1; first <= count; first += batch) {
      writer.append({ sequence: first, hardState: undefined, entries: makeEntries(first, batch) });
      writer.sync();
    }
  });
  const mebibytes = (writer.sizeBytes / 2 ** 20).toFixed(0);
  writer.close();
  console.log(
    `writing ${count} entries (${mebibytes} MiB, ${batch} a sync): ${(writeMs / 1000).toFixed(2)} s`,
  );
  for (let round = 0; round < 3; round++) {
    let recovered = 0;
    const openMs = timeMs(() => {
      const log = WriteAheadLog.open(fileSystem, path, identity);
      recovered = log.recovered.entries.length;
      log.close();
    });
    if (recovered !== count) throw new Error(`recovered ${recovered} of ${count} entries`);
    console.log(`recovery of ${count} entries: ${(openMs / 1000).toFixed(2)} s`);
  }
}

/** What the simulator pays for each write: no system call, so all of it is the log and the disk's model. */
function benchSimDisk(): void {
  const disk = new SimDisk({ random: () => 0.5 });
  disk.makeDirectory("d");
  const log = WriteAheadLog.open(disk, "d", identity);
  const rounds = 300_000;
  const entry = makeEntries(1, 1);
  const ms = timeMs(() => {
    for (let round = 0; round < rounds; round++) {
      log.append({ sequence: round, hardState: undefined, entries: entry });
      log.sync();
    }
  });
  console.log(`append + sync on the simulated disk: ${(rounds / ms * 1000).toFixed(0)}/s`);
}

const directory = Deno.makeTempDirSync({ prefix: "drafty-log-bench-" });
try {
  benchSimDisk();
  benchAppend(directory, 1);
  benchAppend(directory, 64);
  benchRecovery(directory, Number(Deno.args[0] ?? 1_000_000));
} finally {
  Deno.removeSync(directory, { recursive: true });
}
