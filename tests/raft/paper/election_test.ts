import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Packet, TestCluster } from "../cluster.ts";
import { ELECTION_MAX_MS, ELECTION_MIN_MS, leaderOf, TestServer } from "../harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  eventsOf,
  logOf,
  noop,
  preVoteRequest,
  preVoteResponse,
  sentOf,
  toEach,
  voteRequest,
  voteResponse,
} from "../messages.ts";

const VOTERS = [1, 2, 3];
const FIVE = [1, 2, 3, 4, 5];

/** Node 1 of `voters`, a candidate in `term` whose own vote is durable. */
function candidateOf(voters: readonly number[], term: number, entries = logOf()): TestServer {
  const server = new TestServer(1, voters, { entries, hardState: { currentTerm: term - 1, votedFor: 0 } });
  server.waitForWake();
  for (const from of voters.slice(1)) server.receiveDurably(from, preVoteResponse(term - 1, term));
  assertEquals([server.view.role, server.view.currentTerm], ["candidate", term]);
  return server;
}

Deno.test("§5.2 a server starts as a follower and stays one while a leader is heard from", () => {
  const server = new TestServer(1, VOTERS);
  for (let beats = 0; beats < 100; beats++) {
    server.wait(ELECTION_MIN_MS - 1);
    server.receiveDurably(2, appendRequest({ term: 1 }));
    assertEquals([server.view.role, server.view.leader], ["follower", 2]);
  }
});

Deno.test("§5.2 a follower that hears nothing for its election timeout asks around, then stands", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 2),
    hardState: { currentTerm: 2, votedFor: 3 },
  });
  server.wait(269);
  assertReady(server.take(), {});
  server.wait(1);
  assertReady(server.take(), {
    messages: toEach([2, 3], preVoteRequest(3, 3, 2)),
    events: [{ kind: "role", from: "follower", to: "preCandidate", term: 2, reason: "election timeout" }],
  });
  assertReady(server.receive(2, preVoteResponse(2, 3)), {
    persist: { sequence: 1, hardState: { currentTerm: 3, votedFor: 1 }, entries: [] },
    events: [{
      kind: "role",
      from: "preCandidate",
      to: "candidate",
      term: 3,
      reason: "2 of 3 votes likely",
    }],
  });
  server.finishWrite();
  assertReady(server.take(), { messages: toEach([2, 3], voteRequest(3, 3, 2)) });
});

Deno.test("§5.2 a candidate with the votes of a majority leads, and says so to all at once", () => {
  const server = candidateOf(VOTERS, 3, logOf(1, 2));
  assertReady(server.receive(3, voteResponse(3)), {
    messages: toEach(
      [2, 3],
      appendRequest({ term: 3, prevLogIndex: 2, prevLogTerm: 2, entries: [noop(3, 3)] }),
    ),
    persist: { sequence: 2, hardState: undefined, entries: [noop(3, 3)] },
    events: [
      { kind: "role", from: "candidate", to: "leader", term: 3, reason: "2 of 3 votes" },
      { kind: "leader", term: 3, leader: 1 },
    ],
  });
});

Deno.test("§5.2 a candidate without a majority of all servers does not lead", () => {
  const server = candidateOf(FIVE, 3);
  server.receiveDurably(2, voteResponse(3));
  for (const from of [3, 4, 5]) server.receiveDurably(from, voteResponse(3, "alreadyVoted"));
  assertEquals([server.view.role, server.view.currentTerm], ["candidate", 3]);
  server.receiveDurably(5, voteResponse(3));
  assertEquals(server.view.role, "leader");
});

Deno.test("§5.2 a server votes for at most one candidate in a term, first come first served", () => {
  const server = new TestServer(1, VOTERS);
  const first = server.receiveDurably(2, voteRequest(1));
  assertEquals(sentOf(first, "RequestVoteResponse"), [{ to: 2, message: voteResponse(1) }]);
  assertReady(server.receiveDurably(3, voteRequest(1, 9, 1)), {
    messages: toEach([3], voteResponse(1, "alreadyVoted")),
    events: [{ kind: "voteRefused", to: 3, term: 1, preVote: false, reason: "alreadyVoted" }],
  });
  assertEquals(server.disk.hardState, { currentTerm: 1, votedFor: 2 });
});

