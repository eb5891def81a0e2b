import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { CRASH_FAULTS, type DiskFaults, SimDisk, type SimDiskOptions } from "../../src/sim/disk.ts";
import { type AppendFile, FileSystemError } from "../../src/storage/file_system.ts";
import { seededRandom } from "../storage/log_fixture.ts";

function makeDisk(
  faults: Partial<DiskFaults> = {},
  seed = 1,
  options: Partial<SimDiskOptions> = {},
): SimDisk {
  const disk = new SimDisk({ random: seededRandom(seed), faults, ...options });
  disk.makeDirectory("d");
  return disk;
}

function create(disk: SimDisk, path = "d/f"): AppendFile {
  const file = disk.openAppend(path, { create: true });
  disk.syncDirectory("d");
  return file;
}

function ones(count: number): Uint8Array {
  return new Uint8Array(count).fill(1);
}

Deno.test("SimDisk keeps at a crash what was synced, and loses by chance what was not", () => {
  const ends = new Set<number>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = makeDisk(CRASH_FAULTS, seed);
    const file = create(disk);
    file.append(ones(700));
    file.sync();
    file.append(ones(3000));
    assertEquals(disk.durableBytes("d/f"), ones(700));
    disk.crash();
    const left = disk.read("d/f");
    ends.add(left.length);
    assert(left.length >= 700 && left.length <= 3700);
    assertEquals(left.subarray(0, 700), ones(700));
    for (let start = 700; start < left.length; start = (Math.floor(start / 512) + 1) * 512) {
      const sector = left.subarray(start, (Math.floor(start / 512) + 1) * 512);
      assertEquals(new Set(sector).size, 1, "a sector is written whole or not at all");
    }
  }
  assert(ends.size > 20);
});

Deno.test("SimDisk tears inside a sector only if told to", () => {
  const disk = makeDisk({ tearInsideSector: 1 });
  const file = create(disk);
  file.append(ones(512));
  disk.crash();
  const left = disk.read("d/f");
  assertEquals(left.length, 512);
  assert(left.includes(0), "the end of the sector was not written");
});

Deno.test("SimDisk may undo at a crash a truncation that was not synced, and never one that was", () => {
  const sizes = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    const disk = makeDisk({ loseNameChange: 0.5, loseSector: 0 }, seed);
    const file = create(disk);
    file.append(ones(1000));
    file.sync();
    file.truncate(600);
    file.truncate(300);
    disk.crash();
    assertEquals(disk.read("d/f"), ones(disk.read("d/f").length));
    sizes.add(disk.read("d/f").length);
    const again = disk.openAppend("d/f", { create: false });
    again.truncate(100);
    again.sync();
    disk.crash();
    assertEquals(disk.read("d/f").length, 100);
  }
  assertEquals([...sizes].sort(), [1000, 300]);
});

Deno.test("SimDisk makes names durable with their directory only; a rename is atomic", () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const disk = makeDisk({ loseNameChange: 0.5 }, seed);
    create(disk, "d/a").append(ones(1));
    disk.openAppend("d/b", { create: true });
    disk.rename("d/a", "d/c");
    disk.remove("d/b");
    disk.crash();
    const names = disk.list("d").filter((name) => name !== "b");
    assertEquals(names.length, 1, "the renamed file has its old name or its new one");
    outcomes.add(disk.list("d").join(" "));
    disk.syncDirectory("d");
    disk.crash();
    assertEquals(disk.list("d").filter((name) => name !== "b"), names);
  }
  assertEquals([...outcomes].sort(), ["a", "a b", "b c", "c"]);
});

Deno.test("SimDisk keeps all that was written when only the process is killed", () => {
  const disk = makeDisk({ ...CRASH_FAULTS, loseSector: 1, loseNameChange: 1 });
  const file = disk.openAppend("d/f", { create: true });
  const lock = disk.lock("d");
  file.append(ones(900));
  disk.killProcess();
  assertEquals(disk.read("d/f"), ones(900));
  assertThrows(() => file.append(ones(1)), FileSystemError, "the process has ended");
  const next = disk.lock("d");
  lock.close();
  assertThrows(() => disk.lock("d"), FileSystemError, "", "a lock of an earlier life frees nothing");
  next.close();
  disk.lock("d").close();
});

Deno.test("SimDisk reads a file in pieces, also when its name is gone, and not after the process has ended", () => {
  const disk = makeDisk();
  create(disk).append(Uint8Array.from({ length: 100 }, (_, i) => i));
  const file = disk.openRead("d/f");
  disk.remove("d/f");
  const into = new Uint8Array(8);
  assertEquals([file.sizeBytes, file.read(10, into), into[0], into[7]], [100, 8, 10, 17]);
  assertEquals([file.read(96, into), file.read(100, into)], [4, 0]);
  disk.killProcess();
  assertThrows(() => file.read(0, into), FileSystemError, "the process has ended");
  assertThrows(() => disk.openRead("d/f"), FileSystemError, "No such file");
});

