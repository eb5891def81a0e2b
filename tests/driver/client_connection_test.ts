import { assertEquals } from "@std/assert";
import { type ClientResponse, PacketReader } from "../../packraft/mod.ts";
import { ClientConnection } from "../../src/driver/client_connection.ts";
import { countToEnd, pause, readToEnd, SocketPair, testOnLoopback, until } from "./loopback.ts";

/** More than the sockets of both ends hold. */
const FLOOD_BYTES = 32 * 1024 * 1024;
const MAX_IN_FLIGHT = 4_096;

function connectionOn(pair: SocketPair): ClientConnection {
  return new ClientConnection("client-connection-1", pair.near, () => performance.now());
}

/** As the listener does it: what is answered in one turn leaves after it. */
function answer(client: ClientConnection, id: string, responses: Iterable<ClientResponse>): void {
  if (client.answer(id, responses)) queueMicrotask(() => void client.write());
}

function pong(node: number): ClientResponse {
  return { type: "PingResponse", node, role: "leader", leader: 1 };
}

/** An answer of many responses, as a walk over all pairs is; `made` counts those that were asked for. */
function* flood(made: { count: number }): Generator<ClientResponse> {
  const value = new Uint8Array(64 * 1024);
  for (let bytes = 0; bytes < FLOOD_BYTES; bytes += value.length) {
    made.count++;
    yield { type: "GetResponse", found: true, value, appliedIndex: 1, isAgeKnown: true, ageMs: 0 };
  }
}

/** Which node's PingResponses came under which transaction. */
function pongsIn(bytes: Uint8Array): string[] {
  const reader = new PacketReader({ families: ["response"] });
  reader.push(bytes);
  const seen: string[] = [];
  for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
    if (packet.family !== "response" || packet.message.type !== "PingResponse") continue;
    seen.push(`${packet.envelope.transactionId}: ${packet.message.node}`);
  }
  reader.end();
  return seen;
}

testOnLoopback(
  "ClientConnection.write() sends what was answered at once, and what follows by itself",
  async () => {
    using pair = await SocketPair.open();
    const client = connectionOn(pair);
    for (let i = 0; i < 3; i++) client.expectAnswer();
    assertEquals(client.answer("a", [pong(1)]), true);
    assertEquals(client.answer("b", [pong(2)]), false, "it is to be written already");
    const writing = client.write();
    assertEquals(client.answer("c", [pong(3)]), false, "it is being written");
    await writing;
    await client.answered();
    pair.near.close();
    assertEquals(pongsIn(await readToEnd(pair.far)), ["a: 1", "b: 2", "c: 3"]);
  },
);

testOnLoopback("ClientConnection writes the frames of all answers", async () => {
  using pair = await SocketPair.open();
  const client = connectionOn(pair);
  for (let i = 0; i < 3; i++) client.expectAnswer();
  answer(client, "a", [pong(1), pong(2)]);
  answer(client, "b", [].values());
  answer(client, "c", [pong(3)].values());
  answer(client, "d", [pong(4)]);
  await client.answered();
  pair.near.close();
  assertEquals(pongsIn(await readToEnd(pair.far)).sort(), ["a: 1", "a: 2", "c: 3", "d: 4"]);
});

testOnLoopback("ClientConnection makes no frames before there is room for them, and then all", async () => {
  using pair = await SocketPair.open();
  const client = connectionOn(pair);
  const made = { count: 0 };
  client.expectAnswer();
  answer(client, "a", flood(made));
  await pause(50);
  const madeUnread = made.count;
  assertEquals(
    madeUnread * 64 * 1024 < FLOOD_BYTES / 2,
    true,
    `${madeUnread} frames made for who reads nothing`,
  );
  assertEquals([client.isOwedAnAnswer(), client.untakenSinceMs === undefined], [true, false]);
  const counted = countToEnd(pair.far);
  await client.drained();
  assertEquals([client.isOwedAnAnswer(), client.untakenSinceMs], [false, undefined]);
  pair.near.close();
  assertEquals(await counted > FLOOD_BYTES, true, "all of it arrives");
});

testOnLoopback("ClientConnection.drained() and answered() wait for what they say", async () => {
  using pair = await SocketPair.open();
  const client = connectionOn(pair);
  const log: string[] = [];
  client.expectAnswer();
  client.expectAnswer();
  const answered = client.answered().then(() => log.push("answered"));
  answer(client, "b", [pong(1)]);
  await client.drained().then(() => log.push("drained"));
  await pause(5);
  assertEquals(log, ["drained"], "one request is unanswered yet");
  answer(client, "b", [pong(2)]);
  await answered;
  assertEquals(log, ["drained", "answered"]);
  await client.answered(); // and at once from then on
});

testOnLoopback(
  "ClientConnection.roomForMore() holds back whoever has too many requests under way",
  async () => {
    using pair = await SocketPair.open();
    const client = connectionOn(pair);
    for (let i = 1; i < MAX_IN_FLIGHT; i++) client.expectAnswer();
    assertEquals(client.roomForMore(), undefined);
    client.expectAnswer();
    let hasRoom = false;
    const room = client.roomForMore()?.then(() => hasRoom = true);
    await pause(5);
    assertEquals(hasRoom, false);
    answer(client, "b", [pong(1)]);
    await room;
    assertEquals([hasRoom, client.roomForMore()], [true, undefined]);
    await client.drained();
  },
);

testOnLoopback("ClientConnection.abandon() ends all waiting, also in the middle of a write", async () => {
  using pair = await SocketPair.open();
  const client = connectionOn(pair);
  const made = { count: 0 };
  for (let i = 0; i < MAX_IN_FLIGHT; i++) client.expectAnswer();
  const waits = [client.roomForMore(), client.answered()];
  answer(client, "a", flood(made));
  waits.push(client.drained());
  await pause(20);
  client.abandon();
  pair.near.close();
  await Promise.all(waits);
  const madeThen = made.count;
  answer(client, "b", [pong(1)]);
  await pause(5);
  assertEquals(made.count, madeThen, "nothing more is made for a client that has gone");
  assertEquals([client.roomForMore(), await client.answered(), await client.drained()], [
    undefined,
    undefined,
    undefined,
  ]);
});

testOnLoopback(
  "ClientConnection closes itself when the client goes while it is being written to",
  async () => {
    using pair = await SocketPair.open();
    const client = connectionOn(pair);
    client.expectAnswer();
    answer(client, "a", flood({ count: 0 }));
    await pause(20);
    pair.far.close(); // with unread bytes: a reset
    await client.answered();
    let reading: unknown;
    await pair.near.read(new Uint8Array(1)).catch((error) => reading = error);
    assertEquals(reading instanceof Deno.errors.BadResource, true, "its socket is given back");
    await until(() => client.roomForMore() === undefined, "it holds nobody back");
  },
);
