/**
 * A node that fails or dies in any system call that makes something durable: nothing that was acknowledged is lost.
 * `DRAFTY_ROUNDS` says how many calls of each kind are tried.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { type ProcessFault, SystemCallTrace } from "../chaos/strace.ts";
import { TestCluster } from "../chaos/cluster.ts";
import { countFromEnvironment, testWithStrace } from "../chaos/registration.ts";
import { type Acknowledged, problemsOf, storedLogs } from "../chaos/stored_logs.ts";

const EXIT_IO = 6;
const MAX_WRITES = 400;
const KEYS = 20;
/** Segments of a few dozen writes, and a snapshot every hundred or so. */
const STORAGE = { segmentBytes: 4_096, snapshotAfterBytes: 16_384 };
const rounds = await countFromEnvironment("DRAFTY_ROUNDS", 1);

/** Writes until the node with the fault has ended. Resolves to what was acknowledged, and the exit code. */
async function writeUntilEnded(
  cluster: TestCluster,
  id: number,
  fault: ProcessFault,
): Promise<{ acknowledged: Acknowledged[]; code: number; endMs: number }> {
  const node = cluster.node(id);
  const acknowledged: Acknowledged[] = [];
  using client = cluster.client({ timeoutMs: cluster.nodes.length === 1 ? 1_000 : 10_000 });
  let code: number | undefined;
  const trace = await SystemCallTrace.attachToProcess(cluster, id, fault);
  const ended = node.ended().then((endCode) => code = endCode);
  for (let i = 0; code === undefined; i++) {
    assertLess(i, MAX_WRITES, `node ${id} was to end in ${fault.call} number ${fault.when}`);
    const [key, value] = [`k${i % KEYS}`, `${i}`.padEnd(200, ".")];
    await client.put(key, value).then(
      ({ index }) => acknowledged.push({ kind: "put", key, value, index }),
      () => {}, // its outcome is not known
    );
  }
  await ended;
  await trace.ended();
  const calls = trace.calls();
  const failed = calls.find(({ text }) => text.includes("INJECTED"));
  const end = Math.max(...calls.filter(({ text }) => text.includes("+++ ")).map(({ time }) => time));
  return { acknowledged, code: code ?? -1, endMs: failed === undefined ? 0 : (end - failed.time) * 1_000 };
}

async function assertNothingLost(cluster: TestCluster, acknowledged: readonly Acknowledged[]): Promise<void> {
  await cluster.startAll();
  const applied = await cluster.waitForEqualApplied();
  using client = cluster.client();
  for (const { key, value } of new Map(acknowledged.map((write) => [write.key, write])).values()) {
    const found = new TextDecoder().decode(await client.get(key));
    // A later write of the same key may have taken effect without an answer.
    assert(Number(found.split(".")[0]) >= Number(value.split(".")[0]), `${key} is ${found}, not ${value}`);
  }
  await cluster.terminateAll();
  assertEquals(problemsOf(storedLogs(cluster), applied, acknowledged), []);
}

for (const call of ["fdatasync", "fsync", "rename", "unlink"] as const) {
  await testWithStrace(
    `a node whose ${call} fails ends with 6 and has everything that it acknowledged`,
    async () => {
      for (let when = 1; when <= rounds * 2; when++) {
        await using cluster = await TestCluster.start({ nodeCount: 1, storage: STORAGE });
        await cluster.waitForLeader();
        const { acknowledged, code, endMs } = await writeUntilEnded(cluster, 1, {
          call,
          when,
          effect: "EIO",
        });
        assertEquals(code, EXIT_IO);
        console.log(
          `${call} ${when}: gone ${endMs.toFixed(1)} ms after it failed, ${acknowledged.length} writes kept`,
        );
        assertEquals(cluster.node(1).countLogged(/^drafty: node 1 ends: /), 1);
        await assertNothingLost(cluster, acknowledged);
      }
    },
  );
}

for (const nodeCount of [1, 3]) {
  await testWithStrace(
    `a node of ${nodeCount} that is killed in any call that touches its files loses nothing`,
    async () => {
      let kills = 0;
      for (let round = 1; round <= rounds; round++) {
        for (const call of ["fdatasync", "fsync", "rename", "unlink"] as const) {
          await using cluster = await TestCluster.start({ nodeCount, storage: STORAGE });
          const id = nodeCount === 1 ? 1 : 1 + (round + (await cluster.waitForLeader())) % nodeCount;
          await cluster.waitForLeader();
          const when = call === "fdatasync" ? round * 13 : round;
          const { acknowledged } = await writeUntilEnded(cluster, id, { call, when, effect: "KILL" });
          await assertNothingLost(cluster, acknowledged);
          kills++;
        }
      }
      console.log(`${kills} kills in the middle of a call, clusters of ${nodeCount}`);
    },
  );
}
