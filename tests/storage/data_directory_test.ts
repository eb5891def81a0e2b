import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { crc32 } from "../../packraft/crc32.ts";
import type { Entry } from "../../src/raft/types.ts";
import type { SimDisk } from "../../src/sim/disk.ts";
import { DataDirectory, type OpenOptions } from "../../src/storage/data_directory.ts";
import { DataDirectoryError, IdentityError, StorageError, StorageIoError } from "../../src/storage/errors.ts";
import { FORMAT_VERSION } from "../../src/storage/file_header.ts";
import { FileSystemError } from "../../src/storage/file_system.ts";
import { encodeSegmentHeader, segmentName } from "../../src/storage/segment_format.ts";
import { snapshotName } from "../../src/storage/snapshot_format.ts";
import {
  after,
  appendAndSync,
  DIRECTORY_ID,
  entry,
  FIRST_HEADER,
  IDENTITY,
  makeDisk,
  NOTHING,
  open,
  PagesState,
  persist,
  takeSnapshot,
} from "./log_fixture.ts";

const FIRST_SEGMENT = segmentName(1);

function write(disk: SimDisk, path: string, bytes: Uint8Array): void {
  const file = disk.openAppend(path, { create: true });
  file.append(bytes);
  file.sync();
  file.close();
}

/** A directory "d" with one file in it. */
function diskWith(name: string, bytes: Uint8Array): SimDisk {
  const disk = makeDisk();
  disk.makeDirectory("d");
  write(disk, `d/${name}`, bytes);
  disk.syncDirectory("d");
  return disk;
}

function openAs(disk: SimDisk, identity = IDENTITY, options: Partial<OpenOptions> = {}): DataDirectory {
  return DataDirectory.open(
    disk,
    "d",
    identity,
    { drawId: () => DIRECTORY_ID, ...options },
    new PagesState(),
  );
}

/** The error of opening "d", which must be one line with a fix. */
function refusal(disk: SimDisk, identity = IDENTITY): StorageError {
  const error = assertThrows(() => openAs(disk, identity));
  assertInstanceOf(error, StorageError);
  assertMatch(error.message, /^[^\n]+: [^\n]+$/);
  return error;
}

Deno.test("DataDirectory.open() makes a directory, and opens it again with what was written", () => {
  const disk = makeDisk();
  const { storage: first } = open(disk);
  assertEquals([first.report.created, first.recovered.memory], [true, "new"]);
  first.append(persist({ currentTerm: 4, votedFor: 2, rejoinTerm: 3 }, entry(1, 4, 10)));
  first.close();
  assertEquals(disk.list("d"), ["lock", FIRST_SEGMENT]);
  assertEquals(disk.read("d/lock").length, 0, "the lock file is empty after a clean stop");
  const { storage: second } = open(disk, { drawId: () => new Uint8Array(16).fill(9) });
  assertEquals(second.recovered, {
    hardState: { currentTerm: 4, votedFor: 2, rejoinTerm: 3 },
    snapshot: { index: 0, term: 0 },
    base: { index: 0, term: 0 },
    entries: [entry(1, 4, 10)],
    memory: "whole",
  });
  assertEquals([second.report.created, second.report.sealed, second.report.segments], [false, true, 1]);
});

Deno.test("entries of every kind come back as they were written", () => {
  const disk = makeDisk();
  const entries: Entry[] = (["noop", "command", "configuration"] as const).map((kind, at) => (
    { index: at + 1, term: 2, kind, data: new Uint8Array(at * 100).fill(at) }
  ));
  const { storage } = open(disk);
  appendAndSync(storage, persist({ currentTerm: 2, votedFor: 1 }, ...entries));
  storage.close();
  assertEquals(open(disk).storage.recovered.entries, entries);
});

Deno.test("takeRecovered() hands over the entries, and keeps none of them", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  appendAndSync(storage, persist({ currentTerm: 2, votedFor: 1 }, entry(1, 2, 10)));
  storage.close();
  const { storage: again } = open(disk);
  const recovered = again.takeRecovered();
  assertEquals(recovered.entries, [entry(1, 2, 10)]);
  assertEquals(again.recovered, { ...recovered, entries: [] });
});

Deno.test("the memory of a directory that promised nothing is new, until the operator vouches for it", () => {
  const disk = makeDisk();
  open(disk).storage.close();
  assertEquals(open(disk).storage.recovered.memory, "new");
  disk.crash();
  const vouched = open(disk, { isNewCluster: true }).storage;
  assertEquals([vouched.recovered.memory, vouched.recovered.hardState], ["whole", {
    currentTerm: 0,
    votedFor: 0,
  }]);
  disk.crash();
  assertEquals(open(disk).storage.recovered.memory, "whole");
});

