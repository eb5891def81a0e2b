import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { crc32 } from "../../packraft/crc32.ts";
import { SimDisk } from "../../src/sim/disk.ts";
import { DataDirectory } from "../../src/storage/data_directory.ts";
import {
  CorruptLogError,
  DataDirectoryError,
  IdentityError,
  StorageError,
  StorageIoError,
} from "../../src/storage/errors.ts";
import { FileSystemError } from "../../src/storage/file_system.ts";
import { LOG_FILE_NAME, UNFINISHED_LOG_FILE_NAME } from "../../src/storage/log_file.ts";
import { encodeFileHeader } from "../../src/storage/log_format.ts";
import { entry, IDENTITY, persist, seededRandom } from "./log_fixture.ts";

function makeDisk(): SimDisk {
  return new SimDisk({ random: seededRandom(1) });
}

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

/** The error of opening "d", which must be one line with a fix. */
function refusal(disk: SimDisk, identity = IDENTITY): StorageError {
  const error = assertThrows(() => DataDirectory.open(disk, "d", identity));
  assertInstanceOf(error, StorageError);
  assertMatch(error.message, /^[^\n]+: [^\n]+$/);
  return error;
}

Deno.test("DataDirectory.open() makes a directory, and opens it again with what was written", () => {
  const disk = makeDisk();
  const first = DataDirectory.open(disk, "d", IDENTITY);
  first.log.append(persist({ currentTerm: 4, votedFor: 2 }, entry(1, 4, 10)));
  first.close();
  const second = DataDirectory.open(disk, "d", { ...IDENTITY, directoryId: new Uint8Array(16).fill(9) });
  assertEquals(second.log.recovered.hardState, { currentTerm: 4, votedFor: 2 });
  assertEquals(second.log.report.sealed, true);
});

Deno.test("DataDirectory.open() refuses a directory that is in use, until it is closed", () => {
  const disk = makeDisk();
  const first = DataDirectory.open(disk, "d", IDENTITY);
  const error = refusal(disk);
  assertEquals([error.exitCode, error instanceof DataDirectoryError], [4, true]);
  assertMatch(error.message, /d is in use \(by another process\): stop that process/);
  first.close();
  DataDirectory.open(disk, "d", IDENTITY).close();
});

Deno.test("DataDirectory.open() lets go of the lock when it refuses", () => {
  const disk = makeDisk();
  DataDirectory.open(disk, "d", IDENTITY).close();
  assertInstanceOf(refusal(disk, { ...IDENTITY, node: 5 }), IdentityError);
  DataDirectory.open(disk, "d", IDENTITY).close();
});

Deno.test("DataDirectory.open() refuses another cluster's and another node's directory", () => {
  const disk = makeDisk();
  DataDirectory.open(disk, "d", IDENTITY).close();
  const cluster = refusal(disk, { ...IDENTITY, clusterId: "production" });
  assertEquals(cluster.exitCode, 7);
  assertMatch(cluster.message, /belongs to cluster "test-cluster", this node is of cluster "production"/);
  const node = refusal(disk, { ...IDENTITY, node: 3 });
  assertEquals(node.exitCode, 7);
  assertMatch(node.message, /belongs to node 2, this is node 3/);
});

Deno.test("DataDirectory.open() refuses a newer format and says what it reads", () => {
  const header = encodeFileHeader(IDENTITY);
  const view = new DataView(header.buffer);
  view.setUint16(8, 3);
  view.setUint32(508, crc32(header.subarray(0, 508)));
  const error = refusal(diskWith(LOG_FILE_NAME, header));
  assertEquals(error.exitCode, 4);
  assertMatch(error.message, /format 3, this build reads 1\.\.1/);
});

Deno.test("DataDirectory.open() refuses a log without a whole header: it cannot be what a crash left", () => {
  for (const length of [0, 1, 511]) {
    const error = refusal(diskWith(LOG_FILE_NAME, encodeFileHeader(IDENTITY).subarray(0, length)));
    assertInstanceOf(error, CorruptLogError);
    assertEquals([error.offset, error.exitCode], [0, 5]);
  }
});

Deno.test("DataDirectory.open() removes an unfinished log and makes a new one", () => {
  const disk = diskWith(UNFINISHED_LOG_FILE_NAME, new Uint8Array(100));
  DataDirectory.open(disk, "d", IDENTITY).close();
  assertEquals(disk.list("d"), [LOG_FILE_NAME]);
});

Deno.test("DataDirectory.open() refuses files that it does not know, other segments among them", () => {
  for (const name of ["notes.txt", "log-0000000000000200.pack", "snapshot-1"]) {
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

Deno.test("close() lets go of the lock even if the log has failed", () => {
  const disk = makeDisk();
  const directory = DataDirectory.open(disk, "d", IDENTITY);
  directory.log.append(persist({ currentTerm: 1, votedFor: 1 }));
  disk.faults.syncError = 1;
  assertThrows(() => directory.close(), StorageIoError);
  disk.faults.syncError = 0;
  DataDirectory.open(disk, "d", IDENTITY).close();
});
