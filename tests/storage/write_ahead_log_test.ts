import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CRASH_FAULTS, type DiskFaults, SimDisk } from "../../src/sim/disk.ts";
import type { Persist, Recovered } from "../../src/raft/types.ts";
import { CorruptLogError, StorageIoError } from "../../src/storage/errors.ts";
import { LOG_FILE_NAME, UNFINISHED_LOG_FILE_NAME } from "../../src/storage/log_file.ts";
import { SECTOR_BYTES } from "../../src/storage/log_format.ts";
import { WriteAheadLog } from "../../src/storage/write_ahead_log.ts";
import {
  describe,
  entry,
  IDENTITY,
  NOTHING,
  persist,
  seededRandom,
  statesAfterEachRecord,
} from "./log_fixture.ts";

const PATH = `d/${LOG_FILE_NAME}`;

function makeDisk(seed = 1, faults: Partial<DiskFaults> = {}): SimDisk {
  const disk = new SimDisk({ random: seededRandom(seed), faults });
  disk.makeDirectory("d");
  return disk;
}

function open(disk: SimDisk): WriteAheadLog {
  return WriteAheadLog.open(disk, "d", IDENTITY);
}

function appendAndSync(log: WriteAheadLog, batch: Persist): void {
  log.append(batch);
  log.sync();
}

/** Stands for the end of the process in the middle of something. */
class Crash extends Error {}

Deno.test("WriteAheadLog.open() makes an empty log and finds it again", () => {
  const disk = makeDisk();
  const log = open(disk);
  assertEquals(log.report, {
    path: PATH,
    created: true,
    validBytes: 512,
    cutBytes: 0,
    tear: undefined,
    sealed: false,
  });
  assertEquals(describe(log.recovered), describe(NOTHING));
  disk.crash();
  assertEquals(open(disk).report.created, false);
  assertEquals(disk.list("d"), [LOG_FILE_NAME]);
});

Deno.test("append() and sync() survive a crash that loses everything else", () => {
  const disk = makeDisk(1, { loseSector: 1, loseTail: 1, loseNameChange: 1 });
  const log = open(disk);
  const synced = [
    persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 100), entry(2, 1, 2000)),
    persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 1)),
  ];
  for (const batch of synced) appendAndSync(log, batch);
  log.append(persist({ currentTerm: 9, votedFor: 9 }, entry(3, 9, 5000)));
  disk.crash();
  const again = open(disk);
  assertEquals(describe(again.recovered), describe(statesAfterEachRecord(NOTHING, synced).at(-1) ?? NOTHING));
});

Deno.test("append() writes a batch in one call and sync() makes one sync of it", () => {
  const disk = makeDisk();
  const log = open(disk);
  const operations: string[] = [];
  disk.beforeOperation = (operation) => operations.push(operation);
  log.append(
    persist({ currentTerm: 1, votedFor: 1 }, ...Array.from({ length: 64 }, (_, i) => entry(i + 1, 1, 256))),
  );
  log.sync();
  log.sync();
  assertEquals(operations, ["append", "sync"]);
  log.append(persist(undefined));
  log.sync();
  assertEquals(operations.length, 2, "an empty batch touches no file");
});

Deno.test("append() refuses a gap and writes nothing of that batch", () => {
  const disk = makeDisk();
  const log = open(disk);
  const size = log.sizeBytes;
  assertThrows(() => log.append(persist(undefined, entry(1, 1), entry(3, 1))), RangeError, "entry 3 where 2");
  assertEquals(log.sizeBytes, size);
  appendAndSync(log, persist({ currentTerm: 1, votedFor: 0 }, entry(1, 1)));
  disk.crash();
  assertEquals(open(disk).recovered.entries.length, 1);
});

