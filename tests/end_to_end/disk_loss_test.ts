/** Disks that lose something, under real nodes: damaged, wiped and copied directories, and every byte flipped. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { inspectDirectory } from "../../src/storage/inspect.ts";
import { DenoFileSystem } from "../../src/driver/deno_file_system.ts";
import { TestCluster, withCluster } from "../chaos/cluster.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import { eventually } from "../chaos/waiting.ts";

const STORAGE = { segmentBytes: 4_096, snapshotAfterBytes: 1_000_000 };
const LIMIT_MS = 20_000;

async function fill(cluster: TestCluster, count: number): Promise<void> {
  using client = cluster.client();
  for (let i = 0; i < count; i++) await client.put(`k${i % 10}`, `${i}`.padEnd(100, "."));
}

async function valueOf(cluster: TestCluster, key: string): Promise<string> {
  using client = cluster.client();
  return new TextDecoder().decode(await client.get(key));
}

function flip(path: string, offset: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

function filesOf(directory: string, kind: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => name.startsWith(kind))
    .sort()
    .map((name) => `${directory}/${name}`);
}

/** A node that is not the leader. */
async function someFollower(cluster: TestCluster): Promise<number> {
  return (await cluster.waitForLeader()) % 3 + 1;
}

testOnProcesses(
  "a damaged log or snapshot is fetched again from the others, and the node counts again",
  async () => {
    await withCluster({ storage: STORAGE }, async (cluster) => {
      for (const kind of ["log-", "snapshot-"]) {
        await fill(cluster, 120);
        const id = await someFollower(cluster);
        const directory = `${cluster.dataDirectory}/${id}`;
        if (kind === "snapshot-") {
          const { host, clientPort } = cluster.node(id).address;
          using client = cluster.client({ servers: [{ host, port: clientPort }] });
          assertEquals((await client.snapshot()).node, id);
        }
        await cluster.node(id).kill();
        const [path] = filesOf(directory, kind);
        assert(path !== undefined);
        flip(path, 700);
        const foundBefore = cluster.node(id).countLogged(/finds its disk damaged/);
        await cluster.node(id).start();
        await cluster.waitForEqualApplied();
        assertEquals(cluster.node(id).countLogged(/finds its disk damaged/), foundBefore + 1);
        // Now it is needed.
        const other = [1, 2, 3].find((node) => node !== id) ?? 0;
        await cluster.node(other).kill();
        await fill(cluster, 1);
        await cluster.node(other).start();
        await cluster.waitForEqualApplied();
      }
      assertMatch(await valueOf(cluster, "k9"), /^119\./);
    });
  },
);

testOnProcesses("a wiped disk: the node waits for all others, and votes for nobody before", async () => {
  await withCluster({}, async (cluster) => {
    await fill(cluster, 30);
    const id = await someFollower(cluster);
    const other = [1, 2, 3].find((node) => node !== id) ?? 0;
    await cluster.node(id).kill();
    await cluster.node(other).kill();
    Deno.removeSync(`${cluster.dataDirectory}/${id}`, { recursive: true });
    await cluster.node(id).start();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assertEquals((await cluster.status(id))?.role, "rejoining");
    assertEquals(await cluster.leader(), undefined);
    await cluster.node(other).start();
    await cluster.waitForEqualApplied();
    assertMatch(await valueOf(cluster, "k9"), /^29\./);
  });
});

testOnProcesses(
  "two wiped disks of three: no empty cluster begins, and a node ends with 4 and says what can be done",
  async () => {
    await withCluster({}, async (cluster) => {
      await fill(cluster, 10);
      await cluster.killAll();
      for (const id of [1, 2]) Deno.removeSync(`${cluster.dataDirectory}/${id}`, { recursive: true });
      const wiped = [1, 2].map((id) => cluster.node(id));
      await cluster.startAll();
      const codes = wiped.map((node) => node.ended());
      // The other one cannot hear it any more, and waits for it.
      await eventually("one of them to end", LIMIT_MS, () => wiped.some((node) => !node.isRunning));
      const at = wiped.findIndex((node) => !node.isRunning);
      assertEquals(await codes[at], 4);
      assertEquals(
        wiped[at]?.countLogged(/^drafty: .*does not hold what node \d once promised.*--new-cluster/),
        1,
      );
      assertEquals(await cluster.leader(), undefined);
      await cluster.killAll();
    });
  },
);

