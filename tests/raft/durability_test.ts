import { assert, assertEquals } from "@std/assert";
import { HEARTBEAT_MS, leaderOf, TestServer } from "./harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  command,
  isEmptyReady,
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

Deno.test("a vote does not leave before it is durable", () => {
  const server = new TestServer(1, VOTERS);
  assertReady(server.receive(2, voteRequest(1)), {
    persist: { sequence: 1, hardState: { currentTerm: 1, votedFor: 2 }, entries: [] },
  });
  server.wait(100);
  assert(isEmptyReady(server.take()));
  server.finishWrite();
  assertReady(server.take(), { messages: toEach([2], voteResponse(1)) });
});

Deno.test("an acknowledgement does not leave before the entries are durable", () => {
  const server = new TestServer(1, VOTERS);
  const entries = [noop(1, 1), command(2, 1)];
  const ready = server.receive(2, appendRequest({ term: 1, entries }));
  assertEquals(ready.messages, []);
  assertEquals(ready.persist, { sequence: 1, hardState: { currentTerm: 1, votedFor: 0 }, entries });
  server.finishWrite();
  assertReady(server.take(), { messages: toEach([2], appendResponse({ term: 1, matchIndex: 2 })) });
});

Deno.test("a candidate's requests do not leave before its own vote is durable, and its vote counts only then", () => {
  for (const voters of [[1, 2, 3], [1, 2]]) {
    const server = new TestServer(1, voters);
    server.waitForWake();
    server.take();
    const ready = server.receive(2, preVoteResponse(0, 1));
    assertEquals(ready.messages, []);
    assertEquals(ready.persist?.hardState, { currentTerm: 1, votedFor: 1 });
    // An answer to a request that has not left: nobody sends it, and it is no majority with the own vote missing.
    server.receive(2, voteResponse(1));
    assertEquals(server.view.role, "candidate");
    server.finishWrite();
    assertEquals(server.view.role, "leader");
  }
});

Deno.test("a refusal that tells a new term does not leave before the term is durable", () => {
  const server = new TestServer(1, VOTERS, { entries: logOf(1), hardState: { currentTerm: 1, votedFor: 0 } });
  const ready = server.receive(2, appendRequest({ term: 5, prevLogIndex: 9, prevLogTerm: 4 }));
  assertEquals([ready.messages, ready.persist?.hardState], [[], { currentTerm: 5, votedFor: 0 }]);
  server.finishWrite();
  assertEquals(sentOf(server.take(), "AppendEntriesResponse").map(({ message }) => message.success), [false]);
});

Deno.test("what depends on no write leaves at once", () => {
  const server = new TestServer(1, VOTERS, { entries: logOf(1), hardState: { currentTerm: 1, votedFor: 3 } });
  assertEquals(server.receive(2, voteRequest(1, 9, 1)).messages.length, 1);
  assertEquals(
    server.receive(2, appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1 })).messages.length,
    1,
  );
});

Deno.test("a leader's entries leave while its own disk works, and its own copy counts when it is durable", () => {
  const leader = leaderOf(VOTERS, 1);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  leader.propose(7);
  const ready = leader.take();
  assertEquals(sentOf(ready, "AppendEntriesRequest").map(({ message }) => message.entries.length), [1]);
  assertReady(leader.receive(2, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 })), {});
  assertEquals(leader.view.commitIndex, 1, "node 2 has it, and node 1 not yet");
  leader.finishWrite();
  assertReady(leader.take(), {
    committed: leader.log.slice(1),
    events: [{ kind: "committed", upTo: 2 }],
  });
});

Deno.test("two followers commit without the leader's disk, and the leader applies and counts only them", () => {
  const leader = leaderOf(VOTERS, 1);
  for (const from of [2, 3]) leader.receiveDurably(from, appendResponse({ term: 1, matchIndex: 1 }));
  leader.propose(7);
  leader.take();
  for (const from of [2, 3]) {
    leader.receive(from, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 }));
  }
  assertEquals([leader.view.commitIndex, leader.applied.length, leader.view.log.durableIndex], [2, 2, 1]);
  leader.finishWrite();
  assertReady(leader.take(), {});
});

