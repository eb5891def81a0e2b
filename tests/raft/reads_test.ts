import { assert, assertEquals } from "@std/assert";
import type { Entry, Ready } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import {
  ELECTION_MAX_MS,
  ELECTION_MIN_MS,
  HEARTBEAT_MS,
  leaderOf,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import { appendRequest, appendResponse, assertReady, logOf, sentOf, toEach } from "./messages.ts";

const VOTERS = [1, 2, 3];
const FIVE = [1, 2, 3, 4, 5];

/** A leader of term 2 that has committed and applied its no-op, the last entry of its log. */
function settledLeader(voters: readonly number[], entries: readonly Entry[] = []): TestServer {
  return settledLeaderOf(voters, 2, entries);
}

/** The rounds that an output asks about. */
function roundsOf(ready: Ready): number[] {
  return [...new Set(sentOf(ready, "AppendEntriesRequest").map(({ message }) => message.readRound))];
}

function answerOf(readRound: number, matchIndex = 1) {
  return appendResponse({ term: 2, matchIndex, prevLogIndex: matchIndex, readRound });
}

Deno.test("thesis §6.4 a read asks all followers in a new round and is answered once a majority still follows", () => {
  const leader = settledLeader(FIVE);
  leader.read(70);
  assertReady(leader.take(), {
    messages: toEach(
      [2, 3, 4, 5],
      appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 2, leaderCommit: 1, readRound: 1 }),
    ),
  });
  assertReady(leader.receive(2, answerOf(1)), {});
  assertReady(leader.receive(3, answerOf(1)), { reads: [70] });
  assertReady(leader.receive(4, answerOf(1)), {});
});

Deno.test("thesis §6.4 the same follower's answer counts once, however often it arrives", () => {
  const leader = settledLeader(FIVE);
  leader.read(70);
  leader.take();
  for (let copies = 0; copies < 4; copies++) assertReady(leader.receive(2, answerOf(1)), {});
});

Deno.test("§8 a new leader serves no read before an entry of its own term is committed", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1));
  leader.read(70);
  assertReady(leader.take(), {}); // no round: what is committed is not known yet
  leader.wait(HEARTBEAT_MS);
  assertEquals(roundsOf(leader.settle()), [0]);
  const ready = leader.receive(2, appendResponse({ term: 2, matchIndex: 3, prevLogIndex: 2 }));
  assertEquals([leader.view.commitIndex, ready.reads, roundsOf(ready)], [3, [], [1]]);
  leader.receive(2, answerOf(1, 3));
  assertEquals(leader.reads, [], "confirmed, but the no-op and what it committed are not applied");
  leader.finishApply();
  assertEquals(leader.take().reads, [70]);
});

Deno.test("thesis §6.4 a read waits until the state machine has come to what was committed when it asked", () => {
  const leader = settledLeader(VOTERS);
  leader.propose(1);
  leader.settle();
  leader.receive(2, answerOf(0, 2)); // commits entry 2; it is handed out and not applied yet
  leader.read(70);
  leader.take();
  assertReady(leader.receive(2, answerOf(1, 2)), {});
  leader.finishApply();
  assertReady(leader.take(), { reads: [70] });
});

Deno.test("thesis §6.4 a read does not wait for what is committed after it asked", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.propose(1);
  leader.settle();
  leader.receive(2, answerOf(0, 2));
  assertEquals([leader.view.commitIndex, leader.view.lastApplied], [2, 1]);
  assertEquals(leader.receive(3, answerOf(1)).reads, [70]);
});

Deno.test("thesis §6.4 an answer to an earlier round confirms nothing of this one", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.take();
  leader.receive(2, answerOf(1));
  assertEquals(leader.reads, [70]);
  leader.read(71);
  assertEquals(roundsOf(leader.take()), [2]);
  for (const from of [2, 3]) assertReady(leader.receive(from, answerOf(1)), {}); // delayed or repeated
  assertReady(leader.receive(3, answerOf(2)), { reads: [71] });
});

