/**
 * A disk that fails, fills up, stalls or lies under a real node: by strace, and by a tmpfs that is too small.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { NoSpaceError } from "../../src/client/mod.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import { TestCluster, withCluster } from "./cluster.ts";
import { processProblem, testOnProcesses, testWithStrace } from "./registration.ts";
import { type Acknowledged, problemsOf, storedLogs } from "./stored_logs.ts";
import { SystemCallTrace } from "./strace.ts";
import { eventually } from "./waiting.ts";

const EXIT_IO = 6;
/** The goal is 100 ms on a machine that has nothing else to do. */
const END_LIMIT_MS = 1_000;
const STALL_MS = 4_000;
/** The goal is 2 s on a machine that has nothing else to do. */
const WRITABLE_LIMIT_MS = 10_000;
const TMPFS_BYTES = 64 * 1024;

for (const call of ["fdatasync", "write"] as const) {
  const error = "EIO";
  await testWithStrace(
    `a node whose ${call} fails with ${error} ends with 6 and acknowledges nothing after it`,
    async () => {
      // One node: what it does not do, nobody does in its place.
      await withCluster({ nodeCount: 1 }, async (cluster) => {
        const node = cluster.node(1);
        await cluster.waitForLeader();
        using client = cluster.client({ timeoutMs: 2_000 });
        const acknowledged: Acknowledged[] = [];
        const ended = node.ended();
        const failing = 4;
        const trace = await SystemCallTrace.attach(cluster, 1, { call, error, when: failing });
        for (let count = 1; count < failing; count++) acknowledged.push(await put(client, `${count}`));
        const unknown = put(client, "unknown").then(() => "acknowledged", (error: Error) => error.name);
        assertEquals(await ended, EXIT_IO);
        await trace.ended();
        assertEquals(await unknown, "OutcomeUnknownError");

        const calls = trace.calls();
        const failed = calls.filter(({ text }) => text.includes("INJECTED"));
        const [failure] = failed;
        assert(failure !== undefined);
        assertEquals(failed.length, 1, "it tried again after a failure");
        const end = Math.max(
          ...calls.filter(({ text }) => text.includes("+++ exited")).map(({ time }) => time),
        );
        const endMs = (end - failure.time) * 1_000;
        console.log(`the node was gone ${endMs.toFixed(1)} ms after the failed ${call}`);
        assertLess(endMs, END_LIMIT_MS);
        const said = node.log.filter((line) => line.startsWith("drafty: "));
        assertEquals(said.length, 1);
        assertStringIncludes(said[0] ?? "", "node 1 ends:");
        assertEquals(problemsOf(storedLogs(cluster), acknowledged.length, acknowledged), []);
      });
    },
  );
}

await testWithStrace("another node leads while the disk of the leader stalls", async () => {
  await withCluster({}, async (cluster) => {
    const leader = await cluster.waitForLeader();
    using client = cluster.client();
    await client.put("key", "before");
    await using trace = await SystemCallTrace.attach(cluster, leader, {
      call: "fdatasync",
      delayMs: STALL_MS,
    });
    const startMs = performance.now();
    await client.put("key", "during");
    const writableMs = performance.now() - startMs;
    console.log(`writable again ${writableMs.toFixed(0)} ms after a write ran into a sync of ${STALL_MS} ms`);
    assertLess(writableMs, WRITABLE_LIMIT_MS);
    assert(await cluster.leader() !== leader);
    assertGreaterOrEqual(trace.calls().filter(({ text }) => text.startsWith("fdatasync")).length, 1);
    await trace[Symbol.asyncDispose]();
    await cluster.waitForEqualApplied();
    assertEquals(new TextDecoder().decode(await client.get("key")), "during");
  });
});

await testWithStrace("a write call that lies about what it wrote is found at the next start", async () => {
  await withCluster({}, async (cluster) => {
    const leader = await cluster.waitForLeader();
    const [follower] = cluster.nodes.filter(({ id }) => id !== leader);
    assert(follower !== undefined);
    using client = cluster.client();
    await client.put("key", "before");
    // 40 bytes of one batch never reach the file; what follows does.
    const lie = await SystemCallTrace.attach(cluster, follower.id, { call: "write", returns: 40, when: 1 });
    await client.put("key", "damaged");
    await cluster.waitForEqualApplied();
    await lie[Symbol.asyncDispose]();
    await client.put("key", "after");
    await cluster.waitForEqualApplied();
    await follower.kill();
    const path = `${cluster.dataDirectory}/${follower.id}/${segmentName(1)}`;
    const damaged = Deno.readFileSync(path);
    await follower.start();
    await cluster.waitForEqualApplied();
    assertEquals(Deno.readFileSync(path), damaged, "a damaged log must be left as it is");
    assertEquals(follower.countLogged(/finds its disk damaged: .*corrupt at byte \d+/), 1);
    assertEquals(follower.countLogged(/takes part again from term \d+ on/), 1);
    assertEquals(new TextDecoder().decode(await client.get("key")), "after");
  });
});

