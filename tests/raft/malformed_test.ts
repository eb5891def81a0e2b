import { assert, assertEquals } from "@std/assert";
import type { PeerMessage } from "../../src/raft/mod.ts";
import { leaderOf, TestServer } from "./harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  command,
  eventsOf,
  logOf,
  noop,
  preVoteRequest,
  preVoteResponse,
  voteRequest,
  voteResponse,
} from "./messages.ts";

const VOTERS = [1, 2, 3];
const HUGE = Number.MAX_SAFE_INTEGER;

/** Node 1 in term 4 with a log of terms 1, 2 and 2 (and a leader's no-op), in every role, with nothing under way. */
function serversInAllRoles(): TestServer[] {
  const options = { entries: logOf(1, 2, 2), hardState: { currentTerm: 3, votedFor: 0 } };
  const follower = new TestServer(1, VOTERS, options);
  follower.receiveDurably(
    2,
    appendRequest({ term: 4, prevLogIndex: 3, prevLogTerm: 2, leaderCommit: 2 }),
  );
  const preCandidate = new TestServer(1, VOTERS, { ...options, hardState: { currentTerm: 4, votedFor: 3 } });
  preCandidate.waitForWake();
  preCandidate.settle();
  const candidate = new TestServer(1, VOTERS, options);
  candidate.waitForWake();
  candidate.receiveDurably(2, preVoteResponse(3, 4));
  const servers = [follower, preCandidate, candidate, leaderOf(VOTERS, 4, logOf(1, 2, 2))];
  assertEquals(servers.map(({ view }) => view.role), ["follower", "preCandidate", "candidate", "leader"]);
  assertEquals(servers.map(({ view }) => view.currentTerm), [4, 4, 4, 4]);
  return servers;
}

function hasLeader({ view }: TestServer): boolean {
  return view.leader !== 0;
}

/** All that can be seen of a server. */
function stateOf(server: TestServer) {
  const { log, progress, ...view } = server.view;
  return structuredClone({
    ...view,
    progress,
    durableIndex: log.durableIndex,
    log: server.log,
    disk: server.disk,
    wake: server.nextWakeMs(),
  });
}

function assertIgnored(server: TestServer, from: number, message: PeerMessage, reason: string): void {
  const before = stateOf(server);
  const ready = server.receiveDurably(from, message);
  assertReady(ready, { events: [{ kind: "ignored", from, type: message.type, reason }] });
  assertEquals(stateOf(server), before);
}

const MALFORMED: { readonly message: PeerMessage; readonly reason: string }[] = [
  {
    message: appendRequest({ term: 9, prevLogIndex: 3, prevLogTerm: 2, entries: [command(5, 9)] }),
    reason: "entry 5 follows entry 3",
  },
  {
    message: appendRequest({
      term: 9,
      prevLogIndex: 3,
      prevLogTerm: 2,
      entries: [command(4, 9), command(4, 9)],
    }),
    reason: "entry 4 follows entry 4",
  },
  {
    message: appendRequest({
      term: 9,
      prevLogIndex: 3,
      prevLogTerm: 2,
      entries: [command(4, 5), command(6, 5)],
    }),
    reason: "entry 6 follows entry 4",
  },
  {
    message: appendRequest({
      term: 9,
      prevLogIndex: 3,
      prevLogTerm: 2,
      entries: [command(4, 5), command(5, 4)],
    }),
    reason: "term 4 of entry 5 follows term 5",
  },
  {
    message: appendRequest({ term: 9, prevLogIndex: 3, prevLogTerm: 2, entries: [command(4, 1)] }),
    reason: "term 1 of entry 4 follows term 2",
  },
  {
    message: appendRequest({ term: 9, prevLogIndex: 0, entries: [command(1, 0)] }),
    reason: "entry 1 is of term 0",
  },
  {
    message: appendRequest({ term: 9, prevLogIndex: 3, prevLogTerm: 2, entries: [command(4, 10)] }),
    reason: "term 10 of entry 4 is beyond the leader's 9",
  },
  {
    message: appendRequest({ term: 9, prevLogIndex: 3, prevLogTerm: 10 }),
    reason: "term 10 of entry 3 is beyond the leader's 9",
  },
  { message: appendRequest({ term: 0 }), reason: "nobody leads term 0" },
  { message: voteRequest(0, 9, 9), reason: "nobody stands in term 0" },
  { message: preVoteRequest(0, 9, 9), reason: "nobody stands in term 0" },
  ...[
    appendRequest({ term: HUGE }),
    appendResponse({ term: HUGE, requestTerm: 4 }),
    voteRequest(HUGE, 9, 9),
    voteResponse(HUGE),
    preVoteRequest(HUGE, 9, 9),
    preVoteResponse(HUGE, 5),
  ].map((message) => ({ message, reason: `term ${HUGE} is absurd` })),
];

