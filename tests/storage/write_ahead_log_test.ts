/** Appending, rolling, sealing, and what a failing or full disk does to them. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Persist } from "../../src/raft/types.ts";
import { CRASH_FAULTS, type SimDisk } from "../../src/sim/disk.ts";
import type { DataDirectory } from "../../src/storage/data_directory.ts";
import { StorageFullError, StorageIoError } from "../../src/storage/errors.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import {
  after,
  appendAndSync,
  Crash,
  describe,
  describeOpened,
  entry,
  makeDisk,
  NOTHING,
  open,
  persist,
  type Remembered,
  seededRandom,
  statesAfterEachRecord,
  takeSnapshot,
} from "./log_fixture.ts";

const PATH = `d/${segmentName(1)}`;

function segmentsOf(disk: SimDisk): string[] {
  return disk.list("d").filter((name) => name.startsWith("log-"));
}

Deno.test("append() and sync() survive a crash that loses everything else", () => {
  const disk = makeDisk(1, { loseSector: 1, loseTail: 1, loseNameChange: 1 });
  const { storage } = open(disk);
  const synced = [
    persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 100), entry(2, 1, 2000)),
    persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 1)),
  ];
  for (const batch of synced) appendAndSync(storage, batch);
  storage.append(persist({ currentTerm: 9, votedFor: 9 }, entry(3, 9, 5000)));
  disk.crash();
  assertEquals(
    describeOpened(open(disk)),
    describe(statesAfterEachRecord(NOTHING, synced).at(-1) ?? NOTHING),
  );
});

Deno.test("append() writes a batch in one call and sync() makes one sync of it", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  const operations: string[] = [];
  disk.beforeOperation = (operation) => operations.push(operation);
  const entries = Array.from({ length: 64 }, (_, i) => entry(i + 1, 1, 256));
  storage.append(persist({ currentTerm: 1, votedFor: 1 }, ...entries));
  storage.sync();
  storage.sync();
  assertEquals(operations, ["append", "sync"]);
  storage.append(persist(undefined));
  storage.sync();
  assertEquals(operations.length, 2, "an empty batch touches no file");
});

Deno.test("append() goes on in a new segment once the current one is full", () => {
  const disk = makeDisk();
  const { storage } = open(disk, { segmentBytes: 1000 });
  appendAndSync(storage, persist({ currentTerm: 3, votedFor: 1 }, entry(1, 3, 600)));
  const operations: string[] = [];
  disk.beforeOperation = (operation, path) => operations.push(`${operation} ${path}`);
  storage.append(persist(undefined, entry(2, 3, 10)));
  const [old, unfinished] = [PATH, `d/${segmentName(2)}.tmp`];
  assertEquals(operations, [
    `create ${unfinished}`,
    `append ${unfinished}`,
    `sync ${unfinished}`,
    `rename ${unfinished}`,
    "syncDirectory d",
    `append d/${segmentName(2)}`,
  ]);
  storage.append(persist(undefined, entry(3, 3, 900)));
  operations.length = 0;
  storage.append(persist(undefined, entry(4, 3, 10)));
  assertEquals(
    operations[0],
    `sync d/${segmentName(2)}`,
    "what the new header vouches for is durable before",
  );
  disk.beforeOperation = undefined;
  assert(!operations.some((line) => line.endsWith(old)));
  storage.close();
  const { storage: again } = open(disk, { segmentBytes: 1000 });
  assertEquals([again.report.segments, again.recovered.entries.length], [3, 4]);
  assertEquals(again.recovered.hardState, { currentTerm: 3, votedFor: 1 }, "each segment begins with it");
});

Deno.test("append() refuses a gap and writes nothing of that batch", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  const { logBytes } = storage;
  const gap = persist(undefined, entry(1, 1), entry(3, 1));
  assertThrows(() => storage.append(gap), RangeError, "entry 3 where 2");
  assertEquals(storage.logBytes, logBytes);
  appendAndSync(storage, persist({ currentTerm: 1, votedFor: 0 }, entry(1, 1)));
  disk.crash();
  assertEquals(open(disk).storage.recovered.entries.length, 1);
});

Deno.test("append() goes on after short writes until all is written", () => {
  const disk = makeDisk(5, { shortWrite: 0.9 });
  const { storage } = open(disk);
  for (let index = 1; index <= 50; index++) {
    appendAndSync(storage, persist({ currentTerm: index, votedFor: 1 }, entry(index, index, 300)));
  }
  assert(disk.counts.shortWrite > 50);
  disk.crash();
  assertEquals(open(disk).storage.recovered.entries.map(({ data }) => data.length), new Array(50).fill(300));
});

for (const fault of ["appendError", "syncError", "renameError"] as const) {
  Deno.test(`eio-everywhere: after ${fault} everything is refused, for good`, () => {
    const disk = makeDisk();
    const { storage } = open(disk, { segmentBytes: 700 });
    appendAndSync(storage, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 300)));
    disk.faults[fault] = 1;
    const error = assertThrows(() => appendAndSync(storage, persist(undefined, entry(2, 1))), StorageIoError);
    assertEquals([error.exitCode, error.code], [6, "io"]);
    disk.faults[fault] = 0;
    const operations: string[] = [];
    disk.beforeOperation = (operation) => operations.push(operation);
    assertStrictEquals(assertThrows(() => storage.append(persist(undefined, entry(2, 1)))), error);
    assertStrictEquals(assertThrows(() => storage.sync()), error);
    assertStrictEquals(assertThrows(() => storage.beginSnapshot({ index: 1, term: 1 })), error);
    storage.close();
    assertEquals(operations, [], "nothing is tried again");
    disk.beforeOperation = undefined;
    disk.crash();
    assertEquals(open(disk).storage.recovered.entries.length >= 1, true);
  });
}

Deno.test("close() seals the log, and only once", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  storage.append(persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1)));
  storage.close();
  storage.close();
  assertThrows(() => storage.append(persist(undefined, entry(2, 1))), Error, "closed");
  const again = open(disk).storage;
  assertEquals([again.report.sealed, again.report.cutBytes], [true, 0]);
  const { logBytes } = again;
  again.close();
  const third = open(disk).storage;
  assertEquals(third.logBytes, logBytes, "a log that was opened and closed does not grow");
  appendAndSync(third, persist(undefined, entry(2, 1)));
  disk.crash();
  const fourth = open(disk).storage;
  assertEquals([fourth.report.sealed, fourth.recovered.entries.length], [false, 2]);
  fourth.close();
  const fifth = open(disk).storage;
  fifth.append(persist(undefined, entry(3, 1)));
  fifth.close();
  const sixth = open(disk).storage;
  assertEquals([sixth.report.sealed, sixth.recovered.entries.length], [true, 3]);
});

Deno.test("torn-tail: the last record of the last segment cut at every byte keeps every entry before it", () => {
  const disk = makeDisk();
  const { storage } = open(disk, { segmentBytes: 1000 });
  for (let index = 1; index <= 7; index++) {
    appendAndSync(storage, persist(undefined, entry(index, 1, index === 7 ? 700 : 200)));
  }
  disk.crash();
  const path = `d/${segmentsOf(disk).at(-1)}`;
  const whole = disk.read(path).slice();
  // Header, index, term, kind, length of the data, data, padding, trailer.
  const recordBytes = 24 + (1 + 1 + 1 + 2 + 700) + 7 + 8;
  for (let size = whole.length; size > whole.length - recordBytes; size--) {
    const file = disk.openAppend(path, { create: false });
    file.truncate(0);
    file.append(whole.subarray(0, size));
    file.sync();
    const { storage: cut } = open(disk, { segmentBytes: 1e6 });
    const { recovered, report } = cut;
    const kept = size === whole.length ? 7 : 6;
    assertEquals(
      [recovered.entries.length, recovered.memory, report.damage],
      [kept, "whole", undefined],
      `${size} B`,
    );
    assertEquals(report.cutAfterIndex, kept);
    assertEquals(report.cutBytes, size === whole.length ? 0 : size - disk.read(path).length);
    appendAndSync(cut, persist(undefined, entry(kept + 1, 2, 5)));
    disk.crash();
    assertEquals(open(disk, { segmentBytes: 1e6 }).storage.recovered.entries.at(-1), entry(kept + 1, 2, 5));
    disk.killProcess();
  }
});

Deno.test("open() makes durable what a killed process had written but not synced", () => {
  const disk = makeDisk(1, { loseSector: 1, loseTail: 1, loseNameChange: 1 });
  const { storage } = open(disk, { segmentBytes: 700 });
  storage.append(persist({ currentTerm: 3, votedFor: 1 }, entry(1, 3, 400)));
  disk.beforeOperation = (operation) => {
    if (operation === "syncDirectory") throw new Crash();
  };
  assertThrows(() => storage.append(persist(undefined, entry(2, 3))), Crash);
  disk.beforeOperation = undefined;
  disk.killProcess();
  assertEquals(open(disk).storage.recovered.hardState.currentTerm, 3);
  disk.crash();
  const { recovered, report } = open(disk).storage;
  assertEquals([recovered.hardState.currentTerm, report.segments], [3, 2], "what open() returned is kept");
});

/** Fills segments, replaces entries, and takes snapshots; calls `onSynced` with what is certain now. */
function live(
  storage: DataDirectory,
  from: Remembered,
  onWritten: (batch: Persist) => void,
  onSynced: () => void,
): void {
  let remembered = from;
  for (let round = 0; round < 6; round++) {
    const last = remembered.log.length;
    const term = remembered.hardState.currentTerm + 1;
    const first = round % 3 === 1 && last > (storage.snapshot?.index ?? 0) ? last : last + 1;
    const batch = persist(
      { currentTerm: term, votedFor: 1 },
      entry(first, term, 400),
      entry(first + 1, term, 50),
    );
    onWritten(batch);
    storage.append(batch);
    remembered = after(remembered, batch);
    storage.sync();
    onSynced();
    if (round % 2 === 1) takeSnapshot(storage, remembered, remembered.log.length - 1);
  }
  storage.close();
}