Deno.test("thesis §6.4 an answer to a heartbeat that was sent before the read arrived confirms nothing", () => {
  const leader = settledLeader(VOTERS);
  leader.wait(HEARTBEAT_MS);
  leader.take();
  leader.read(70);
  leader.take();
  for (const from of [2, 3]) assertReady(leader.receive(from, answerOf(0)), {});
});

Deno.test("thesis §6.4 reads that arrive while a round is under way wait for the next, and share it", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.read(71);
  assertEquals(roundsOf(leader.take()), [1]);
  leader.read(72);
  leader.read(73);
  assertReady(leader.take(), {});
  const ready = leader.receive(2, answerOf(1));
  assertEquals([ready.reads, roundsOf(ready)], [[70, 71], [2]]);
  assertEquals(leader.receive(3, answerOf(2)).reads, [72, 73]);
});

Deno.test("thesis §6.4 an answer to a later round confirms the reads that wait in it", () => {
  const leader = settledLeader(FIVE);
  leader.read(70);
  leader.take();
  leader.receive(2, answerOf(1));
  leader.wait(HEARTBEAT_MS);
  assertEquals(roundsOf(leader.take()), [1], "a lost question is asked again by the next heartbeat");
  assertEquals(leader.receive(5, answerOf(1)).reads, [70]);
});

Deno.test("thesis §6.4 a refusal of entries still says that the follower follows", () => {
  const leader = settledLeader(VOTERS, logOf(1, 1));
  leader.read(70);
  leader.take();
  const refusal = { success: false, prevLogIndex: 3, conflictIndex: 2, readRound: 1 };
  assertEquals(leader.receive(3, appendResponse({ term: 2, ...refusal })).reads, [70]);
});

Deno.test("thesis §6.4 an answer of another term, or to a round that was never begun, confirms nothing", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.take();
  assertReady(
    leader.receive(2, appendResponse({ term: 2, requestTerm: 1, matchIndex: 1, readRound: 1 })),
    {},
  );
  assertReady(leader.receive(2, answerOf(9)), {
    events: [{
      kind: "ignored",
      from: 2,
      type: "AppendEntriesResponse",
      reason: "answers a round that was never begun",
    }],
  });
});

Deno.test("thesis §6.4 commands and entries under way carry the round too: a read costs no message of its own then", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.take();
  leader.propose(1);
  assertEquals(roundsOf(leader.take()), [1]);
  assertEquals(leader.receive(3, answerOf(1, 1)).reads, [70]);
});

Deno.test("thesis §6.4 a leader that is deposed refuses all reads that it has, wherever they are on their way", () => {
  const leader = settledLeader(VOTERS);
  leader.propose(1);
  leader.settle();
  leader.receive(2, answerOf(0, 2));
  leader.read(70); // will be confirmed and wait for the state machine
  leader.take();
  leader.receive(2, answerOf(1, 2));
  leader.read(71); // will be in a round
  leader.take();
  leader.read(72); // will wait for a round
  const ready = leader.receive(3, appendRequest({ term: 3 }));
  assertEquals(ready.refused, [72, 71, 70].map((token) => ({ token, reason: "leadershipLost" })));
  leader.finishApply();
  leader.receive(3, answerOf(2, 2));
  assertEquals([leader.settle().reads, leader.reads], [[], []]);
});

Deno.test("thesis §6.4 a server that does not lead refuses reads at once", () => {
  const server = new TestServer(1, VOTERS);
  server.read(70);
  assertReady(server.take(), { refused: [{ token: 70, reason: "notLeader" }] });
  server.waitForWake();
  server.take();
  server.read(71);
  assertReady(server.take(), { refused: [{ token: 71, reason: "notLeader" }] });
});

Deno.test("thesis §6.4 alone, a server answers a read when what is committed is applied", () => {
  const server = new TestServer(1, [1]);
  server.wait(0);
  server.settle();
  server.read(70);
  assertReady(server.take(), { reads: [70] });
  server.propose(1);
  server.take();
  server.finishWrite();
  server.read(71);
  assertEquals(server.take().reads, [], "the command is committed and not applied yet");
  server.finishApply();
  assertReady(server.take(), { reads: [71] });
});