Deno.test("isNewCluster and isRejoining say nothing about a memory that they do not fit", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  appendAndSync(storage, persist({ currentTerm: 4, votedFor: 2 }));
  storage.close();
  const again = open(disk, { isNewCluster: true }).storage;
  assertEquals([again.recovered.memory, again.recovered.hardState.currentTerm], ["whole", 4]);
  again.close();
  const lost = open(disk, { isRejoining: true }).storage;
  assertEquals([lost.recovered.memory, lost.recovered.hardState.currentTerm], ["lost", 4]);
  assertEquals(lost.report.damage, undefined);
});

Deno.test("DataDirectory.open() refuses a directory that is in use, until it is closed", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  const error = refusal(disk);
  assertEquals([error.exitCode, error instanceof DataDirectoryError], [4, true]);
  assertMatch(error.message, /d is in use \(by another process\): stop that process/);
  storage.close();
  open(disk).storage.close();
});

Deno.test("DataDirectory.open() lets go of the lock when it refuses", () => {
  const disk = makeDisk();
  open(disk).storage.close();
  assertInstanceOf(refusal(disk, { ...IDENTITY, node: 5 }), IdentityError);
  open(disk).storage.close();
});

Deno.test("DataDirectory.open() refuses another cluster's and another node's directory", () => {
  const disk = makeDisk();
  open(disk).storage.close();
  const cluster = refusal(disk, { ...IDENTITY, clusterId: "production" });
  assertEquals(cluster.exitCode, 7);
  assertMatch(cluster.message, /belongs to cluster "test-cluster", this node is of cluster "production"/);
  const node = refusal(disk, { ...IDENTITY, node: 3 });
  assertEquals(node.exitCode, 7);
  assertMatch(node.message, /belongs to node 2, this is node 3/);
});

