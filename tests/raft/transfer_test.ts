/** Handing over the leadership (src/raft/transfer.ts). */
import { assert, assertEquals } from "@std/assert";
import type { PeerMessage } from "../../packraft/mod.ts";
import type { NodeId, Ready } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import {
  acknowledge,
  ELECTION_MAX_MS,
  HEARTBEAT_MS,
  leaderOf,
  membersOf,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import { deregister, shown } from "./members.ts";
import {
  appendRequest,
  assertReady,
  eventsOf,
  logOf,
  preVoteRequest,
  preVoteResponse,
  sentOf,
  toEach,
  voteRequest,
  voteResponse,
} from "./messages.ts";

const VOTERS = [1, 2, 3];
const TIMEOUT_NOW: PeerMessage = { type: "TimeoutNowRequest", term: 2 };

function settledLeader(voters: readonly number[] = VOTERS, learners: readonly number[] = []): TestServer {
  return settledLeaderOf(voters, 2, [], { configuration: membersOf(voters, learners) });
}

/** Who is told to stand. */
function told(ready: Ready): NodeId[] {
  return sentOf(ready, "TimeoutNowRequest").map(({ to }) => to);
}

/** Asks for a transfer; returns why it was refused. */
function refusal(leader: TestServer, to: NodeId): string | undefined {
  leader.transfer(7, to);
  const [refused] = leader.settle().refused;
  return refused === undefined ? undefined : `${refused.reason}: ${refused.detail}`;
}

/** Time passes, and `followers` keep the leader in office. */
function passTime(leader: TestServer, ms: number, followers: readonly NodeId[] = [2, 3]): Ready[] {
  const readies: Ready[] = [];
  for (let passed = 0; passed < ms; passed += HEARTBEAT_MS) {
    leader.wait(HEARTBEAT_MS);
    readies.push(leader.settle());
    for (const from of followers) readies.push(acknowledge(leader, from));
  }
  return readies;
}

Deno.test("thesis §3.10: the successor is told to stand at once if it has everything", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  const ready = leader.settle();
  assertEquals(sentOf(ready, "TimeoutNowRequest"), toEach([3], TIMEOUT_NOW));
  assertEquals(eventsOf(ready, "transferBegun"), [{ kind: "transferBegun", to: 3 }]);
  assertEquals(leader.view.role, "leader", "until it hears of another");
});

Deno.test("thesis §3.10: it is not told before it has all that the leader has, and all of that is committed", () => {
  const leader = settledLeader([1, 2, 3, 4, 5]);
  leader.propose(1);
  leader.transfer(7, 3);
  assertEquals(told(leader.settle()), []);
  assertEquals(told(acknowledge(leader, 3)), [], "two of five have it");
  assertEquals(told(acknowledge(leader, 2)), [3]);

  const behind = settledLeader();
  behind.propose(1);
  behind.settle();
  acknowledge(behind, 2);
  behind.transfer(7, 3);
  assertEquals([behind.view.commitIndex, told(behind.settle())], [2, []], "node 3 could not win");
  assertEquals(told(acknowledge(behind, 3)), [3]);
});

Deno.test("it is told again with each heartbeat, for messages get lost, and not more often", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  assertEquals(told(acknowledge(leader, 2)), []);
  const times = passTime(leader, 5 * HEARTBEAT_MS).flatMap(told);
  assertEquals(times, [3, 3, 3, 3, 3]);
});

Deno.test("while it hands over a leader takes no commands, and reads go on", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  leader.propose(8);
  leader.read(70);
  assertEquals(leader.settle().refused, [{ token: 8, reason: "handingOver" }]);
  acknowledge(leader, 2);
  assertEquals([leader.view.lastLogIndex, leader.reads], [1, [70]]);
});

Deno.test("after an election timeout it goes on, and says why it came to nothing", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  const readies = passTime(leader, ELECTION_MAX_MS + HEARTBEAT_MS);
  const reason = "node 3 was told to stand, and was not elected in time";
  assertEquals(readies.flatMap(({ refused }) => refused), [{
    token: 7,
    reason: "transferFailed",
    detail: reason,
  }]);
  assertEquals(readies.flatMap((ready) => eventsOf(ready, "transferFailed")), [
    { kind: "transferFailed", to: 3, reason },
  ]);
  leader.propose(9);
  assertEquals(leader.settle().accepted.map(({ token }) => token), [9]);
});

Deno.test("if the successor did not catch up, that is the reason", () => {
  const leader = settledLeader();
  leader.propose(1);
  leader.settle();
  leader.transfer(7, 3);
  for (let passed = 0; passed <= ELECTION_MAX_MS + HEARTBEAT_MS; passed += HEARTBEAT_MS) {
    acknowledge(leader, 2);
    acknowledge(leader, 3, 1);
    leader.wait(HEARTBEAT_MS);
    const [refused] = leader.settle().refused;
    if (refused !== undefined) {
      assertEquals(refused.detail, "node 3 did not catch up in time");
      return;
    }
  }
  throw new Error("it was not given up");
});

