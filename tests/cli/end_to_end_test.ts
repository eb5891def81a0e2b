/**
 * The program as people run it: real processes, real sockets, real files.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LocalCluster } from "../../src/cli/local_cluster.ts";
import { commandOf } from "../../src/cli/self.ts";
import { DraftyClient } from "../../src/client/mod.ts";
import { permitted } from "./capture.ts";

const { isAllowed, named } = await permitted("net", "read", "write", "run");
const MAIN_MODULE = new URL("../../mod.ts", import.meta.url).href;
const PATIENCE_MS = 20_000;

function drafty(args: readonly string[]) {
  return commandOf(args, { isCompiled: false, execPath: Deno.execPath(), mainModule: MAIN_MODULE });
}

interface Ended {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `drafty` to its end, in `directory`. */
async function run(directory: string, ...args: string[]): Promise<Ended> {
  const { program, args: all } = drafty(args);
  const output = await new Deno.Command(program, { args: [...all], cwd: directory, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { exitCode: output.code, out: decoder.decode(output.stdout), err: decoder.decode(output.stderr) };
}

/** A test with three nodes that are prepared but not started, in a folder that is removed again. */
function clusterTest(sentence: string, body: (cluster: LocalCluster, folder: string) => Promise<void>): void {
  Deno.test({
    name: named(sentence),
    ignore: !isAllowed,
    async fn() {
      const folder = Deno.makeTempDirSync({ prefix: "drafty-test-" });
      const cluster = new LocalCluster(folder, 3, drafty);
      try {
        await body(cluster, folder);
      } finally {
        await cluster.killAll();
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

function startAll(cluster: LocalCluster): void {
  for (const { address } of cluster.nodes) cluster.start(address.id);
}

/** The node that leads, as `client --json ping` has it. */
async function leaderOf(folder: string): Promise<number> {
  for (const deadlineMs = performance.now() + PATIENCE_MS; performance.now() < deadlineMs;) {
    const { out } = await run(folder, "client", "--json", "ping");
    const { leader } = JSON.parse(out || "{}");
    if (typeof leader === "number") return leader;
  }
  throw new Error("no leader");
}

clusterTest(
  "three nodes serve every command of the client, whichever node is asked",
  async (cluster, folder) => {
    startAll(cluster);
    const client = (...args: string[]) => run(folder, "client", "--timeout", "20s", ...args);
    const leader = await leaderOf(folder);
    const follower = leader === 1 ? 2 : 1;

    assertEquals((await client("put", "colour", "green")).out, "OK\n");
    const elsewhere = await client(`${follower}`, "set", "motto", "slow", "is", "smooth");
    assertEquals(elsewhere.out, "OK\n");
    // On a machine that has other things to do, the leader may have changed since.
    assertMatch(elsewhere.err, /^(redirecting to node [123]\n)*$/);
    assertEquals((await client("get", "motto")).out, "slow is smooth\n");
    assertEquals((await client("data")).out, "colour = green\nmotto = slow is smooth\n");
    assertMatch((await client("putrnd", `${follower}`)).out, /^put [a-z]{3}=\d+\n$/);
    const { index } = JSON.parse((await client("--json", "put", "colour", "blue")).out);
    assert(Number.isInteger(index) && index > 1);
    assertEquals((await client("delete", "colour")).out, "deleted\n");
    const gone = await client("get", "colour");
    assertEquals([gone.exitCode, gone.out], [1, ""]);
    assertMatch(gone.err, /no such key: colour\n$/);
    assertEquals((await client("delete", "colour")).exitCode, 1);
    assertStringIncludes((await client(`${follower}`, "ping")).out, `pong from node ${follower}, `);
    const statuses = JSON.parse((await client("--json", "status")).out);
    assertEquals(
      statuses.map(({ node, reachable }: { node: number; reachable: boolean }) => [node, reachable]),
      [
        [1, true],
        [2, true],
        [3, true],
      ],
    );
  },
);

clusterTest(
  "a write with the same --guid is applied once, also when the leader dies in between",
  async (cluster, folder) => {
    startAll(cluster);
    const leader = await leaderOf(folder);
    const put = () =>
      run(folder, "client", "--json", "--guid", "00112233445566778899aabbccddeeff", "put", "once", "first");
    const first = await put();
    assertEquals(first.exitCode, 0);
    assertEquals((await run(folder, "client", "put", "once", "second")).exitCode, 0);
    await cluster.end(leader, "SIGKILL");
    const again = await put();
    assertEquals([again.exitCode, again.out], [0, first.out]);
    assertEquals((await run(folder, "client", "get", "once")).out, "second\n");
  },
);

clusterTest(
  "nothing acknowledged is lost when all nodes are killed during writes and started again",
  async (cluster) => {
    startAll(cluster);
    const acknowledged = new Map<string, string>();
    using client = new DraftyClient({ servers: cluster.servers, timeoutMs: PATIENCE_MS });
    await client.put("first", "1");
    acknowledged.set("first", "1");
    let isOver = false;
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let i = 0; !isOver; i++) {
        const key = `${writer}-${i}`;
        await client.put(key, `${i}`).then(() => acknowledged.set(key, `${i}`), () => isOver = true);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await Promise.all(cluster.nodes.map(({ address }) => cluster.end(address.id, "SIGKILL")));
    isOver = true;
    startAll(cluster);
    await Promise.all(writers);

    const decoder = new TextDecoder();
    const found = new Map(
      (await client.data()).map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]),
    );
    for (const [key, value] of acknowledged) assertEquals(found.get(key), value, key);
    assert(acknowledged.size > 16, `${acknowledged.size} writes were acknowledged`);
  },
);

clusterTest("one node of three refuses with an error and acknowledges nothing", async (cluster, folder) => {
  cluster.start(1);
  for (const deadlineMs = performance.now() + PATIENCE_MS;;) {
    if ((await run(folder, "client", "--json", "1", "ping")).exitCode === 0) break;
    assert(performance.now() < deadlineMs);
  }
  const { exitCode, out, err } = await run(folder, "client", "--timeout", "700ms", "put", "k", "v");
  assertEquals([exitCode, out], [8, ""]);
  assertStringIncludes(err, "drafty: no leader after 0.7 s");
});

clusterTest(
  "a node ends cleanly on SIGTERM and SIGINT, and has what it had when it comes back",
  async (cluster, folder) => {
    startAll(cluster);
    await leaderOf(folder);
    assertEquals((await run(folder, "client", "put", "k", "v")).exitCode, 0);
    assertEquals(await cluster.end(1, "SIGTERM"), 0);
    assertEquals(await cluster.end(2, "SIGINT"), 0);
    assertEquals(await cluster.end(3, "SIGTERM"), 0);
    startAll(cluster);
    assertEquals((await run(folder, "client", "--timeout", "20s", "get", "k")).out, "v\n");
  },
);

clusterTest("a node whose port is in use says so and touches no data", async (cluster, folder) => {
  const [node] = cluster.nodes;
  assert(node !== undefined);
  using _busy = Deno.listen({ hostname: node.address.host, port: node.address.clientPort });
  const { exitCode, out, err } = await run(folder, "--node", "1", "--data", `${folder}/data`);
  assertEquals([exitCode, out], [3, ""]);
  assertStringIncludes(err, `client_port ${node.address.clientPort} on 127.0.0.1 is in use`);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["cluster.toml"]);
});

Deno.test({
  name: named("drafty demo tells its story, exits with 0 and leaves nothing behind"),
  ignore: !isAllowed,
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "drafty-test-" });
    try {
      const command = drafty(["demo"]);
      const args = command.args.flatMap((arg) => arg === "--allow-net" ? [arg, "--allow-run"] : [arg]);
      const output = await new Deno.Command(command.program, { args, cwd: folder, env: { TMPDIR: folder } })
        .output();
      const out = new TextDecoder().decode(output.stdout);
      assertEquals(output.code, 0, new TextDecoder().decode(output.stderr));
      for (
        const part of [
          "leads term",
          "kill -9",
          "acknowledged writes are there",
          "caught up",
          "All of it held.",
        ]
      ) {
        assertStringIncludes(out, part);
      }
      assertEquals([...Deno.readDirSync(folder)], []);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
