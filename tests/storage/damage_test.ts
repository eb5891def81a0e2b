/** What a start makes of bytes that changed, of files that are gone, and of files that are where they do not belong. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { SimDisk } from "../../src/sim/disk.ts";
import { CorruptLogError, describeDamage, StorageError } from "../../src/storage/errors.ts";
import { inspectDirectory } from "../../src/storage/inspect.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import { snapshotName } from "../../src/storage/snapshot_format.ts";
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
  persist,
  type Remembered,
  takeSnapshot,
} from "./log_fixture.ts";

interface Made {
  readonly disk: SimDisk;
  readonly remembered: Remembered;
}

const SEGMENT_BYTES = 1200;
const OPTIONS = { segmentBytes: SEGMENT_BYTES };

/** A directory with entries up to `last` in segments of a few each, and a snapshot up to `snapshot` if that is not 0. */
function make(last: number, snapshot: number, seed = 1): Made {
  const disk = makeDisk(seed);
  const { storage } = open(disk, OPTIONS);
  let remembered = NOTHING;
  for (let index = 1; index <= last; index++) {
    const hardState = index % 5 === 1 ? { currentTerm: index, votedFor: 1 } : undefined;
    const batch = persist(hardState, entry(index, Math.ceil(index / 5) * 5 - 4, 150));
    remembered = after(remembered, batch);
    appendAndSync(storage, batch);
    if (index === snapshot + 1 && snapshot > 0) takeSnapshot(storage, remembered, snapshot);
  }
  disk.crash();
  return { disk, remembered };
}

function segmentsOf(disk: SimDisk): string[] {
  return disk.list("d").filter((name) => name.startsWith("log-"));
}

function content(disk: SimDisk): Map<string, string> {
  const files = disk.paths().filter((path) => path !== "d/lock");
  return new Map(files.map((path) => [path, disk.read(path).join()]));
}

/** Replaces a file as somebody with an editor would: durably, and without asking the disk's faults. */
function put(disk: SimDisk, path: string, bytes: Uint8Array): void {
  if (disk.kindOf(path) === "file") disk.remove(path);
  const file = disk.openAppend(path, { create: true });
  file.append(bytes);
  file.sync();
  file.close();
  disk.syncDirectory("d");
}

/** Checks that the directory is found damaged, left alone, and sound again after the first batch. */
function checkDamage(disk: SimDisk, says: RegExp, context = ""): { lastIndex: number; segments: number } {
  const before = content(disk);
  const { storage, state } = open(disk, OPTIONS);
  const { damage } = storage.report;
  assert(damage !== undefined, `${context}: no damage reported`);
  assertMatch(describeDamage(damage), says, context);
  assertEquals(storage.recovered.memory, "lost", context);
  storage.close();
  assertEquals(content(disk), before, `${context}: something was changed`);
  const again = open(disk, OPTIONS);
  const { recovered, report } = again.storage;
  assertEquals(report.damage, damage, `${context}: a second start finds the same`);
  assert(recovered.base.index <= recovered.snapshot.index);
  const lastIndex = recovered.base.index + recovered.entries.length;
  assertEquals(state.pages.length, recovered.snapshot.index);
  const rejoin = { currentTerm: 1000, votedFor: 0, rejoinTerm: 1000 };
  appendAndSync(again.storage, persist(rejoin, entry(lastIndex + 1, 1000, 30)));
  const repaired = describeOpened(again);
  disk.crash();
  for (let start = 0; start < 2; start++) {
    const opened = open(disk, OPTIONS);
    assertEquals(
      [opened.storage.recovered.memory, opened.storage.report.damage],
      ["whole", undefined],
      context,
    );
    assertEquals(opened.storage.recovered.hardState, rejoin, context);
    assertEquals(opened.storage.recovered.entries.at(-1), entry(lastIndex + 1, 1000, 30), context);
    const log = (text: string) => text.slice(text.indexOf("log"));
    assert(log(describeOpened(opened)).startsWith(log(repaired)), context);
    opened.storage.close();
  }
  return { lastIndex, segments: segmentsOf(disk).length };
}

