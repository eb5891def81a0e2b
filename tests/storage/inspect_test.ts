import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { SimDisk } from "../../src/sim/disk.ts";
import { DataDirectoryError } from "../../src/storage/errors.ts";
import { inspectDirectory } from "../../src/storage/inspect.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import { snapshotName } from "../../src/storage/snapshot_format.ts";
import {
  after,
  appendAndSync,
  entry,
  makeDisk,
  NOTHING,
  open,
  persist,
  takeSnapshot,
} from "./log_fixture.ts";

const OPTIONS = { segmentBytes: 900 };

function make(): SimDisk {
  const disk = makeDisk();
  const { storage } = open(disk, OPTIONS);
  let remembered = NOTHING;
  for (let index = 1; index <= 20; index++) {
    const batch = persist({ currentTerm: index, votedFor: 1 }, entry(index, index, 100));
    remembered = after(remembered, batch);
    appendAndSync(storage, batch);
    if (index === 9) takeSnapshot(storage, remembered, 7);
  }
  storage.close();
  return disk;
}

function content(disk: SimDisk): unknown {
  return disk.paths().map((path) => [path, disk.read(path).join()]);
}

Deno.test("inspectDirectory() shows a sound directory, and changes nothing", () => {
  const disk = make();
  disk.openAppend(`d/${segmentName(99)}.tmp`, { create: true });
  const before = content(disk);
  disk.beforeOperation = (operation) => {
    throw new Error(operation);
  };
  const found = inspectDirectory(disk, "d");
  const { segments, snapshots } = found;
  assert(
    segments.length >= 4 && segments.every(({ use, problem }) => use === "used" && problem === undefined),
  );
  assertEquals(segments.at(-1)?.endBytes, undefined);
  assert(segments.slice(0, -1).every(({ bytes, endBytes }) => bytes === endBytes));
  assertEquals(snapshots.map(({ use, index, pages, info }) => [use, index, pages, info?.term]), [[
    "used",
    7,
    7,
    7,
  ]]);
  assertEquals([found.damage, found.tear, found.unknown, found.lockProblem, found.isCopy], [
    [],
    undefined,
    [],
    undefined,
    false,
  ]);
  assertEquals(found.superfluous, [`d/${segmentName(99)}.tmp`]);
  assertEquals([found.memory, found.lastIndex, found.hardState], ["whole", 20, {
    currentTerm: 20,
    votedFor: 1,
  }]);
  assertEquals([found.owner?.clusterId, found.owner?.node], ["test-cluster", 2]);
  const records = segments.flatMap((segment) => [...found.records(segment)]);
  const entries = records.flatMap((record) =>
    record.kind === "record" && record.content.type === "entry" ? [record.content.entry.index] : []
  );
  assertEquals(entries, Array.from({ length: entries.length }, (_, i) => 21 - entries.length + i));
  assertEquals(records.at(-1)?.kind === "record" && records.at(-1), records.at(-1));
  assert(records.some((record) => record.kind === "record" && record.content.type === "sealed"));
  disk.beforeOperation = undefined;
  assertEquals(content(disk), before);
});

Deno.test("inspectDirectory() shows all damage, not only the first, and what is behind it", () => {
  const disk = make();
  const [first, second] = inspectDirectory(disk, "d").segments;
  assert(first !== undefined && second !== undefined);
  const count = [...inspectDirectory(disk, "d").records(first)].length;
  disk.flipBit(first.path, 620, 1);
  disk.flipBit(second.path, 900, 1);
  disk.flipBit(`d/${snapshotName(7)}`, 530, 1);
  const found = inspectDirectory(disk, "d");
  assertEquals(
    new Set(found.damage.map(({ path }) => path)),
    new Set([`d/${snapshotName(7)}`, first.path, second.path]),
  );
  assertEquals(found.memory, "lost");
  assertEquals(
    found.damage[0],
    open(disk, OPTIONS).storage.report.damage,
    "what a start reports stands first",
  );
  const records = [...found.records(first)];
  const at = records.findIndex(({ kind }) => kind === "damaged");
  assert(at > 0 && records.length === count, "one record is damaged, and those behind it are shown");
  let end = 512;
  for (const record of records) {
    assertEquals(record.offset, end, "no byte is left out");
    end += record.bytes;
  }
  assertEquals(end, first.bytes);
  assertEquals(found.snapshots[0]?.use, "damaged");
});

Deno.test("inspectDirectory() shows a torn tail as a start would cut it", () => {
  const disk = make();
  const last = inspectDirectory(disk, "d").segments.at(-1);
  assert(last !== undefined);
  const file = disk.openAppend(last.path, { create: false });
  file.truncate(last.bytes - 5);
  file.sync();
  const found = inspectDirectory(disk, "d");
  assertEquals([found.damage, found.memory, found.tear?.path], [[], "whole", last.path]);
  const torn = [...found.records(last)].at(-1);
  assertEquals([torn?.kind, torn?.offset, torn?.bytes], ["torn", found.tear?.offset, found.tear?.bytes]);
  const { report } = open(disk, OPTIONS).storage;
  assertEquals([report.cutBytes, report.tear], [found.tear?.bytes ?? -1, found.tear?.problem]);
});

Deno.test("inspectDirectory() shows missing segments, unreadable headers, copies and unknown names", () => {
  const disk = make();
  const sequences = inspectDirectory(disk, "d").segments.map(({ sequence }) => sequence);
  const [, second = 0, third = 0] = sequences;
  disk.remove(`d/${segmentName(second)}`);
  disk.flipBit(`d/${segmentName(third)}`, 100, 1);
  disk.openAppend("d/notes.txt", { create: true });
  const found = inspectDirectory(disk, "d");
  assertEquals(found.unknown, ["notes.txt"]);
  const broken = found.segments.find(({ sequence }) => sequence === third);
  assertEquals([broken?.use, broken?.problem], ["damaged", "the file header does not match its checksum"]);
  assertEquals([...(broken === undefined ? [] : found.records(broken))], []);
  assert(found.damage.some(({ path }) => path.endsWith(segmentName(third))));
  const whole = make();
  whole.remove(`d/${segmentName(second)}`);
  assertMatch(inspectDirectory(whole, "d").damage[0]?.problem ?? "", /segment \d+ is missing/);
  whole.copyDirectory("d", "copy");
  assertEquals([inspectDirectory(whole, "copy").isCopy, inspectDirectory(whole, "d").isCopy], [true, false]);
});

Deno.test("inspectDirectory() refuses what is no directory", () => {
  const error = assertThrows(() => inspectDirectory(makeDisk(), "d"), DataDirectoryError);
  assertMatch(error.message, /data directory d is not there: name the directory of one node/);
});