Deno.test("DataDirectory.open() refuses a copy, which may come back as one that has forgotten something", () => {
  const disk = makeDisk();
  const first = open(disk).storage;
  appendAndSync(first, persist({ currentTerm: 3, votedFor: 1 }, entry(1, 3, 10)));
  first.close();
  disk.copyDirectory("d", "copy");
  const error = assertThrows(() => open(disk, {}, "copy"), IdentityError);
  assertEquals(error.exitCode, 7);
  assertMatch(error.message, /^data directory copy is a copy: .* start the original, .*--node 2 --rejoin"$/);
  open(disk).storage.close();
  const copy = open(disk, { isRejoining: true }, "copy").storage;
  assertEquals([copy.recovered.memory, copy.recovered.entries.length], ["lost", 1]);
  assertThrows(
    () => copy.append(persist(undefined, entry(2, 3))),
    Error,
    "must say in which term it rejoins",
  );
  copy.close();
  assertThrows(() => open(disk, {}, "copy"), IdentityError, "is a copy");
  const rejoined = open(disk, { isRejoining: true }, "copy").storage;
  appendAndSync(rejoined, persist({ currentTerm: 9, votedFor: 0, rejoinTerm: 9 }));
  disk.crash();
  const after = open(disk, {}, "copy").storage;
  assertEquals(after.recovered.memory, "whole");
  assertEquals(after.recovered.hardState, { currentTerm: 9, votedFor: 0, rejoinTerm: 9 });
  assertEquals(after.recovered.entries.length, 1);
  assertEquals(after.report.segments, 2);
});

Deno.test("DataDirectory.open() refuses another format and says what it reads", () => {
  for (const version of [1, FORMAT_VERSION - 1, FORMAT_VERSION + 1]) {
    const header = encodeSegmentHeader(FIRST_HEADER);
    const view = new DataView(header.buffer);
    view.setUint16(8, version);
    view.setUint32(508, crc32(header.subarray(0, 508)));
    const error = refusal(diskWith(FIRST_SEGMENT, header));
    assertEquals(error.exitCode, 4);
    assertMatch(
      error.message,
      new RegExp(
        `format ${version}, this build reads ${FORMAT_VERSION}\\.\\.${FORMAT_VERSION}: use the build that wrote it`,
      ),
    );
  }
});

Deno.test("DataDirectory.open() removes unfinished files", () => {
  const names = [`${FIRST_SEGMENT}.tmp`, `${snapshotName(7)}.tmp`, `${snapshotName(7)}.received.tmp`];
  const disk = diskWith(names[0] ?? "", new Uint8Array(100));
  for (const name of names.slice(1)) write(disk, `d/${name}`, new Uint8Array(9));
  open(disk).storage.close();
  assertEquals(disk.list("d"), ["lock", FIRST_SEGMENT]);
});

Deno.test("DataDirectory.open() refuses files that it does not know", () => {
  for (const name of ["notes.txt", "log-0000000000000000.pack", "log-1.pack", "snapshot-1", "lock.tmp"]) {
    const error = refusal(diskWith(name, new Uint8Array(1)));
    assertEquals(error.exitCode, 4);
    assertMatch(error.message, new RegExp(`holds "${name}"`));
  }
});

Deno.test("DataDirectory.open() refuses a directory that lets other users in", () => {
  const disk = makeDisk();
  disk.makeDirectory("d");
  for (const mode of [0o755, 0o770, 0o701]) {
    disk.setMode("d", mode);
    const error = refusal(disk);
    assertEquals(error.exitCode, 4);
    assertMatch(error.message, new RegExp(`mode 0${mode.toString(8)}, .*: chmod 700 d$`));
  }
});

Deno.test("DataDirectory.open() refuses a path that is a file", () => {
  const disk = makeDisk();
  disk.makeDirectory("");
  write(disk, "d", new Uint8Array(1));
  assertMatch(refusal(disk).message, /data directory d is a file: name a directory/);
});

Deno.test("DataDirectory.open() tells what the system denies (exit 4) from what the disk fails (exit 6)", () => {
  for (const [code, exitCode] of [["denied", 4], ["notFound", 4], ["noSpace", 6], ["io", 6]] as const) {
    const disk = makeDisk();
    disk.beforeOperation = (operation, path) => {
      if (operation === "makeDirectory") throw new FileSystemError(code, operation, path, "says the system");
    };
    assertEquals(refusal(disk).exitCode, exitCode);
  }
  const disk = makeDisk();
  disk.faults.syncError = 1;
  assertInstanceOf(refusal(disk), StorageIoError);
});

Deno.test("DataDirectory.open() with no room for the first segment says so and leaves nothing behind", () => {
  const disk = makeDisk();
  disk.capacityBytes = 100;
  const error = refusal(disk);
  assertInstanceOf(error, StorageIoError);
  assertMatch(error.message, /No space left on device: free some space, then restart the node/);
  disk.capacityBytes = 1e6;
  assertEquals(disk.list("d"), ["lock"]);
  open(disk).storage.close();
});

Deno.test("DataDirectory.open() syncs the lock before the first file that names it", () => {
  const disk = makeDisk();
  const operations: string[] = [];
  disk.beforeOperation = (operation, path) => operations.push(`${operation} ${path}`);
  open(disk);
  const unfinished = `d/${FIRST_SEGMENT}.tmp`;
  assertEquals(operations, [
    "makeDirectory d",
    "syncDirectory d",
    `create ${unfinished}`,
    `append ${unfinished}`,
    `sync ${unfinished}`,
    `rename ${unfinished}`,
    "syncDirectory d",
    `sync d/${FIRST_SEGMENT}`,
  ]);
});

Deno.test("a crash at any step of making a directory leaves one that can be opened", () => {
  for (let seed = 0; seed < 30; seed++) {
    for (let step = 0; step < 9; step++) {
      const disk = makeDisk(seed * 100 + step, { loseSector: 0.3, loseTail: 0.5, loseNameChange: 0.5 });
      let countdown = step;
      disk.beforeOperation = () => {
        if (countdown-- === 0) throw new Error("crash");
      };
      try {
        open(disk);
      } catch (error) {
        assert(error instanceof Error && error.message === "crash");
      }
      disk.beforeOperation = undefined;
      disk.crash();
      const { storage } = open(disk);
      assertEquals([storage.recovered.memory, storage.report.damage], ["new", undefined]);
      appendAndSync(storage, persist({ currentTerm: 1, votedFor: 1 }));
      disk.crash();
      assertEquals(open(disk).storage.recovered.hardState.currentTerm, 1);
    }
  }
});

Deno.test("close() lets go of the lock even if the log has failed", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  storage.append(persist({ currentTerm: 1, votedFor: 1 }));
  disk.faults.syncError = 1;
  assertThrows(() => storage.close(), StorageIoError);
  disk.faults.syncError = 0;
  open(disk).storage.close();
});

Deno.test("after a restart the log is as long as before, and counts what a restart would read", () => {
  const disk = makeDisk();
  const { storage } = open(disk);
  let remembered = NOTHING;
  for (let index = 1; index <= 30; index++) {
    const batch = persist(undefined, entry(index, 1, 500));
    remembered = after(remembered, batch);
    appendAndSync(storage, batch);
  }
  const files = () => disk.list("d").filter((name) => name.startsWith("log-"));
  const onDisk = () => files().reduce((sum, name) => sum + disk.read(`d/${name}`).length, 0);
  assertEquals([storage.logBytes, files().length > 3], [onDisk(), true]);
  takeSnapshot(storage, remembered, 20);
  assertEquals(storage.logBytes, onDisk());
  const { logBytes } = storage;
  disk.crash();
  const { storage: again } = open(disk);
  assertEquals([again.logBytes, again.report.logBytes, again.report.segments], [
    logBytes,
    logBytes,
    files().length,
  ]);
});
