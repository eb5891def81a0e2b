/** Reads that followers and learners serve (thesis §6.4; src/raft/reads.ts). */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { ReadIndexResponse } from "../../packraft/mod.ts";
import type { Ready } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import {
  acknowledge,
  ELECTION_MAX_MS,
  ELECTION_MIN_MS,
  HEARTBEAT_MS,
  leaderOf,
  membersOf,
  seededRandom,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  eventsOf,
  logOf,
  noop,
  sentOf,
  toEach,
  voteRequest,
} from "./messages.ts";

const VOTERS = [1, 2, 3];

/** Node 2, which follows node 1 in term 2, has four entries, and has applied two. */
function follower(): TestServer {
  const server = new TestServer(2, VOTERS, {
    entries: logOf(1, 1, 2, 2),
    hardState: { currentTerm: 2, votedFor: 1 },
    random: seededRandom(7),
  });
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 2, leaderCommit: 2 }));
  assertEquals(server.view.lastApplied, 2);
  return server;
}

/** The rounds in which an output asks the leader. */
function roundsOf(ready: Ready): number[] {
  return sentOf(ready, "ReadIndexRequest").map(({ message }) => message.round);
}

/** The one round in which it asks. */
function roundOf(ready: Ready): number {
  const [round, ...others] = roundsOf(ready);
  assert(round !== undefined && others.length === 0);
  return round;
}

function answer(round: number, readIndex: number): ReadIndexResponse {
  return { type: "ReadIndexResponse", term: 2, requestTerm: 2, round, confirmed: true, readIndex };
}

function notLeader(...tokens: number[]) {
  return tokens.map((token) => ({ token, reason: "notLeader" as const }));
}

// ------------------------------------------------------------------------------------- the follower

Deno.test("a follower asks its leader from which index on a read is current, and answers when that is applied", () => {
  const server = follower();
  server.readAny(70);
  const ready = server.take();
  const round = roundOf(ready);
  assertReady(ready, { messages: toEach([1], { type: "ReadIndexRequest", term: 2, round }) });
  assertReady(server.receive(1, answer(round, 3)), {});
  server.receive(1, appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 2, leaderCommit: 4 }));
  assertEquals(server.reads, [], "handed out, and not applied yet");
  server.finishApply();
  assertReady(server.take(), { reads: [70] });
});

Deno.test("it answers at once if it has applied that much already", () => {
  const server = follower();
  server.readAny(70);
  assertReady(server.receive(1, answer(roundOf(server.take()), 2)), { reads: [70] });
});

Deno.test("one question stands for all reads that were there when it was sent; later ones wait for the next", () => {
  const server = follower();
  server.readAny(70);
  server.readAny(71);
  const first = roundOf(server.take());
  server.readAny(72);
  server.readAny(73);
  assertEquals(roundsOf(server.take()), [], "one question at a time");
  const ready = server.receive(1, answer(first, 2));
  assertEquals(ready.reads, [70, 71]);
  const second = roundOf(ready);
  assertNotEquals(second, first);
  assertEquals(server.receive(1, answer(second, 2)).reads, [72, 73]);
});

Deno.test("an answer to an earlier question says nothing about reads that came after it", () => {
  const server = follower();
  server.readAny(70);
  const first = roundOf(server.take());
  server.receive(1, answer(first, 2));
  server.readAny(71);
  const second = roundOf(server.take());
  for (const round of [first, 0, second + 1]) assertReady(server.receive(1, answer(round, 2)), {});
  assertReady(server.receive(1, answer(second, 2)), { reads: [71] });
});

Deno.test("a question that is not answered is asked anew after a while, for those who have come meanwhile too", () => {
  const server = follower();
  server.readAny(70);
  const first = roundOf(server.take());
  server.readAny(71);
  server.wait(ELECTION_MIN_MS - 1);
  server.step({ kind: "message", from: 1, message: appendRequest({ term: 2 }) });
  assertEquals(roundsOf(server.take()), []);
  server.wait(1);
  const second = roundOf(server.take());
  assertReady(server.receive(1, answer(first, 2)), {});
  assertEquals(server.receive(1, answer(second, 2)).reads, [70, 71]);
});

Deno.test("if the leader cannot tell, the reads are refused: the client asks elsewhere", () => {
  const server = follower();
  server.readAny(70);
  const round = roundOf(server.take());
  const ready = server.receive(1, { ...answer(round, 0), confirmed: false });
  assertEquals([ready.refused, ready.reads], [notLeader(70), []]);
  server.readAny(71);
  assertEquals(roundsOf(server.take()).length, 1, "and the next read is asked for as usual");
});