Deno.test("a crash before any file operation loses nothing that was synced, and never stops a start", () => {
  const crashedAt = new Set<string>();
  for (let seed = 0; seed < 25; seed++) {
    for (let step = 0; step < 90; step++) {
      const disk = makeDisk(seed * 1000 + step, CRASH_FAULTS);
      // The first life ends at operation `step`, the next two a few operations after: within recovery, too.
      const crashAfter = [step, (seed + step) % 5, seed % 7];
      let certain = NOTHING;
      let possible = [NOTHING];
      for (let life = 0; life < 4; life++) {
        let countdown = crashAfter[life] ?? Infinity;
        disk.beforeOperation = (operation, path) => {
          if (countdown-- > 0) return;
          crashedAt.add(`${operation} ${/lock|log|snapshot|d$/.exec(path)?.[0]}`);
          throw new Crash();
        };
        try {
          const opened = open(disk, { segmentBytes: 900 });
          const text = describeOpened(opened);
          const found = possible.find((state) => describe(state) === text);
          assert(
            found !== undefined,
            `seed ${seed} step ${step} life ${life}: ${text} after ${describe(certain)}`,
          );
          assertEquals(opened.storage.report.damage, undefined);
          certain = found;
          possible = [found];
          live(opened.storage, found, (batch) => possible = statesAfterEachRecord(certain, [batch]), () => {
            certain = possible.at(-1) ?? certain;
            possible = [certain];
          });
        } catch (error) {
          if (!(error instanceof Crash)) throw error;
        }
        disk.crash();
      }
    }
  }
  for (
    const kind of ["create log", "append log", "sync log", "rename log", "remove log", "syncDirectory d"]
  ) {
    assert(crashedAt.has(kind), kind);
  }
  for (
    const kind of [
      "create snapshot",
      "append snapshot",
      "sync snapshot",
      "rename snapshot",
      "remove snapshot",
    ]
  ) {
    assert(crashedAt.has(kind), kind);
  }
});

