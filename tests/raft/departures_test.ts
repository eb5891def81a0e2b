/** How a member leaves: the leader itself, another, one that was not there (src/raft/membership.ts). */
import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import {
  acknowledge,
  ELECTION_MAX_MS,
  HEARTBEAT_MS,
  membersOf,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import { deregister, membersEntry, register, shown } from "./members.ts";
import {
  appendRequest,
  appendResponse,
  command,
  eventsOf,
  logOf,
  noop,
  preVoteRequest,
  preVoteResponse,
  sentOf,
  voteRequest,
  voteResponse,
} from "./messages.ts";

const VOTERS = [1, 2, 3];
const FAREWELL_MS = 10 * ELECTION_MAX_MS;

/** A leader of term 2 of three that is removing `id` by entry 2. */
function leaderRemoving(id: number): TestServer {
  const leader = settledLeaderOf(VOTERS, 2);
  leader.changeMembers(1, deregister(id));
  leader.settle();
  return leader;
}

/** A refusal that says that the candidate was removed, as a voter has it since entry `configurationIndex`. */
function removedAt(configurationIndex: number) {
  return { ...preVoteResponse(0, 1, "removed"), configurationIndex };
}

// ---------------------------------------------------------------------------------- the leader itself

Deno.test("thesis §4.2.2: a leader that removes itself leads on and does not count itself: all others have to have the entry", () => {
  const leader = leaderRemoving(1);
  assertEquals([shown(leader.view.configuration), leader.view.role], ["2 3", "leader"]);
  acknowledge(leader, 2);
  assertEquals(
    [leader.view.commitIndex, leader.view.role],
    [1, "leader"],
    "1 of 2, and its own does not count",
  );
  acknowledge(leader, 3);
  assertEquals([leader.view.commitIndex, leader.view.role], [2, "follower"]);
});

Deno.test("meanwhile its reads, too, need a majority of the others", () => {
  const leader = leaderRemoving(1);
  leader.read(70);
  leader.settle();
  acknowledge(leader, 2, 1);
  assertEquals(leader.reads, []);
  acknowledge(leader, 3, 1);
  assertEquals(leader.reads, [70]);
});

Deno.test("it takes commands as long as it leads, and steps down if a majority of the others is silent", () => {
  const leader = leaderRemoving(1);
  leader.propose(5);
  assertEquals(leader.settle().accepted, [{ token: 5, index: 3, term: 2 }]);
  for (let passed = 0; passed <= ELECTION_MAX_MS; passed += HEARTBEAT_MS) {
    acknowledge(leader, 2, 1);
    leader.wait(HEARTBEAT_MS);
    leader.settle();
  }
  assertEquals(leader.view.role, "follower", "node 2 and itself would be two of three");
});

Deno.test("with the commit of its removal it steps down for good, tells the others, and lets the best one stand at once", () => {
  const leader = leaderRemoving(1);
  leader.propose(5);
  leader.settle();
  acknowledge(leader, 3, 2);
  const ready = acknowledge(leader, 2, 3);
  assertEquals(eventsOf(ready, "role").map(({ to, reason }) => [to, reason]), [[
    "follower",
    "was removed by entry 2",
  ]]);
  assertEquals(eventsOf(ready, "removed"), [{ kind: "removed", index: 2 }]);
  assertEquals(sentOf(ready, "TimeoutNowRequest"), [{
    to: 2,
    message: { type: "TimeoutNowRequest", term: 2 },
  }]);
  const commits = sentOf(ready, "AppendEntriesRequest").map(({ to, message }) => [to, message.leaderCommit]);
  assertEquals(commits, [[2, 2], [3, 2]]);
  leader.wait(10 * ELECTION_MAX_MS);
  assertEquals([leader.settle().messages, leader.view.role], [[], "follower"]);
});

Deno.test("a cluster whose leader removes itself has another leader at once, without an election timeout", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.change(1, deregister(1));
  const [next] = cluster.leaders;
  assert(next === 2 || next === 3);
  cluster.commit(next, 1);
  assertEquals(cluster.server(next).view.commitIndex, 4); // two no-ops, the removal, the command
  assertEquals(shown(cluster.server(next).view.committedConfiguration), "2 3");
  cluster.wait(3 * ELECTION_MAX_MS);
  assertEquals([cluster.leaders, cluster.server(next).view.currentTerm], [[next], 2], "it disturbs nobody");
});