Deno.test("§5.2 a candidate that asks again in the same term gets the same vote again", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, voteRequest(1));
  assertReady(server.receiveDurably(2, voteRequest(1)), { messages: toEach([2], voteResponse(1)) });
});

Deno.test("§5.2 the vote of a term holds across a restart", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, voteRequest(1));
  server.restart();
  const ready = server.receiveDurably(3, voteRequest(1));
  assertEquals(sentOf(ready, "RequestVoteResponse"), [{ to: 3, message: voteResponse(1, "alreadyVoted") }]);
});

Deno.test("§5.2 a candidate votes for itself and for nobody else in its term", () => {
  const server = candidateOf(VOTERS, 3);
  assertEquals(server.disk.hardState, { currentTerm: 3, votedFor: 1 });
  const ready = server.receiveDurably(2, voteRequest(3, 9, 2));
  assertEquals(sentOf(ready, "RequestVoteResponse"), [{ to: 2, message: voteResponse(3, "alreadyVoted") }]);
});

Deno.test("§5.2 a candidate that hears from the leader of its own term follows it and answers", () => {
  const server = candidateOf(VOTERS, 3);
  const ready = server.receiveDurably(2, appendRequest({ term: 3, entries: [noop(1, 3)] }));
  assertEquals([server.view.role, server.view.leader, server.view.currentTerm], ["follower", 2, 3]);
  assertEquals(sentOf(ready, "AppendEntriesResponse").map(({ to, message }) => [to, message.success]), [
    [2, true],
  ]);
});

Deno.test("§5.2 a candidate that hears from a leader of a past term stays a candidate", () => {
  const server = candidateOf(VOTERS, 3);
  const ready = server.receiveDurably(2, appendRequest({ term: 2 }));
  assertEquals([server.view.role, server.view.currentTerm], ["candidate", 3]);
  assertEquals(sentOf(ready, "AppendEntriesResponse").map(({ message }) => message.term), [3]);
});

Deno.test("§5.2 a candidate that neither wins nor loses starts a new election in a new term", () => {
  const server = candidateOf(FIVE, 3);
  server.receiveDurably(2, voteResponse(3));
  server.waitForWake();
  assertEquals(eventsOf(server.settle(), "role").map(({ to }) => to), ["preCandidate"]);
  for (const from of [2, 3]) server.receiveDurably(from, preVoteResponse(3, 4));
  assertEquals([server.view.role, server.view.currentTerm], ["candidate", 4]);
  server.receiveDurably(3, voteResponse(3));
  server.receiveDurably(4, voteResponse(3));
  assertEquals(server.view.role, "candidate", "votes of the last election do not count in this one");
});

