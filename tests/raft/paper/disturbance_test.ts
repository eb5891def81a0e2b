import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "../cluster.ts";
import { ELECTION_MAX_MS, ELECTION_MIN_MS, HEARTBEAT_MS, leaderOf, TestServer } from "../harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  eventsOf,
  logOf,
  preVoteRequest,
  preVoteResponse,
  sentOf,
  toEach,
  voteRequest,
  voteResponse,
} from "../messages.ts";

const VOTERS = [1, 2, 3];

Deno.test("§6 a server that hears from a leader disregards RequestVote: neither its term nor its vote changes", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  server.receiveDurably(2, appendRequest({ term: 3 }));
  server.wait(ELECTION_MIN_MS - 1);
  const wake = server.nextWakeMs();
  assertReady(server.receiveDurably(3, voteRequest(9, 9, 8)), {
    messages: toEach([3], voteResponse(3, "leaderAlive", 9)),
    events: [{ kind: "voteRefused", to: 3, term: 9, preVote: false, reason: "leaderAlive" }],
  });
  assertEquals([server.view.currentTerm, server.view.leader, server.nextWakeMs()], [3, 2, wake]);
  assertEquals(server.disk.hardState, { currentTerm: 3, votedFor: 0 });

  server.wait(1);
  assertEquals(server.receiveDurably(3, voteRequest(9, 9, 8)).messages, toEach([3], voteResponse(9)));
});

Deno.test("§6 a leader disregards RequestVote while it leads", () => {
  const leader = leaderOf(VOTERS, 4);
  assertReady(leader.receiveDurably(3, voteRequest(9, 9, 8)), {
    messages: toEach([3], voteResponse(4, "leaderAlive", 9)),
    events: [{ kind: "voteRefused", to: 3, term: 9, preVote: false, reason: "leaderAlive" }],
  });
  assertEquals([leader.view.role, leader.view.currentTerm], ["leader", 4]);
});

Deno.test("§6 a server that is cut off and comes back does not depose a leader that the others follow", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  cluster.partition([1, 2, 3, 4], [5]);
  cluster.wait(5 * ELECTION_MAX_MS);
  assertEquals(cluster.server(5).view.currentTerm, 1, "it asked, and took no term");
  cluster.heal();
  cluster.wait(ELECTION_MAX_MS);
  assertEquals(cluster.leaders, [1]);
  assertEquals(cluster.alive.map((server) => server.view.currentTerm), [1, 1, 1, 1, 1]);
  assertEquals(cluster.server(5).view.leader, 1);
});

Deno.test("§6 a server in a larger term comes back: the leader learns of it from its answer, and one leads again", () => {
  const cluster = new TestCluster(3, (id) => ({ hardState: { currentTerm: id === 3 ? 8 : 1, votedFor: 0 } }));
  cluster.partition([1, 2], [3]);
  cluster.elect(1);
  assertEquals(cluster.server(1).view.currentTerm, 2);
  cluster.heal();
  cluster.wait(3 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
  assertEquals(new Set(cluster.alive.map((server) => server.view.currentTerm)).size, 1);
  assert(cluster.server(3).view.currentTerm > 8);
});

Deno.test("thesis §9.6 PreVote is answered without changing anything", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 2),
    hardState: { currentTerm: 3, votedFor: 2 },
  });
  const wake = server.nextWakeMs();
  server.wait(50);
  const cases = [
    { request: preVoteRequest(4, 2, 2), refusal: "none" },
    { request: preVoteRequest(99, 5, 2), refusal: "none" },
    { request: preVoteRequest(3, 5, 2), refusal: "staleTerm" },
    { request: preVoteRequest(4, 1, 2), refusal: "logBehind" },
  ] as const;
  for (const { request, refusal } of cases) {
    const ready = server.receive(3, request);
    assertEquals(ready.messages, toEach([3], preVoteResponse(3, request.term, refusal)));
    assertEquals(ready.persist, undefined);
  }
  assertEquals([server.view.currentTerm, server.view.votedFor, server.nextWakeMs()], [3, 2, wake]);
});

Deno.test("thesis §9.6 PreVote is refused while a leader is alive, even to a better log", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  server.receiveDurably(2, appendRequest({ term: 3 }));
  assertReady(server.receive(3, preVoteRequest(4, 9, 3)), {
    messages: toEach([3], preVoteResponse(3, 4, "leaderAlive")),
    events: [{ kind: "voteRefused", to: 3, term: 4, preVote: true, reason: "leaderAlive" }],
  });
});

