/** How a new member with an empty disk begins, once (src/raft/rejoin.ts, membership.ts). */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { PeerMessage } from "../../packraft/mod.ts";
import type { Member, NodeId } from "../../src/raft/mod.ts";
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
import { deregister, membersEntry, register, shown } from "./members.ts";
import { appendRequest, eventsOf, noop, rejoinResponse, sentOf, voteRequest } from "./messages.ts";

const VOTERS = [1, 2, 3];
const ROUND = 77;

/** A leader of term 2 whose log ends with entry 2, by which node 4 is a learner. */
function leaderWithLearner(): TestServer {
  const leader = settledLeaderOf(VOTERS, 2);
  leader.changeMembers(1, register(4));
  leader.settle();
  acknowledge(leader, 2);
  assertEquals(leader.view.commitIndex, 2);
  return leader;
}

/** What node 4 is told when it asks in `round`. */
function askedBy(leader: TestServer, round: number, from: NodeId = 4) {
  const ready = leader.receiveDurably(from, { type: "RejoinRequest", term: 0, round });
  const [answer] = sentOf(ready, "RejoinResponse");
  assert(answer?.message !== undefined);
  return { ready, answer: answer.message };
}

function memberFour(server: TestServer): Member | undefined {
  return server.view.configuration.members.find(({ id }) => id === 4);
}

/** Node 4 with an empty disk, and the round in which it asks. */
function newcomer(): { server: TestServer; round: number } {
  const server = new TestServer(4, VOTERS, { memory: "new", configuration: membersOf(VOTERS, [4]) });
  server.wait(0);
  const [asked] = sentOf(server.settle(), "RejoinRequest");
  assert(asked !== undefined);
  return { server, round: asked.message.round };
}

Deno.test("a learner that asks to begin is noted in the log with its round, and told so when that is committed", () => {
  const leader = leaderWithLearner();
  const { ready, answer } = askedBy(leader, ROUND);
  assertEquals([answer.isAdmitted, answer.round], [false, ROUND]);
  const noted = (member: Member) => member.id === 4 ? { ...member, admission: ROUND } : member;
  assertEquals(ready.persist?.entries, [membersEntry(3, 2, VOTERS, [4], noted)]);
  assertEquals(askedBy(leader, ROUND).answer.isAdmitted, false, "it may yet be lost");
  acknowledge(leader, 3);
  assertEquals(leader.view.commitIndex, 3);
  assertEquals([askedBy(leader, ROUND).answer.isAdmitted, askedBy(leader, ROUND).answer.term], [true, 2]);
  assertEquals(leader.view.lastLogIndex, 3, "asking again changes nothing");
});

Deno.test("it is taken in once: an empty disk that asks in another round has forgotten something", () => {
  const leader = leaderWithLearner();
  askedBy(leader, ROUND);
  acknowledge(leader, 3);
  const { ready, answer } = askedBy(leader, ROUND + 1);
  assertEquals([answer.isAdmitted, answer.memory, ready.persist], [false, "whole", undefined]);
  assertEquals(memberFour(leader)?.admission, ROUND);
});

Deno.test("one that is no member, or a voter, is not taken in; nor does a server that does not lead take in anyone", () => {
  const leader = leaderWithLearner();
  for (const from of [2, 9]) {
    assertEquals([askedBy(leader, ROUND, from).answer.isAdmitted, leader.view.lastLogIndex], [false, 2]);
  }
  const follower = new TestServer(2, VOTERS, { configuration: membersOf(VOTERS, [4]) });
  assertEquals([askedBy(follower, ROUND).answer.isAdmitted, follower.view.lastLogIndex], [false, 0]);
});

Deno.test("nobody is taken in while another change is under way, or by a leader that has committed nothing yet", () => {
  const changing = leaderWithLearner();
  changing.changeMembers(2, deregister(3));
  changing.settle();
  askedBy(changing, ROUND);
  assertEquals([memberFour(changing)?.admission, changing.view.lastLogIndex], [0, 3]);

  const fresh = leaderOf(VOTERS, 2, [noop(1, 1)], { configuration: membersOf(VOTERS, [4]) });
  askedBy(fresh, ROUND);
  assertEquals([memberFour(fresh)?.admission, fresh.view.lastLogIndex], [0, 2]);
});

Deno.test("what the leader knew of it before counts no more: it begins with nothing", () => {
  const leader = leaderWithLearner();
  leader.propose(1);
  leader.settle();
  acknowledge(leader, 4, 1);
  assertEquals(leader.view.progress?.get(4)?.matchIndex, 1);
  const { part } = leader.view;
  const oldRound = part.name === "leader" ? part.reads.round : 0;
  acknowledge(leader, 2);
  askedBy(leader, ROUND);
  assertEquals([leader.view.progress?.get(4)?.matchIndex, leader.view.progress?.get(4)?.mode], [0, "probe"]);
  leader.receiveDurably(4, {
    type: "AppendEntriesResponse",
    term: 2,
    requestTerm: 2,
    success: true,
    matchIndex: 3,
    prevLogIndex: 2,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: oldRound,
    hashIndex: 0,
    stateHash: 0,
  });
  assertEquals(leader.view.progress?.get(4)?.matchIndex, 0, "an answer of its earlier life");
});