Deno.test("disk-full: a batch that does not fit is taken back, and the log goes on when there is room", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  appendAndSync(storage, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 200)));
  const usedBytes = disk.paths().reduce((sum, path) => sum + disk.read(path).length, 0);
  const batch = persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 300), entry(3, 2, 900));
  const before = disk.read(PATH);
  for (let room = 0; room < 1300; room += 100) {
    disk.capacityBytes = usedBytes + room;
    const error = assertThrows(
      () => storage.append(batch),
      StorageFullError,
      "No space left on device: free some",
    );
    assertEquals(error.exitCode, 6);
    assertEquals(disk.read(PATH), before, "nothing of it stays");
    storage.sync();
  }
  assertEquals(disk.durableBytes(PATH), before);
  disk.capacityBytes = 1e6;
  appendAndSync(storage, batch);
  disk.crash();
  const { recovered } = open(disk).storage;
  assertEquals([recovered.hardState.currentTerm, recovered.entries.length], [2, 3]);
});

Deno.test("disk-full: no room at any operation, then room again, loses nothing and writes nothing twice", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 60; round++) {
    const disk = makeDisk(round, { shortWrite: 0.2 });
    const opened = open(disk, { segmentBytes: 900 });
    const { storage } = opened;
    let remembered = NOTHING;
    let refused = 0;
    for (let index = 1; index <= 25; index++) {
      const usedBytes = disk.paths().reduce((sum, path) => sum + disk.read(path).length, 0);
      disk.capacityBytes = usedBytes + Math.floor(random() * 900);
      const batch = persist(
        { currentTerm: index, votedFor: 1 },
        entry(index, index, Math.floor(random() * 500)),
      );
      for (let isDone = false; !isDone;) {
        try {
          appendAndSync(storage, batch);
          isDone = true;
        } catch (error) {
          assert(error instanceof StorageFullError, String(error));
          refused++;
          disk.capacityBytes += 150;
        }
      }
      remembered = after(remembered, batch);
      if (index % 6 === 0) {
        try {
          takeSnapshot(storage, remembered, index - 1);
        } catch (error) {
          assert(error instanceof StorageFullError, String(error));
          break;
        }
      }
    }
    assert(refused > 0);
    disk.capacityBytes = Infinity;
    disk.crash();
    const again = open(disk, { segmentBytes: 900 });
    assertEquals(again.storage.report.damage, undefined);
    assertEquals(describeOpened(again), describe(remembered));
  }
});

