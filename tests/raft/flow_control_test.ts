import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Ready } from "../../src/raft/mod.ts";
import { type Packet, TestCluster } from "./cluster.ts";
import { HEARTBEAT_MS, leaderOf, type TestServer } from "./harness.ts";
import { appendResponse, assertReady, logOf, sentOf } from "./messages.ts";

const VOTERS = [1, 2, 3];

/** A leader in term 1 whose follower 2 has its no-op, so that it is in `replicate`. */
function leaderInPipeline(options: Parameters<typeof leaderOf>[3] = {}): TestServer {
  const leader = leaderOf(VOTERS, 1, [], options);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  assertEquals(progressOf(leader).mode, "replicate");
  return leader;
}

function progressOf(leader: TestServer) {
  const progress = leader.view.progress?.get(2);
  assert(progress !== undefined);
  return progress;
}

/** What a leader sends to node 2, as [prevLogIndex, number of entries]. */
function toNode2(ready: Ready): [number, number][] {
  return sentOf(ready, "AppendEntriesRequest").filter(({ to }) => to === 2)
    .map(({ message }) => [message.prevLogIndex, message.entries.length]);
}

/** Proposes `count` commands one at a time, each in an output of its own; returns what went to node 2. */
function proposeEach(leader: TestServer, count: number): [number, number][] {
  return Array.from({ length: count }, (_, at) => {
    leader.propose(at + 1);
    return toNode2(leader.settle());
  }).flat();
}

/** A cluster of two in term 1 with `count` commands proposed one at a time and their requests on the way. */
function clusterWithPipeline(count: number): { cluster: TestCluster; requests: Packet[] } {
  const cluster = new TestCluster(2);
  const leader = cluster.elect(1);
  for (let token = 1; token <= count; token++) {
    leader.propose(token);
    cluster.send(1, leader.settle().messages);
  }
  const requests = cluster.packets;
  cluster.packets = [];
  assertEquals(requests.length, count);
  return { cluster, requests };
}

function assertInStep(cluster: TestCluster): void {
  const [first, ...others] = [...cluster.servers.values()];
  for (const other of others) assertEquals(other.log, first?.log);
}

Deno.test("a leader in replicate sends without waiting for answers, each entry once", () => {
  assertEquals(proposeEach(leaderInPipeline(), 4), [[1, 1], [2, 1], [3, 1], [4, 1]]);
});

Deno.test("a new leader sends one request at a time until one fits", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1));
  assertEquals(proposeEach(leader, 3), []);
  assertEquals(
    toNode2(leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 4, prevLogIndex: 3 }))),
    [[
      4,
      3,
    ]],
  );
});

Deno.test("the window bounds what is unanswered; what comes meanwhile travels together when there is room", () => {
  const leader = leaderInPipeline({ maxInflightAppends: 3 });
  assertEquals(proposeEach(leader, 10), [[1, 1], [2, 1], [3, 1]]);
  assertEquals(progressOf(leader).inflight.map(({ lastIndex }) => lastIndex), [2, 3, 4]);
  const ready = leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 }));
  assertEquals(toNode2(ready), [[4, 7]]);
});

Deno.test("an answer of a later request makes room for all before it, a repeated answer for none", () => {
  const leader = leaderInPipeline({ maxInflightAppends: 3 });
  proposeEach(leader, 3);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 4, prevLogIndex: 3 }));
  assertEquals(progressOf(leader).inflight, []);
  proposeEach(leader, 3);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 4, prevLogIndex: 3 }));
  assertEquals(progressOf(leader).inflight.map(({ lastIndex }) => lastIndex), [5, 6, 7]);
});

Deno.test("heartbeats go on while the window is full, and carry no entries", () => {
  const leader = leaderInPipeline({ maxInflightAppends: 2 });
  proposeEach(leader, 5);
  leader.wait(HEARTBEAT_MS);
  assertEquals(toNode2(leader.settle()), [[3, 0]]);
});

Deno.test("requests are bounded in bytes; an entry that is larger alone travels alone", () => {
  const leader = leaderInPipeline({ maxAppendBytes: 100 });
  leader.step({
    kind: "propose",
    proposals: [40, 40, 40, 500, 10, 90, 1].map((size, token) => ({ token, data: new Uint8Array(size) })),
  });
  assertEquals(toNode2(leader.settle()), [[1, 2], [3, 1], [4, 1], [5, 2], [7, 1]]);
});