Deno.test("it begins in the leader's term as one that has voted for that leader, and that is durable first", () => {
  const { server, round } = newcomer();
  const configurations = [{ ...membersOf(VOTERS, [4]), index: 2, term: 2 }];
  server.step({
    kind: "message",
    from: 1,
    message: rejoinResponse({ term: 5, round, isAdmitted: true, configurations }),
  });
  const ready = server.take();
  assertEquals(ready.persist?.hardState, { currentTerm: 5, votedFor: 1, rejoinTerm: 5 });
  assertEquals(eventsOf(ready, "role").map(({ from, to, reason }) => [from, to, reason]), [
    ["rejoining", "follower", "node 1 has taken it in as a new member"],
  ]);
  assertEquals([server.view.role, server.view.currentTerm, server.view.votedFor], ["follower", 5, 1]);
  assertEquals(server.view.configuration, configurations[0]);
  server.settle();
  const [refused] = sentOf(server.receiveDurably(2, voteRequest(5, 9, 4)), "RequestVoteResponse");
  assertEquals(refused?.message.voteGranted, false);
});

Deno.test("it votes in later terms when it has the log up to the entry of that term, and not before", () => {
  const { server, round } = newcomer();
  const admitted: PeerMessage = rejoinResponse({ term: 5, round, isAdmitted: true });
  server.receiveDurably(1, admitted);
  const refusalOf = (term: number) => {
    server.wait(ELECTION_MAX_MS);
    return sentOf(server.receiveDurably(2, voteRequest(term, 99, 6)), "RequestVoteResponse")[0]?.message
      .refusal;
  };
  server.receiveDurably(1, appendRequest({ term: 5, entries: [noop(1, 1), noop(2, 4)] }));
  assertEquals([server.view.mayVote, refusalOf(7)], [false, "memoryLost"]);
  server.receiveDurably(
    1,
    appendRequest({ term: 8, prevLogIndex: 2, prevLogTerm: 4, entries: [noop(3, 5)] }),
  );
  assertEquals([server.view.mayVote, refusalOf(9)], [true, "none"]);
});

Deno.test("answers in other rounds, that it is taken in or not, say nothing to this life", () => {
  const { server, round } = newcomer();
  for (const other of [0, 1, round - 1, round + 1]) {
    server.receiveDurably(1, rejoinResponse({ term: 5, round: other, isAdmitted: true }));
  }
  assertEquals([server.view.role, server.view.currentTerm], ["rejoining", 0]);
});

Deno.test("a newcomer does not come back by the answers of all others: the leader has to take it in", () => {
  const { server, round } = newcomer();
  for (const from of VOTERS) server.receiveDurably(from, rejoinResponse({ term: 5, round }));
  assertEquals(server.view.role, "rejoining");
});

Deno.test("from the registration to the vote: a node with an empty disk begins, catches up and becomes a voter by itself", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  for (let token = 1; token <= 5; token++) cluster.commit(1, token);
  const four = cluster.add(4, { memory: "new" });
  cluster.wait(2 * HEARTBEAT_MS);
  assertEquals(four.view.role, "rejoining", "it is not registered");
  cluster.change(1, register(4));
  cluster.wait(10 * HEARTBEAT_MS);
  assertEquals([shown(leader.view.committedConfiguration), four.view.role], ["1 2 3 4", "follower"]);
  assertNotEquals(memberFour(leader)?.admission, 0);
  assertEquals([four.log, four.view.mayVote, four.disk.memory], [leader.log, true, "whole"]);
  cluster.crash(1);
  cluster.crash(2);
  cluster.wait(3 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders, [], "two of four");
});

Deno.test("a second empty disk under the same id has to ask all others, and comes back when all have answered", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  cluster.add(4, { memory: "new" });
  cluster.change(1, register(4));
  cluster.wait(10 * HEARTBEAT_MS);
  assertEquals(shown(leader.view.committedConfiguration), "1 2 3 4");
  const admission = memberFour(leader)?.admission;
  cluster.crash(2);
  cluster.wipe(4);
  cluster.wait(20 * HEARTBEAT_MS);
  assertEquals([cluster.server(4).view.role, memberFour(leader)?.admission], ["rejoining", admission]);
  cluster.restart(2);
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals([cluster.server(4).view.role, cluster.server(4).view.mayVote], ["follower", true]);
  assert(cluster.server(4).view.currentTerm > 1, "in a term in which it can have promised nothing");
});