Deno.test("byte sweep: a flip of any byte of any file of a directory is detected", () => {
  const { disk, remembered } = make(14, 4);
  const files = disk.paths().filter((path) => path !== "d/lock");
  assertEquals(files.filter((path) => path.includes("log-")).length, 3);
  assertEquals(files.filter((path) => path.includes("snapshot-")).length, 1);
  const expected = describe(remembered);
  assertEquals(describeOpened(open(disk, OPTIONS)), expected);
  disk.killProcess();
  let flips = 0;
  for (const path of files) {
    const size = disk.read(path).length;
    for (let offset = 0; offset < size; offset++) {
      const bit = (offset * 5) % 8;
      disk.flipBit(path, offset, bit);
      const { storage, state } = open(disk, OPTIONS);
      const { damage } = storage.report;
      assert(
        damage !== undefined && storage.recovered.memory === "lost",
        `${path} byte ${offset} bit ${bit}`,
      );
      assertEquals(damage.path, path);
      assert(damage.offset <= offset, `${path} byte ${offset}: found at ${damage.offset}`);
      // What is still relied on is what was written.
      const { entries } = storage.recovered;
      assert(entries.every((one) => one.data.every((byte) => byte === one.index) && one.data.length === 150));
      assert(state.pages.length === 4 || (path.includes("snapshot-") && state.pages.length === 0));
      assert(inspectDirectory(disk, "d").damage.some((one) => one.path === path), `${path} byte ${offset}`);
      disk.killProcess();
      disk.flipBit(path, offset, bit);
      flips++;
    }
  }
  assertEquals(flips, files.reduce((sum, path) => sum + disk.read(path).length, 0));
  assertEquals(describeOpened(open(disk, OPTIONS)), expected);
});

Deno.test("byte sweep: a flip of any byte of the lock file is seen by those who inspect", () => {
  const { disk } = make(2, 0);
  open(disk, OPTIONS);
  disk.killProcess();
  const size = disk.read("d/lock").length;
  assert(size > 10);
  assertEquals(inspectDirectory(disk, "d").lockProblem, undefined);
  for (let offset = 0; offset < size; offset++) {
    for (let bit = 0; bit < 8; bit++) {
      disk.flipBit("d/lock", offset, bit);
      assert(inspectDirectory(disk, "d").lockProblem !== undefined, `byte ${offset} bit ${bit}`);
      disk.flipBit("d/lock", offset, bit);
    }
  }
  open(disk, OPTIONS);
});

Deno.test("mid-log-flip: damage is left as it is until the first batch, which leaves it behind in one step", () => {
  const { disk: sample } = make(30, 8);
  const names = segmentsOf(sample);
  assert(names.length >= 4);
  for (const name of names) {
    const size = sample.read(`d/${name}`).length;
    for (let offset = 0; offset < size; offset += 61) {
      const { disk } = make(30, 8);
      disk.flipBit(`d/${name}`, offset, 3);
      checkDamage(
        disk,
        new RegExp(`${name}: corrupt at byte \\d+ \\(entry \\d+\\): `),
        `${name} byte ${offset}`,
      );
    }
  }
});

Deno.test("a damaged snapshot takes the log with it, if that does not begin at the first entry", () => {
  for (const offset of [5, 300, 511, 512, 600, 700]) {
    const { disk } = make(30, 12);
    disk.flipBit(`d/${snapshotName(12)}`, offset, 1);
    const { lastIndex } = checkDamage(
      disk,
      /snapshot-0+12\.pack: corrupt at byte \d+ \(entry 1\)/,
      `byte ${offset}`,
    );
    assertEquals(lastIndex, 0);
    assertEquals(segmentsOf(disk).length, 1);
    assertEquals(disk.list("d").filter((name) => name.startsWith("snapshot-")), [], "it is not found again");
  }
});

Deno.test("a damaged snapshot beside a log from the first entry on leaves that log", () => {
  const { disk } = make(12, 2);
  assertEquals(segmentsOf(disk)[0], segmentName(1));
  disk.flipBit(`d/${snapshotName(2)}`, 520, 1);
  assertEquals(checkDamage(disk, /snapshot-0+2\.pack: corrupt at byte 512 \(entry 13\)/).lastIndex, 12);
});

Deno.test("any segment that is needed and missing is found, and so is its loss", () => {
  const { disk: sample, remembered } = make(40, 9);
  const names = segmentsOf(sample);
  for (const name of names.slice(0, -1)) {
    const { disk } = make(40, 9);
    disk.remove(`d/${name}`);
    const { lastIndex } = checkDamage(
      disk,
      new RegExp(`${name}: corrupt at byte 0 .*segment \\d+ is missing`),
      name,
    );
    assert(lastIndex >= 9 && lastIndex < remembered.log.length);
  }
});

Deno.test("a snapshot that is missing is found by the gap before the log", () => {
  const { disk } = make(30, 12);
  disk.remove(`d/${snapshotName(12)}`);
  assertEquals(checkDamage(disk, /\(entry 1\): segment \d+ is missing/).lastIndex, 0);
});