Deno.test("disk-full: when what was written cannot be taken back, everything is refused", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  disk.capacityBytes = disk.paths().reduce((sum, path) => sum + disk.read(path).length, 0) + 50;
  disk.faults.syncError = 1;
  assertThrows(() => storage.append(persist(undefined, entry(1, 1, 900))), StorageIoError);
  disk.faults.syncError = 0;
  disk.capacityBytes = Infinity;
  assertThrows(() => storage.append(persist(undefined, entry(1, 1))), StorageIoError);
});

Deno.test("a sync that lies is noticed at the next start, once a later batch was written", () => {
  let noticed = 0;
  for (let seed = 0; seed < 50; seed++) {
    const disk = makeDisk(seed, { loseSector: 0.5 });
    const { storage } = open(disk);
    appendAndSync(storage, persist({ currentTerm: 1, votedFor: 1 }, entry(1, 1, 900)));
    disk.faults.lyingSync = 1;
    appendAndSync(storage, persist(undefined, entry(2, 1, 900)));
    appendAndSync(storage, persist(undefined, entry(3, 1, 900)));
    disk.crash();
    const { recovered, report } = open(disk).storage;
    const { entries } = recovered;
    assert(entries.length >= 1 && entries.every(({ data, index }) => data.every((byte) => byte === index)));
    if (report.damage !== undefined) noticed++;
  }
  assert(noticed >= 10, `${noticed} of 50 were noticed`);
});