for (const lost of [0, 2, 4]) {
  Deno.test(`request ${lost + 1} of 5 in the pipeline is lost: what is missing is sent again`, () => {
    const { cluster, requests } = clusterWithPipeline(5);
    for (const [at, packet] of requests.entries()) if (at !== lost) cluster.deliver(packet);
    cluster.run();
    if (lost === 4) {
      assertEquals(cluster.server(2).log.length, 5, "nothing has followed that would show the loss");
      cluster.heartbeat(1);
    }
    assertInStep(cluster);
    assertEquals(cluster.server(1).view.commitIndex, 6);
  });
}

Deno.test("all of a pipeline is lost: the next heartbeat finds it", () => {
  const { cluster } = clusterWithPipeline(16);
  cluster.heartbeat(1);
  assertInStep(cluster);
  assertEquals(cluster.server(1).view.commitIndex, 17);
});

Deno.test("all answers are lost: the next heartbeat's answer covers them", () => {
  const { cluster, requests } = clusterWithPipeline(16);
  for (const packet of requests) cluster.deliver(packet);
  cluster.server(2).settle();
  assertEquals(cluster.server(1).view.commitIndex, 1);
  const before = cluster.delivered.get("AppendEntriesRequest") ?? 0;
  cluster.heartbeat(1);
  assertEquals(cluster.server(1).view.commitIndex, 17);
  assertEquals((cluster.delivered.get("AppendEntriesRequest") ?? 0) - before, 1, "nothing was sent twice");
});

Deno.test("a pipeline that arrives backwards ends in step after a few messages", () => {
  const { cluster, requests } = clusterWithPipeline(10);
  const before = cluster.delivered.get("AppendEntriesRequest") ?? 0;
  for (const packet of requests.toReversed()) cluster.deliver(packet);
  cluster.run();
  cluster.heartbeat(1);
  assertInStep(cluster);
  const sentAgain = (cluster.delivered.get("AppendEntriesRequest") ?? 0) - before - requests.length;
  assertLessOrEqual(sentAgain, 5);
});

Deno.test("refusals of a pipeline that was given up, arriving late, set nothing back", () => {
  const leader = leaderInPipeline();
  proposeEach(leader, 6);
  const refusal = (prevLogIndex: number) =>
    appendResponse({ term: 1, success: false, prevLogIndex, conflictIndex: 3 });
  assertEquals(toNode2(leader.receiveDurably(2, refusal(3))), [[2, 5]]);
  for (const prevLogIndex of [4, 5, 6]) {
    assertEquals(toNode2(leader.receiveDurably(2, refusal(prevLogIndex))), []);
  }
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 7, prevLogIndex: 2 }));
  assertReady(leader.receiveDurably(2, refusal(3)), {});
  assertEquals([progressOf(leader).mode, progressOf(leader).nextIndex], ["replicate", 8]);
});

Deno.test("a refusal never sets a follower back behind what it has acknowledged, whatever its hint", () => {
  const leader = leaderInPipeline();
  proposeEach(leader, 6);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 4, prevLogIndex: 3 }));
  const refusal = appendResponse({ term: 1, success: false, prevLogIndex: 5, conflictIndex: 1 });
  assertEquals(toNode2(leader.receiveDurably(2, refusal)), [[4, 3]]);
});

Deno.test("the hint names a term: the leader goes on after its own last entry of it, and sends no entry too many", () => {
  // The follower has four entries of term 4 from index 4 on, the leader two.
  const leader = leaderOf(VOTERS, 6, logOf(1, 1, 1, 4, 4, 5, 5));
  const refusal = { success: false, prevLogIndex: 7, conflictTerm: 4, conflictIndex: 4 };
  assertEquals(toNode2(leader.receiveDurably(2, appendResponse({ term: 6, ...refusal }))), [[5, 3]]);
});