Deno.test("append() goes on after short writes until all is written", () => {
  const disk = makeDisk(5, { shortWrite: 0.9 });
  const log = open(disk);
  for (let index = 1; index <= 50; index++) {
    appendAndSync(log, persist({ currentTerm: index, votedFor: 1 }, entry(index, index, 300)));
  }
  assert(disk.counts.shortWrite > 50);
  disk.crash();
  assertEquals(open(disk).recovered.entries.map(({ data }) => data.length), new Array(50).fill(300));
});

for (const fault of ["appendError", "syncError"] as const) {
  Deno.test(`eio-everywhere: after ${fault} the log refuses everything, for good`, () => {
    const disk = makeDisk();
    const log = open(disk);
    appendAndSync(log, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1)));
    disk.faults[fault] = 1;
    const error = assertThrows(
      () => appendAndSync(log, persist(undefined, entry(2, 1))),
      StorageIoError,
      PATH,
    );
    assertEquals([error.exitCode, error.code], [6, "io"]);
    disk.faults[fault] = 0;
    const operations: string[] = [];
    disk.beforeOperation = (operation) => operations.push(operation);
    assertStrictEquals(assertThrows(() => log.append(persist(undefined, entry(2, 1)))), error);
    assertStrictEquals(assertThrows(() => log.sync()), error);
    assertStrictEquals(assertThrows(() => log.seal()), error);
    log.close();
    assertEquals(operations, [], "nothing is tried again");
    disk.beforeOperation = undefined;
    disk.crash();
    assertEquals(open(disk).recovered.entries.length >= 1, true);
  });
}

Deno.test("disk-full: a batch that does not fit poisons the log, which opens again once there is space", () => {
  const disk = makeDisk();
  const log = open(disk);
  appendAndSync(log, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 200)));
  disk.capacityBytes = log.sizeBytes + 700;
  const error = assertThrows(
    () => log.append(persist(undefined, entry(2, 1, 300), entry(3, 1, 900))),
    StorageIoError,
  );
  assertEquals([error.code, error.exitCode], ["noSpace", 6]);
  disk.killProcess();
  const again = open(disk);
  assertEquals(again.recovered.entries.length, 2, "the entry that was written whole may stay");
  assert(again.report.cutBytes > 0);
  assertThrows(() => appendAndSync(again, persist(undefined, entry(3, 1, 900))), StorageIoError, "No space");
  disk.capacityBytes = 1e6;
  disk.killProcess();
  const third = open(disk);
  appendAndSync(third, persist(undefined, entry(3, 1, 900)));
  disk.crash();
  assertEquals(open(disk).recovered.entries.length, 3);
});

Deno.test("close() seals the log, and only once", () => {
  const disk = makeDisk();
  const log = open(disk);
  log.append(persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1)));
  log.close();
  log.close();
  assertThrows(() => log.append(persist(undefined, entry(2, 1))), Error, "closed");
  const again = open(disk);
  assertEquals([again.report.sealed, again.report.cutBytes], [true, 0]);
  const size = again.sizeBytes;
  again.close();
  const third = open(disk);
  assertEquals(third.sizeBytes, size, "a log that was opened and closed does not grow");
  appendAndSync(third, persist(undefined, entry(2, 1)));
  disk.crash();
  const fourth = open(disk);
  assertEquals([fourth.report.sealed, fourth.recovered.entries.length], [false, 2]);
  fourth.close();
  const fifth = open(disk);
  fifth.append(persist(undefined, entry(3, 1)));
  fifth.close();
  assertEquals([open(disk).report.sealed, open(disk).recovered.entries.length], [true, 3]);
});

Deno.test("open() makes durable what a killed process had written but not synced", () => {
  const disk = makeDisk(1, { loseSector: 1, loseTail: 1, loseNameChange: 1 });
  disk.beforeOperation = (operation) => {
    if (operation === "syncDirectory") throw new Crash();
  };
  assertThrows(() => open(disk), Crash);
  disk.beforeOperation = undefined;
  disk.killProcess();
  const log = open(disk);
  log.append(persist({ currentTerm: 3, votedFor: 1 }));
  disk.killProcess();
  assertEquals(open(disk).recovered.hardState.currentTerm, 3);
  disk.crash();
  assertEquals(open(disk).recovered.hardState.currentTerm, 3, "what open() returned is kept");
});

