/**
 * Nodes that start where they must not, and messages that come from where they must not: refused, and nothing
 * changes.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { NodeAddress } from "../../src/config/mod.ts";
import { segmentName } from "../../src/storage/segment_format.ts";
import { type TestCluster, withCluster } from "../chaos/cluster.ts";
import { NodeProcess, type ProcessEnd, runDrafty } from "../chaos/node_process.ts";
import { freePorts } from "../../src/driver/free_ports.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import type { Acknowledged } from "../chaos/stored_logs.ts";
import { eventually } from "../chaos/waiting.ts";
import { assertAllAgree, putNoted } from "./agreement.ts";

const LOGGED_LIMIT_MS = 20_000;

testOnProcesses("SIGTERM ends a node with 0, and it starts again with all that it had", async () => {
  await withCluster({}, async (cluster) => {
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    await putNoted(client, acknowledged, "key", "value");
    assertEquals(await cluster.terminateAll(), [0, 0, 0]);
    await cluster.startAll();
    await putNoted(client, acknowledged, "key", "another");
    await assertAllAgree(cluster, acknowledged);
  });
});

testOnProcesses("a second process of a node is refused: its ports with 3, its directory with 4", async () => {
  await withCluster({ nodeCount: 1 }, async (cluster) => {
    const { address, pid } = cluster.node(1);
    const config = `${cluster.directory}/node-1.toml`;
    const samePorts = await runNode(config, `${cluster.directory}/other`);
    assertRefusal(samePorts, 3, `peer_port ${address.peerPort} on 127.0.0.1 is in use`);

    const sameDirectory = await runNode(elsewhere(cluster), cluster.dataDirectory);
    assertRefusal(sameDirectory, 4, `is in use \\(by process ${pid}\\)`);
    await assertAllAgree(cluster, []);
  });
});

testOnProcesses("a directory of another cluster or another node is refused with 7", async () => {
  await withCluster({ nodeCount: 1 }, async (cluster) => {
    await cluster.terminateAll();
    const log = `${cluster.dataDirectory}/1/${segmentName(1)}`;
    const before = Deno.readFileSync(log);
    const stranger = elsewhere(cluster, "another cluster");
    assertRefusal(await runNode(stranger, cluster.dataDirectory), 7, "another cluster");

    const copied = `${cluster.directory}/copied`;
    Deno.mkdirSync(`${copied}/2`, { recursive: true, mode: 0o700 });
    Deno.copyFileSync(log, `${copied}/2/${segmentName(1)}`);
    const [peerPort = 0, clientPort = 0] = freePorts("127.0.0.1", 2);
    const second = cluster.writeConfig("second.toml", [{ id: 2, host: "127.0.0.1", peerPort, clientPort }]);
    assertRefusal(await runDrafty(["--node", "2", "--config", second, "--data", copied]), 7, "node");
    assertEquals(Deno.readFileSync(log), before);
  });
});

testOnProcesses("a node of another cluster that knows the addresses changes nothing", async () => {
  await withCluster({}, async (cluster) => {
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    await putNoted(client, acknowledged, "key", "ours");
    // It takes itself for node 1, and reaches our nodes 2 and 3.
    const [peerPort = 0, clientPort = 0] = freePorts("127.0.0.1", 2);
    const [first, ...others] = cluster.config.nodes;
    assert(first !== undefined);
    const address = { ...first, peerPort, clientPort };
    const config = cluster.writeConfig("stranger.toml", [address, ...others], "theirs");
    await withNode(cluster, address, config, "strangers", async () => {
      for (const id of [2, 3]) {
        await untilLogged(cluster, id, /closed, identity: message of cluster "theirs", this is "chaos"/);
      }
      await putNoted(client, acknowledged, "key", "still ours");
    });
    await assertAllAgree(cluster, acknowledged);
  });
});

testOnProcesses("a node whose peers' addresses are swapped is told so, and changes nothing", async () => {
  await withCluster({}, async (cluster) => {
    using client = cluster.client();
    const acknowledged: Acknowledged[] = [];
    await putNoted(client, acknowledged, "key", "before");
    await cluster.node(3).terminate();
    const [first, second, third] = cluster.config.nodes;
    assert(first !== undefined && second !== undefined && third !== undefined);
    const swapped = [{ ...first, peerPort: second.peerPort }, { ...second, peerPort: first.peerPort }, third];
    const config = cluster.writeConfig("swapped.toml", swapped);
    await withNode(cluster, third, config, "data", async () => {
      // Whatever it tells the leader reaches the other one. A new election may change who that is.
      const refusal = /identity: message for node \d, this is node \d; are addresses swapped\?/;
      await eventually(
        "node 1 or 2 to refuse its messages",
        LOGGED_LIMIT_MS,
        () => cluster.nodes.some((node) => node.countLogged(refusal) > 0),
      );
      await putNoted(client, acknowledged, "key", "after");
    });
    await cluster.node(3).start();
    await assertAllAgree(cluster, acknowledged);
  });
});

/** Runs one more node beside the cluster, with a configuration of its own, and stops it in the end. */
async function withNode(
  cluster: TestCluster,
  address: NodeAddress,
  config: string,
  data: string,
  use: () => Promise<void>,
): Promise<void> {
  const args = ["--node", `${address.id}`, "--config", config, "--data", `${cluster.directory}/${data}`];
  const node = new NodeProcess(address, args, (sentence) => cluster.surprises.push(sentence));
  await node.start();
  try {
    await use();
  } catch (error) {
    console.error(node.lastLines());
    throw error;
  } finally {
    await node.kill();
  }
}

async function untilLogged(cluster: TestCluster, id: number, pattern: RegExp): Promise<void> {
  const node = cluster.node(id);
  await eventually(`node ${id} to log ${pattern}`, LOGGED_LIMIT_MS, () => node.countLogged(pattern) > 0);
}

/** A configuration of a node 1 on other ports. */
function elsewhere(cluster: TestCluster, clusterId = cluster.clusterId): string {
  const [peerPort = 0, clientPort = 0] = freePorts("127.0.0.1", 2);
  return cluster.writeConfig(
    "elsewhere.toml",
    [{ id: 1, host: "127.0.0.1", peerPort, clientPort }],
    clusterId,
  );
}

/** Runs a node 1 that is expected not to start. */
async function runNode(config: string, data: string): Promise<ProcessEnd> {
  return await runDrafty(["--node", "1", "--config", config, "--data", data]);
}

/** One line that says what is wrong, and the right exit code. */
function assertRefusal({ code, output }: ProcessEnd, exitCode: number, reason: string): void {
  assertMatch(output, new RegExp(`^drafty: .*${reason}.*\n$`));
  assertEquals(code, exitCode);
}