Deno.test("§5.2 a split vote elects nobody, and the next timeout resolves it", () => {
  const luck = new Map([[1, 0.1], [2, 0.1], [3, 0.9], [4, 0.9]]);
  const cluster = new TestCluster(4, (id) => ({ random: () => luck.get(id) ?? 0.5 }));
  for (const id of [1, 2]) cluster.server(id).waitForWake();
  do {
    for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
    // Node 2 does not hear in time that node 1 stands: it would yield.
    const isLost = ({ from, to, message }: Packet) =>
      message.type === "PreVoteRequest" && from === 1 && to === 2;
    const packets = cluster.packets.filter((packet) => !isLost(packet));
    cluster.packets = [];
    // Node 4 is nearer to node 2, so that it hears of it first.
    const isLate = (packet: Packet) => packet.from === 1 && packet.to === 4;
    for (const packet of packets.filter((packet) => !isLate(packet))) cluster.deliver(packet);
    for (const packet of packets.filter(isLate)) cluster.deliver(packet);
    for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
  } while (cluster.packets.length > 0);
  assertEquals(cluster.alive.map((server) => server.view.votedFor), [1, 2, 1, 2]);
  assertEquals(cluster.leaders, [], "two votes each are no majority of four");
  luck.set(2, 0.5);
  cluster.wait(2 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
});

Deno.test("§5.2 election timeouts are drawn anew, evenly from min to max, for every election", () => {
  const draws = [0, 0.25, 0.999, 0.5, 0.75];
  const server = new TestServer(1, VOTERS, { random: () => draws.shift() ?? 0 });
  const timeouts: number[] = [];
  for (let elections = 0; elections < 5; elections++) {
    timeouts.push(server.nextWakeMs() - server.nowMs);
    server.waitForWake();
    server.settle();
  }
  assertEquals(timeouts.map(Math.round), [180, 225, 360, 270, 315]);
  assert(timeouts.every((timeout) => timeout >= ELECTION_MIN_MS && timeout < ELECTION_MAX_MS));
});

Deno.test("§5.2 granting a vote restarts the election timer, refusing one does not", () => {
  const server = new TestServer(1, VOTERS, { entries: logOf(1, 1) });
  const wake = server.nextWakeMs();
  server.wait(100);
  server.receiveDurably(2, voteRequest(2, 1, 1));
  assertEquals([server.nextWakeMs(), server.view.currentTerm], [wake, 2], "refused: the log is behind");
  server.receiveDurably(3, voteRequest(2, 2, 1));
  assertEquals(server.nextWakeMs(), wake + 100);
});

Deno.test("§5.2 votes of the same voter count once, however often they arrive", () => {
  const server = candidateOf(FIVE, 3);
  for (let copies = 0; copies < 5; copies++) server.receiveDurably(2, voteResponse(3));
  assertEquals(server.view.role, "candidate");
});

Deno.test("§5.2 a follower tells who leads, once", () => {
  const server = new TestServer(1, VOTERS);
  assertEquals(eventsOf(server.receive(2, appendRequest({ term: 1 })), "leader"), [
    { kind: "leader", term: 1, leader: 2 },
  ]);
  assertEquals(eventsOf(server.receive(2, appendRequest({ term: 1 })), "leader"), []);
  assertEquals(eventsOf(server.receive(3, appendRequest({ term: 2 })), "leader"), [
    { kind: "leader", term: 2, leader: 3 },
  ]);
});

Deno.test("§5.4.1 a voter refuses a candidate whose log is less up-to-date, and no other", () => {
  const own = logOf(1, 2, 2);
  const cases: { lastLogIndex: number; lastLogTerm: number; isGranted: boolean }[] = [
    { lastLogIndex: 3, lastLogTerm: 2, isGranted: true },
    { lastLogIndex: 4, lastLogTerm: 2, isGranted: true },
    { lastLogIndex: 2, lastLogTerm: 2, isGranted: false },
    { lastLogIndex: 1, lastLogTerm: 3, isGranted: true },
    { lastLogIndex: 9, lastLogTerm: 1, isGranted: false },
    { lastLogIndex: 0, lastLogTerm: 0, isGranted: false },
  ];
  for (const { lastLogIndex, lastLogTerm, isGranted } of cases) {
    const refusal = isGranted ? "none" : "logBehind";
    const name = `${lastLogIndex}@${lastLogTerm}`;
    const server = new TestServer(1, VOTERS, { entries: own, hardState: { currentTerm: 3, votedFor: 0 } });
    const pre = server.receiveDurably(2, preVoteRequest(4, lastLogIndex, lastLogTerm));
    assertEquals(pre.messages, toEach([2], preVoteResponse(3, 4, refusal)), name);
    const real = server.receiveDurably(2, voteRequest(4, lastLogIndex, lastLogTerm));
    assertEquals(real.messages, toEach([2], voteResponse(4, refusal)), name);
    assertEquals(server.disk.hardState, { currentTerm: 4, votedFor: isGranted ? 2 : 0 }, name);
  }
});

Deno.test("§5.4.1 a refused candidate leaves the vote to the one whose log is up-to-date", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 2),
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  server.receiveDurably(2, voteRequest(3, 9, 1));
  const ready = server.receiveDurably(3, voteRequest(3, 2, 2));
  assertEquals(ready.messages, toEach([3], voteResponse(3)));
});