Deno.test("a follower that restarts without the tail that was not durable gets it again", () => {
  const { cluster, requests } = clusterWithPipeline(5);
  for (const packet of requests) cluster.deliver(packet);
  cluster.server(2).take();
  cluster.restart(2, 0, 2);
  assertEquals(cluster.server(2).log.length, 3);
  cluster.heartbeat(1);
  assertInStep(cluster);
  assertEquals(cluster.server(1).view.commitIndex, 6);
});

Deno.test("a dead follower is sent what it lacks once, and empty heartbeats from then on", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1));
  leader.receiveDurably(3, appendResponse({ term: 2, matchIndex: 4, prevLogIndex: 3 }));
  for (let beats = 0; beats < 5; beats++) {
    leader.propose(beats);
    leader.read(beats);
    leader.wait(HEARTBEAT_MS);
    for (const [, entries] of toNode2(leader.settle())) assertEquals(entries, 0);
    const { lastLogIndex } = leader.view;
    leader.receiveDurably(
      3,
      appendResponse({ term: 2, matchIndex: lastLogIndex, prevLogIndex: 3, readRound: beats + 1 }),
    );
  }
  assertEquals(leader.reads.length, 5);
  // It is back: the answer to a heartbeat is enough to send all that it lacks.
  assertEquals(
    toNode2(leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 3, prevLogIndex: 3 }))),
    [[
      3,
      6,
    ]],
  );
});

Deno.test("a follower that has lost what it acknowledged is not answered at once, without end", () => {
  const leader = leaderInPipeline();
  proposeEach(leader, 4);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 5, prevLogIndex: 4 }));
  const lost = (prevLogIndex: number) =>
    appendResponse({ term: 1, success: false, prevLogIndex, conflictIndex: 1 });
  leader.wait(HEARTBEAT_MS);
  assertEquals(toNode2(leader.settle()), [[5, 0]]);
  assertEquals(toNode2(leader.receiveDurably(2, lost(5))), []);
  let sent = 0;
  for (let beats = 0; beats < 10; beats++) {
    leader.propose(9);
    leader.wait(HEARTBEAT_MS);
    const requests = toNode2(leader.settle());
    for (const [prevLogIndex] of requests) {
      assertLessOrEqual(++sent, 40, "refusals and requests chase each other");
      requests.push(...toNode2(leader.receiveDurably(2, lost(prevLogIndex))));
    }
    leader.receiveDurably(3, appendResponse({ term: 1 }));
  }
  assertEquals(progressOf(leader).matchIndex, 5, "what was acknowledged stays acknowledged");
});

for (
  const { dataBytes, maxAppendBytes, requests } of [
    { dataBytes: 100, maxAppendBytes: 1 << 20, requests: 2 },
    { dataBytes: 100, maxAppendBytes: 1 << 16, requests: 17 },
  ]
) {
  Deno.test(`a follower 10,000 entries of ${dataBytes} B behind is in step after ${requests} requests of up to ${maxAppendBytes} B`, () => {
    const cluster = new TestCluster(3, () => ({ maxAppendBytes }));
    const leader = cluster.elect(1);
    cluster.crash(3);
    const data = new Uint8Array(dataBytes);
    leader.step({
      kind: "propose",
      proposals: Array.from({ length: 10_000 }, (_, token) => ({ token, data })),
    });
    cluster.run();
    assertEquals(leader.view.commitIndex, 10_001);
    cluster.restart(3);
    let received = 0;
    leader.wait(HEARTBEAT_MS);
    for (let rounds = 0; cluster.server(3).view.lastLogIndex < 10_001; rounds++) {
      assert(rounds < 20, "no progress");
      for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
      const packets = cluster.packets;
      cluster.packets = [];
      for (const packet of packets) {
        if (packet.to === 3) received++;
        cluster.deliver(packet);
      }
    }
    assertEquals(received, requests);
    assertInStep(cluster);
  });
}

