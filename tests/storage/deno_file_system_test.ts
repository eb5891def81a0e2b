import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { DenoFileSystem } from "../../src/driver/deno_file_system.ts";
import {
  DataDirectoryError,
  IdentityError,
  StorageError,
  StorageFullError,
} from "../../src/storage/errors.ts";
import { type AppendFile, FileSystemError } from "../../src/storage/file_system.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import {
  after,
  appendAndSync,
  bodyOf,
  describe,
  describeOpened,
  entry,
  NOTHING,
  open as openIn,
  type Opened,
  persist,
  takeSnapshot,
} from "./log_fixture.ts";

const fileSystem = new DenoFileSystem();

async function missingPermission(...wanted: Deno.PermissionDescriptor[]): Promise<string | undefined> {
  for (const descriptor of wanted) {
    if ((await Deno.permissions.query(descriptor)).state !== "granted") return `--allow-${descriptor.name}`;
  }
}

const lacking = await missingPermission({ name: "read" }, { name: "write" });
const lackingPosix = Deno.build.os === "windows" ? "POSIX modes" : lacking;
const lackingFull = Deno.build.os === "linux" ? lacking : "/dev/full";
const lackingRun = lacking ?? await missingPermission({ name: "run" });
function test(name: string, run: (directory: string) => void | Promise<void>, lacks = lacking): void {
  if (lacks !== undefined) console.log(`ignored for lack of ${lacks}: ${name}`);
  Deno.test({
    name,
    ignore: lacks !== undefined,
    async fn() {
      const directory = Deno.makeTempDirSync({ prefix: "drafty-storage-" });
      try {
        await run(directory);
      } finally {
        Deno.removeSync(directory, { recursive: true });
      }
    },
  });
}

function open(path: string, system = fileSystem): Opened {
  return openIn(system, {}, path);
}

function codeOf(run: () => unknown): string {
  return assertThrows(run, FileSystemError).code;
}

test("a log on real files is recovered with its torn tail cut", (temp) => {
  const path = `${temp}/new/deep/1`;
  const { storage: first } = open(path);
  first.append(persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 300)));
  first.sync();
  first.append(persist(undefined, entry(2, 1, 500_000)));
  first.sync();
  const whole = first.logBytes;
  first.close();

  const logPath = `${path}/${segmentName(1)}`;
  Deno.truncateSync(logPath, whole - 10);
  const { storage: second } = open(path);
  assertEquals(second.recovered.entries.map(({ index }) => index), [1]);
  assert(second.report.cutBytes > 500_000);
  assertEquals(Deno.statSync(logPath).size, second.report.logBytes);
  second.append(persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 500_000)));
  second.close();

  const { storage: third } = open(path);
  assertEquals(third.report.sealed, true);
  assertEquals(third.recovered.entries.map(({ index, term }) => [index, term]), [[1, 1], [2, 2]]);
  third.close();
});

test("segments and snapshots on real files are what a restart needs, and no more", (temp) => {
  const path = `${temp}/1`;
  const first = open(path);
  let remembered = NOTHING;
  for (let index = 1; index <= 60; index++) {
    const batch = persist({ currentTerm: index, votedFor: 1 }, entry(index, index, 500));
    remembered = after(remembered, batch);
    appendAndSync(first.storage, batch);
    if (index % 25 === 0) takeSnapshot(first.storage, remembered, index - 3);
  }
  first.storage.close();
  const names = fileSystem.list(path);
  assertEquals(names.filter((name) => name.startsWith("snapshot-")), ["snapshot-0000000000000047.pack"]);
  assert(names.length < 8 && !names.includes(segmentName(1)));
  const second = open(path);
  assertEquals(describeOpened(second), describe(remembered));
  const others = after(remembered, persist(undefined, entry(60, 99, 5), entry(61, 99, 5))).log;
  const { info, body } = bodyOf(others, 61);
  const old = second.storage.openSnapshot();
  const receiver = second.storage.beginReceiving(info);
  receiver.write(body.subarray(0, 999));
  receiver.write(body.subarray(999));
  receiver.finish(second.state, false);
  assertEquals(old?.read(0, 1e6).length, old?.info.totalBytes, "an open snapshot stays readable");
  old?.close();
  second.storage.close();
  assertEquals(fileSystem.list(path).length, 3);
  const third = open(path);
  assertEquals(describeOpened(third), describe({ ...remembered, log: others }));
  third.storage.close();
});

