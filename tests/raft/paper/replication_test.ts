import { assertEquals } from "@std/assert";
import { TestCluster } from "../cluster.ts";
import { ELECTION_MIN_MS, HEARTBEAT_MS, leaderOf, TestServer } from "../harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  command,
  eventsOf,
  logOf,
  noop,
  sentOf,
  toEach,
} from "../messages.ts";

const VOTERS = [1, 2, 3];

/** A follower of node 2 in `term`, with a durable log of these terms. */
function followerWith(term: number, ...terms: number[]): TestServer {
  return new TestServer(1, VOTERS, {
    entries: logOf(...terms),
    hardState: { currentTerm: term, votedFor: 0 },
  });
}

Deno.test("§5.3 a leader appends a command, sends it to all, commits it when a majority has it, and says so", () => {
  const leader = leaderOf(VOTERS, 1);
  for (const from of [2, 3]) leader.receiveDurably(from, appendResponse({ term: 1, matchIndex: 1 }));
  leader.propose(7, "x=1");
  const entry = command(2, 1, "x=1");
  assertReady(leader.take(), {
    messages: toEach(
      [2, 3],
      appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1, entries: [entry] }),
    ),
    persist: { sequence: 3, hardState: undefined, entries: [entry] },
    accepted: [{ token: 7, index: 2, term: 1 }],
  });
  leader.finishWrite();
  assertReady(leader.take(), {});
  assertReady(leader.receive(3, appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 })), {
    committed: [entry],
    events: [{ kind: "committed", upTo: 2 }],
  });
  leader.wait(HEARTBEAT_MS);
  assertReady(leader.take(), {
    messages: toEach([2, 3], appendRequest({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 })),
  });
});

Deno.test("§5.3 a follower appends what fits, acknowledges it when it is durable, and applies what is committed", () => {
  const server = followerWith(2, 1);
  const entries = [command(2, 2), command(3, 2)];
  const request = appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 2, entries });
  assertReady(server.receive(2, request), {
    persist: { sequence: 1, hardState: undefined, entries },
    committed: [...logOf(1), command(2, 2)],
    events: [{ kind: "leader", term: 2, leader: 2 }, { kind: "committed", upTo: 2 }],
  });
  server.finishWrite();
  assertReady(server.take(), {
    messages: toEach([2], appendResponse({ term: 2, matchIndex: 3, prevLogIndex: 1 })),
  });
});

Deno.test("§5.3 the consistency check: entries that do not follow the log are refused and change nothing", () => {
  const cases = [
    // The log is too short: the index after its last.
    { prevLogIndex: 5, prevLogTerm: 3, conflictTerm: 0, conflictIndex: 5, reason: "logTooShort" },
    // Another term at that index: that term and its first index.
    { prevLogIndex: 4, prevLogTerm: 3, conflictTerm: 2, conflictIndex: 2, reason: "termConflict" },
    { prevLogIndex: 1, prevLogTerm: 2, conflictTerm: 1, conflictIndex: 1, reason: "termConflict" },
  ] as const;
  for (const { prevLogIndex, prevLogTerm, conflictTerm, conflictIndex, reason } of cases) {
    const server = followerWith(3, 1, 2, 2, 2);
    server.receiveDurably(2, appendRequest({ term: 3 }));
    const entries = [command(prevLogIndex + 1, 3)];
    assertReady(server.receive(2, appendRequest({ term: 3, prevLogIndex, prevLogTerm, entries })), {
      messages: toEach([2], {
        ...appendResponse({ term: 3, success: false, prevLogIndex }),
        conflictTerm,
        conflictIndex,
      }),
      events: [{ kind: "entriesRejected", from: 2, term: 3, prevLogIndex, reason }],
    });
    assertEquals(server.log, logOf(1, 2, 2, 2));
  }
});

Deno.test("§5.3 a conflicting entry is removed with all that follow it, on the disk too", () => {
  const server = followerWith(4, 1, 2, 2, 2);
  const ready = server.receiveDurably(
    2,
    appendRequest({ term: 4, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2), command(3, 3)] }),
  );
  assertEquals(eventsOf(ready, "truncated"), [{ kind: "truncated", after: 2, lastLogIndex: 4 }]);
  assertEquals(sentOf(ready, "AppendEntriesResponse").map(({ message }) => message.matchIndex), [3]);
  assertEquals(server.disk.entries, logOf(1, 2, 3));
  server.restart();
  assertEquals(server.log, logOf(1, 2, 3));
});

Deno.test("§5.3 entries that the log already has are not written again, and nothing after them is removed", () => {
  const server = followerWith(2, 1, 2, 2, 2);
  const ready = server.receive(
    2,
    appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 2)] }),
  );
  assertEquals(ready.persist, undefined);
  assertEquals(sentOf(ready, "AppendEntriesResponse").map(({ message }) => message.matchIndex), [2]);
  assertEquals(server.log, logOf(1, 2, 2, 2));
});