Deno.test("thesis §4.2.2: if only the leader has the entry that removes it, its log may be the one that has to win", () => {
  const cluster = new TestCluster(2);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  leader.changeMembers(1, deregister(1));
  leader.settle(); // what it sends is lost
  cluster.restart(1);
  cluster.wait(10 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1, "node 2 needs the vote of node 1, whose log is longer");
});

// ----------------------------------------------------------------------------------- another member

Deno.test("a removed follower is sent the entry that removes it, and learns from its commit that it has left", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  const leader = cluster.server(1);
  leader.changeMembers(1, deregister(3));
  cluster.run();
  assertEquals([leader.view.commitIndex, cluster.eventsOf("removed")], [2, []]);
  cluster.heartbeat(1);
  cluster.heartbeat(1);
  assertEquals(cluster.eventsOf("removed"), [[3, { kind: "removed", index: 2 }]], "once");
});

Deno.test("a removed follower counts for nothing from the moment at which the leader has the entry", () => {
  const leader = leaderRemoving(3);
  acknowledge(leader, 3);
  assertEquals(leader.view.commitIndex, 1);
  leader.read(70);
  leader.settle();
  acknowledge(leader, 3);
  assertEquals(leader.reads, []);
  acknowledge(leader, 2);
  assertEquals([leader.view.commitIndex, leader.reads], [2, [70]]);
});

Deno.test("a removed follower is fed for a while, and then no more", () => {
  const leader = leaderRemoving(3);
  const toThree = () => {
    leader.wait(HEARTBEAT_MS);
    const ready = leader.settle();
    acknowledge(leader, 2);
    return sentOf(ready, "AppendEntriesRequest").filter(({ to }) => to === 3).length;
  };
  let fedMs = 0;
  while (toThree() > 0) {
    fedMs += HEARTBEAT_MS;
    assert(fedMs <= FAREWELL_MS + 2 * HEARTBEAT_MS, "it is fed for ever");
  }
  assert(fedMs >= FAREWELL_MS - HEARTBEAT_MS, `only for ${fedMs} ms`);
  assertEquals(leader.view.progress?.has(3), false);
});

Deno.test("a follower that is registered again begins anew: what it acknowledged before counts no more", () => {
  const leader = leaderRemoving(3);
  acknowledge(leader, 3);
  acknowledge(leader, 2);
  const late = appendResponse({ term: 2, matchIndex: 2, prevLogIndex: 2 });
  leader.changeMembers(2, register(3));
  leader.settle();
  leader.receiveDurably(3, late);
  assertEquals([leader.view.progress?.get(3)?.matchIndex, shown(leader.view.configuration)], [0, "1 2 3?"]);
  // An answer to what is sent from now on does.
  leader.wait(HEARTBEAT_MS);
  leader.settle();
  acknowledge(leader, 3, 2);
  assertEquals(leader.view.progress?.get(3)?.matchIndex, 2);
});

Deno.test("nor does what it answered to a piece of a snapshot", () => {
  const leader = leaderRemoving(3);
  acknowledge(leader, 2);
  leader.step({ kind: "snapshotTaken", index: 2 });
  leader.changeMembers(2, register(3));
  leader.settle();
  leader.receiveDurably(3, {
    type: "InstallSnapshotResponse",
    term: 2,
    requestTerm: 2,
    lastIncludedIndex: 2,
    nextOffset: 0,
    installed: true,
    readRound: 0,
  });
  assertEquals(leader.view.progress?.get(3)?.matchIndex, 0, "it is of an earlier life");
});