for (const { message, reason } of MALFORMED) {
  Deno.test(`a malformed ${message.type} changes nothing in any role: ${reason}`, () => {
    for (const server of serversInAllRoles()) assertIgnored(server, 2, message, reason);
  });
}

/** Messages that would change something if they came from a peer. */
const WELL_FORMED: PeerMessage[] = [
  appendRequest({ term: 9, entries: [noop(1, 9)] }),
  appendRequest({ term: 4, prevLogIndex: 3, prevLogTerm: 2, leaderCommit: 3 }),
  appendResponse({ term: 9, success: false }),
  appendResponse({ term: 4, matchIndex: 4, prevLogIndex: 3 }),
  voteRequest(9, 9, 8),
  voteResponse(9),
  voteResponse(4),
  preVoteRequest(9, 9, 8),
  preVoteResponse(4, 5),
];

const isVote = ({ type }: PeerMessage) => type === "PreVoteRequest" || type === "RequestVoteRequest";

Deno.test("a message of a node that is not a member changes nothing while a leader is alive, and gets no answer", () => {
  for (const message of WELL_FORMED.filter((message) => !isVote(message))) {
    for (const from of [4, HUGE]) {
      for (const server of serversInAllRoles().filter(hasLeader)) {
        assertIgnored(server, from, message, "it is no member, and a leader is alive");
      }
    }
  }
});

Deno.test("a candidate that is not a member changes nothing while a leader is alive, and is told that it was removed", () => {
  for (const message of WELL_FORMED.filter(isVote)) {
    for (const server of serversInAllRoles().filter(hasLeader)) {
      const before = stateOf(server);
      const [answer] = server.receiveDurably(4, message).messages;
      assert(answer?.message.type === "PreVoteResponse" || answer?.message.type === "RequestVoteResponse");
      assertEquals([answer.to, answer.message.voteGranted, answer.message.refusal], [4, false, "removed"]);
      assertEquals(stateOf(server), before);
    }
  }
});

Deno.test("without a leader, a server follows and votes for a node of which it has not heard: it may have joined meanwhile", () => {
  const [, preCandidate] = serversInAllRoles();
  preCandidate?.receiveDurably(4, appendRequest({ term: 9, entries: [noop(1, 9)] }));
  assertEquals([preCandidate?.view.leader, preCandidate?.view.currentTerm], [4, 9]);
  const [, , candidate] = serversInAllRoles();
  const ready = candidate?.receiveDurably(4, voteRequest(9, 9, 8));
  assertEquals(ready?.messages, [{ to: 4, message: voteResponse(9) }]);
});

Deno.test("answers of a node that is not a member count for nothing in any role", () => {
  const answers = [
    preVoteResponse(4, 5),
    voteResponse(4),
    appendResponse({ term: 4, matchIndex: 4, prevLogIndex: 3 }),
  ];
  for (const server of serversInAllRoles()) {
    const { role, commitIndex } = server.view;
    for (const answer of answers) for (const from of [4, 5, 6]) server.receiveDurably(from, answer);
    assertEquals([server.view.role, server.view.commitIndex], [role, commitIndex]);
  }
});

Deno.test("a message that claims to come from the node itself changes nothing: it would vote before its disk has", () => {
  for (const message of WELL_FORMED) {
    for (const server of serversInAllRoles()) {
      assertIgnored(server, 1, message, "claims to come from this node itself");
    }
  }
  const alone = new TestServer(1, [1]);
  alone.waitForWake();
  alone.take();
  alone.receive(1, voteResponse(1));
  assertEquals(alone.view.role, "candidate", "its own vote is not durable yet");
});

Deno.test("an acknowledgement of what was never sent is ignored", () => {
  const leader = leaderOf(VOTERS, 4, logOf(1, 2, 2));
  const reason = "answers entries that were never sent";
  assertIgnored(leader, 2, appendResponse({ term: 4, matchIndex: 5 }), reason);
  assertIgnored(leader, 2, appendResponse({ term: 4, matchIndex: HUGE }), reason);
  const refusal = { term: 4, success: false, conflictIndex: HUGE };
  assertIgnored(leader, 2, appendResponse({ ...refusal, prevLogIndex: 5 }), reason);
  assertIgnored(leader, 2, appendResponse({ ...refusal, prevLogIndex: HUGE }), reason);
});