Deno.test("a snapshot that was received and is missing is found by the log that began anew after it", () => {
  const { disk, remembered } = make(30, 12);
  const { storage, state } = open(disk, OPTIONS);
  const others = [...remembered.log, entry(31, 90, 5), entry(32, 90, 5)];
  const { info, body } = bodyOf(others, 32);
  const receiver = storage.beginReceiving(info);
  receiver.write(body);
  receiver.finish(state, false);
  storage.close();
  disk.remove(`d/${snapshotName(32)}`);
  const { lastIndex } = checkDamage(
    disk,
    /the log begins at entry 33, and no snapshot holds those before it/,
  );
  assertEquals(lastIndex, 0);
});

Deno.test("a snapshot without any log is found", () => {
  const { disk } = make(30, 12);
  for (const name of segmentsOf(disk)) disk.remove(`d/${name}`);
  const { lastIndex } = checkDamage(disk, /log-0+1\.pack: .*there is a snapshot and no log/);
  assertEquals(lastIndex, 12);
});

Deno.test("a segment under another's name is found", () => {
  const { disk: sample } = make(40, 0);
  const names = segmentsOf(sample);
  const newest = names.length;
  for (
    const [from, to] of [[1, 2], [2, 1], [newest, newest - 1], [newest - 1, newest], [2, newest + 1]] as const
  ) {
    const { disk } = make(40, 0);
    put(disk, `d/${segmentName(to)}`, disk.read(`d/${segmentName(from)}`));
    checkDamage(
      disk,
      new RegExp(`is named as segment ${to}, and its header is that of segment ${from}`),
      `${from} ${to}`,
    );
  }
});

Deno.test("a snapshot under another's name is found", () => {
  const { disk } = make(30, 12);
  put(disk, `d/${snapshotName(14)}`, disk.read(`d/${snapshotName(12)}`));
  checkDamage(disk, /is named as the snapshot of entry 14, and its header is that of entry 12/);
});

Deno.test("a segment of another directory of the same node is found", () => {
  const { disk } = make(30, 0);
  const foreign = makeDisk();
  const { storage } = open(foreign, { ...OPTIONS, drawId: () => new Uint8Array(16).fill(0xee) });
  for (let index = 1; index <= 30; index++) appendAndSync(storage, persist(undefined, entry(index, 1, 150)));
  put(disk, `d/${segmentName(2)}`, foreign.read(`d/${segmentName(2)}`));
  checkDamage(disk, /log-0+2\.pack: .*the file is from another data directory/);
});

Deno.test("a segment of the same shape and another content is found by the one after it", () => {
  const { disk } = make(30, 0);
  const other = makeDisk();
  const { storage } = open(other, OPTIONS);
  for (let index = 1; index <= 30; index++) {
    const hardState = index % 5 === 1 ? { currentTerm: index, votedFor: 1 } : undefined;
    const data = new Uint8Array(150).fill(index + 1);
    appendAndSync(storage, persist(hardState, entry(index, Math.ceil(index / 5) * 5 - 4, data)));
  }
  const path = `d/${segmentName(2)}`;
  assertEquals(disk.read(path).length, other.read(path).length);
  put(disk, path, other.read(path));
  checkDamage(disk, /log-0+2\.pack: corrupt at byte 0 .*does not follow the last record before it/);
});

Deno.test("a record copied over another is found at that place", () => {
  const { disk, remembered } = make(8, 0);
  const path = `d/${segmentsOf(disk)[0]}`;
  const bytes = disk.read(path);
  const record = 24 + 150 + 8 + 8;
  for (const from of [512, 704, 896]) {
    const copy = bytes.slice();
    copy.copyWithin(720, from, from + record);
    put(disk, path, copy);
    const { storage } = open(disk, OPTIONS);
    assert(storage.report.damage !== undefined && storage.report.damage.offset <= 720);
    assert(storage.recovered.entries.length < remembered.log.length);
    disk.killProcess();
  }
});

Deno.test("empty and cut files are found", () => {
  const { disk: sample } = make(30, 12);
  for (const path of sample.paths().filter((path) => path !== "d/lock")) {
    const size = sample.read(path).length;
    const last = path.endsWith(segmentsOf(sample).at(-1) ?? "");
    for (const length of [0, 1, 511, 512, 515, Math.floor(size / 2), size - 1]) {
      const { disk } = make(30, 12);
      put(disk, path, disk.read(path).subarray(0, length));
      const { storage } = open(disk, OPTIONS);
      const { damage, cutBytes } = storage.report;
      // The last batch of the last segment cannot be told from one that was torn.
      if (damage === undefined) assert(last && length > 512 && cutBytes > 0, `${path} cut to ${length}`);
      else assertEquals([storage.recovered.memory, damage.path], ["lost", path], `${path} cut to ${length}`);
    }
  }
});