testOnProcesses(
  "a node alone on a full file system refuses writes, answers reads, and survives kill -9",
  async () => {
    await using cluster = new TestCluster({ nodeCount: 1 });
    await using full = await mountTmpfs(`${cluster.dataDirectory}/1`);
    await cluster.startAll();
    await cluster.waitForLeader();
    using client = cluster.client({ timeoutMs: 1_000 });
    const acknowledged: Acknowledged[] = [];
    let refusal: Error | undefined;
    for (let count = 0; refusal === undefined; count++) {
      const value = `${count} ${"x".repeat(1_500)}`;
      await put(client, value).then((write) => acknowledged.push(write), (error: Error) => refusal = error);
      assertLess(count, 1_000);
    }
    await assertRejects(() => client.put("key", "no room"), NoSpaceError);
    assertEquals(new TextDecoder().decode(await client.get("key")), acknowledged.at(-1)?.value);
    await cluster.node(1).kill();
    await full.resize(TMPFS_BYTES * 64);
    await cluster.node(1).start();
    using later = cluster.client();
    acknowledged.push(await put(later, "there is space again"));
    assertEquals(await cluster.terminateAll(), [0]);
    assertEquals(problemsOf(storedLogs(cluster), acknowledged.length, acknowledged), []);
  },
  processProblem ?? await mountProblem(),
);

testOnProcesses("a node on a full file system goes on by itself once there is space", async () => {
  await using cluster = new TestCluster();
  await using full = await mountTmpfs(`${cluster.dataDirectory}/3`);
  await cluster.startAll();
  using client = cluster.client();
  const acknowledged: Acknowledged[] = [];
  const node = cluster.node(3);
  if (await cluster.waitForLeader() === 3) {
    await node.kill();
    await cluster.waitForLeader();
    await node.start();
  }
  // Its disk takes a part of a batch, then nothing: a real short write. The other two go on.
  for (let count = 0; node.countLogged(/has no room on its disk/) === 0; count++) {
    acknowledged.push(await put(client, `${count} ${"x".repeat(1_500)}`));
    assertLess(count, 10_000);
  }
  acknowledged.push(await put(client, "without room on node 3"));
  await full.resize(TMPFS_BYTES * 64);
  await eventually("node 3 to have room", 5_000, () => node.countLogged(/has room on its disk again/) === 1);
  acknowledged.push(await put(client, "there is space again"));
  const applied = await cluster.waitForEqualApplied();
  assertEquals(await cluster.terminateAll(), [0, 0, 0]);
  assertEquals(problemsOf(storedLogs(cluster), applied, acknowledged), []);
  assertEquals(cluster.surprises, []);
}, processProblem ?? await mountProblem());

async function put(
  client: { put(key: string, value: string): Promise<{ index: number }> },
  value: string,
): Promise<Acknowledged> {
  const { index } = await client.put("key", value);
  return { kind: "put", key: "key", value, index };
}

/** A file system in memory that holds little; unmounted in the end. */
async function mountTmpfs(path: string) {
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  await mount("-t", "tmpfs", "-o", `size=${TMPFS_BYTES},mode=700`, "tmpfs", path);
  return {
    resize: (sizeBytes: number) => mount("-o", `remount,size=${sizeBytes}`, path),
    async [Symbol.asyncDispose]() {
      await run("umount", "-l", path);
    },
  };
}

async function mount(...args: string[]): Promise<void> {
  await run("mount", ...args);
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Why nothing can be mounted here, or undefined where it can. */
async function mountProblem(): Promise<string | undefined> {
  const path = Deno.makeTempDirSync({ prefix: "drafty-mount-" });
  try {
    await using _mounted = await mountTmpfs(path);
    return undefined;
  } catch (error) {
    return `no file system can be mounted: ${error instanceof Error ? error.message : error}`;
  } finally {
    Deno.removeSync(path);
  }
}