Deno.test("a follower applies what a quorum has, and acknowledges it when its own disk has it too", () => {
  const server = new TestServer(1, VOTERS);
  const ready = server.receive(2, appendRequest({ term: 1, entries: [noop(1, 1)], leaderCommit: 1 }));
  assertEquals([ready.committed, ready.messages], [[noop(1, 1)], []]);
  server.finishWrite();
  assertEquals(sentOf(server.take(), "AppendEntriesResponse").length, 1);
});

Deno.test("a server alone commits when its disk has the entry, not before", () => {
  const alone = leaderOf([1], 1);
  assertEquals(alone.view.commitIndex, 1);
  alone.propose(7);
  assertEquals([alone.take().committed, alone.view.commitIndex], [[], 1]);
  alone.finishWrite();
  assertEquals([alone.take().committed.length, alone.view.commitIndex], [1, 2]);
});

Deno.test("each write releases what waits for it, in order, and nothing that waits for a later one", () => {
  const server = new TestServer(1, VOTERS);
  for (let index = 1; index <= 3; index++) {
    const prev = { prevLogIndex: index - 1, prevLogTerm: index === 1 ? 0 : 1 };
    server.receive(2, appendRequest({ term: 1, ...prev, entries: [command(index, 1)] }));
  }
  assertEquals(server.writing.map(({ sequence }) => sequence), [1, 2, 3]);
  const acknowledged = [1, 2, 3].map(() => {
    server.finishWrite();
    return sentOf(server.take(), "AppendEntriesResponse").map(({ message }) => message.matchIndex);
  });
  assertEquals(acknowledged, [[1], [2], [3]]);
});

Deno.test("one sync may cover several writes: news of the last is news of all", () => {
  const server = new TestServer(1, VOTERS);
  server.receive(2, appendRequest({ term: 1, entries: [command(1, 1)] }));
  server.receive(2, appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 1)] }));
  server.step({ kind: "persisted", sequence: 2 });
  assertEquals(
    sentOf(server.take(), "AppendEntriesResponse").map(({ message }) => message.matchIndex),
    [1, 2],
  );
  assertEquals(server.view.log.durableIndex, 2);
});

Deno.test("news of a write that comes twice, late or of a write that was not asked for releases nothing more", () => {
  const server = new TestServer(1, VOTERS);
  server.receive(2, appendRequest({ term: 1, entries: [command(1, 1)] }));
  server.step({ kind: "persisted", sequence: 1 });
  assertEquals(server.take().messages.length, 1);
  server.step({ kind: "message", from: 2, message: voteRequest(2, 9, 9) }); // a leader lives: refused
  server.step({
    kind: "message",
    from: 2,
    message: appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 1)] }),
  });
  // Not handed out yet: no news can be of it.
  for (const sequence of [1, 0, 2, 99]) server.step({ kind: "persisted", sequence });
  const ready = server.take();
  assertEquals(ready.persist?.sequence, 2);
  assertEquals([sentOf(ready, "AppendEntriesResponse"), server.view.log.durableIndex], [[], 1]);
  server.step({ kind: "persisted", sequence: 1 });
  assert(isEmptyReady(server.take()));
  server.step({ kind: "persisted", sequence: 2 });
  assertEquals(sentOf(server.take(), "AppendEntriesResponse").map(({ message }) => message.matchIndex), [2]);
});

Deno.test("entries that are replaced before they are handed out are never written", () => {
  const server = new TestServer(1, VOTERS, { entries: logOf(1), hardState: { currentTerm: 2, votedFor: 0 } });
  const prev = { prevLogIndex: 1, prevLogTerm: 1 };
  server.step({
    kind: "message",
    from: 2,
    message: appendRequest({ term: 2, ...prev, entries: [command(2, 2), command(3, 2)] }),
  });
  server.step({
    kind: "message",
    from: 3,
    message: appendRequest({ term: 3, ...prev, entries: [command(2, 3)] }),
  });
  const { persist } = server.take();
  assertEquals(persist?.entries, [command(2, 3)]);
  server.finishWrite();
  assertEquals(server.disk.entries, [command(1, 1), command(2, 3)]);
});