Deno.test("an answer to a round that was never begun is ignored: it would confirm the rounds to come", () => {
  const leader = leaderOf(VOTERS, 4);
  leader.receiveDurably(2, appendResponse({ term: 4, matchIndex: 1 }));
  assertIgnored(
    leader,
    2,
    appendResponse({ term: 4, matchIndex: 1, readRound: 1 }),
    "answers a round that was never begun",
  );
});

Deno.test("a refusal with an absurd hint only makes the leader try again within its log", () => {
  for (const conflictTerm of [0, 1, 2, 3, HUGE]) {
    for (const conflictIndex of [0, 1, 3, HUGE]) {
      const leader = leaderOf(VOTERS, 4, logOf(1, 2, 2));
      const refusal = { term: 4, success: false, prevLogIndex: 3, conflictTerm, conflictIndex };
      const ready = leader.receiveDurably(2, appendResponse(refusal));
      const [sent] = ready.messages;
      assert(sent?.message.type === "AppendEntriesRequest");
      const { prevLogIndex, prevLogTerm, entries } = sent.message;
      assert(prevLogIndex >= 0 && prevLogIndex < 3);
      assertEquals(prevLogTerm, leader.view.log.termAt(prevLogIndex));
      assertEquals(entries, leader.log.slice(prevLogIndex));
    }
  }
});

Deno.test("a request that contradicts a committed entry changes no entry and gets no acknowledgement", () => {
  const [follower] = serversInAllRoles();
  assert(follower !== undefined);
  const before = follower.log;
  const ready = follower.receiveDurably(
    2,
    appendRequest({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 3)] }),
  );
  assertReady(ready, {
    events: [{
      kind: "ignored",
      from: 2,
      type: "AppendEntriesRequest",
      reason: "contradicts the committed entry 2",
    }],
  });
  assertEquals(follower.log, before);
});

Deno.test("a leader that meets another leader of its own term keeps its log and says so", () => {
  const leader = leaderOf(VOTERS, 4, logOf(1, 2, 2));
  assertIgnored(
    leader,
    2,
    appendRequest({ term: 4, entries: [noop(1, 4)] }),
    "two leaders in one term",
  );
});

Deno.test("a commit beyond the log commits what was verified, and a prevLogIndex beyond it is refused", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 2),
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  server.receiveDurably(2, appendRequest({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: HUGE }));
  assertEquals([server.view.commitIndex, server.applied.length], [2, 2]);
  const ready = server.receiveDurably(2, appendRequest({ term: 2, prevLogIndex: HUGE, prevLogTerm: 2 }));
  assertEquals(eventsOf(ready, "entriesRejected").map(({ reason }) => reason), ["logTooShort"]);
  assertEquals(server.log, logOf(1, 2));
});

Deno.test("the largest term that is taken leaves a server that refuses to count further and does not fail", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, voteRequest(HUGE - 1));
  assertEquals(server.view.currentTerm, HUGE - 1);
  server.waitForWake();
  server.settle();
  for (const from of [2, 3]) server.receiveDurably(from, preVoteResponse(HUGE - 1, HUGE));
  server.waitForWake();
  server.settle();
  assert(Number.isSafeInteger(server.view.currentTerm));
});

Deno.test("a node that is not a member may be started: it votes, follows, and never stands", () => {
  const stranger = new TestServer(4, VOTERS);
  for (let timeouts = 0; timeouts < 3; timeouts++) {
    stranger.waitForWake();
    assertReady(stranger.settle(), {});
  }
  assertEquals([stranger.view.role, stranger.view.currentTerm], ["follower", 0]);
  assertEquals(stranger.receiveDurably(2, voteRequest(1)).messages, [{ to: 2, message: voteResponse(1) }]);
  stranger.receiveDurably(2, appendRequest({ term: 1, entries: [noop(1, 1)], leaderCommit: 1 }));
  assertEquals([stranger.view.leader, stranger.view.commitIndex], [2, 1]);
});

Deno.test("news of applies and writes that were never handed out change nothing", () => {
  for (const server of serversInAllRoles()) {
    const before = stateOf(server);
    server.step({ kind: "applied", upTo: HUGE });
    server.step({ kind: "applied", upTo: -1 });
    server.step({ kind: "persisted", sequence: HUGE });
    server.step({ kind: "persisted", sequence: -1 });
    assertReady(server.settle(), {});
    assertEquals(stateOf(server), before);
  }
});
