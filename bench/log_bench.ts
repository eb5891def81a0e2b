/**
 * Measures storage: `deno run -A bench/log_bench.ts [ENTRIES]` (1,000,000 by default).
 *
 * Appends are measured beside a bare write and sync of as many bytes to the same disk, in turns, because an
 * absolute time says more about the disk than about the log. Recovery is measured from the page cache: it
 * is the work of storage, not of the disk.
 */
import { crc32 as zlibCrc32 } from "node:zlib";
import { ByteWriter, offerNativeCrc32 } from "../packraft/mod.ts";
import { DenoFileSystem } from "../src/driver/deno_file_system.ts";
import type { Entry } from "../src/raft/types.ts";
import { SimDisk } from "../src/sim/disk.ts";
import { DataDirectory } from "../src/storage/data_directory.ts";
import type { FileSystem } from "../src/storage/file_system.ts";
import { RecordFormat } from "../src/storage/log_format.ts";

const ENTRY_DATA_BYTES = 256;
const ROUNDS = 2000;
const fileSystem = new DenoFileSystem();

/** A state that takes in pages and does nothing with them: the rest is storage. */
class NoState {
  pageBytes = 0;

  restore(pages: Iterable<Uint8Array>): void {
    this.pageBytes = 0;
    for (const page of pages) this.pageBytes += page.length;
  }
}

function open(system: FileSystem, path: string, state = new NoState()): DataDirectory {
  const drawId = () => crypto.getRandomValues(new Uint8Array(16));
  return DataDirectory.open(system, path, { clusterId: "bench", node: 1 }, { drawId }, state);
}

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

/** What the log does for each entry before its batch is written. */
function benchEncoding(): void {
  const rounds = 300;
  const entries = makeEntries(1, 200);
  const format = new RecordFormat(new Uint8Array(16).fill(5), 1);
  const writer = new ByteWriter(1024 * 1024);
  let fastestMs = Infinity;
  for (let repetition = 0; repetition < 15; repetition++) {
    const ms = timeMs(() => {
      for (let round = 0; round < rounds; round++) {
        writer.reset();
        let previousCrc = 0;
        for (const entry of entries) {
          const place = { fileOffset: 4096 + writer.length, syncedBytes: 4096, previousCrc };
          previousCrc = format.writeEntry(writer, place, entry);
        }
      }
    });
    fastestMs = Math.min(fastestMs, ms);
  }
  const ns = fastestMs * 1e6 / rounds / entries.length;
  console.log(`encoding the record of an entry of ${ENTRY_DATA_BYTES} B: ${ns.toFixed(0)} ns`);
}

function benchAppend(directory: string, count: number): void {
  const path = `${directory}/append-${count}`;
  const log = open(fileSystem, path);
  const bare = fileSystem.openAppend(`${directory}/bare-${count}`, { create: true });
  const logTimes: number[] = [];
  const bareTimes: number[] = [];
  let index = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const entries = makeEntries(index, count);
    index += count;
    const sizeBefore = log.logBytes;
    logTimes.push(timeMs(() => {
      log.append({ sequence: round, hardState: undefined, entries });
      log.sync();
    }));
    const bytes = new Uint8Array(log.logBytes - sizeBefore).fill(7);
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
  const batch = 1000;
  const writer = open(fileSystem, path);
  const writeMs = timeMs(() => {
    for (let first = 1; first <= count; first += batch) {
      writer.append({ sequence: first, hardState: undefined, entries: makeEntries(first, batch) });
      writer.sync();
    }
  });
  const mebibytes = (writer.logBytes / 2 ** 20).toFixed(0);
  writer.close();
  console.log(
    `writing ${count} entries (${mebibytes} MiB, ${batch} a sync): ${(writeMs / 1000).toFixed(2)} s`,
  );
  for (let round = 0; round < 3; round++) {
    let recovered = 0;
    const openMs = timeMs(() => {
      const log = open(fileSystem, path);
      recovered = log.recovered.entries.length;
      log.close();
    });
    if (recovered !== count) throw new Error(`recovered ${recovered} of ${count} entries`);
    console.log(`recovery of ${count} entries: ${(openMs / 1000).toFixed(2)} s`);
  }
}

/** A snapshot as large as one of `count` pairs of 256 B, in pages of 64 KiB. */
function benchSnapshot(directory: string, count: number): void {
  const path = `${directory}/snapshot`;
  const storage = open(fileSystem, path);
  storage.append({ sequence: 1, hardState: undefined, entries: makeEntries(1, 1) });
  storage.sync();
  const page = crypto.getRandomValues(new Uint8Array(64 * 1024));
  const pages = Math.ceil(count * 280 / page.length);
  const writer = storage.beginSnapshot({ index: 1, term: 1 });
  let longestMs = 0;
  const writeMs = timeMs(() => {
    for (let at = 1; at <= pages; at++) {
      const ms = timeMs(() => {
        writer.write(page);
        if (at % 64 === 0) writer.sync();
      });
      longestMs = Math.max(longestMs, ms);
    }
  });
  const finishMs = timeMs(() => writer.finish());
  const mebibytes = ((storage.snapshot?.totalBytes ?? 0) / 2 ** 20).toFixed(0);
  storage.close();
  console.log(
    `snapshot of ${mebibytes} MiB: written in ${(writeMs / 1000).toFixed(2)} s (the longest step ` +
      `${longestMs.toFixed(1)} ms), finished in ${finishMs.toFixed(1)} ms`,
  );
  for (let round = 0; round < 3; round++) {
    const state = new NoState();
    const openMs = timeMs(() => open(fileSystem, path, state).close());
    if (state.pageBytes !== pages * page.length) throw new Error(`${state.pageBytes} B of pages`);
    console.log(`start from that snapshot: ${(openMs / 1000).toFixed(2)} s`);
  }
}

/** What the simulator pays for each write: no system call, so all of it is the log and the disk's model. */
function benchSimDisk(): void {
  const disk = new SimDisk({ random: () => 0.5 });
  const log = open(disk, "d");
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
  benchSimDisk(); // with the checksum in script: the simulator has no other
  offerNativeCrc32(zlibCrc32);
  benchEncoding();
  benchAppend(directory, 1);
  benchAppend(directory, 64);
  const entries = Number(Deno.args[0] ?? 1_000_000);
  benchSnapshot(directory, entries);
  benchRecovery(directory, entries);
} finally {
  Deno.removeSync(directory, { recursive: true });
}