Deno.test("a write that a truncation overtakes makes durable what is left of it, and no more", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 1, votedFor: 0 } });
  server.receive(2, appendRequest({ term: 1, entries: logOf(1, 1, 1) }));
  server.receive(3, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] }));
  assertEquals(server.writing.map(({ entries }) => termsOf(entries)), [[1, 1, 1], [2]]);
  server.finishWrite();
  assertEquals(server.view.log.durableIndex, 1, "entry 2 is another now, and not on the disk");
  server.take();
  server.finishWrite();
  assertEquals([server.view.log.durableIndex, termsOf(server.disk.entries)], [2, [1, 2]]);
});

Deno.test("what replaces durable entries is not durable because they were", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 1),
    hardState: { currentTerm: 1, votedFor: 0 },
  });
  const request = appendRequest({
    term: 2,
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [command(2, 2), command(3, 2)],
    leaderCommit: 3,
  });
  assertEquals(server.receive(2, request).messages, []);
  assertEquals([server.view.commitIndex, server.view.log.durableIndex], [3, 1]);
  server.finishWrite();
  assertEquals(server.view.log.durableIndex, 3);
});

Deno.test("an old write of the same entries says nothing of their second coming", () => {
  // Node 2's entries of term 1 are being written; node 3 replaces them in term 2; node 2, elected again in term 3,
  // brings them back. What the first write has put on the disk is taken away by the second.
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 1, votedFor: 0 } });
  server.receive(2, appendRequest({ term: 1, entries: logOf(1, 1, 1) }));
  server.receive(3, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] }));
  server.receive(2, appendRequest({ term: 3, entries: logOf(1, 1, 1) }));
  server.finishWrite();
  assertEquals(server.view.log.durableIndex, 1, "a crash after the second write would leave 1 and 2@2");
  server.take();
  server.finishWrite();
  assertEquals(server.view.log.durableIndex, 1);
  server.finishWrite();
  assertEquals([server.view.log.durableIndex, termsOf(server.disk.entries)], [3, [1, 1, 1]]);
});

Deno.test("a leader with a stalled disk goes on sending heartbeats and commits through the others", () => {
  const leader = leaderOf(VOTERS, 1);
  leader.propose(7);
  leader.take();
  leader.wait(HEARTBEAT_MS);
  assertEquals(sentOf(leader.take(), "AppendEntriesRequest").map(({ to }) => to), [2, 3]);
  for (const from of [2, 3]) {
    leader.receive(from, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 }));
  }
  leader.take();
  assertEquals([leader.view.commitIndex, leader.applied.length], [2, 2]);
});

Deno.test("an answer to a PreVote names the term, so it does not leave before the term is durable", () => {
  const server = new TestServer(1, VOTERS);
  server.receive(2, voteResponse(5, "alreadyVoted", 1));
  assertEquals(server.receive(3, preVoteRequest(6)).messages, []);
  server.finishWrite();
  assertReady(server.take(), { messages: toEach([3], preVoteResponse(5, 6)) });
});

Deno.test("old news of the disk after new ones makes nothing less durable", () => {
  const server = new TestServer(1, VOTERS);
  server.receive(2, appendRequest({ term: 1, entries: [noop(1, 1)] }));
  server.receive(2, appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 1)] }));
  server.finishWrite();
  server.finishWrite();
  server.take();
  server.step({ kind: "persisted", sequence: 1 });
  assertEquals(server.view.log.durableIndex, 2);
  assertReady(server.receive(2, appendRequest({ term: 1, prevLogIndex: 2, prevLogTerm: 1 })), {
    messages: toEach([2], appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 2 })),
  });
});
