/** A learner gets everything and counts for nothing, until it has caught up (src/raft/membership.ts). */
import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import {
  acknowledge,
  ELECTION_MAX_MS,
  ELECTION_MIN_MS,
  HEARTBEAT_MS,
  leaderOf,
  membersOf,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import { deregister, membersAt, membersEntry, register, shown } from "./members.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  eventsOf,
  logOf,
  noop,
  preVoteResponse,
  sentOf,
  voteRequest,
  voteResponse,
} from "./messages.ts";

const VOTERS = [1, 2, 3];
const WITH_LEARNERS = { configuration: membersOf(VOTERS, [4, 5]) };

/** A leader of term 2 with `learners`, who have nothing of its log so far. */
function leaderWith(learners: readonly number[], entries = logOf(1, 1)): TestServer {
  return settledLeaderOf(VOTERS, 2, entries, { configuration: membersOf(VOTERS, learners) });
}

/** Time passes, and nodes 2 and 3 keep the leader in office. */
function passTime(leader: TestServer, ms: number): void {
  for (let passed = 0; passed < ms; passed += HEARTBEAT_MS) {
    leader.wait(HEARTBEAT_MS);
    leader.settle();
    for (const from of [2, 3]) acknowledge(leader, from);
  }
}

Deno.test("learners commit nothing, however many have an entry", () => {
  const leader = settledLeaderOf(VOTERS, 2, [], WITH_LEARNERS);
  leader.propose(1);
  leader.settle();
  for (const from of [4, 5]) acknowledge(leader, from, 2);
  assertEquals(leader.view.commitIndex, 1);
  acknowledge(leader, 3, 2);
  assertEquals(leader.view.commitIndex, 2);
});

Deno.test("learners confirm no read", () => {
  const leader = settledLeaderOf(VOTERS, 2, [], WITH_LEARNERS);
  leader.read(70);
  leader.settle();
  for (const from of [4, 5]) acknowledge(leader, from, 0);
  assertEquals(leader.reads, []);
  acknowledge(leader, 2);
  assertEquals(leader.reads, [70]);
});

Deno.test("learners do not keep a leader in office", () => {
  const leader = settledLeaderOf(VOTERS, 2, [], WITH_LEARNERS);
  for (let passed = 0; leader.view.role === "leader"; passed += HEARTBEAT_MS) {
    assert(passed < 2 * ELECTION_MAX_MS, "it leads on with learners alone");
    leader.wait(HEARTBEAT_MS);
    leader.settle();
    for (const from of [4, 5]) acknowledge(leader, from, 0);
  }
});

Deno.test("learners are not asked for their votes, and none of theirs counts", () => {
  const candidate = new TestServer(1, VOTERS, WITH_LEARNERS);
  candidate.waitForWake();
  assertEquals(candidate.settle().messages.map(({ to }) => to), [2, 3]);
  for (const from of [4, 5]) candidate.receiveDurably(from, preVoteResponse(0, 1));
  assertEquals(candidate.view.role, "preCandidate");
  const asked = candidate.receiveDurably(2, preVoteResponse(0, 1));
  assertEquals(sentOf(asked, "RequestVoteRequest").map(({ to }) => to), [2, 3]);
  for (const from of [4, 5]) candidate.receiveDurably(from, voteResponse(1));
  assertEquals(candidate.view.role, "candidate");
  candidate.receiveDurably(3, voteResponse(1));
  assertEquals(candidate.view.role, "leader");
});

Deno.test("a learner never stands, and votes if it is asked: whoever asks may know that it is a voter by now", () => {
  const learner = new TestServer(4, VOTERS, WITH_LEARNERS);
  for (let i = 0; i < 5; i++) {
    learner.waitForWake();
    assertReady(learner.settle(), {});
  }
  assertEquals(learner.view.currentTerm, 0);
  assertEquals(learner.receiveDurably(2, voteRequest(1)).messages, [{ to: 2, message: voteResponse(1) }]);
});

Deno.test("a learner does not stand because it is told to", () => {
  const learner = new TestServer(4, VOTERS, WITH_LEARNERS);
  learner.receiveDurably(2, appendRequest({ term: 1 }));
  const ready = learner.receiveDurably(2, { type: "TimeoutNowRequest", term: 1 });
  assertReady(ready, {
    events: [{ kind: "ignored", from: 2, type: "TimeoutNowRequest", reason: "may not stand" }],
  });
});

Deno.test("a learner that has all within an election timeout becomes a voter by itself, and counts from then on", () => {
  const leader = leaderWith([4]);
  const ready = acknowledge(leader, 4);
  assertEquals(ready.persist?.entries, [membersEntry(4, 2, [1, 2, 3, 4])]);
  assertEquals(eventsOf(ready, "configuration").map(({ configuration }) => configuration), [
    membersAt(4, 2, [1, 2, 3, 4]),
  ]);
  // A quorum of four is three.
  acknowledge(leader, 4);
  assertEquals(leader.view.commitIndex, 3);
  acknowledge(leader, 2);
  assertEquals(leader.view.commitIndex, 4);
});