Deno.test("missing-dirfsync: a log whose directory was not synced is not relied on", () => {
  const disk = makeDisk(1, { loseNameChange: 1 });
  const operations: string[] = [];
  disk.beforeOperation = (operation, path) => operations.push(`${operation} ${path}`);
  const log = open(disk);
  assertEquals(operations, [
    `create d/${UNFINISHED_LOG_FILE_NAME}`,
    `append d/${UNFINISHED_LOG_FILE_NAME}`,
    `sync d/${UNFINISHED_LOG_FILE_NAME}`,
    `rename d/${UNFINISHED_LOG_FILE_NAME}`,
    "syncDirectory d",
    `sync ${PATH}`,
  ]);
  appendAndSync(log, persist({ currentTerm: 1, votedFor: 1 }));
  disk.crash();
  assertEquals(open(disk).recovered.hardState.currentTerm, 1);
});

const BATCHES: readonly Persist[] = [
  persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 600), entry(2, 1, 90), entry(3, 1, 10)),
  persist({ currentTerm: 2, votedFor: 3 }, entry(2, 2, 1200)),
  persist(undefined, entry(3, 2, 20), entry(4, 2, 700)),
];
const STATES = statesAfterEachRecord(NOTHING, BATCHES).map(describe);

/**
 * Opens the log, checks that at least `certain` records are there, and writes what is missing of BATCHES.
 * Calls `onSynced` with the number of records whose sync has returned.
 */
function liveOnce(disk: SimDisk, certain: number, onSynced: (records: number) => void): void {
  const log = open(disk);
  const found = STATES.indexOf(describe(log.recovered));
  assert(found >= certain, `${certain} records were synced; recovered to ${describe(log.recovered)}`);
  let records = 0;
  for (const batch of BATCHES) {
    const rest = remaining(batch, found - records);
    records += batch.entries.length + (batch.hardState === undefined ? 0 : 1);
    if (rest === undefined) continue;
    appendAndSync(log, rest);
    onSynced(records);
  }
  log.close();
}

Deno.test("a crash before any file operation loses nothing that was synced, and never stops a start", () => {
  const crashedAt = new Set<string>();
  const failures: string[] = [];
  for (let seed = 0; seed < 60; seed++) {
    for (let step = 0; step < 16; step++) {
      const disk = makeDisk(seed * 1000 + step, CRASH_FAULTS);
      // The first life ends at operation `step`, the next two a few operations after: within recovery, too.
      const crashAfter = [step, (seed + step) % 5, seed % 7];
      let certain = 0;
      for (let life = 0, finished = false; !finished; life++) {
        let countdown = crashAfter[life] ?? Infinity;
        disk.beforeOperation = (operation) => {
          if (countdown-- > 0) return;
          crashedAt.add(operation);
          throw new Crash();
        };
        try {
          liveOnce(disk, certain, (records) => certain = records);
          finished = true;
        } catch (error) {
          if (!(error instanceof Crash)) failures.push(`seed ${seed} step ${step} life ${life}: ${error}`);
          finished = !(error instanceof Crash);
        }
        disk.crash();
      }
      disk.beforeOperation = undefined;
      if (describe(open(disk).recovered) !== STATES.at(-1)) {
        failures.push(`seed ${seed} step ${step}: incomplete`);
      }
    }
  }
  assertEquals(failures, []);
  assertEquals(
    [...crashedAt].sort(),
    ["append", "create", "remove", "rename", "sync", "syncDirectory", "truncate"],
  );
});

/** What of a batch is still to be written if `done` of its records are there; undefined if all are. */
function remaining(batch: Persist, done: number): Persist | undefined {
  if (done <= 0) return batch;
  const entriesDone = done - (batch.hardState === undefined ? 0 : 1);
  if (entriesDone >= batch.entries.length) return undefined;
  return persist(undefined, ...batch.entries.slice(entriesDone));
}