Deno.test("a follower that is catching up does not take the removal of an earlier life for its own", () => {
  const entries = [
    command(1, 1),
    membersEntry(2, 1, [1, 2, 3]),
    command(3, 1),
    membersEntry(4, 1, [1, 2, 3], [4]),
  ];
  const learner = new TestServer(4, [1, 2, 3, 4]);
  const first = appendRequest({ term: 2, entries: entries.slice(0, 3), leaderCommit: 4 });
  assertEquals(eventsOf(learner.receiveDurably(1, first), "removed"), []);
  assertEquals(shown(learner.view.configuration), "1 2 3");
  const second = appendRequest({
    term: 2,
    prevLogIndex: 3,
    prevLogTerm: 1,
    entries: entries.slice(3),
    leaderCommit: 4,
  });
  assertEquals(eventsOf(learner.receiveDurably(1, second), "removed"), []);
  assertEquals(shown(learner.view.committedConfiguration), "1 2 3 4?");
});

Deno.test("not even if the leader is new and does not know yet that more is committed", () => {
  const entries = [command(1, 1), membersEntry(2, 1, [1, 2, 3]), command(3, 1)];
  const again = new TestServer(4, [1, 2, 3, 4]);
  const request = appendRequest({ term: 2, entries, leaderCommit: 3 });
  assertEquals(eventsOf(again.receiveDurably(1, request), "removed"), [], "entry 4 may register it again");

  const joining = new TestServer(4, [1, 2, 3]);
  const first = appendRequest({ term: 2, entries: logOf(1), leaderCommit: 0 });
  assertEquals(eventsOf(joining.receiveDurably(1, first), "removed"), [], "nothing is known of it yet");
});

// ------------------------------------------------------------------------- one that was not there

/** Node 1, which knows for certain that node 4 was removed by entry 3, and has no leader. */
function voterThatKnows(): TestServer {
  const entries = [noop(1, 1), command(2, 1), membersEntry(3, 1, VOTERS)];
  const voter = new TestServer(1, [1, 2, 3, 4], { entries, hardState: { currentTerm: 1, votedFor: 2 } });
  voter.receiveDurably(2, appendRequest({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 3 }));
  voter.wait(ELECTION_MAX_MS / 2 + 1);
  return voter;
}

Deno.test("a candidate that was removed is told so, with the entry, whatever else would keep it from winning", () => {
  const voter = voterThatKnows();
  const asked = [preVoteRequest(2, 2, 1), voteRequest(2, 2, 1)].map((request) => {
    const ready = voter.receiveDurably(4, request);
    const [answer] = ready.messages;
    assert(answer?.message.type === "PreVoteResponse" || answer?.message.type === "RequestVoteResponse");
    assertEquals(eventsOf(ready, "voteRefused").map(({ to, reason }) => [to, reason]), [[4, "removed"]]);
    return [answer.message.refusal, answer.message.configurationIndex];
  });
  assertEquals(asked, [["removed", 3], ["removed", 3]]);
});

Deno.test("a voter that does not know of the commit tells it the usual reason, and a member never hears that it was removed", () => {
  const entries = [noop(1, 1), membersEntry(2, 1, VOTERS)];
  const unsure = new TestServer(1, [1, 2, 3, 4], { entries, hardState: { currentTerm: 1, votedFor: 2 } });
  const refusals = [[unsure, 4], [voterThatKnows(), 3]] as const;
  assertEquals(
    refusals.map(([voter, from]) =>
      sentOf(voter.receiveDurably(from, preVoteRequest(2, 1, 1)), "PreVoteResponse")
        .map(({ message }) => message.refusal)
    ),
    [["logBehind"], ["logBehind"]],
  );
});

Deno.test("a removed server that stands learns from the first refusal that it was removed, and disturbs nobody", () => {
  const removed = new TestServer(4, [1, 2, 3, 4]);
  removed.waitForWake();
  removed.settle();
  const ready = removed.receiveDurably(1, removedAt(7));
  assertEquals(eventsOf(ready, "removed"), [{ kind: "removed", index: 7 }]);
  assertEquals(eventsOf(ready, "role").map(({ to, reason }) => [to, reason]), [
    ["follower", "node 1 says that it was removed by entry 7"],
  ]);
  assertEquals(removed.view.currentTerm, 0);
});