Deno.test("a follower behind a stalled disk is not sent more than the window, and drains when it is back", () => {
  const cluster = new TestCluster(3, () => ({ maxInflightAppends: 4 }));
  const leader = cluster.elect(1);
  let toStalled = 0;
  for (let token = 1; token <= 50; token++) {
    leader.propose(token);
    for (let rounds = 0; rounds < 3; rounds++) {
      for (const id of [1, 2]) cluster.send(id, cluster.server(id).settle().messages);
      cluster.send(3, cluster.server(3).take().messages); // takes in, and writes nothing
      const packets = cluster.packets;
      cluster.packets = [];
      for (const packet of packets) {
        if (packet.to === 3) toStalled++;
        cluster.deliver(packet);
      }
    }
  }
  assertEquals(leader.view.commitIndex, 51);
  assertEquals(toStalled, 4);
  cluster.run();
  assertInStep(cluster);
});

Deno.test("a request holds no more entries than the wire allows, however small they are", () => {
  const leader = leaderInPipeline();
  const data = new Uint8Array();
  const proposals = Array.from({ length: 20_000 }, (_, token) => ({ token, data }));
  leader.step({ kind: "propose", proposals });
  assertEquals(toNode2(leader.take()), [[1, 16_384], [16_385, 3_616]]);
});

Deno.test("a delayed acknowledgement takes nothing back", () => {
  const leader = leaderInPipeline();
  proposeEach(leader, 4);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 5, prevLogIndex: 4 }));
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 }));
  assertEquals([progressOf(leader).matchIndex, progressOf(leader).nextIndex], [5, 6]);
});

/** Proposes `count` commands of 30 B, each in an output of its own; returns how many went to node 2. */
function sendThirtyBytes(leader: TestServer, count: number): number {
  let sent = 0;
  for (let token = 0; token < count; token++) {
    leader.step({ kind: "propose", proposals: [{ token, data: new Uint8Array(30) }] });
    sent += toNode2(leader.settle()).length;
  }
  return sent;
}

Deno.test("the window bounds the bytes that are unanswered, by no more than the request that fills it", () => {
  const leader = leaderInPipeline({ maxInflightBytes: 100 });
  assertEquals([sendThirtyBytes(leader, 10), progressOf(leader).inflightBytes], [4, 120]);
  // What came meanwhile travels together when there is room; an answer to a later request counts for those before.
  const some = leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 3, prevLogIndex: 1 }));
  assertEquals([toNode2(some), progressOf(leader).inflightBytes], [[[5, 6]], 240]);
  const more = leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 11, prevLogIndex: 5 }));
  assertEquals([toNode2(more), progressOf(leader).inflightBytes], [[], 0]);
  assertEquals(sendThirtyBytes(leader, 1), 1);
});

Deno.test("an entry that is larger than the whole window is sent alone, and the next one when it is answered", () => {
  const leader = leaderInPipeline({ maxInflightBytes: 100, maxAppendBytes: 50 });
  const proposals = [500, 1, 500].map((size, token) => ({ token, data: new Uint8Array(size) }));
  leader.step({ kind: "propose", proposals });
  assertEquals(toNode2(leader.settle()), [[1, 1]]);
  const next = leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 }));
  assertEquals(toNode2(next), [[2, 1], [3, 1]]);
});

Deno.test("going back to probing forgets the bytes that were on their way", () => {
  const leader = leaderInPipeline({ maxInflightBytes: 100 });
  sendThirtyBytes(leader, 10);
  const refusal = appendResponse({ term: 1, success: false, prevLogIndex: 3, conflictIndex: 2 });
  assertEquals(toNode2(leader.receiveDurably(2, refusal)), [[1, 10]]);
  assertEquals([progressOf(leader).mode, progressOf(leader).inflightBytes], ["probe", 0]);
});

Deno.test("each follower has a window of its own: a slow one costs the others nothing", () => {
  const leader = leaderInPipeline({ maxInflightBytes: 100 });
  leader.receiveDurably(3, appendResponse({ term: 1, matchIndex: 1 }));
  let [toTwo, toThree] = [0, 0];
  for (let token = 0; token < 20; token++) {
    leader.step({ kind: "propose", proposals: [{ token, data: new Uint8Array(30) }] });
    const ready = leader.settle();
    toTwo += toNode2(ready).length;
    toThree += sentOf(ready, "AppendEntriesRequest").filter(({ to }) => to === 3).length;
    leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: token + 2, prevLogIndex: token + 1 }));
  }
  assertEquals([toTwo, toThree, leader.view.commitIndex], [20, 4, 21]);
});