Deno.test("a transfer to one that cannot lead is refused at once, with the reason", () => {
  const leader = settledLeader(VOTERS, [4]);
  assertEquals(refusal(leader, 9), "transferFailed: node 9 is not a member; the members are 1, 2, 3, 4");
  assertEquals(refusal(leader, 4), "transferFailed: node 4 is a learner, which cannot lead");
  passTime(leader, ELECTION_MAX_MS + HEARTBEAT_MS, [2]);
  assertEquals(refusal(leader, 3), "transferFailed: node 3 has not been heard from lately");
  assertEquals(leader.view.role, "leader");
});

Deno.test("a server that does not lead refuses; one alone has nobody to hand over to", () => {
  const follower = new TestServer(1, VOTERS);
  follower.transfer(7, 2);
  assertEquals(follower.take().refused, [{ token: 7, reason: "notLeader" }]);
  const alone = new TestServer(1, [1]);
  alone.wait(0);
  alone.settle();
  assertEquals(refusal(alone, 0), "transferFailed: no other voter has been heard from");
});

Deno.test("a transfer to the leader itself has come about already", () => {
  const leader = settledLeader();
  leader.transfer(7, 1);
  assertReady(leader.take(), { transferred: [{ token: 7, leader: 1 }] });
});

Deno.test("with 0 the voter with the most of the log is chosen, of those that answer", () => {
  const leader = settledLeader([1, 2, 3, 4, 5], [6]);
  leader.propose(1);
  leader.settle();
  acknowledge(leader, 6); // a learner
  acknowledge(leader, 4);
  acknowledge(leader, 3, 1);
  leader.transfer(7, 0);
  assertEquals(eventsOf(leader.settle(), "transferBegun").map(({ to }) => to), [4]);

  const another = settledLeader([1, 2, 3, 4, 5]);
  another.propose(1);
  another.settle();
  acknowledge(another, 4);
  passTime(another, 2 * ELECTION_MAX_MS, [2, 3]);
  another.transfer(7, 0);
  const [begun] = eventsOf(another.settle(), "transferBegun");
  assert(begun?.to === 2 || begun?.to === 3, "node 4 is silent by now");
});

Deno.test("who asks for the same transfer meanwhile is told with the others, and who wants another is refused", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  leader.transfer(8, 3);
  leader.transfer(9, 0);
  leader.transfer(10, 2);
  assertEquals(leader.settle().refused, [
    { token: 10, reason: "transferFailed", detail: "it is being handed over to node 3 already" },
  ]);
  leader.receiveDurably(3, voteRequest(3, 1, 2, true));
  const ready = leader.receiveDurably(3, appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 2 }));
  assertEquals(ready.transferred, [7, 8, 9].map((token) => ({ token, leader: 3 })));
});

Deno.test("whoever leads next, those who wait for the transfer are told which it is", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  const ready = leader.receiveDurably(2, appendRequest({ term: 5, prevLogIndex: 1, prevLogTerm: 2 }));
  assertEquals(ready.transferred, [{ token: 7, leader: 2 }]);
});

Deno.test("a leader that steps down while it hands over and is elected again tells that it leads itself", () => {
  const leader = settledLeader();
  leader.transfer(7, 3);
  leader.settle();
  leader.receiveDurably(3, voteRequest(3, 1, 2, true));
  assertEquals(leader.view.role, "follower");
  leader.waitForWake();
  leader.settle();
  leader.receiveDurably(2, preVoteResponse(3, 4));
  const ready = leader.receiveDurably(2, voteResponse(4));
  assertEquals([leader.view.role, ready.transferred], ["leader", [{ token: 7, leader: 1 }]]);
});

// ------------------------------------------------------------------------------------ the successor

/** Node 3, which follows node 1 in term 2 and has just heard from it. */
function follower(): TestServer {
  const server = new TestServer(3, VOTERS, { entries: logOf(1), hardState: { currentTerm: 2, votedFor: 1 } });
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1 }));
  return server;
}

Deno.test("who is told to stand does so without asking first, and says that the leader wishes it", () => {
  const server = follower();
  const ready = server.receive(1, TIMEOUT_NOW);
  assertEquals(eventsOf(ready, "role").map(({ to, reason }) => [to, reason]), [[
    "candidate",
    "node 1 hands over",
  ]]);
  assertEquals(sentOf(ready, "RequestVoteRequest"), [], "its own vote is not durable yet");
  const requests = sentOf(server.settle(), "RequestVoteRequest");
  assertEquals(requests, [1, 2].map((to) => ({ to, message: voteRequest(3, 1, 1, true) })));
});

