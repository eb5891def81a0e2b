/** `drafty log` and `drafty check`, on directories of real files. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DenoFileSystem } from "../../src/driver/deno_file_system.ts";
import { commandOf, encodeCommand, Store } from "../../src/kv/mod.ts";
import type { Entry } from "../../src/raft/mod.ts";
import { DataDirectory } from "../../src/storage/data_directory.ts";
import { permitted, run } from "./capture.ts";

const { isAllowed, named } = await permitted("read", "write");
const encoder = new TextEncoder();

function put(index: number, key: string, value: string): Entry {
  const clientId = new Uint8Array(16).fill(0xab);
  const request = {
    clientId,
    sequence: index,
    answeredUpTo: 0,
    key: encoder.encode(key),
    value: encoder.encode(value),
  };
  return {
    index,
    term: 2,
    kind: "command",
    data: encodeCommand(commandOf({ type: "PutRequest", ...request })),
  };
}

function open(path: string, store = new Store()): DataDirectory {
  const options = { drawId: () => new Uint8Array(16).fill(7), segmentBytes: 1_000 };
  return DataDirectory.open(new DenoFileSystem(), path, { clusterId: "shop", node: 3 }, options, store);
}

/** A directory with a no-op and 30 puts in several segments. */
function fill(path: string): void {
  const directory = open(path);
  const noop = { index: 1, term: 1, kind: "noop", data: new Uint8Array() } as const;
  directory.append({ sequence: 1, hardState: { currentTerm: 2, votedFor: 1 }, entries: [noop] });
  for (let index = 2; index <= 31; index++) {
    directory.append({
      sequence: index,
      hardState: undefined,
      entries: [put(index, `key ${index}`, `value ${index}`)],
    });
    directory.sync();
  }
  directory.close();
}

function directoryTest(sentence: string, body: (path: string) => Promise<void>): void {
  Deno.test({
    name: named(sentence),
    ignore: !isAllowed,
    async fn() {
      const parent = Deno.makeTempDirSync({ prefix: "drafty-directory-" });
      try {
        fill(`${parent}/3`);
        await body(`${parent}/3`);
      } finally {
        Deno.removeSync(parent, { recursive: true });
      }
    },
  });
}

function flip(path: string, offset: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

function contentOf(path: string): Map<string, string> {
  return new Map(
    [...Deno.readDirSync(path)].map(({ name }) => [name, Deno.readFileSync(`${path}/${name}`).toHex()]),
  );
}

directoryTest("drafty log shows whose directory it is, each segment and each entry", async (path) => {
  const { exitCode, out, err } = await run("log", path);
  assertEquals([exitCode, err], [0, ""]);
  const lines = out.split("\n");
  assertEquals(lines[0], `${path}: node 3 of cluster "shop"; term 2, vote for node 1, entries up to 31`);
  assertMatch(lines[1] ?? "", /^log-0000000000000001\.pack: segment 1, from entry 1 on, \d\.\d kB$/);
  assert(lines.some((line) => /^ +512 {2}term 2, vote for node 1$/.test(line)), out);
  assert(lines.some((line) => /^ +\d+ {2}entry 1 of term 1: no-op$/.test(line)), out);
  assertStringIncludes(out, `entry 31 of term 2: put key 31 = value 31 (write 31 of ${"ab".repeat(16)})`);
  assertStringIncludes(out, "stopped in good order after entry 31");
  assert(lines.filter((line) => line.startsWith("log-")).length > 2);
});

directoryTest("drafty log --from --to shows these entries, and --json one object a line", async (path) => {
  const { exitCode, out } = await run("log", path, "--from", "5", "--to", "6", "--json");
  assertEquals(exitCode, 0);
  const objects = out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(objects[0].kind, "directory");
  const entries = objects.filter(({ kind }) => kind === "entry");
  assertEquals(entries.map(({ index, entry, key, value }) => [index, entry, key, value]), [
    [5, "put", "key 5", "value 5"],
    [6, "put", "key 6", "value 6"],
  ]);
  for (const args of [["--from", "0"], ["--to", "x"], ["--from", "7", "--to", "6"]]) {
    assertEquals((await run("log", path, ...args)).exitCode, 2);
  }
});

directoryTest(
  "drafty check finds a sound directory sound, with exit code 0, and changes nothing",
  async (path) => {
    const before = contentOf(path);
    const { exitCode, out } = await run("check", path);
    assertEquals(exitCode, 0, out);
    assertStringIncludes(out, "every byte is what was written");
    const { ok, lastIndex, memory, node } = JSON.parse((await run("check", `${path}/`, "--json")).out);
    assertEquals([ok, lastIndex, memory, node], [true, 31, "whole", 3]);
    assertEquals(contentOf(path), before);
  },
);

directoryTest("damage in the middle: both end with 5, say where, and show what can be read", async (path) => {
  flip(`${path}/log-0000000000000002.pack`, 700);
  const before = contentOf(path);
  const check = await run("check", path);
  assertEquals(check.exitCode, 5);
  assertMatch(check.out, /log-0000000000000002\.pack: corrupt at byte \d+ \(entry \d+\): /);
  const log = await run("log", path);
  assertEquals(log.exitCode, 5);
  assertStringIncludes(log.out, "DAMAGED");
  assertStringIncludes(log.out, "entry 31 of term 2: put key 31 = value 31");
  assertEquals(contentOf(path), before);
});

directoryTest("a torn tail is no damage: check says that a start cuts it", async (path) => {
  const last = [...contentOf(path).keys()].filter((name) => name.startsWith("log-")).sort().at(-1) ?? "";
  Deno.truncateSync(`${path}/${last}`, Deno.statSync(`${path}/${last}`).size - 9);
  const { exitCode, out } = await run("check", path);
  assertEquals(exitCode, 0, out);
  assertStringIncludes(out, "a torn tail of");
});

directoryTest("a stranger's file is found with exit code 4, a copied directory with 7", async (path) => {
  Deno.writeTextFileSync(`${path}/notes.txt`, "mine");
  const stranger = await run("check", path);
  assertEquals(stranger.exitCode, 4);
  assertStringIncludes(stranger.out, "notes.txt: not a file of drafty's");
  Deno.removeSync(`${path}/notes.txt`);
  const copy = `${path}-copy`;
  Deno.mkdirSync(copy, { mode: 0o700 });
  for (const { name } of Deno.readDirSync(path)) Deno.copyFileSync(`${path}/${name}`, `${copy}/${name}`);
  const copied = await run("check", copy);
  assertEquals(copied.exitCode, 7, copied.out);
});

directoryTest(
  "what is no data directory is refused with 4, and a wrong command line with 2",
  async (path) => {
    for (const command of ["log", "check"]) {
      assertEquals((await run(command)).exitCode, 2);
      assertEquals((await run(command, path, path)).exitCode, 2);
      const absent = await run(command, `${path}-absent`);
      assertEquals(absent.exitCode, 4);
      assertStringIncludes(absent.err, "is not there");
      const file = await run(command, `${path}/lock`);
      assertEquals(file.exitCode, 4);
    }
  },
);