Deno.test("§5.4.1 whoever is elected has all that is committed", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.partition([1, 2], [3]);
  cluster.commit(1, 1);
  assertEquals(cluster.server(1).view.commitIndex, 2);
  cluster.heal();
  cluster.crash(1);
  cluster.server(2).wait(ELECTION_MIN_MS);
  cluster.server(3).waitForWake();
  cluster.run();
  assertNotEquals(cluster.server(3).view.role, "leader", "node 3 lacks a committed entry");
  cluster.elect(2);
  cluster.heartbeat(2);
  assertEquals(cluster.server(3).view.commitIndex, 3);
});

Deno.test("§5.2 a leader never votes, and two terms have two leaders at most one of which commits", () => {
  const leader = leaderOf(VOTERS, 2);
  const ready = leader.receiveDurably(2, voteRequest(2, 9, 1));
  assertEquals(ready.messages, toEach([2], voteResponse(2, "alreadyVoted")));

  const cluster = new TestCluster(5);
  cluster.elect(1);
  cluster.partition([1, 2], [3, 4, 5]);
  cluster.server(1).propose(1);
  cluster.run();
  for (const id of [4, 5]) cluster.server(id).wait(ELECTION_MIN_MS);
  cluster.server(3).waitForWake();
  cluster.run();
  assertEquals(cluster.leaders, [1, 3]);
  cluster.commit(3, 2);
  assertEquals(cluster.server(1).view.commitIndex, 1);
  assertEquals(cluster.server(3).view.commitIndex, 3);
});

Deno.test("§5.2 a server that follows the leader of its term keeps the vote that it has given in it", () => {
  const candidate = candidateOf(VOTERS, 3);
  candidate.receiveDurably(2, appendRequest({ term: 3 }));
  assertEquals([candidate.view.role, candidate.disk.hardState], ["follower", {
    currentTerm: 3,
    votedFor: 1,
  }]);
  assertEquals(
    candidate.receiveDurably(3, voteRequest(3, 9, 3)).messages,
    toEach([3], voteResponse(3, "alreadyVoted")),
  );

  const leader = leaderOf(VOTERS, 3);
  leader.wait(2 * ELECTION_MAX_MS);
  leader.settle();
  assertEquals([leader.view.role, leader.disk.hardState], ["follower", { currentTerm: 3, votedFor: 1 }]);
  assertEquals(
    leader.receiveDurably(3, voteRequest(3, 9, 3)).messages,
    toEach([3], voteResponse(3, "alreadyVoted")),
  );
});

Deno.test("§5.2 whoever steps down waits for a whole election timeout before it stands", () => {
  const leader = leaderOf(VOTERS, 3);
  leader.wait(ELECTION_MAX_MS);
  leader.settle();
  leader.receiveDurably(2, appendResponse({ term: 9, requestTerm: 3, success: false }));
  assertEquals([leader.view.role, leader.nextWakeMs() - leader.nowMs], ["follower", 270]);

  const candidate = candidateOf(VOTERS, 3);
  candidate.wait(100);
  candidate.receiveDurably(2, voteResponse(9, "staleTerm", 3));
  assertEquals([candidate.view.role, candidate.nextWakeMs() - candidate.nowMs], ["follower", 270]);
});

Deno.test("§5.2 a candidate has a whole election timeout to win, however long the asking around took", () => {
  const server = new TestServer(1, VOTERS);
  server.waitForWake();
  server.settle();
  server.wait(200);
  server.receiveDurably(2, preVoteResponse(0, 1));
  assertEquals([server.view.role, server.nextWakeMs() - server.nowMs], ["candidate", 270]);
});