test("a flip in a real file is found and changes nothing", (temp) => {
  const path = `${temp}/1`;
  const { storage } = open(path);
  storage.append(persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 300)));
  storage.close();
  const logPath = `${path}/${segmentName(1)}`;
  const bytes = Deno.readFileSync(logPath);
  bytes[700] = (bytes[700] ?? 0) ^ 4;
  Deno.writeFileSync(logPath, bytes);
  const { storage: damaged } = open(path);
  assertEquals([damaged.report.damage?.path, damaged.report.damage?.index], [logPath, 1]);
  assertEquals(damaged.recovered.memory, "lost");
  damaged.close();
  assertEquals(Deno.readFileSync(logPath), bytes);
});

test("a copy of a directory is refused, and one that was moved is not", (temp) => {
  const path = `${temp}/1`;
  const { storage } = open(path);
  appendAndSync(storage, persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 300)));
  storage.close();
  Deno.mkdirSync(`${temp}/copy`, { mode: 0o700 });
  for (const name of fileSystem.list(path)) Deno.copyFileSync(`${path}/${name}`, `${temp}/copy/${name}`);
  assertThrows(() => open(`${temp}/copy`), IdentityError, "is a copy");
  Deno.renameSync(path, `${temp}/moved`);
  open(`${temp}/moved`).storage.close();
  // Restored in place of the removed one: the file system may well give the same inodes out again.
  Deno.removeSync(`${temp}/moved`, { recursive: true });
  Deno.renameSync(`${temp}/copy`, `${temp}/moved`);
  assertThrows(() => open(`${temp}/moved`), IdentityError, "is a copy");
}, lackingPosix);

test(
  "openRead() reads any part of a file, and identityOf() tells a file from the one that takes its place",
  (temp) => {
    const path = `${temp}/file`;
    Deno.writeFileSync(path, Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff));
    const file = fileSystem.openRead(path);
    const into = new Uint8Array(10);
    assertEquals([file.sizeBytes, file.read(300, into), into[0]], [1000, 10, 300 & 0xff]);
    assertEquals([file.read(310, into), into[0], file.read(5, into), into[0]], [10, 310 & 0xff, 10, 5]);
    assertEquals([file.read(995, into), file.read(1000, into)], [5, 0]);
    const identity = fileSystem.identityOf(path);
    assert(identity !== undefined && Number.isSafeInteger(identity) && identity > 0);
    Deno.renameSync(path, `${path}2`);
    assertEquals(fileSystem.identityOf(`${path}2`), identity);
    Deno.removeSync(`${path}2`);
    assertEquals(file.read(0, into), 10, "it stays readable");
    file.close();
    const until = performance.now() + 20;
    while (performance.now() < until);
    Deno.writeFileSync(path, into);
    assertNotEquals(fileSystem.identityOf(path), identity);
    assertEquals(codeOf(() => fileSystem.openRead(`${temp}/nothing`)), "notFound");
    assertEquals(codeOf(() => fileSystem.identityOf(`${temp}/nothing`)), "notFound");
  },
  lackingPosix,
);

test("a segment that is a symbolic link is refused, not followed", (temp) => {
  const path = `${temp}/1`;
  open(path).storage.close();
  Deno.renameSync(`${path}/${segmentName(1)}`, `${temp}/elsewhere`);
  Deno.symlinkSync(`${temp}/elsewhere`, `${path}/${segmentName(1)}`);
  assertThrows(() => open(path), StorageError, "is not a file but a symbolic link");
}, lackingPosix);

test("files are made with mode 0600 and directories with 0700", (temp) => {
  const path = `${temp}/outer/inner`;
  open(path).storage.close();
  assertEquals(fileSystem.modeOf(`${temp}/outer`), 0o700);
  assertEquals(fileSystem.modeOf(path), 0o700);
  for (const name of fileSystem.list(path)) assertEquals(fileSystem.modeOf(`${path}/${name}`), 0o600, name);
}, lackingPosix);

test("a directory with mode 0755 and a symbolic link to a directory are refused", (temp) => {
  Deno.mkdirSync(`${temp}/open`, { mode: 0o755 });
  Deno.chmodSync(`${temp}/open`, 0o755);
  const error = assertThrows(
    () => open(`${temp}/open`),
    DataDirectoryError,
  );
  assertMatch(error.message, /has mode 0755, .*chmod 700/);
  assertEquals(fileSystem.list(`${temp}/open`), [], "nothing was made in it");
  Deno.mkdirSync(`${temp}/real`, { mode: 0o700 });
  Deno.symlinkSync(`${temp}/real`, `${temp}/link`);
  assertThrows(
    () => open(`${temp}/link`),
    DataDirectoryError,
    "symbolic link",
  );
}, lackingPosix);

