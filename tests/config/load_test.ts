import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  ConfigError,
  DEFAULT_CLUSTER_TOML,
  defaultClusterConfig,
  loadClusterConfig,
  nodeAddress,
} from "../../src/config/mod.ts";

const isAllowed = (await Deno.permissions.query({ name: "read" })).state === "granted" &&
  (await Deno.permissions.query({ name: "write" })).state === "granted";
const name = (sentence: string) =>
  isAllowed ? sentence : `${sentence} (ignored: needs --allow-read --allow-write)`;

function withFile(bytes: Uint8Array | string, run: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ suffix: ".toml" });
  try {
    if (typeof bytes === "string") Deno.writeTextFileSync(path, bytes);
    else Deno.writeFileSync(path, bytes);
    run(path);
  } finally {
    Deno.removeSync(path);
  }
}

function errorOf(bytes: Uint8Array | string): string {
  let message = "";
  withFile(bytes, (path) => {
    message = assertThrows(() => loadClusterConfig(path), ConfigError).message.replace(path, "f");
  });
  return message;
}

Deno.test({
  name: name("cluster.toml and the built-in configuration are the same text"),
  ignore: !isAllowed,
  fn() {
    assertEquals(Deno.readTextFileSync(new URL("../../cluster.toml", import.meta.url)), DEFAULT_CLUSTER_TOML);
  },
});

Deno.test("defaultClusterConfig() is three nodes on loopback", () => {
  const config = defaultClusterConfig();
  assertEquals(config.clusterId, "drafty");
  assertEquals(config.heartbeatMs, 30);
  assertEquals(config.electionTimeoutMs, { min: 180, max: 360 });
  assertEquals(config.storageDirectory, "data");
  assertEquals(
    config.nodes,
    [1, 2, 3].map((id) => ({ id, host: "127.0.0.1", peerPort: 8000 + id, clientPort: 9000 + id })),
  );
});

Deno.test("nodeAddress() names the ids that there are", () => {
  const config = defaultClusterConfig();
  assertEquals(nodeAddress(config, 2).clientPort, 9002);
  const error = assertThrows(() => nodeAddress(config, 9), ConfigError);
  assertEquals(error.message, "the built-in cluster.toml: there is no node 9; its nodes are 1, 2, 3");
});

Deno.test({
  name: name("loadClusterConfig() reads a file"),
  ignore: !isAllowed,
  fn: () => withFile(DEFAULT_CLUSTER_TOML, (path) => assertEquals(loadClusterConfig(path).source, path)),
});

Deno.test({
  name: name("loadClusterConfig() refuses what is no text file, and says what it is"),
  ignore: !isAllowed,
  fn() {
    const bytes = new TextEncoder().encode(DEFAULT_CLUSTER_TOML);
    assertEquals(
      errorOf(new Uint8Array([0xef, 0xbb, 0xbf, ...bytes])),
      "f:1: starts with a byte order mark; save it as UTF-8 without one",
    );
    assertEquals(errorOf("# a\n#\0"), "f:2: holds a NUL byte, so it is no text; save it as UTF-8");
    assertEquals(errorOf(new Uint8Array([0x23, 0xff])), "f: is not UTF-8 text; save it as UTF-8");
    assertEquals(
      errorOf(new Uint8Array(10 * 1024 * 1024).fill(0x23)),
      "f: is over 262144 B long, so it is no cluster.toml; give the path of one",
    );
  },
});

Deno.test({
  name: name("loadClusterConfig() refuses a path without a file and a directory"),
  ignore: !isAllowed,
  fn() {
    const directory = Deno.makeTempDirSync();
    try {
      const missing = assertThrows(() => loadClusterConfig(`${directory}/none.toml`), ConfigError);
      assertEquals(
        missing.message,
        `${directory}/none.toml: no such file; give the path of a cluster.toml, or leave --config out`,
      );
      const error = assertThrows(() => loadClusterConfig(directory), ConfigError);
      assertEquals(error.message, `${directory}: is a directory; give the path of a file`);
      const under = assertThrows(() => loadClusterConfig("/dev/null/x"), ConfigError);
      assertStringIncludes(under.message, "/dev/null/x: cannot be read: ");
    } finally {
      Deno.removeSync(directory);
    }
  },
});
