/**
 * One test for each protocol bug of the two programs that drafty descends from, drafty (in Python) and Chelsea
 * Troy's Raft, so that none comes back. The numbers are those of the list of these bugs; what does not concern the
 * Raft core (parsing, files, clients) is tested where it belongs.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { ELECTION_MAX_MS, ELECTION_MIN_MS, HEARTBEAT_MS, leaderOf, TestServer } from "./harness.ts";
import {
  appendRequest,
  appendResponse,
  command,
  logOf,
  noop,
  preVoteRequest,
  preVoteResponse,
  sentOf,
  termsOf,
  toEach,
  voteRequest,
  voteResponse,
} from "./messages.ts";

const VOTERS = [1, 2, 3];

Deno.test("drafty #1: a vote is recorded in the server that gives it, durable before the reply; so is a candidate's own", () => {
  const voter = new TestServer(1, VOTERS);
  assertEquals(voter.receive(2, voteRequest(1)).messages, []);
  assertEquals(voter.view.votedFor, 2);
  voter.finishWrite();
  assertEquals(voter.take().messages, toEach([2], voteResponse(1)));
  assertEquals(
    voter.receiveDurably(3, voteRequest(1)).messages,
    toEach([3], voteResponse(1, "alreadyVoted")),
  );

  const candidate = new TestServer(1, VOTERS);
  candidate.waitForWake();
  candidate.receiveDurably(2, preVoteResponse(0, 1));
  assertEquals(candidate.disk.hardState, { currentTerm: 1, votedFor: 1 });
});

Deno.test("drafty #2: a candidate with a shorter log of a later term is up-to-date", () => {
  const voter = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 1),
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  assertEquals(voter.receiveDurably(2, preVoteRequest(3, 2, 2)).messages, toEach([2], preVoteResponse(2, 3)));
  assertEquals(voter.receiveDurably(2, voteRequest(3, 2, 2)).messages, toEach([2], voteResponse(3)));
});

Deno.test("drafty #3: a follower commits up to leaderCommit, not one past it", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, appendRequest({ term: 1, entries: logOf(1, 1, 1), leaderCommit: 1 }));
  assertEquals([server.view.commitIndex, server.applied.length], [1, 1]);
  const none = new TestServer(1, VOTERS);
  none.receiveDurably(2, appendRequest({ term: 1, entries: logOf(1), leaderCommit: 0 }));
  assertEquals([none.view.commitIndex, none.applied.length], [0, 0]);
});

Deno.test("drafty #4: a failed reply never commits (an ancestor counted replies without reading them)", () => {
  const leader = leaderOf(VOTERS, 1);
  for (const from of [2, 3, 2, 3]) {
    leader.receiveDurably(from, appendResponse({ term: 1, success: false, matchIndex: 1, conflictIndex: 1 }));
  }
  assertEquals(leader.view.commitIndex, 0);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  assertEquals(leader.view.commitIndex, 1);
});

Deno.test("drafty #5: a follower acknowledges after its disk has the entries, not before", () => {
  const server = new TestServer(1, VOTERS);
  assertEquals(server.receive(2, appendRequest({ term: 1, entries: logOf(1) })).messages, []);
  server.restart();
  assertEquals(server.log, [], "a crash now takes nothing back that was promised");
  const ready = server.receiveDurably(2, appendRequest({ term: 1, entries: logOf(1) }));
  assertEquals(ready.messages, toEach([2], appendResponse({ term: 1, matchIndex: 1 })));
  server.restart();
  assertEquals(server.log, logOf(1));
});

Deno.test("drafty #6: what is on the disk is not taken for committed after a restart, on no server", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.partition([1], [2, 3]);
  cluster.commit(1, 7, "never committed");
  assertEquals(cluster.server(1).disk.entries.length, 2, "the leader's disk has it");
  cluster.restart(1);
  assertEquals([cluster.server(1).view.commitIndex, cluster.server(1).settle().committed], [0, []]);
  cluster.elect(2);
  cluster.heal();
  cluster.heartbeat(2);
  cluster.heartbeat(2);
  assertEquals(
    termsOf(cluster.server(1).applied),
    [1, 2],
    "and it is gone: a no-op of term 2 is in its place",
  );
  assertEquals(cluster.server(1).log, cluster.server(2).log);
});

Deno.test("drafty #7: a candidate answers the leader of its own term, follows it, and does not disturb it", () => {
  const cluster = new TestCluster(5);
  // 1 and 2 stand in the same term, for 2 does not hear in time that 1 does; the votes of 3, 4 and 5 go to 1.
  for (const id of [1, 2]) cluster.server(id).waitForWake();
  const toCandidate = new Set([1, 2]);
  for (let rounds = 0; cluster.server(1).view.role !== "leader"; rounds++) {
    assert(rounds < 10);
    for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
    const packets = cluster.packets;
    cluster.packets = [];
    for (const packet of packets) {
      const { type } = packet.message;
      const isForOther = type === "AppendEntriesRequest" && !toCandidate.has(packet.to);
      const isLost = type === "PreVoteRequest" && packet.from === 1 && packet.to === 2;
      if (!isForOther && !isLost) cluster.deliver(packet);
    }
  }
  assertEquals([cluster.server(2).view.role, cluster.server(2).view.currentTerm], ["candidate", 1]);
  cluster.heartbeat(1);
  assertEquals([cluster.server(2).view.role, cluster.server(2).view.leader], ["follower", 1]);
  cluster.wait(5 * ELECTION_MAX_MS);
  assertEquals([cluster.leaders, cluster.server(1).view.currentTerm], [[1], 1]);
  assertEquals(cluster.server(2).log, cluster.server(1).log);
});

Deno.test("drafty #8: a leader and a candidate that step down on a later term answer the request that did it", () => {
  const request = appendRequest({ term: 9, entries: [noop(1, 9)] });
  const leader = leaderOf(VOTERS, 4);
  assertEquals(sentOf(leader.receiveDurably(2, request), "AppendEntriesResponse").map(({ to }) => to), [2]);

  const candidate = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  candidate.waitForWake();
  candidate.receiveDurably(2, preVoteResponse(3, 4));
  const answer = candidate.receiveDurably(2, voteRequest(9));
  assertEquals(answer.messages, toEach([2], voteResponse(9)));
});

Deno.test("drafty #8: every role answers a request of a stale term", () => {
  const candidate = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  candidate.waitForWake();
  candidate.receiveDurably(2, preVoteResponse(3, 4));
  const follower = new TestServer(1, VOTERS, { hardState: { currentTerm: 4, votedFor: 0 } });
  for (const server of [leaderOf(VOTERS, 4), candidate, follower]) {
    const role = server.view.role;
    const append = server.receiveDurably(2, appendRequest({ term: 3 }));
    assertEquals(
      sentOf(append, "AppendEntriesResponse").map(({ message }) => [message.term, message.success]),
      [[4, false]],
      role,
    );
    const vote = server.receiveDurably(3, voteRequest(3));
    assertEquals(vote.messages, toEach([3], voteResponse(4, "staleTerm", 3)), role);
  }
});

Deno.test("drafty #9: all servers apply the same entries in the same order, the leader too; a retry is an entry of its own", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (const text of ["put old", "put new", "put old"]) cluster.commit(1, 7, text);
  cluster.heartbeat(1);
  const texts = ["", "put old", "put new", "put old"];
  for (const server of cluster.alive) {
    assertEquals(
      server.applied.map(({ data }) => new TextDecoder().decode(data)),
      texts,
      `node ${server.id}`,
    );
  }
});

Deno.test("drafty #10: an entry that was cut off is never reported as committed under its index and term", () => {
  const cluster = new TestCluster(3);
  const old = cluster.elect(1);
  cluster.partition([1], [2, 3]);
  old.propose(7, "lost");
  const ready = old.settle();
  assertEquals(ready.accepted, [{ token: 7, index: 2, term: 1 }]);
  cluster.elect(2);
  cluster.commit(2, 8, "kept");
  cluster.heal();
  cluster.heartbeat(2);
  cluster.heartbeat(2);
  // Index 2 is committed now, in another term: whoever waits for (2, term 1) knows that it was lost.
  assertEquals(old.applied.map(({ index, term }) => [index, term]), [[1, 1], [2, 2], [3, 2]]);
  assert(old.applied.every(({ data }) => new TextDecoder().decode(data) !== "lost"));
});

Deno.test("drafty #12: backing up ends at the beginning of the log, whatever a follower answers", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1));
  for (let times = 0; times < 10; times++) {
    for (const prevLogIndex of [3, 2, 1, 0]) {
      const ready = leader.receiveDurably(
        2,
        appendResponse({ term: 2, success: false, prevLogIndex, conflictTerm: 0, conflictIndex: 0 }),
      );
      for (const { message } of sentOf(ready, "AppendEntriesRequest")) assert(message.prevLogIndex >= 0);
    }
    leader.wait(HEARTBEAT_MS);
    leader.settle();
    leader.receiveDurably(3, appendResponse({ term: 2 }));
  }
  assertEquals(leader.view.progress?.get(2)?.nextIndex, 1);
});

Deno.test("drafty #13: a follower acknowledges what it has verified, not the length of its log", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 2, 2, 2),
    hardState: { currentTerm: 3, votedFor: 0 },
  });
  const matched = [
    appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 1 }),
    appendRequest({ term: 3, entries: [command(1, 1)] }),
    appendRequest({ term: 3 }),
  ].map((request) =>
    sentOf(server.receiveDurably(2, request), "AppendEntriesResponse").map(({ message }) =>
      message.matchIndex
    )
  );
  assertEquals(matched, [[1], [1], [0]]);
});

Deno.test("drafty #14: what is cut off in memory is cut off on the disk, in the same write as what replaces it", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 2, 2, 2),
    hardState: { currentTerm: 3, votedFor: 0 },
  });
  const ready = server.receive(
    2,
    appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 3)] }),
  );
  assertEquals(ready.persist?.entries, [command(2, 3)]);
  server.finishWrite();
  server.restart();
  assertEquals(server.log, logOf(1, 3));
});

Deno.test("drafty #16: a server that is alone leads and commits without a reply from anyone", () => {
  const cluster = new TestCluster(1);
  const alone = cluster.elect(1);
  cluster.commit(1, 7);
  alone.read(8);
  cluster.run();
  assertEquals([alone.view.commitIndex, alone.applied.length, alone.reads], [2, 2, [8]]);
});

Deno.test("drafty #17: votes are counted per voter, not per reply", () => {
  const candidate = new TestServer(1, [1, 2, 3, 4, 5]);
  candidate.waitForWake();
  for (const from of [2, 2, 2]) candidate.receiveDurably(from, preVoteResponse(0, 1));
  assertEquals(candidate.view.role, "preCandidate");
  candidate.receiveDurably(3, preVoteResponse(0, 1));
  for (let copies = 0; copies < 4; copies++) candidate.receiveDurably(2, voteResponse(1));
  assertEquals(candidate.view.role, "candidate");
});

Deno.test("drafty #17: the leader of a past term is forgotten, and the new term is durable", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, appendRequest({ term: 1 }));
  assertEquals(server.view.leader, 2);
  server.receiveDurably(3, preVoteResponse(5, 2, "staleTerm"));
  assertEquals([server.view.leader, server.disk.hardState.currentTerm], [0, 5]);
  const leader = leaderOf(VOTERS, 2);
  leader.receiveDurably(3, appendResponse({ term: 5, requestTerm: 2, success: false }));
  assertEquals([leader.view.leader, leader.disk.hardState.currentTerm], [0, 5]);
});

Deno.test("drafty #17: the token 0 is a token like any other", () => {
  const leader = leaderOf(VOTERS, 1);
  leader.propose(0);
  assertEquals(leader.take().accepted, [{ token: 0, index: 2, term: 1 }]);
});

Deno.test("chelseatroy #19: a command travels when it is proposed, not with the next heartbeat", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.commit(1, 7);
  assertEquals(cluster.server(1).view.commitIndex, 2, "without any time passing");
  assertEquals(cluster.server(2).log.length, 2);
});

Deno.test("chelseatroy #20: the rule that refuses votes while a leader lives can say no, and can say yes", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, appendRequest({ term: 1 }));
  const votes = [0, ELECTION_MIN_MS].map((ms) => {
    server.wait(ms);
    const ready = server.receiveDurably(3, voteRequest(9, 0, 0));
    return sentOf(ready, "RequestVoteResponse").map(({ message }) => message.voteGranted);
  });
  assertEquals(votes, [[false], [true]]);
});

Deno.test("chelseatroy #21: a voter takes the term that it votes in and does not vote twice in it", () => {
  const voter = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 0 } });
  voter.receiveDurably(2, voteRequest(7));
  assertEquals(voter.disk.hardState, { currentTerm: 7, votedFor: 2 });
  assertEquals(
    voter.receiveDurably(3, voteRequest(7)).messages,
    toEach([3], voteResponse(7, "alreadyVoted")),
  );
});

Deno.test("chelseatroy #21: a candidate's term goes up by one for each election, not for each vote", () => {
  const candidate = new TestServer(1, [1, 2, 3, 4, 5]);
  candidate.waitForWake();
  for (const from of [2, 3, 4, 5]) candidate.receiveDurably(from, preVoteResponse(0, 1));
  for (const from of [2, 3, 4, 5]) candidate.receiveDurably(from, voteResponse(1));
  assertEquals([candidate.view.role, candidate.view.currentTerm], ["leader", 1]);
});

Deno.test("chelseatroy #23: a node that is not a voter does not stand, and its votes and acknowledgements do not count", () => {
  const stranger = new TestServer(9, VOTERS);
  stranger.wait(10 * ELECTION_MAX_MS);
  assertEquals(stranger.settle().messages, []);
  const leader = leaderOf(VOTERS, 1);
  for (const from of [8, 9]) leader.receiveDurably(from, appendResponse({ term: 1, matchIndex: 1 }));
  assertEquals(leader.view.commitIndex, 0);
  const candidate = new TestServer(1, VOTERS);
  candidate.waitForWake();
  for (const from of [8, 9]) candidate.receiveDurably(from, preVoteResponse(0, 1));
  assertEquals(candidate.view.role, "preCandidate");
});

Deno.test("chelseatroy #26: half of the votes, and half of the copies, are no majority", () => {
  const four = [1, 2, 3, 4];
  const candidate = new TestServer(1, four);
  candidate.waitForWake();
  for (const from of [2, 3]) candidate.receiveDurably(from, preVoteResponse(0, 1));
  candidate.receiveDurably(2, voteResponse(1));
  assertEquals(candidate.view.role, "candidate", "2 of 4");
  candidate.receiveDurably(3, voteResponse(1));
  assertEquals(candidate.view.role, "leader", "3 of 4");
  candidate.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  assertEquals(candidate.view.commitIndex, 0, "2 of 4");
  candidate.receiveDurably(3, appendResponse({ term: 1, matchIndex: 1 }));
  assertEquals(candidate.view.commitIndex, 1, "3 of 4");
});

Deno.test("chelseatroy #26: the answers to heartbeats commit nothing that they do not cover", () => {
  const leader = leaderOf(VOTERS, 1);
  leader.propose(7);
  leader.settle();
  for (const from of [2, 3]) leader.receiveDurably(from, appendResponse({ term: 1, matchIndex: 0 }));
  assertEquals(leader.view.commitIndex, 0);
});

Deno.test("chelseatroy #26: a delayed request removes nothing that a later one has appended", () => {
  const server = new TestServer(1, VOTERS);
  const early = appendRequest({ term: 1, entries: logOf(1) });
  server.receiveDurably(2, early);
  server.receiveDurably(
    2,
    appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: logOf(1, 1, 1).slice(1) }),
  );
  const ready = server.receiveDurably(2, early);
  assertEquals([ready.persist, server.log], [undefined, logOf(1, 1, 1)]);
});

Deno.test("chelseatroy #26: a read is not served by a leader that was deposed and does not know it", () => {
  const cluster = new TestCluster(3);
  const asleep = cluster.elect(1);
  cluster.partition([1], [2, 3]);
  // Its clock stands still, so that it does not notice how long it has heard nothing.
  cluster.server(3).wait(ELECTION_MIN_MS);
  cluster.server(2).waitForWake();
  cluster.run();
  assertEquals(cluster.leaders, [1, 2]);
  cluster.commit(2, 7);
  asleep.read(8);
  cluster.run();
  assertEquals(asleep.reads, []);
  cluster.heal();
  asleep.wait(HEARTBEAT_MS);
  const answers = asleep.take().messages.flatMap(({ to, message }) =>
    cluster.server(to).receiveDurably(1, message).messages.map((answer) => ({ from: to, ...answer }))
  );
  const [answer] = answers;
  assert(answer !== undefined);
  const ready = asleep.receiveDurably(answer.from, answer.message);
  assertEquals([ready.reads, ready.refused], [[], [{ token: 8, reason: "leadershipLost" }]]);
  assertEquals(asleep.view.role, "follower");
});

Deno.test("chelseatroy #26: a candidate with a log of the same last term and at least the same length gets the vote", () => {
  const entries = logOf(1, 1);
  for (const [lastLogIndex, voteGranted] of [[1, false], [2, true], [3, true]] as const) {
    const voter = new TestServer(1, VOTERS, { entries, hardState: { currentTerm: 1, votedFor: 0 } });
    const ready = voter.receiveDurably(2, voteRequest(2, lastLogIndex, 1));
    assertEquals(sentOf(ready, "RequestVoteResponse").map(({ message }) => message.voteGranted), [
      voteGranted,
    ]);
  }
});