Deno.test("§5.3 a follower commits no further than the entries that were verified", () => {
  const server = followerWith(3, 1, 2, 2);
  // Entries 2 and 3 are another leader's; this heartbeat verifies the first only.
  server.receiveDurably(2, appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 3 }));
  assertEquals([server.view.commitIndex, server.applied.length], [1, 1]);
});

Deno.test("§5.3 a heartbeat of an old commitIndex does not take anything back", () => {
  const server = followerWith(2, 1, 2);
  server.receiveDurably(2, appendRequest({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: 2 }));
  server.receiveDurably(2, appendRequest({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: 1 }));
  assertEquals([server.view.commitIndex, server.applied.length], [2, 2]);
});

Deno.test("§5.3 a leader that is refused decrements nextIndex and tries again until the logs agree", () => {
  const leader = leaderOf(VOTERS, 3, logOf(1, 1, 2));
  const ready = leader.receive(
    2,
    appendResponse({ term: 3, success: false, prevLogIndex: 3, conflictIndex: 2 }),
  );
  assertReady(ready, {
    messages: toEach(
      [2],
      appendRequest({
        term: 3,
        prevLogIndex: 1,
        prevLogTerm: 1,
        entries: [command(2, 1), command(3, 2), noop(4, 3)],
      }),
    ),
  });
});

Deno.test("§5.3 a slow follower is sent entries until it has all of them; the others are not held up", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.crash(3);
  for (let token = 1; token <= 20; token++) cluster.commit(1, token);
  assertEquals(cluster.server(1).view.commitIndex, 21);
  cluster.restart(3);
  cluster.heartbeat(1);
  assertEquals(cluster.server(3).log, cluster.server(1).log);
});

Deno.test("§5.3 a command that arrives with others travels with them in one request", () => {
  const leader = leaderOf(VOTERS, 1);
  leader.receiveDurably(2, appendResponse({ term: 1, matchIndex: 1 }));
  for (let token = 1; token <= 10; token++) leader.propose(token);
  const sent = sentOf(leader.take(), "AppendEntriesRequest").filter(({ to }) => to === 2);
  assertEquals(sent.map(({ message }) => message.entries.length), [10]);
});

Deno.test("§5.3 a server that does not lead refuses commands and keeps nothing of them", () => {
  const server = followerWith(2, 1);
  server.propose(7);
  assertReady(server.take(), { refused: [{ token: 7, reason: "notLeader" }] });
  assertEquals(server.log, logOf(1));
});

Deno.test("§5.3 a heartbeat tells the followers what is committed, and they apply it in log order", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (let token = 1; token <= 5; token++) cluster.commit(1, token);
  cluster.heartbeat(1);
  for (const server of cluster.alive) {
    assertEquals(server.applied.map((entry) => entry.index), [1, 2, 3, 4, 5, 6]);
    assertEquals(server.applied, cluster.server(1).applied);
  }
});

Deno.test("§5.3 a delayed request that agrees with the log removes nothing and is acknowledged for itself", () => {
  const server = new TestServer(2, VOTERS, {
    entries: logOf(1, 1, 1, 1),
    hardState: { currentTerm: 1, votedFor: 0 },
  });
  const delayed = appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, entries: [command(2, 1)] });
  assertReady(server.receive(1, delayed), {
    messages: toEach([1], appendResponse({ term: 1, matchIndex: 2, prevLogIndex: 1 })),
    events: [{ kind: "leader", term: 1, leader: 1 }],
  });
  assertEquals(server.log, logOf(1, 1, 1, 1));
});

Deno.test("§5.3 a leader never removes or overwrites entries of its own log", () => {
  const leader = leaderOf(VOTERS, 4, logOf(1, 2, 3));
  const before = leader.log;
  for (const entries of [[], [command(1, 4)], [command(1, 1), command(2, 4)]]) {
    assertReady(leader.receiveDurably(2, appendRequest({ term: 4, entries })), {
      events: [{ kind: "ignored", from: 2, type: "AppendEntriesRequest", reason: "two leaders in one term" }],
    });
    assertEquals(leader.log, before);
  }
});

Deno.test("§5.3 a leader resends without end to a follower that does not answer, and commits without it", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.crash(3);
  for (let token = 1; token <= 3; token++) cluster.commit(1, token);
  assertEquals(cluster.server(1).view.commitIndex, 4);
  cluster.wait(3 * ELECTION_MIN_MS);
  cluster.restart(3);
  cluster.wait(3 * ELECTION_MIN_MS);
  assertEquals(cluster.leaders, [1], "the follower that returns disturbs nobody");
  assertEquals(cluster.server(3).applied, cluster.server(1).applied);
});

Deno.test("§5.3 a refusal names the first entry of the conflicting term, even if the log begins with it", () => {
  const server = followerWith(3, 2, 2, 2);
  const ready = server.receive(2, appendRequest({ term: 3, prevLogIndex: 3, prevLogTerm: 3 }));
  assertEquals(
    sentOf(ready, "AppendEntriesResponse").map((
      { message },
    ) => [message.conflictTerm, message.conflictIndex]),
    [[2, 1]],
  );
});