Deno.test("§8 a leader that is cut off and does not know it answers no read, and its client gets a refusal", () => {
  const cluster = new TestCluster(5);
  const old = cluster.elect(1);
  cluster.heartbeat(1);
  cluster.partition([1, 2], [3, 4, 5]);
  for (const id of [4, 5]) cluster.server(id).wait(ELECTION_MIN_MS);
  cluster.server(3).waitForWake();
  cluster.run();
  cluster.commit(3, 1, "new");
  assertEquals(cluster.leaders, [1, 3]);
  old.read(70);
  cluster.run();
  cluster.heartbeat(1);
  assertEquals(old.reads, [], "node 2 alone is no majority");
  cluster.server(3).read(71);
  cluster.run();
  assertEquals(cluster.server(3).reads, [71]);
  old.wait(ELECTION_MAX_MS + HEARTBEAT_MS);
  assertEquals(old.settle().refused, [{ token: 70, reason: "leadershipLost" }]);
});

Deno.test("thesis §6.4 reads write nothing, and a round costs one message to each follower and one back", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  cluster.delivered.clear();
  const written = leader.disk.entries.length;
  for (let token = 1; token <= 100; token++) leader.read(token);
  cluster.run();
  assertEquals(leader.reads.length, 100);
  assertEquals(leader.disk.entries.length, written);
  assertEquals(Object.fromEntries(cluster.delivered), { AppendEntriesRequest: 2, AppendEntriesResponse: 2 });
});

Deno.test("thesis §6.4 a steady stream of reads does not keep heartbeats and the check for a quorum from being made", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  for (const id of [2, 3]) cluster.crash(id);
  for (let token = 1; leader.view.role === "leader"; token++) {
    assert(token < ELECTION_MAX_MS + 2 * HEARTBEAT_MS, "still leads, alone");
    leader.read(token);
    leader.wait(1);
    leader.settle();
  }
  assertEquals(leader.reads, []);
});

Deno.test("thesis §6.4 a follower repeats the round even where entries do not fit, but to a leader of a past term it does not", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1),
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  const rounds = [2, 1].map((term) => {
    const request = appendRequest({ term, prevLogIndex: 9, prevLogTerm: 1, readRound: 5 });
    return sentOf(server.receiveDurably(2, request), "AppendEntriesResponse")
      .map(({ message }) => [message.success, message.readRound]);
  });
  assertEquals(rounds, [[[false, 5]], [[false, 0]]]);
});

Deno.test("thesis §6.4 a read and a command that arrive together travel in one request", () => {
  const leader = settledLeader(VOTERS);
  leader.read(70);
  leader.propose(1);
  const sent = sentOf(leader.take(), "AppendEntriesRequest");
  assertEquals(sent.map(({ to, message }) => [to, message.readRound, message.entries.length]), [[2, 1, 1], [
    3,
    1,
    1,
  ]]);
});

Deno.test("thesis §6.4 a delayed answer to an old round does not take a newer one back", () => {
  const leader = settledLeader(FIVE);
  leader.read(70);
  leader.take();
  for (const from of [2, 3]) leader.receive(from, answerOf(1));
  leader.read(71);
  leader.take();
  leader.receive(4, answerOf(2));
  leader.receive(4, answerOf(1));
  assertReady(leader.receive(5, answerOf(2)), { reads: [71] });
});

Deno.test("thesis §6.4 a server that has left the leader's term answers no round of it", () => {
  const server = new TestServer(2, VOTERS, { hardState: { currentTerm: 5, votedFor: 0 } });
  const ready = server.receive(1, appendRequest({ term: 4, readRound: 7 }));
  assertEquals(
    sentOf(ready, "AppendEntriesResponse").map(({ message }) => [message.term, message.readRound]),
    [
      [5, 0],
    ],
  );
});