Deno.test("thesis §4.2.1: one that takes longer for a round than an election timeout goes through another, with what came meanwhile", () => {
  const leader = leaderWith([4]);
  passTime(leader, ELECTION_MIN_MS + HEARTBEAT_MS);
  leader.propose(1);
  leader.settle();
  acknowledge(leader, 4, 3);
  assertEquals(shown(leader.view.configuration), "1 2 3 4?", "it has what the round began with, too late");
  passTime(leader, ELECTION_MIN_MS / 2);
  acknowledge(leader, 4, 3);
  assertEquals(shown(leader.view.configuration), "1 2 3 4?", "of this round it has not all");
  acknowledge(leader, 4, 4);
  assertEquals(shown(leader.view.configuration), "1 2 3 4");
});

Deno.test("a learner that is silent, or refuses what does not fit, is not promoted", () => {
  const leader = leaderWith([4]);
  passTime(leader, 3 * ELECTION_MAX_MS);
  const refusal = { success: false, prevLogIndex: 3, conflictIndex: 1 };
  leader.receiveDurably(4, appendResponse({ term: 2, ...refusal }));
  assertEquals(shown(leader.view.configuration), "1 2 3 4?");
});

Deno.test("a promotion waits until the change before it is committed: of two learners one comes after the other", () => {
  const leader = leaderWith([4, 5]);
  acknowledge(leader, 4);
  acknowledge(leader, 5);
  assertEquals(shown(leader.view.configuration), "1 2 3 4 5?");
  for (const from of [2, 3]) acknowledge(leader, from);
  assertEquals(leader.view.commitIndex, 4);
  acknowledge(leader, 5);
  assertEquals(shown(leader.view.configuration), "1 2 3 4 5");
});

Deno.test("a new leader promotes nobody before it has committed in its term, nor one that hands over", () => {
  const fresh = leaderOf(VOTERS, 2, logOf(1), { configuration: membersOf(VOTERS, [4]) });
  acknowledge(fresh, 4);
  assertEquals(shown(fresh.view.configuration), "1 2 3 4?");

  const leaving = leaderWith([4]);
  leaving.transfer(1, 2);
  acknowledge(leaving, 4);
  assertEquals(shown(leaving.view.configuration), "1 2 3 4?");
});

Deno.test("a learner is not promoted before it has an entry of the leader's term: with less it may not be able to vote yet", () => {
  const leader = leaderWith([4]); // its no-op is entry 3
  acknowledge(leader, 4, 2);
  assertEquals(shown(leader.view.configuration), "1 2 3 4?");
  acknowledge(leader, 4, 3);
  assertEquals(shown(leader.view.configuration), "1 2 3 4");
});

Deno.test("a promotion that another leader takes back makes a learner of it again", () => {
  const leader = leaderWith([4]);
  acknowledge(leader, 4);
  assertEquals(shown(leader.view.configuration), "1 2 3 4");
  leader.receiveDurably(
    3,
    appendRequest({ term: 3, prevLogIndex: 3, prevLogTerm: 2, entries: [noop(4, 3)] }),
  );
  assertEquals(shown(leader.view.configuration), "1 2 3 4?");
});

Deno.test("a promoted voter stands itself when the leader is gone, and is elected with the votes of the new majority", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.add(4);
  cluster.change(1, register(4));
  for (let i = 0; i < 10; i++) cluster.heartbeat(1);
  assertEquals([...cluster.servers.values()].map(({ view }) => shown(view.committedConfiguration)), [
    "1 2 3 4",
    "1 2 3 4",
    "1 2 3 4",
    "1 2 3 4",
  ]);
  cluster.crash(1);
  const four = cluster.elect(4);
  assertEquals(four.view.currentTerm, 2);
  cluster.crash(2);
  cluster.wait(2 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders, [], "two of four are no majority");
});

Deno.test("a server that was away follows a leader of which it has never heard, and learns from it who the members are", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.crash(3);
  for (const id of [4, 5]) {
    cluster.add(id);
    cluster.change(1, register(id));
    for (let i = 0; i < 10; i++) cluster.heartbeat(1);
  }
  cluster.change(1, deregister(2));
  cluster.elect(5);
  cluster.restart(3);
  const away = cluster.server(3);
  assertEquals(shown(away.view.configuration), "1 2 3");
  cluster.wait(ELECTION_MAX_MS);
  assertEquals([away.view.leader, shown(away.view.configuration)], [5, "1 3 4 5"]);
});