Deno.test("one that has the entry which removes it, and not the news that it is committed, hears of it when it stands", () => {
  const entries = [noop(1, 1), membersEntry(2, 1, VOTERS)];
  const removed = new TestServer(4, [1, 2, 3, 4], { entries, hardState: { currentTerm: 1, votedFor: 1 } });
  removed.waitForWake();
  assertEquals(sentOf(removed.settle(), "PreVoteRequest").map(({ to }) => to), VOTERS);
  removed.receiveDurably(2, preVoteResponse(1, 2));
  assertEquals(removed.view.role, "preCandidate", "its own word does not count: one of three");
  const ready = removed.receiveDurably(1, { ...preVoteResponse(1, 2, "removed"), configurationIndex: 2 });
  assertEquals(eventsOf(ready, "removed"), [{ kind: "removed", index: 2 }]);
  removed.wait(5 * ELECTION_MAX_MS);
  assertEquals(removed.settle().messages, [], "and stands no more");
});

Deno.test("one that is registered again is told again when it is removed again", () => {
  const server = new TestServer(4, [1, 2, 3, 4]);
  const removals = [[1, 2], [3, 4]].flatMap(([first = 0, second = 0]) => {
    const entries = [membersEntry(first, 1, VOTERS, [4]), membersEntry(second, 1, VOTERS)];
    const prev = { prevLogIndex: first - 1, prevLogTerm: first === 1 ? 0 : 1 };
    return eventsOf(
      server.receiveDurably(1, appendRequest({ term: 1, ...prev, entries, leaderCommit: second })),
      "removed",
    );
  });
  assertEquals(removals.map(({ index }) => index), [2, 4]);
});

Deno.test("a voter with an older configuration than its own does not make a candidate believe that it was removed", () => {
  const joined = new TestServer(4, VOTERS, { entries: [noop(1, 1), membersEntry(2, 1, [1, 2, 3, 4])] });
  joined.waitForWake();
  joined.settle();
  for (const index of [0, 1, 2]) {
    const ready = joined.receiveDurably(1, removedAt(index));
    assertEquals([eventsOf(ready, "removed"), joined.view.role], [[], "preCandidate"]);
  }
  for (const from of [2, 3]) joined.receiveDurably(from, preVoteResponse(0, 1));
  assertEquals(joined.view.role, "candidate");
  joined.receiveDurably(1, { ...voteResponse(1, "removed"), configurationIndex: 2 });
  assertEquals(joined.view.role, "candidate");
});

Deno.test("a server that was cut off while it was removed causes no election when it is back, and knows soon", () => {
  const cluster = new TestCluster(4);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.crash(4);
  cluster.change(1, deregister(4));
  cluster.wait(FAREWELL_MS + HEARTBEAT_MS);
  const before = cluster.server(1).view.currentTerm;
  cluster.restart(4);
  cluster.wait(3 * ELECTION_MAX_MS);
  assertEquals(cluster.eventsOf("removed"), [[4, { kind: "removed", index: 2 }]]);
  assertEquals([cluster.leaders, cluster.server(1).view.currentTerm], [[1], before]);
});

Deno.test("the votes of one that was removed do not count, nor those of one that is not a member yet", () => {
  const entries = [noop(1, 1), membersEntry(2, 1, VOTERS)];
  const candidate = new TestServer(1, [1, 2, 3, 4], { entries, hardState: { currentTerm: 1, votedFor: 2 } });
  candidate.waitForWake();
  assertEquals(candidate.settle().messages.map(({ to }) => to), [2, 3]);
  for (const from of [4, 5]) candidate.receiveDurably(from, preVoteResponse(1, 2));
  assertEquals(candidate.view.role, "preCandidate");
});

Deno.test("a cluster of which all but one were removed goes on with that one", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  for (const id of [2, 3]) cluster.change(1, deregister(id));
  cluster.crash(2);
  cluster.crash(3);
  cluster.wait(2 * ELECTION_MAX_MS);
  cluster.commit(1, 1);
  assertEquals([leader.view.role, leader.view.commitIndex], ["leader", 4]);
  cluster.restart(1);
  cluster.wait(ELECTION_MAX_MS);
  assertEquals(leader.view.role, "leader");
  assertEquals(membersOf([1]).members, leader.view.configuration.members);
});
