/** Snapshots: their bytes, how they are written, received and read, and what a crash or a full disk leaves of them. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { CRASH_FAULTS, type SimDisk } from "../../src/sim/disk.ts";
import { MAX_PAGE_BYTES } from "../../src/storage/durable_storage.ts";
import { BadSnapshotError, StorageFullError, StorageIoError } from "../../src/storage/errors.ts";
import { PageCheck } from "../../src/storage/page_check.ts";
import { snapshotName } from "../../src/storage/snapshot_format.ts";
import { readPages } from "../../src/storage/snapshot_reader.ts";
import {
  after,
  appendAndSync,
  bodyOf,
  Crash,
  describe,
  describeOpened,
  entry,
  makeDisk,
  NOTHING,
  open,
  type Opened,
  pagesOf,
  persist,
  positionOf,
  type Remembered,
  takeSnapshot,
} from "./log_fixture.ts";

const OPTIONS = { segmentBytes: 900 };

function remember(count: number, term = 1): Remembered {
  const entries = Array.from({ length: count }, (_, i) => entry(i + 1, term, 100));
  return after(NOTHING, persist({ currentTerm: term, votedFor: 1 }, ...entries));
}

function fill(disk: SimDisk, { hardState, log }: Remembered): Opened {
  const opened = open(disk, OPTIONS);
  appendAndSync(opened.storage, persist(hardState));
  for (const one of log) appendAndSync(opened.storage, persist(undefined, one));
  return opened;
}

function filesOf(disk: SimDisk, kind: string): string[] {
  return disk.list("d").filter((name) => name.startsWith(kind));
}

Deno.test("a snapshot takes the place of the segments before it, and is what a start begins with", () => {
  const disk = makeDisk();
  const remembered = remember(20);
  const { storage } = fill(disk, remembered);
  const segments = filesOf(disk, "log-").length;
  const info = takeSnapshot(storage, remembered, 15);
  assertEquals(storage.snapshot, info);
  assertEquals([info.index, info.term], [15, 1]);
  assertEquals(disk.list("d").filter((name) => name.startsWith("snapshot")), [snapshotName(15)]);
  assertEquals(info.totalBytes, disk.read(`d/${snapshotName(15)}`).length - 512);
  assert(filesOf(disk, "log-").length < segments - 1);
  takeSnapshot(storage, remembered, 18);
  assertEquals(filesOf(disk, "snapshot-"), [snapshotName(18)]);
  disk.crash();
  const again = open(disk, OPTIONS);
  assertEquals(describeOpened(again), describe(remembered));
  assertEquals(again.storage.recovered.snapshot, { index: 18, term: 1 });
  assertEquals(again.storage.report.snapshot, again.storage.snapshot);
  assert(again.storage.recovered.base.index > 0);
});

Deno.test("a snapshot of the whole log leaves a segment with the hard state alone", () => {
  const disk = makeDisk();
  const remembered = remember(20);
  const { storage } = fill(disk, remembered);
  takeSnapshot(storage, remembered, 20);
  assertEquals(filesOf(disk, "log-").length, 1);
  assert(storage.logBytes < 600);
  appendAndSync(storage, persist(undefined, entry(21, 1, 3)));
  disk.crash();
  assertEquals(
    describeOpened(open(disk, OPTIONS)),
    describe(after(remembered, persist(undefined, entry(21, 1, 3)))),
  );
});

Deno.test("a snapshot that ends after a newer one was received changes nothing", () => {
  const disk = makeDisk();
  const remembered = remember(9);
  const { storage, state } = fill(disk, remembered);
  const writer = storage.beginSnapshot(positionOf(remembered.log, 5));
  for (const page of pagesOf(remembered.log, 5)) writer.write(page);
  const { info, body } = bodyOf(remember(12).log, 12);
  const receiver = storage.beginReceiving(info);
  receiver.write(body);
  receiver.finish(state, false);
  assertEquals(writer.finish(), info);
  assertEquals(filesOf(disk, "snapshot-"), [snapshotName(12)]);
  assertThrows(() => writer.write(new Uint8Array(1)), Error, "has ended");
});

Deno.test("SnapshotWriter refuses pages that are too short or too long, and a second one at a time", () => {
  const { storage } = fill(makeDisk(), remember(3));
  const writer = storage.beginSnapshot({ index: 3, term: 1 });
  assertThrows(() => writer.write(new Uint8Array(0)), RangeError, "page of 0 B");
  assertThrows(() => writer.write(new Uint8Array(MAX_PAGE_BYTES + 1)), RangeError, "2097153 B");
  assertThrows(() => storage.beginSnapshot({ index: 3, term: 1 }), Error, "taken already");
  writer.write(new Uint8Array(MAX_PAGE_BYTES));
  assertEquals(writer.writtenBytes, MAX_PAGE_BYTES + 8);
  writer.abort();
  writer.abort();
  storage.beginSnapshot({ index: 3, term: 1 }).abort();
});

Deno.test("abort() leaves nothing behind and keeps the older snapshot", () => {
  const disk = makeDisk();
  const remembered = remember(9);
  const { storage, state } = fill(disk, remembered);
  const older = takeSnapshot(storage, remembered, 4);
  const before = disk.list("d");
  const writer = storage.beginSnapshot({ index: 8, term: 1 });
  writer.write(new Uint8Array(300_000));
  writer.abort();
  const { info, body } = bodyOf(remember(12).log, 12);
  const receiver = storage.beginReceiving(info);
  receiver.write(body.subarray(0, 100));
  receiver.abort();
  assertThrows(() => receiver.finish(state, false), Error, "has ended");
  assertEquals([disk.list("d"), storage.snapshot], [before, older]);
});

Deno.test("pages of all sizes come back as they were, across the pieces in which a file is read", () => {
  const disk = makeDisk();
  const { storage } = fill(disk, remember(3));
  const sizes = [1, 7, 8, 4096, 1024 * 1024 - 24, 1, 1024 * 1024, MAX_PAGE_BYTES, 3, 262_144, 700_000, 2];
  const pages = sizes.map((size, i) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + i) & 0xff));
  const writer = storage.beginSnapshot({ index: 3, term: 1 });
  for (const page of pages) writer.write(page);
  const info = writer.finish();
  const file = disk.openRead(`d/${snapshotName(3)}`);
  const read = [...readPages(file)];
  assertEquals(read.map(({ length }) => length), sizes);
  read.forEach((page, i) => assert(page.every((byte, at) => byte === pages[i]?.[at]), `page ${i}`));
  const generator = readPages(file);
  let result = generator.next();
  while (!result.done) result = generator.next();
  assertEquals(result.value, { totalBytes: info.totalBytes, checksum: info.checksum });
});

Deno.test("SnapshotReader reads any part, and goes on when a newer snapshot takes the place", () => {
  const disk = makeDisk();
  const remembered = remember(9);
  const { storage } = fill(disk, remembered);
  assertEquals(storage.openSnapshot(), undefined);
  const info = takeSnapshot(storage, remembered, 4);
  const reader = storage.openSnapshot();
  assert(reader !== undefined);
  const whole = reader.read(0, 1e6);
  assertEquals(whole.length, info.totalBytes);
  takeSnapshot(storage, remembered, 8);
  assertEquals(reader.read(30, 20), whole.subarray(30, 50));
  assertEquals(reader.read(info.totalBytes - 5, 20), whole.subarray(info.totalBytes - 5));
  assertEquals([reader.read(info.totalBytes, 9).length, reader.info], [0, info]);
  reader.close();
});

Deno.test("PageCheck takes a body in pieces of any length and notices every flip of it", () => {
  const { info, body } = bodyOf(remember(5).log, 5);
  for (const piece of [1, 2, 3, 7, 8, 9, 50, body.length]) {
    const check = new PageCheck();
    for (let at = 0; at < body.length; at += piece) check.push(body.subarray(at, at + piece));
    assertEquals([check.isComplete, check.totalBytes, check.checksum], [
      true,
      info.totalBytes,
      info.checksum,
    ]);
    assertThrows(() => check.push(new Uint8Array(1)), BadSnapshotError, "after its end");
  }
  for (let at = 0; at < body.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = body.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      const check = new PageCheck();
      try {
        check.push(flipped);
        assert(!check.isComplete, `byte ${at} bit ${bit}`);
      } catch (error) {
        assert(error instanceof BadSnapshotError, String(error));
      }
    }
  }
});

Deno.test("a received snapshot replaces the log, or stands before it", () => {
  for (const keepsLog of [false, true]) {
    const disk = makeDisk();
    const remembered = remember(9);
    const opened = fill(disk, remembered);
    const index = keepsLog ? 7 : 12;
    const log = keepsLog ? remembered.log : remember(12, 3).log;
    const { info, body } = bodyOf(log, index);
    const receiver = opened.storage.beginReceiving(info);
    for (let at = 0; at < body.length; at += 33) {
      assertEquals(receiver.receivedBytes, at);
      receiver.write(body.subarray(at, at + 33));
    }
    receiver.finish(opened.state, keepsLog);
    assertEquals(opened.state.pages.length, index);
    assertEquals(opened.storage.snapshot, info);
    const expected = { hardState: remembered.hardState, log };
    const next = persist(undefined, entry(log.length + 1, 5, 9));
    if (!keepsLog) assert(opened.storage.logBytes < 600);
    appendAndSync(opened.storage, next);
    disk.crash();
    const again = open(disk, OPTIONS);
    assertEquals(describeOpened(again), describe(after(expected, next)));
    assertEquals([again.storage.recovered.memory, again.storage.report.dropped], ["whole", []]);
  }
});

Deno.test("what is not the snapshot that was announced is refused, and changes nothing", () => {
  const disk = makeDisk();
  const remembered = remember(9);
  const { storage, state } = fill(disk, remembered);
  const older = takeSnapshot(storage, remembered, 4);
  const before = [disk.list("d"), storage.logBytes];
  const { info, body } = bodyOf(remember(12).log, 12);
  const flipped = body.slice();
  flipped[40] = (flipped[40] ?? 0) ^ 1;
  const attempts: [typeof info, Uint8Array, string][] = [
    [info, flipped, "does not match its checksum"],
    [info, body.subarray(0, -1), `ends at byte ${body.length - 1} of ${body.length}`],
    [{ ...info, totalBytes: info.totalBytes + 1 }, body, `ends at byte ${body.length} of ${body.length + 1}`],
    [{ ...info, totalBytes: info.totalBytes - 1 }, body, "were sent"],
    [{ ...info, checksum: info.checksum ^ 1 }, body, "was announced"],
    [{ ...info, index: 3 }, body, "is not newer than the one up to 4"],
  ];
  for (const [announced, sent, says] of attempts) {
    const receiver = storage.beginReceiving(announced);
    assertThrows(
      () => {
        receiver.write(sent);
        receiver.finish(state, false);
      },
      BadSnapshotError,
      says,
    );
    receiver.abort();
    assertEquals([disk.list("d"), storage.logBytes], before);
    assertStrictEquals(storage.snapshot, older);
    assertEquals(state.pages, []);
  }
});

Deno.test("snapshot-log-gap, torn-snapshot: a crash at any step leaves the old snapshot or the new one", () => {
  const outcomes = new Set<string>();
  for (const kind of ["written", "kept", "anew"] as const) {
    const remembered = remember(9);
    const log = kind === "anew" ? remember(12, 3).log : remembered.log;
    const index = kind === "anew" ? 12 : 8;
    const { info, body } = bodyOf(log, index);
    for (let seed = 0; seed < 25; seed++) {
      for (let step = 0; step < 24; step++) {
        const disk = makeDisk(seed * 100 + step, CRASH_FAULTS);
        const opened = fill(disk, remembered);
        const { storage } = opened;
        takeSnapshot(storage, remembered, 3);
        let countdown = step;
        disk.beforeOperation = () => {
          if (countdown-- <= 0) throw new Crash();
        };
        let isDone = false;
        try {
          if (kind === "written") takeSnapshot(storage, remembered, index);
          else {
            const receiver = storage.beginReceiving(info);
            for (let at = 0; at < body.length; at += 120) receiver.write(body.subarray(at, at + 120));
            receiver.finish(opened.state, kind === "kept");
          }
          isDone = true;
        } catch (error) {
          assert(error instanceof Crash, String(error));
        }
        disk.beforeOperation = undefined;
        disk.crash();
        const again = open(disk, OPTIONS);
        const { recovered, report } = again.storage;
        assertEquals([report.damage, recovered.memory], [undefined, "whole"]);
        assert(recovered.snapshot.index === index || (!isDone && recovered.snapshot.index === 3));
        const isNew = recovered.snapshot.index === index;
        assertEquals(describeOpened(again), describe(isNew ? { ...remembered, log } : remembered));
        const next = persist(undefined, entry((isNew ? log : remembered.log).length + 1, 7, 3));
        appendAndSync(again.storage, next);
        disk.crash();
        const third = open(disk, OPTIONS);
        assertEquals(
          describeOpened(third),
          describe(after(isNew ? { ...remembered, log } : remembered, next)),
        );
        outcomes.add(`${kind} ${isNew} ${isDone}`);
      }
    }
  }
  for (const kind of ["written", "kept", "anew"]) {
    for (const outcome of ["false false", "true false", "true true"]) {
      assert(outcomes.has(`${kind} ${outcome}`));
    }
  }
});

Deno.test("disk-full: a snapshot that does not fit is refused, its file goes, and the log goes on", () => {
  const remembered = remember(9);
  const { info, body } = bodyOf(remember(12, 3).log, 12);
  for (let room = 0; room < 1800; room += 60) {
    for (const isReceiving of [false, true]) {
      const disk = makeDisk();
      const { storage, state } = fill(disk, remembered);
      const older = takeSnapshot(storage, remembered, 2);
      const before = disk.list("d");
      const usedBytes = disk.paths().reduce((sum, path) => sum + disk.read(path).length, 0);
      disk.capacityBytes = usedBytes + room;
      const run = () => {
        if (!isReceiving) return takeSnapshot(storage, remembered, 8);
        const receiver = storage.beginReceiving(info);
        try {
          receiver.write(body);
          receiver.finish(state, false);
        } catch (error) {
          receiver.abort();
          throw error;
        }
      };
      let isDone = false;
      try {
        run();
        isDone = true;
      } catch (error) {
        assert(error instanceof StorageFullError, String(error));
        assertEquals([disk.list("d"), storage.snapshot], [before, older]);
      }
      disk.capacityBytes = Infinity;
      if (!isDone) run();
      const index = isReceiving ? 13 : 10;
      appendAndSync(storage, persist(undefined, entry(index, 7, 50)));
      disk.crash();
      const again = open(disk, OPTIONS);
      const log = isReceiving ? remember(12, 3).log : remembered.log;
      const expected = after({ ...remembered, log }, persist(undefined, entry(index, 7, 50)));
      assertEquals(describeOpened(again), describe(expected), `room ${room}`);
    }
  }
});

Deno.test("disk-full: a received snapshot for whose segment there is no room keeps the hard state before it", () => {
  for (let room = 0; room < 600; room += 50) {
    const disk = makeDisk(1, { loseSector: 1, loseTail: 1 });
    const remembered = remember(4);
    const { storage, state } = fill(disk, remembered);
    const { info, body } = bodyOf(remember(12, 3).log, 12);
    const receiver = storage.beginReceiving(info);
    receiver.write(body);
    const hardState = { currentTerm: 8, votedFor: 3 };
    storage.append(persist(hardState));
    disk.capacityBytes = disk.paths().reduce((sum, path) => sum + disk.read(path).length, 0) + room;
    receiver.finish(state, false);
    storage.sync();
    disk.crash();
    disk.capacityBytes = Infinity;
    const again = open(disk, OPTIONS);
    assertEquals(describeOpened(again), describe({ hardState, log: remember(12, 3).log }));
    assertEquals(again.storage.recovered.memory, "whole");
  }
});

Deno.test("SnapshotReader tells a failing disk as such", () => {
  const disk = makeDisk();
  const remembered = remember(4);
  const { storage } = fill(disk, remembered);
  takeSnapshot(storage, remembered, 3);
  const reader = storage.openSnapshot();
  const file = disk.openAppend(`d/${snapshotName(3)}`, { create: false });
  file.truncate(540);
  assertThrows(() => reader?.read(0, 1000), StorageIoError, "it ends at byte 540");
  assertThrows(() => storage.append(persist(undefined, entry(5, 1))), StorageIoError);
});

Deno.test("a disk that fails while a snapshot is written refuses everything from then on", () => {
  for (const fault of ["appendError", "syncError", "renameError"] as const) {
    const disk = makeDisk();
    const remembered = remember(9);
    const { storage } = fill(disk, remembered);
    const writer = storage.beginSnapshot({ index: 5, term: 1 });
    for (const page of pagesOf(remembered.log, 5)) writer.write(page);
    disk.faults[fault] = 1;
    assertThrows(() => writer.finish(), StorageIoError);
    disk.faults[fault] = 0;
    writer.abort();
    assertThrows(() => storage.append(persist(undefined, entry(10, 1))), StorageIoError);
    disk.crash();
    assertEquals(describeOpened(open(disk, OPTIONS)), describe(remembered));
  }
});
