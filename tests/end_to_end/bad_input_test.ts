/**
 * What comes to a port that is open to all: noise, other protocols, lies about lengths, silence. The node says so
 * once, closes the connection and goes on serving.
 *
 * @module
 */
import { assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { encodePacket } from "../../packraft/mod.ts";
import { Random } from "../../src/sim/random.ts";
import { type TestCluster, withCluster } from "../chaos/cluster.ts";
import type { NodeProcess } from "../chaos/node_process.ts";
import { testOnProcesses } from "../chaos/registration.ts";
import { eventually } from "../chaos/waiting.ts";
import { assertAllAgree } from "./agreement.ts";
import { RawConnection, requestFrame } from "./raw_connection.ts";

const NOISE_COUNT = 50;
const IDLE_COUNT = 1_000;
const CONNECT_AT_ONCE = 50;
/** A node closes what says nothing after 5 s; a busy machine needs longer. */
const CLOSING_LIMIT_MS = 30_000;
const encoder = new TextEncoder();

/** What is sent to a port, and what the node says of it. */
interface Nuisance {
  readonly name: string;
  readonly messages: readonly Uint8Array[];
  readonly said: RegExp;
}

testOnProcesses("a node closes connections that send nonsense or nothing, and goes on serving", async () => {
  await withCluster({}, async (cluster) => {
    const node = cluster.node(await cluster.waitForLeader());
    await using writing = keepWriting(cluster);
    const { clientPort, peerPort } = node.address;
    await sendNonsense(node, clientPort, nuisances("client", clientFrame()));
    await sendNonsense(node, peerPort, nuisances("peer", peerFrame(cluster, node.id)));
    await sendHalf(clientPort, clientFrame());
    await assertLogged(node, /client-connection-\d+: closed, incomplete frame: \d+ of .*\d+ B/, { upTo: 1 });
    const acknowledgedBefore = writing.count;
    await Promise.all([
      floodWithIdle(clientPort),
      floodWithIdle(peerPort),
      assertClosed(clientPort, clientFrame().subarray(0, -1), "a frame that stops before its end"),
    ]);
    await assertLogged(node, /client-connection-\d+: closed, incomplete frame: \d+ B after 5 s/, { upTo: 1 });
    // Of 2,000 closed connections there is a line for each kind and port, and now and then a summary.
    await assertLogged(node, /closed, (silent for|more than)/, { upTo: 16 });
    assertGreater(writing.count, acknowledgedBefore);
    assertEquals((await cluster.status(node.id))?.node, node.id);
    await writing.stop();
    await assertAllAgree(cluster, []);
  });
});

/** Each message on a connection of its own, which the node has to close. */
async function sendNonsense(node: NodeProcess, port: number, nuisances: readonly Nuisance[]): Promise<void> {
  for (const { name, messages, said } of nuisances) {
    for (const message of messages) await assertClosed(port, message, `${name} on port ${port}`);
    await assertLogged(node, said, { upTo: 2 }); // two where the machine takes over 10 s from one to the next
  }
}

/** Waits for a line (it arrives after the connection is closed) and sees that there are not many. */
async function assertLogged(node: NodeProcess, pattern: RegExp, { upTo }: { upTo: number }): Promise<void> {
  await eventually(
    `node ${node.id} to log ${pattern}`,
    CLOSING_LIMIT_MS,
    () => node.countLogged(pattern) > 0,
  );
  assertLessOrEqual(node.countLogged(pattern), upTo, `too many lines like ${pattern}`);
}

function nuisances(kind: "client" | "peer", frame: Uint8Array): Nuisance[] {
  const random = new Random(1, `noise for ${kind}`);
  const noise = Array.from({ length: NOISE_COUNT }, () => {
    const bytes = Uint8Array.from({ length: 16 + random.below(4_096) }, () => random.below(256));
    bytes[0] = 0xff; // certainly no packraft
    return bytes;
  });
  const huge = frame.slice();
  new DataView(huge.buffer).setUint32(8, 0xffff_ffff);
  const flipped = frame.slice();
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  const http = encoder.encode("GET / HTTP/1.1\r\nHost: drafty\r\n\r\n");
  const line = (problem: string) => new RegExp(`${kind}-connection-\\d+: closed, .*${problem}`);
  return [
    {
      name: "noise and HTTP",
      messages: [http, ...noise],
      said: line("not packraft \\(got 47 45 54 20; HTTP\\?"),
    },
    { name: "a huge length", messages: [huge], said: line("frame 429\\d+ B exceeds 4194304") },
    { name: "a flipped bit", messages: [flipped, flipped], said: line("checksum") },
  ];
}

/** Sends bytes and waits until the node closes the connection. */
async function assertClosed(port: number, bytes: Uint8Array, what: string): Promise<void> {
  using connection = await RawConnection.open(port);
  try {
    await connection.send(bytes);
  } catch {
    return; // closed while it was being sent
  }
  await within(connection.closed(), `${what} to be closed`);
}

/** Sends a frame without its end, and says that nothing more will come. */
async function sendHalf(port: number, frame: Uint8Array): Promise<void> {
  using connection = await RawConnection.open(port);
  await connection.send(frame.subarray(0, frame.length / 2));
  await connection.finish();
  await within(connection.closed(), "half a frame to be closed");
}

/** Opens connections that say nothing, and waits until the node has closed all of them. */
async function floodWithIdle(port: number): Promise<void> {
  const closings: Promise<void>[] = [];
  for (let opened = 0; opened < IDLE_COUNT; opened += CONNECT_AT_ONCE) {
    const some = await Promise.all(Array.from({ length: CONNECT_AT_ONCE }, () => RawConnection.open(port)));
    closings.push(...some.map(async (connection) => {
      using idle = connection;
      await idle.closed();
    }));
  }
  await within(Promise.all(closings), "idle connections to be closed");
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited in vain for ${what}`)), CLOSING_LIMIT_MS);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A client that goes on writing until it is stopped; stopping fails if a write did. */
function keepWriting(cluster: TestCluster) {
  const client = cluster.client();
  let count = 0;
  let isStopped = false;
  const done = (async () => {
    for (; !isStopped; count++) await client.put("key", `${count}`);
  })();
  done.catch(() => {}); // looked at in stop()
  const stop = async () => {
    isStopped = true;
    await done;
    client.close();
  };
  return {
    get count() {
      return count;
    },
    stop,
    [Symbol.asyncDispose]: () => stop().catch(() => {}),
  };
}

function clientFrame(): Uint8Array {
  return requestFrame({ type: "GetRequest", key: encoder.encode("key"), mode: "leader" });
}

function peerFrame(cluster: TestCluster, to: number): Uint8Array {
  const from = cluster.nodes.find(({ id }) => id !== to)?.id ?? 0;
  return encodePacket({
    family: "peer",
    envelope: {
      clusterId: cluster.clusterId,
      from,
      to,
      luid: "peer-message-1",
      host: "127.0.0.1",
      peerPort: 8001,
      addressIndex: 0,
    },
    message: { type: "PreVoteRequest", term: 1, lastLogIndex: 0, lastLogTerm: 0 },
  });
}