Deno.test("a read for the leader alone is refused by a follower, and one for any by a follower without a leader", () => {
  const server = follower();
  server.read(70);
  assertReady(server.take(), { refused: notLeader(70) });
  const alone = new TestServer(2, VOTERS);
  alone.readAny(71);
  assertReady(alone.take(), { refused: notLeader(71) });
});

Deno.test("a follower whose role or leader changes refuses all its reads, wherever they are on their way", () => {
  const changes: [string, (server: TestServer) => void][] = [
    [
      "another leader",
      (server) => server.step({ kind: "message", from: 3, message: appendRequest({ term: 3 }) }),
    ],
    [
      "a new term",
      (server) => server.step({ kind: "message", from: 3, message: voteRequest(3, 9, 2, true) }),
    ],
    ["a candidate itself", (server) => server.wait(ELECTION_MAX_MS)],
  ];
  for (const [what, change] of changes) {
    const server = follower();
    server.readAny(70);
    server.receive(1, answer(roundOf(server.take()), 4)); // confirmed, and not applied
    server.readAny(71); // asked for
    const round = roundOf(server.take());
    server.readAny(72); // waiting
    change(server);
    const ready = server.take();
    assertEquals(ready.refused, notLeader(72, 71, 70), what);
    server.receive(1, appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 2, leaderCommit: 4 }));
    server.receive(1, answer(round, 2));
    server.finishApply();
    server.take();
    assertEquals(server.reads, [], what);
  }
});

Deno.test("a restarted follower does not take the answer to a question of its earlier life for one to its present", () => {
  const server = follower();
  server.readAny(70);
  const first = roundOf(server.take());
  server.restart();
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 2, leaderCommit: 2 }));
  server.readAny(71);
  assertNotEquals(roundOf(server.take()), first);
  assertEquals(server.receive(1, answer(first, 2)).reads, []);
});

// --------------------------------------------------------------------------------------- the leader

Deno.test("a leader takes the question for a read of its own: it answers when a majority still follows", () => {
  const leader = settledLeaderOf(VOTERS, 2);
  leader.receive(2, { type: "ReadIndexRequest", term: 2, round: 99 });
  const asked = sentOf(leader.take(), "ReadIndexResponse");
  assertEquals(asked, []);
  const ready = acknowledge(leader, 3);
  assertEquals(sentOf(ready, "ReadIndexResponse"), [{ to: 2, message: answer(99, 1) }]);
});

Deno.test("without a majority it answers nothing", () => {
  const leader = settledLeaderOf([1, 2, 3, 4, 5], 2);
  leader.receive(2, { type: "ReadIndexRequest", term: 2, round: 99 });
  assertEquals(sentOf(acknowledge(leader, 2), "ReadIndexResponse"), [], "two of five");
  leader.wait(2 * ELECTION_MAX_MS);
  assertEquals(sentOf(leader.settle(), "ReadIndexResponse"), []);
  assertEquals(leader.view.role, "follower");
});

Deno.test("answers to heartbeats that were sent before the question came confirm nothing", () => {
  const leader = settledLeaderOf(VOTERS, 2);
  leader.wait(HEARTBEAT_MS);
  leader.settle();
  leader.step({ kind: "message", from: 2, message: { type: "ReadIndexRequest", term: 2, round: 99 } });
  leader.settle();
  const late = appendResponse({ term: 2, matchIndex: 1, prevLogIndex: 1, readRound: 0 });
  for (const from of [2, 3]) assertEquals(sentOf(leader.receive(from, late), "ReadIndexResponse"), []);
  assertEquals(sentOf(acknowledge(leader, 3), "ReadIndexResponse").length, 1, "but those to the round do");
});

Deno.test("the index is what was committed when the question came, and a new leader waits for its own commit", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1));
  leader.receive(3, { type: "ReadIndexRequest", term: 2, round: 99 });
  assertEquals(sentOf(acknowledge(leader, 3, 2), "ReadIndexResponse"), []);
  acknowledge(leader, 3);
  const ready = acknowledge(leader, 3);
  assertEquals(sentOf(ready, "ReadIndexResponse").map(({ message }) => message.readIndex), [3]);
});