Deno.test("voters that have just heard from the leader vote all the same, and so does the leader", () => {
  const voter = follower();
  const wished = voter.receiveDurably(2, voteRequest(3, 1, 1, true));
  assertEquals(wished.messages, toEach([2], voteResponse(3)));
  const leader = settledLeader();
  const ready = leader.receiveDurably(3, voteRequest(3, 1, 2, true));
  assertEquals([ready.messages, leader.view.role], [toEach([3], voteResponse(3)), "follower"]);
});

Deno.test("but not for a candidate with less than they have, nor twice, nor for one of which they have never heard", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1));
  const refused = (voter: TestServer, from: NodeId, request = voteRequest(3, 1, 1, true)) =>
    sentOf(voter.receiveDurably(from, request), "RequestVoteResponse").map(({ message }) => message.refusal);
  assertEquals(refused(leader, 3), ["logBehind"]);
  const voter = follower();
  assertEquals(refused(voter, 2), ["none"]);
  assertEquals(refused(voter, 1), ["alreadyVoted"]);
  const other = follower();
  assertEquals([refused(other, 9), other.view.currentTerm], [["removed"], 2]);
});

Deno.test("a usual candidate is still refused while a leader is alive, and a PreVote too", () => {
  const voter = follower();
  assertEquals(
    [voteRequest(3, 9, 2), preVoteRequest(3, 9, 2)].map((request) => {
      const [answer] = voter.receiveDurably(2, request).messages;
      assert(answer?.message.type === "PreVoteResponse" || answer?.message.type === "RequestVoteResponse");
      return answer.message.refusal;
    }),
    ["leaderAlive", "leaderAlive"],
  );
  assertEquals(voter.view.currentTerm, 2);
});

Deno.test("who is told in a term that is over, or leads or stands itself, does not begin anew", () => {
  const reason = "that term is over, or its leader is another";
  const server = follower();
  server.receiveDurably(2, appendRequest({ term: 4, prevLogIndex: 1, prevLogTerm: 1 }));
  const candidate = follower();
  candidate.receiveDurably(1, TIMEOUT_NOW);
  const before = candidate.view.currentTerm;
  for (const [one, from] of [[server, 1], [candidate, 1], [settledLeader(), 2]] as const) {
    assertEquals(eventsOf(one.receiveDurably(from, TIMEOUT_NOW), "ignored").map((event) => event.reason), [
      reason,
    ]);
  }
  assertEquals([server.view.role, candidate.view.currentTerm], ["follower", before]);
});

Deno.test("one that has not got back all it promised does not stand because it is told to", () => {
  const server = new TestServer(3, VOTERS, {
    entries: logOf(1),
    hardState: { currentTerm: 2, votedFor: 0, rejoinTerm: 2 },
  });
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1 }));
  assertEquals(eventsOf(server.receiveDurably(1, TIMEOUT_NOW), "ignored").map(({ reason }) => reason), [
    "may not stand",
  ]);
});

// --------------------------------------------------------------------------------------- the cluster

Deno.test("a transfer takes no time but that of the messages, and loses nothing", () => {
  const cluster = new TestCluster(5);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  cluster.commit(1, 1);
  leader.transfer(7, 4);
  const transferred: Ready["transferred"][number][] = [];
  for (let rounds = 0; rounds < 10; rounds++) {
    for (const server of cluster.alive) {
      const ready = server.settle();
      transferred.push(...ready.transferred);
      cluster.send(server.id, ready.messages);
    }
    for (const packet of cluster.packets.splice(0)) cluster.deliver(packet);
  }
  assertEquals([cluster.leaders, transferred], [[4], [{ token: 7, leader: 4 }]]);
  assertEquals(cluster.server(4).view.currentTerm, 2);
  cluster.commit(4, 2);
  assertEquals(cluster.server(4).view.commitIndex, 4);
});

Deno.test("if the request to stand is lost, the next heartbeat repeats it; if the successor is dead, the leader goes on", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  leader.transfer(7, 2);
  leader.settle(); // lost
  cluster.heartbeat(1);
  assertEquals(cluster.leaders, [2]);

  const second = cluster.server(2);
  cluster.heartbeat(2);
  cluster.crash(3);
  second.transfer(8, 3);
  cluster.wait(2 * ELECTION_MAX_MS);
  cluster.commit(2, 9);
  assertEquals([cluster.leaders, second.view.currentTerm], [[2], 2]);
});

Deno.test("those who wait for a transfer of a leader that is removed meanwhile hear of its end", () => {
  const leader = settledLeader();
  leader.changeMembers(1, deregister(1));
  leader.settle();
  leader.transfer(7, 2);
  assertEquals([leader.settle().refused, shown(leader.view.configuration)], [[], "2 3"]);
  const readies = [acknowledge(leader, 2), acknowledge(leader, 3)];
  assertEquals(leader.view.role, "follower");
  leader.wait(2 * ELECTION_MAX_MS);
  readies.push(leader.settle());
  // The next leader does not speak to it any more.
  const answered = readies.flatMap(({ transferred, refused }) => [...transferred, ...refused]);
  assertEquals(answered.map(({ token }) => token), [7]);
});