testOnProcesses("a damaged log that nobody else has ends the node with 5, and is left as it is", async () => {
  await withCluster({ nodeCount: 1, storage: STORAGE }, async (cluster) => {
    await fill(cluster, 60);
    await cluster.node(1).kill();
    const [path] = filesOf(`${cluster.dataDirectory}/1`, "log-");
    assert(path !== undefined);
    flip(path, 700);
    const damaged = Deno.readFileSync(path);
    const node = cluster.node(1);
    const started = node.start().catch(() => {});
    const code = node.ended();
    await started;
    await eventually("the node to end", LIMIT_MS, () => !node.isRunning);
    assertEquals([await code, Deno.readFileSync(path)], [node.isRunning ? -1 : 5, damaged]);
    assertEquals(node.countLogged(/^drafty: .*corrupt at byte \d+ \(entry \d+\).*drafty check/), 1);
  });
});

testOnProcesses("a copied directory is refused with 7, and names the option that accepts it", async () => {
  await withCluster({}, async (cluster) => {
    await fill(cluster, 10);
    const id = await someFollower(cluster);
    const node = cluster.node(id);
    await node.kill();
    const directory = `${cluster.dataDirectory}/${id}`;
    const original = `${cluster.directory}/original`;
    Deno.renameSync(directory, original);
    Deno.mkdirSync(directory, { mode: 0o700 });
    for (const { name } of Deno.readDirSync(original)) {
      Deno.copyFileSync(`${original}/${name}`, `${directory}/${name}`);
    }
    const started = node.start().catch(() => {});
    const code = node.ended();
    await started;
    await eventually("the copy to be refused", LIMIT_MS, () => !node.isRunning);
    assertEquals(await code, 7);
    assertEquals(node.countLogged(/is a copy: .*--rejoin/), 1);
  });
});

testOnProcesses("every flipped byte of a real directory is found", async () => {
  await using cluster = await TestCluster.start({ nodeCount: 1, storage: STORAGE });
  await fill(cluster, 8);
  using client = cluster.client();
  await client.snapshot();
  await fill(cluster, 20);
  await cluster.node(1).kill();
  const directory = `${cluster.dataDirectory}/1`;
  const fileSystem = new DenoFileSystem();
  const shown = () => {
    try {
      const { damage, lockProblem, superfluous, memory, tear, lastIndex } = inspectDirectory(
        fileSystem,
        directory,
      );
      return JSON.stringify({ damage, lockProblem, superfluous, memory, tear, lastIndex });
    } catch (error) {
      return String(error); // refused as a whole
    }
  };
  const sound = shown();
  assertEquals(JSON.parse(sound).damage, []);
  let bytes = 0;
  for (const path of filesOf(directory, "")) {
    const { length } = Deno.readFileSync(path);
    for (let offset = 0; offset < length; offset++) {
      flip(path, offset);
      assertNotEquals(shown(), sound, `byte ${offset} of ${path}`);
      flip(path, offset);
      bytes++;
    }
  }
  console.log(`${bytes} bytes flipped in ${filesOf(directory, "").length} files, each found`);
  // And the last record cut at every byte: what was before it is there.
  const last = filesOf(directory, "log-").at(-1) ?? "";
  const whole = Deno.readFileSync(last);
  const { lastIndex } = JSON.parse(sound);
  for (let cut = 1; cut < 200; cut++) {
    Deno.writeFileSync(last, whole.subarray(0, whole.length - cut));
    const after = JSON.parse(shown());
    assertEquals([after.damage, after.lastIndex >= lastIndex - 2], [[], true], `cut by ${cut} B`);
  }
});