Deno.test("SimDisk gives each file an identity, which a copy does not have", () => {
  const disk = makeDisk();
  disk.lock("d");
  create(disk).append(ones(5));
  const identity = disk.identityOf("d/lock");
  disk.copyDirectory("d", "copy");
  assertEquals(disk.list("copy"), ["f", "lock"]);
  assertEquals([disk.read("copy/f"), disk.durableBytes("copy/f")], [ones(5), ones(5)]);
  assertNotEquals(disk.identityOf("copy/lock"), identity);
  disk.syncDirectory("d");
  disk.crash();
  disk.lock("d").close();
  assertEquals(disk.identityOf("d/lock"), identity, "it stays the same file");
  assertEquals(disk.read("d/lock").length, 0);
});

Deno.test("SimDisk refuses what does not fit, after what does", () => {
  const disk = makeDisk({}, 1, { capacityBytes: 1000 });
  const file = create(disk);
  assertEquals(file.append(ones(800)), 800);
  assertEquals(file.append(ones(800)), 200);
  assertEquals(assertThrows(() => file.append(ones(1)), FileSystemError).code, "noSpace");
  disk.capacityBytes = 1100;
  assertEquals(file.append(ones(800)), 100);
  file.truncate(50);
  assertEquals(file.append(ones(800)), 800);
  file.close();
  disk.remove("d/f");
  assertEquals(create(disk).append(ones(2000)), 1100, "removing a file frees its bytes");
  assertEquals(disk.counts.noSpace, 4);
});

Deno.test("SimDisk fails, lies, stalls and writes short as its dials say, and counts it", () => {
  const stalls: number[] = [];
  const disk = makeDisk({ lyingSync: 1, stall: 1, stallUpToMs: 500 }, 1, {
    onStall: (ms) => stalls.push(ms),
  });
  const file = create(disk);
  disk.faults.loseNameChange = 0;
  file.append(ones(10));
  file.sync();
  assertEquals(disk.counts.lyingSync, 2, "one file, one directory");
  assertEquals(disk.durableBytes("d/f"), undefined);
  assert(stalls.length === 1 && (stalls[0] ?? -1) >= 0 && (stalls[0] ?? 501) < 500);
  Object.assign(disk.faults, { lyingSync: 0, stall: 0, syncError: 1 });
  assertEquals(assertThrows(() => file.sync(), FileSystemError).code, "io");
  assertThrows(() => disk.syncDirectory("d"), FileSystemError);
  Object.assign(disk.faults, { syncError: 0, appendError: 1, renameError: 1 });
  assertThrows(() => file.append(ones(1)), FileSystemError, "append d/f");
  assertThrows(() => disk.rename("d/f", "d/g"), FileSystemError, "rename d/f");
  Object.assign(disk.faults, { appendError: 0, shortWrite: 1 });
  const taken = file.append(ones(100));
  assert(taken >= 1 && taken < 100);
  const { syncError, appendError, renameError, shortWrite, stall } = disk.counts;
  assertEquals({ syncError, appendError, renameError, shortWrite, stall }, {
    syncError: 2,
    appendError: 1,
    renameError: 1,
    shortWrite: 1,
    stall: 1,
  });
});

Deno.test("SimDisk flips the bit it is asked to flip, and random ones within the durable bytes", () => {
  const disk = makeDisk({}, 7);
  const file = create(disk);
  assertEquals(disk.flipRandomBit("d/f"), undefined);
  file.append(ones(64));
  file.sync();
  file.append(ones(64));
  disk.flipBit("d/f", 3, 7);
  assertEquals(disk.read("d/f")[3], 0x81);
  for (let i = 0; i < 50; i++) assert((disk.flipRandomBit("d/f") ?? 64) < 64);
  assertThrows(() => disk.flipBit("d/f", 128), RangeError);
  assertEquals(disk.counts.bitFlip, 51);
});

Deno.test("SimDisk calls beforeOperation before each operation, which does not happen if that throws", () => {
  const disk = makeDisk();
  const file = create(disk);
  const seen: string[] = [];
  disk.beforeOperation = (operation, path) => {
    seen.push(`${operation} ${path}`);
    throw new Error("stop");
  };
  const operations = [
    () => file.append(ones(5)),
    () => file.sync(),
    () => file.truncate(0),
    () => disk.rename("d/f", "d/g"),
    () => disk.remove("d/f"),
    () => disk.syncDirectory("d"),
    () => disk.openAppend("d/new", { create: true }),
    () => disk.makeDirectory("e"),
  ];
  for (const operation of operations) assertThrows(operation, Error, "stop");
  assertEquals(seen.map((line) => line.split(" ")[0]), [
    "append",
    "sync",
    "truncate",
    "rename",
    "remove",
    "syncDirectory",
    "create",
    "makeDirectory",
  ]);
  assertEquals([disk.paths(), file.sizeBytes, disk.kindOf("e")], [["d/f"], 0, "nothing"]);
});

Deno.test("SimDisk is empty after wipe()", () => {
  const disk = makeDisk();
  create(disk).append(ones(5));
  disk.wipe();
  assertEquals([disk.kindOf("d"), disk.paths()], ["nothing", []]);
});

Deno.test("SimDisk does the same with the same seed, and something else with another", () => {
  const run = (seed: number) => {
    const disk = makeDisk({ ...CRASH_FAULTS, shortWrite: 0.5 }, seed);
    const file = create(disk);
    for (let i = 0; i < 20; i++) {
      file.append(ones(300));
      if (i === 5) file.sync();
    }
    disk.crash();
    return disk.read("d/f").join("");
  };
  assertEquals(run(3), run(3));
  assertNotEquals(run(3), run(4));
});