Deno.test("a server that does not lead, or not in that term, answers at once that it cannot tell", () => {
  const cannot = { type: "ReadIndexResponse", confirmed: false, readIndex: 0, round: 5 } as const;
  assertReady(follower().receive(3, { type: "ReadIndexRequest", term: 2, round: 5 }), {
    messages: toEach([3], { ...cannot, term: 2, requestTerm: 2 }),
  });
  const leader = settledLeaderOf(VOTERS, 2);
  assertReady(leader.receive(3, { type: "ReadIndexRequest", term: 1, round: 5 }), {
    messages: toEach([3], { ...cannot, term: 2, requestTerm: 1 }),
  });
});

Deno.test("reads of its own clients and of followers share a round", () => {
  const leader = settledLeaderOf(VOTERS, 2);
  leader.read(70);
  leader.step({ kind: "message", from: 2, message: { type: "ReadIndexRequest", term: 2, round: 5 } });
  leader.step({ kind: "message", from: 3, message: { type: "ReadIndexRequest", term: 2, round: 6 } });
  assertEquals(sentOf(leader.settle(), "AppendEntriesRequest").map(({ message }) => message.readRound), [
    1,
    1,
  ]);
  const ready = acknowledge(leader, 2);
  assertEquals([
    ready.reads,
    sentOf(ready, "ReadIndexResponse").map(({ to, message }) => [to, message.round]),
  ], [
    [70],
    [[2, 5], [3, 6]],
  ]);
});

// -------------------------------------------------------------------------------------- the cluster

Deno.test("a follower sees what was committed before the read came, wherever it was written", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  const third = cluster.server(3);
  cluster.cut(1, 3);
  cluster.commit(1, 1);
  assertEquals(third.view.lastApplied, 1);
  cluster.heal();
  third.readAny(70);
  cluster.run();
  cluster.heartbeat(1);
  assertEquals([third.reads, third.view.lastApplied], [[70], 2]);
});

Deno.test("a learner serves reads too, and a leader answers it like all others", () => {
  const configuration = membersOf(VOTERS, [4]);
  const learner = new TestServer(4, VOTERS, { configuration });
  learner.receiveDurably(1, appendRequest({ term: 2, entries: [noop(1, 2)], leaderCommit: 1 }));
  learner.readAny(70);
  const round = roundOf(learner.take());
  const leader = settledLeaderOf(VOTERS, 2, [], { configuration });
  leader.receive(4, { type: "ReadIndexRequest", term: 2, round });
  const [answered] = sentOf(acknowledge(leader, 3), "ReadIndexResponse");
  assertEquals(answered, { to: 4, message: answer(round, 1) });
  assertReady(learner.receive(1, answer(round, 1)), { reads: [70] });
});

Deno.test("a follower of a leader that was deposed and does not know it serves nothing", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.partition([1, 2], [3, 4, 5]);
  for (const id of [4, 5]) cluster.server(id).wait(ELECTION_MIN_MS);
  cluster.server(3).waitForWake();
  cluster.run();
  cluster.commit(3, 1, "new");
  const second = cluster.server(2);
  second.readAny(70);
  const refused: number[] = [];
  for (let passed = 0; passed < 3 * ELECTION_MAX_MS; passed += HEARTBEAT_MS) {
    for (const id of [1, 2]) {
      cluster.server(id).wait(HEARTBEAT_MS);
      const ready = cluster.server(id).settle();
      if (id === 2) refused.push(...ready.refused.map(({ token }) => token));
      cluster.send(id, ready.messages);
    }
    for (const packet of cluster.packets.splice(0)) cluster.deliver(packet);
  }
  assertEquals([second.reads, refused], [[], [70]]);
});

Deno.test("a learner that hears no leader any more refuses what waits: it does not stand, and would wait for ever", () => {
  const learner = new TestServer(4, VOTERS, { configuration: membersOf(VOTERS, [4]) });
  learner.receiveDurably(1, appendRequest({ term: 2, entries: [noop(1, 2)], leaderCommit: 1 }));
  learner.readAny(70);
  learner.take();
  learner.waitForWake();
  const ready = learner.take();
  assertEquals([ready.refused, learner.view.role, learner.view.leader], [notLeader(70), "follower", 0]);
  learner.readAny(71);
  assertEquals(learner.take().refused, notLeader(71));
});

Deno.test("why a read is refused is told", () => {
  const server = follower();
  server.readAny(70);
  const round = roundOf(server.take());
  const ready = server.receive(1, { ...answer(round, 0), confirmed: false });
  assertEquals(eventsOf(ready, "ignored").map(({ reason }) => reason), [
    "node 1 cannot tell how current a read is",
  ]);
});