Deno.test("superfluous files that a crash brings back are dropped unread, and the report says so", () => {
  const { disk: full } = make(40, 0);
  const old = new Map(segmentsOf(full).map((name) => [name, full.read(`d/${name}`)]));
  const { disk: sample, remembered } = make(40, 21);
  const kept = segmentsOf(sample);
  const gone = [...old.keys()].filter((name) => !kept.includes(name));
  assert(gone.length >= 3);
  for (let set = 0; set < 2 ** gone.length; set++) {
    const { disk } = make(40, 21);
    const back = gone.filter((_, i) => (set >> i) & 1);
    for (const name of back) {
      const bytes = old.get(name) ?? new Uint8Array(0);
      bytes[900] = (bytes[900] ?? 0) ^ set;
      put(disk, `d/${name}`, bytes);
    }
    const opened = open(disk, OPTIONS);
    assertEquals(describeOpened(opened), describe(remembered));
    assertEquals(opened.storage.report.dropped, back.map((name) => `d/${name}`));
    assertEquals(segmentsOf(disk), kept);
  }
});

Deno.test("a crash at any step of leaving damage behind finds the damage again, or all of it done", () => {
  const outcomes = new Set<string>();
  for (
    const [last, snapshot, path, offset] of [
      [30, 8, `d/${segmentName(4)}`, 700],
      [30, 12, `d/${snapshotName(12)}`, 600],
    ] as const
  ) {
    for (let seed = 0; seed < 20; seed++) {
      for (let step = 0; step < 14; step++) {
        const { disk } = make(last, snapshot, seed * 50 + step);
        disk.flipBit(path, offset, 0);
        Object.assign(disk.faults, { loseSector: 0.3, loseTail: 0.5, loseNameChange: 0.5 });
        const { storage } = open(disk, OPTIONS);
        const { entries, base } = storage.recovered;
        const lastIndex = base.index + entries.length;
        const rejoin = { currentTerm: 77, votedFor: 0, rejoinTerm: 77 };
        let countdown = step;
        disk.beforeOperation = () => {
          if (countdown-- <= 0) throw new Crash();
        };
        let isSynced = false;
        try {
          appendAndSync(storage, persist(rejoin, entry(lastIndex + 1, 77, 400)));
          isSynced = true;
        } catch (error) {
          assert(error instanceof Crash, String(error));
        }
        disk.beforeOperation = undefined;
        disk.crash();
        const { recovered, report } = open(disk, OPTIONS).storage;
        outcomes.add(`${recovered.memory} ${recovered.hardState.rejoinTerm} ${isSynced}`);
        // The one thing that must not be: a memory that looks whole and does not say that it rejoins.
        if (recovered.memory === "whole") {
          assertEquals([recovered.hardState, report.damage], [rejoin, undefined]);
          if (isSynced) assertEquals(recovered.entries.at(-1)?.index, lastIndex + 1);
          else assert(recovered.base.index + recovered.entries.length >= lastIndex);
        } else {
          assertEquals(report.damage?.path, path);
          // What has been synced may be found damaged again only because the snapshot's removal was not durable.
          assert(!isSynced || path.includes("snapshot"), "it was synced");
        }
      }
    }
  }
  assert(
    outcomes.has("lost undefined false") && outcomes.has("whole 77 true") && outcomes.has("whole 77 false"),
  );
});

Deno.test("CorruptLogError says where, what is lost, and what helps, in one line", () => {
  const { disk } = make(30, 0);
  disk.flipBit(`d/${segmentName(3)}`, 700, 0);
  const { damage } = open(disk, OPTIONS).storage.report;
  assert(damage !== undefined);
  const error = new CorruptLogError(damage, "d", 2);
  assert(error instanceof StorageError && error.exitCode === 5);
  assertMatch(
    error.message,
    /^d\/log-0+3\.pack: corrupt at byte \d+ \(entry \d+\): [^\n]+; nothing was changed: /,
  );
  assertStringIncludes(error.message, '"drafty check d" shows all of it');
  assertStringIncludes(error.message, '"drafty --node 2 --rejoin"');
});