test("every failure of the system is a FileSystemError with a code", (temp) => {
  Deno.writeTextFileSync(`${temp}/file`, "x");
  assertEquals(codeOf(() => fileSystem.read(`${temp}/nothing`)), "notFound");
  assertEquals(codeOf(() => fileSystem.list(`${temp}/nothing`)), "notFound");
  assertEquals(codeOf(() => fileSystem.rename(`${temp}/nothing`, `${temp}/else`)), "notFound");
  assertEquals(codeOf(() => fileSystem.remove(`${temp}/nothing`)), "notFound");
  assertEquals(codeOf(() => fileSystem.syncDirectory(`${temp}/nothing`)), "notFound");
  assertEquals(codeOf(() => fileSystem.openAppend(`${temp}/nothing`, { create: false })), "notFound");
  assertEquals(codeOf(() => fileSystem.openAppend(`${temp}/file`, { create: true })), "exists");
  assertEquals(codeOf(() => fileSystem.makeDirectory(`${temp}/file/under`)), "denied");
  assertEquals(fileSystem.kindOf(`${temp}/nothing`), "nothing");
  assertEquals(fileSystem.kindOf(`${temp}/file`), "file");
  assertEquals(fileSystem.kindOf(temp), "directory");
  const error = assertThrows(() => fileSystem.read(`${temp}/nothing`), FileSystemError);
  assertEquals(error.message, `read ${temp}/nothing: No such file or directory`);
});

test("disk-full: a full device is told as such, and nothing is lost by it", (temp) => {
  // The log's file is opened as it is, but what is appended goes to a device that is full for a while.
  let isFull = false;
  class FullDisk extends DenoFileSystem {
    override openAppend(path: string, options: { create: boolean }): AppendFile {
      const file = super.openAppend(path, options);
      const full = super.openAppend("/dev/full", { create: false });
      return {
        path,
        get sizeBytes() {
          return file.sizeBytes;
        },
        append: (bytes) => (isFull ? full : file).append(bytes),
        sync: () => file.sync(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        close() {
          file.close();
          full.close();
        },
      };
    }
  }
  const { storage } = open(`${temp}/1`, new FullDisk());
  isFull = true;
  const error = assertThrows(
    () => storage.append(persist({ currentTerm: 1, votedFor: 1 })),
    StorageFullError,
  );
  assertEquals(error.exitCode, 6);
  assertMatch(error.message, /No space left on device: free some space/);
  isFull = false;
  storage.append(persist({ currentTerm: 1, votedFor: 1 }));
  storage.close();
  const { storage: again } = open(`${temp}/1`);
  assertEquals(again.recovered.hardState, { currentTerm: 1, votedFor: 1 });
  again.close();
}, lackingFull);

test("two handles of one process cannot hold the lock at once", (temp) => {
  const lock = fileSystem.lock(temp);
  assertEquals(codeOf(() => fileSystem.lock(temp)), "locked");
  lock.close();
  fileSystem.lock(temp).close();
});

test(
  "a directory held by another process is refused with its pid, and free once that is killed",
  async (temp) => {
    const holder = `
    import { DenoFileSystem } from ${
      JSON.stringify(import.meta.resolve("../../src/driver/deno_file_system.ts"))
    };
    import { DataDirectory } from ${
      JSON.stringify(import.meta.resolve("../../src/storage/data_directory.ts"))
    };
    DataDirectory.open(new DenoFileSystem(), ${JSON.stringify(`${temp}/1`)}, {
      clusterId: "test-cluster", node: 2 }, { drawId: () => new Uint8Array(16).fill(5) }, { restore: () => {} });
    console.log("held");
    setInterval(() => {}, 1000);
  `;
    Deno.writeTextFileSync(`${temp}/holder.ts`, holder);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-lock", "-A", `${temp}/holder.ts`],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      assertEquals(new TextDecoder().decode(value).trim(), "held");
      const error = assertThrows(
        () => open(`${temp}/1`),
        DataDirectoryError,
      );
      assertMatch(error.message, new RegExp(`is in use \\(by process ${child.pid}\\)`));
      assertEquals(error.exitCode, 4);
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      const { storage } = open(`${temp}/1`);
      assertEquals(storage.report.created, false, "the killed process had made the log");
      storage.close();
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
    }
  },
  lackingRun,
);