Deno.test("a sync that lies is noticed at the next start, once a later batch was written", () => {
  let refused = 0;
  for (let seed = 0; seed < 50; seed++) {
    const disk = makeDisk(seed, { loseSector: 0.5 });
    const log = open(disk);
    appendAndSync(log, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 900)));
    disk.faults.lyingSync = 1;
    appendAndSync(log, persist(undefined, entry(2, 1, 900)));
    appendAndSync(log, persist(undefined, entry(3, 1, 900)));
    disk.crash();
    try {
      const { entries } = open(disk).recovered;
      assert(entries.length >= 1 && entries.every(({ data, index }) => data.every((byte) => byte === index)));
    } catch (error) {
      assert(error instanceof CorruptLogError, String(error));
      refused++;
    }
  }
  assert(refused >= 10, `${refused} of 50 were noticed`);
});

Deno.test("every flip of a durable bit is refused at the next start", () => {
  const disk = makeDisk();
  const log = open(disk);
  for (let index = 1; index <= 5; index++) {
    appendAndSync(log, persist(undefined, entry(index, 1, index * 60)));
  }
  disk.crash();
  const size = disk.read(PATH).length;
  for (let offset = 0; offset < size; offset++) {
    disk.flipBit(PATH, offset, offset % 8);
    assertThrows(() => open(disk), CorruptLogError, "corrupt at byte");
    assertEquals(disk.read(PATH).length, size, "nothing is cut");
    disk.flipBit(PATH, offset, offset % 8);
  }
  assertEquals(open(disk).recovered.entries.length, 5);
});

type Step =
  | { readonly kind: "append"; readonly back: number; readonly sizes: number[]; readonly vote: boolean }
  | { readonly kind: "sync" }
  | { readonly kind: "crash" }
  | { readonly kind: "kill" }
  | { readonly kind: "close" };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      back: fc.nat({ max: 4 }),
      sizes: fc.array(fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 3 * SECTOR_BYTES })), { maxLength: 5 }),
      vote: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("kill" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const) }) },
);

Deno.test("whatever is appended, synced and crashed, the log recovers to a state between synced and written", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(STEP, { maxLength: 40 }), (seed, steps) => {
      const disk = makeDisk(seed, { ...CRASH_FAULTS, shortWrite: 0.2 });
      let log = open(disk);
      // The states, record by record, from the one that is certain to the newest one written.
      let possible: Recovered[] = [NOTHING];
      const reopen = () => {
        log = open(disk);
        const found = possible.find((state) => describe(state) === describe(log.recovered));
        assert(found !== undefined, `recovered to ${describe(log.recovered)}`);
        possible = [found];
      };
      for (const step of steps) {
        const newest = possible.at(-1) ?? NOTHING;
        switch (step.kind) {
          case "append": {
            const term = newest.hardState.currentTerm + 1;
            const first = Math.max(1, newest.entries.length + 1 - step.back);
            const batch = persist(
              step.vote ? { currentTerm: term, votedFor: 2 } : undefined,
              ...step.sizes.map((size, i) =>
                entry(first + i, newest.hardState.currentTerm, new Uint8Array(size).fill(seed % 3))
              ),
            );
            log.append(batch);
            possible.push(...statesAfterEachRecord(newest, [batch]).slice(1));
            break;
          }
          case "sync":
            log.sync();
            possible = [newest];
            break;
          case "crash":
            disk.crash();
            reopen();
            break;
          case "kill":
            disk.killProcess();
            reopen();
            assertEquals(describe(log.recovered), describe(newest), "a killed process loses nothing written");
            break;
          case "close":
            log.close();
            possible = [newest];
            reopen();
        }
      }
      disk.crash();
      reopen();
    }),
    { numRuns: 1500 },
  );
});