Deno.test("thesis §9.6 a pre-candidate takes no term and gives away no vote before a majority is in favour", () => {
  const server = new TestServer(1, [1, 2, 3, 4, 5], { hardState: { currentTerm: 3, votedFor: 4 } });
  server.waitForWake();
  server.settle();
  server.receiveDurably(2, preVoteResponse(3, 4));
  server.receiveDurably(2, preVoteResponse(3, 4));
  server.receiveDurably(3, preVoteResponse(3, 4, "logBehind"));
  server.receiveDurably(4, preVoteResponse(3, 3)); // an answer to another question
  assertEquals([server.view.role, server.view.currentTerm, server.view.votedFor], ["preCandidate", 3, 4]);
  assertEquals(server.disk.hardState, { currentTerm: 3, votedFor: 4 });
});

Deno.test("a pre-candidate yields to another that comes first: a better log, or the same and a smaller id", () => {
  const entries = logOf(1, 3);
  const cases = [
    { other: 1, request: preVoteRequest(4, 2, 3), yields: true },
    { other: 3, request: preVoteRequest(4, 2, 3), yields: false },
    { other: 3, request: preVoteRequest(4, 3, 3), yields: true },
    { other: 1, request: preVoteRequest(4, 1, 1), yields: false },
    { other: 1, request: preVoteRequest(3, 2, 3), yields: false }, // too late: that term is over
  ];
  for (const { other, request, yields } of cases) {
    const server = new TestServer(2, VOTERS, { entries, hardState: { currentTerm: 3, votedFor: 0 } });
    server.waitForWake();
    server.settle();
    server.wait(1);
    const deadline = server.nextWakeMs();
    server.receiveDurably(other, request);
    assertEquals([server.view.role, server.view.currentTerm], [yields ? "follower" : "preCandidate", 3]);
    server.receiveDurably(4 - other, preVoteResponse(3, 4));
    assertEquals(server.view.role, yields ? "follower" : "candidate", "what it asked before counts no more");
    if (yields) {
      assert(server.nextWakeMs() !== deadline && server.nextWakeMs() >= server.nowMs + ELECTION_MIN_MS);
    }
  }
});

Deno.test("nobody yields twice in a row, or one that cannot win could keep another from it for ever", () => {
  const server = new TestServer(2, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  const stands = () => {
    server.waitForWake();
    server.settle();
    server.receiveDurably(1, preVoteRequest(server.view.currentTerm + 1));
    return server.view.role;
  };
  assertEquals([stands(), stands(), stands(), stands()], [
    "follower",
    "preCandidate",
    "follower",
    "preCandidate",
  ]);
  assertEquals(stands(), "follower");
  // A leader was found: the next election begins anew.
  server.receiveDurably(1, appendRequest({ term: 4 }));
  assertEquals([stands(), stands()], ["follower", "preCandidate"]);
});

Deno.test("thesis §9.6 a pre-candidate that hears from the leader of its term follows it", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  server.waitForWake();
  server.settle();
  server.receiveDurably(2, appendRequest({ term: 3 }));
  server.receiveDurably(3, preVoteResponse(3, 4));
  assertEquals([server.view.role, server.view.leader, server.view.currentTerm], ["follower", 2, 3]);
});

Deno.test("thesis §9.6 a pre-candidate that asks about a term that has passed learns the term and asks again", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  server.waitForWake();
  server.settle();
  server.receiveDurably(2, preVoteResponse(7, 4, "staleTerm"));
  assertEquals([server.view.role, server.view.currentTerm], ["follower", 7]);
  server.waitForWake();
  assertEquals(sentOf(server.settle(), "PreVoteRequest").map(({ message }) => message.term), [8, 8]);
});

Deno.test("thesis §9.6 a server whose log is behind cannot disturb those that have no leader", () => {
  const cluster = new TestCluster(3, (id) => ({
    entries: logOf(...id === 3 ? [1] : [1, 1]),
    hardState: { currentTerm: 1, votedFor: 0 },
  }));
  for (let tries = 0; tries < 10; tries++) {
    cluster.server(3).waitForWake();
    cluster.run();
  }
  assertEquals(cluster.alive.map((server) => server.view.currentTerm), [1, 1, 1]);
});

