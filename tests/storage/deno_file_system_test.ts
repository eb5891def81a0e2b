import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { DenoFileSystem } from "../../src/driver/deno_file_system.ts";
import { DataDirectory } from "../../src/storage/data_directory.ts";
import { CorruptLogError, DataDirectoryError, StorageIoError } from "../../src/storage/errors.ts";
import { type AppendFile, FileSystemError } from "../../src/storage/file_system.ts";
import { LOG_FILE_NAME } from "../../src/storage/log_file.ts";
import { WriteAheadLog } from "../../src/storage/write_ahead_log.ts";
import { entry, IDENTITY, persist } from "./log_fixture.ts";

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

function codeOf(run: () => unknown): string {
  return assertThrows(run, FileSystemError).code;
}

test("a log on real files is recovered with its torn tail cut", (temp) => {
  const path = `${temp}/new/deep/1`;
  const first = DataDirectory.open(fileSystem, path, IDENTITY);
  first.log.append(persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 300)));
  first.log.sync();
  first.log.append(persist(undefined, entry(2, 1, 500_000)));
  first.log.sync();
  const whole = first.log.sizeBytes;
  first.close();

  const logPath = `${path}/${LOG_FILE_NAME}`;
  Deno.truncateSync(logPath, whole - 10);
  const second = DataDirectory.open(fileSystem, path, IDENTITY);
  assertEquals(second.log.recovered.entries.map(({ index }) => index), [1]);
  assert(second.log.report.cutBytes > 500_000);
  assertEquals(Deno.statSync(logPath).size, second.log.report.validBytes);
  second.log.append(persist({ currentTerm: 2, votedFor: 0 }, entry(2, 2, 500_000)));
  second.close();

  const third = DataDirectory.open(fileSystem, path, IDENTITY);
  assertEquals(third.log.report.sealed, true);
  assertEquals(third.log.recovered.entries.map(({ index, term }) => [index, term]), [[1, 1], [2, 2]]);
  third.close();
});

test("a flip in a real file is refused and changes nothing", (temp) => {
  const path = `${temp}/1`;
  const directory = DataDirectory.open(fileSystem, path, IDENTITY);
  directory.log.append(persist({ currentTerm: 1, votedFor: 2 }, entry(1, 1, 300)));
  directory.close();
  const logPath = `${path}/${LOG_FILE_NAME}`;
  const bytes = Deno.readFileSync(logPath);
  bytes[700] = (bytes[700] ?? 0) ^ 4;
  Deno.writeFileSync(logPath, bytes);
  assertThrows(() => DataDirectory.open(fileSystem, path, IDENTITY), CorruptLogError, "corrupt at byte 544");
  assertEquals(Deno.readFileSync(logPath), bytes);
});

test("files are made with mode 0600 and directories with 0700", (temp) => {
  const path = `${temp}/outer/inner`;
  DataDirectory.open(fileSystem, path, IDENTITY).close();
  assertEquals(fileSystem.modeOf(`${temp}/outer`), 0o700);
  assertEquals(fileSystem.modeOf(path), 0o700);
  for (const name of fileSystem.list(path)) assertEquals(fileSystem.modeOf(`${path}/${name}`), 0o600, name);
}, lackingPosix);

test("a directory with mode 0755 and a symbolic link to a directory are refused", (temp) => {
  Deno.mkdirSync(`${temp}/open`, { mode: 0o755 });
  Deno.chmodSync(`${temp}/open`, 0o755);
  const error = assertThrows(
    () => DataDirectory.open(fileSystem, `${temp}/open`, IDENTITY),
    DataDirectoryError,
  );
  assertMatch(error.message, /has mode 0755, .*chmod 700/);
  assertEquals(fileSystem.list(`${temp}/open`), [], "nothing was made in it");
  Deno.mkdirSync(`${temp}/real`, { mode: 0o700 });
  Deno.symlinkSync(`${temp}/real`, `${temp}/link`);
  assertThrows(
    () => DataDirectory.open(fileSystem, `${temp}/link`, IDENTITY),
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

test("disk-full: a full device is told as noSpace and poisons the log", (temp) => {
  WriteAheadLog.open(fileSystem, temp, IDENTITY).close();
  // The log's file is opened as it is, but what is appended goes to a device that is always full.
  class FullDisk extends DenoFileSystem {
    override openAppend(path: string, options: { create: boolean }): AppendFile {
      const file = super.openAppend(path, options);
      const full = super.openAppend("/dev/full", { create: false });
      return {
        path,
        get sizeBytes() {
          return file.sizeBytes;
        },
        append: (bytes) => full.append(bytes),
        sync: () => file.sync(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        close() {
          file.close();
          full.close();
        },
      };
    }
  }
  const log = WriteAheadLog.open(new FullDisk(), temp, IDENTITY);
  const error = assertThrows(() => log.append(persist({ currentTerm: 1, votedFor: 1 })), StorageIoError);
  assertEquals([error.code, error.exitCode], ["noSpace", 6]);
  assertThrows(() => log.sync(), StorageIoError, "No space left on device");
  log.close();
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
      clusterId: "test-cluster", node: 2, directoryId: new Uint8Array(16).fill(5) });
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
        () => DataDirectory.open(fileSystem, `${temp}/1`, IDENTITY),
        DataDirectoryError,
      );
      assertMatch(error.message, new RegExp(`is in use \\(by process ${child.pid}\\)`));
      assertEquals(error.exitCode, 4);
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      const directory = DataDirectory.open(fileSystem, `${temp}/1`, IDENTITY);
      assertEquals(directory.log.report.created, false, "the killed process had made the log");
      directory.close();
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
