import { assertEquals } from "@std/assert";
import type { PeerMessage } from "../../../src/raft/mod.ts";
import { leaderOf, TestServer } from "../harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  command,
  logOf,
  preVoteResponse,
  toEach,
  voteRequest,
  voteResponse,
} from "../messages.ts";

const VOTERS = [1, 2, 3];

/** A message of `term` of every type that makes its receiver take a larger term. */
function messagesOf(term: number): PeerMessage[] {
  return [
    preVoteResponse(term, term, "staleTerm"),
    voteRequest(term),
    voteResponse(term, "alreadyVoted"),
    appendRequest({ term }),
    appendResponse({ term, requestTerm: 1, success: false }),
  ];
}

Deno.test("§5.1 a server that meets a larger term takes it, whatever the message and whatever its role", () => {
  for (const message of messagesOf(9)) {
    const follower = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 2 } });
    follower.receiveDurably(2, message);
    assertEquals([follower.view.currentTerm, follower.view.role], [9, "follower"], message.type);

    const candidate = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 2 } });
    candidate.waitForWake();
    candidate.receiveDurably(2, preVoteResponse(3, 4));
    assertEquals(candidate.view.role, "candidate");
    candidate.receiveDurably(2, message);
    assertEquals([candidate.view.currentTerm, candidate.view.role], [9, "follower"], message.type);
  }
});

Deno.test("§5.1 a leader that meets a larger term in an answer or in another leader steps down", () => {
  for (const message of messagesOf(9)) {
    if (message.type === "RequestVoteRequest") continue; // disregarded while it leads: §6
    const leader = leaderOf(VOTERS, 4);
    leader.receiveDurably(2, message);
    assertEquals([leader.view.currentTerm, leader.view.role], [9, "follower"], message.type);
    assertEquals(leader.disk.hardState, { currentTerm: 9, votedFor: 0 });
  }
});

Deno.test("§5.1 taking a larger term forgets the vote of the old one, and both are durable together", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 3, votedFor: 2 } });
  const ready = server.receive(3, appendResponse({ term: 5, success: false }));
  assertReady(ready, {
    persist: { sequence: 1, hardState: { currentTerm: 5, votedFor: 0 }, entries: [] },
  });
});

Deno.test("§5.1 a server rejects a request of a stale term and names the term that it is in", () => {
  const server = new TestServer(1, VOTERS, {
    hardState: { currentTerm: 5, votedFor: 0 },
    entries: logOf(1, 5),
  });
  assertReady(server.receive(2, voteRequest(4, 9, 4)), {
    messages: toEach([2], voteResponse(5, "staleTerm", 4)),
    events: [{ kind: "voteRefused", to: 2, term: 4, preVote: false, reason: "staleTerm" }],
  });
  assertReady(
    server.receive(2, appendRequest({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 4)] })),
    {
      messages: toEach(
        [2],
        appendResponse({ term: 5, requestTerm: 4, success: false, prevLogIndex: 1, conflictIndex: 3 }),
      ),
      events: [{ kind: "entriesRejected", from: 2, term: 4, prevLogIndex: 1, reason: "staleTerm" }],
    },
  );
  assertEquals(server.log, logOf(1, 5));
});

Deno.test("§5.1 a stale leader does not reset the election timer and is not taken for the leader", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 5, votedFor: 0 } });
  const wake = server.nextWakeMs();
  server.wait(100);
  server.receive(2, appendRequest({ term: 4 }));
  assertEquals([server.nextWakeMs(), server.view.leader], [wake, 0]);
});

Deno.test("§5.1 answers of a past term change nothing", () => {
  const leader = leaderOf(VOTERS, 4);
  const before = { ...leader.view, progress: structuredClone(leader.view.progress) };
  for (
    const message of [
      preVoteResponse(2, 3),
      voteResponse(3),
      appendResponse({ term: 3, matchIndex: 1 }),
      appendResponse({ term: 4, requestTerm: 3, matchIndex: 1 }),
    ]
  ) {
    assertReady(leader.receive(2, message), {});
  }
  assertEquals({ ...leader.view, progress: structuredClone(leader.view.progress) }, before);
});