Deno.test("thesis §6.2 a leader that hears from no majority for an election timeout steps down", () => {
  const leader = leaderOf([1, 2, 3, 4, 5], 2);
  const since = leader.nowMs;
  leader.read(7);
  while (leader.nowMs - since < ELECTION_MAX_MS) {
    leader.wait(HEARTBEAT_MS);
    leader.settle();
    leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 1 }));
    assertEquals(leader.view.role, "leader", "still within the timeout");
  }
  leader.wait(HEARTBEAT_MS);
  const ready = leader.settle();
  assertEquals(leader.view.role, "follower");
  assertEquals([leader.view.currentTerm, leader.view.leader], [2, 0]);
  assertEquals(eventsOf(ready, "role").map(({ reason }) => reason), ["heard from 2 of 5 voters"]);
  assertEquals(ready.refused, [{ token: 7, reason: "leadershipLost" }]);
});

Deno.test("thesis §6.2 a leader that hears from a majority stays, whoever is missing", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  cluster.crash(2);
  cluster.crash(3);
  cluster.wait(5 * ELECTION_MAX_MS);
  assertEquals([cluster.leaders, cluster.server(1).view.currentTerm], [[1], 1]);
});

Deno.test("thesis §6.2 refusals count as signs of life, answers of past terms do not", () => {
  const leader = leaderOf(VOTERS, 2);
  leader.wait(ELECTION_MAX_MS);
  leader.settle();
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  leader.wait(HEARTBEAT_MS);
  assertEquals(leader.view.role, "follower");

  const other = leaderOf(VOTERS, 2);
  other.wait(ELECTION_MAX_MS);
  other.settle();
  other.receiveDurably(2, appendResponse({ term: 2, success: false, conflictIndex: 1 }));
  other.wait(HEARTBEAT_MS);
  assertEquals(other.view.role, "leader");
});

Deno.test("thesis §4.2.3 one-way: a leader that is heard and hears nothing steps down, and another leads", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (const from of [2, 3]) cluster.cut(from, 1);
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.filter((id) => id !== 1).length, 1);
  assertEquals(cluster.server(1).view.role === "leader", false);
});

Deno.test("thesis §4.2.3 one-way: a leader that hears and is not heard is replaced", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (const to of [2, 3]) cluster.cut(1, to);
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
  assert(!cluster.leaders.includes(1));
  assertEquals(cluster.server(1).view.role, "follower");
});

Deno.test("thesis §4.2.3 one-way: a server that does not hear the leader asks in vain and disturbs nobody", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.cut(1, 3);
  cluster.wait(5 * ELECTION_MAX_MS);
  assertEquals([cluster.leaders, cluster.server(2).view.currentTerm], [[1], 1]);
  cluster.commit(1, 1);
  assertEquals(cluster.server(1).view.commitIndex, 2);
});

Deno.test("thesis §4.2.3 one-way: a deaf candidate that is heard by all keeps nobody from leading", () => {
  const cluster = new TestCluster(3);
  for (const from of [1, 2]) cluster.cut(from, 3);
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
  const before = cluster.server(1).view.currentTerm;
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals([cluster.leaders.length, cluster.server(1).view.currentTerm], [1, before]);
});

Deno.test("thesis §4.2.3 one node bridges two halves: the bridge or one of its side leads, and it commits", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  // 1 and 2 | 3 | 4 and 5: only node 3 reaches all.
  for (const a of [1, 2]) {
    for (const b of [4, 5]) {
      cluster.cut(a, b);
      cluster.cut(b, a);
    }
  }
  cluster.wait(4 * ELECTION_MAX_MS);
  const [leader] = cluster.leaders;
  assert(leader !== undefined);
  const before = cluster.server(leader).view.commitIndex;
  cluster.commit(leader, 1);
  assert(cluster.server(leader).view.commitIndex > before);
});

Deno.test("thesis §4.2.3 all ways are cut but those of one server: it is elected", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  for (const a of [1, 2, 4, 5]) {
    for (const b of [1, 2, 4, 5]) if (a !== b) cluster.cut(a, b);
  }
  cluster.wait(6 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders, [3]);
  cluster.commit(3, 1);
  cluster.heartbeat(3);
  for (const server of cluster.alive) assertEquals(server.log, cluster.server(3).log);
});
