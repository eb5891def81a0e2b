/** Snapshots in the place of the log's beginning (section 7; src/raft/snapshots.ts). */
import { assert, assertEquals } from "@std/assert";
import type { InstallSnapshotRequest, InstallSnapshotResponse } from "../../packraft/mod.ts";
import { type Input, NOTHING_RECOVERED, RaftServer } from "../../src/raft/mod.ts";
import { ELECTION_MIN_MS, HEARTBEAT_MS, leaderOf, membersOf, TestServer } from "./harness.ts";
import {
  appendRequest,
  appendResponse,
  assertReady,
  command,
  logOf,
  noop,
  sentOf,
  termsOf,
} from "./messages.ts";

const VOTERS = [1, 2, 3];

/** Node 2's snapshot of entries up to 4 is in use. */
const INSTALLED: Input = {
  kind: "snapshotInstalled",
  from: 2,
  position: { index: 4, term: 2 },
  configuration: membersOf(VOTERS),
};

/** A leader of term 2 whose log begins after entry 4: node 2 has all of it, node 3 nothing. */
function leaderWithSnapshot(): TestServer {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1));
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 4 }));
  leader.step({ kind: "snapshotTaken", index: 4 });
  return leader;
}

/** Lets node 3 refuse the leader's probe because it has nothing. */
function refuseProbe(leader: TestServer) {
  return leader.receive(
    3,
    appendResponse({ term: 2, success: false, prevLogIndex: 3, conflictTerm: 0, conflictIndex: 1 }),
  );
}

function installResponse(fields: Partial<Omit<InstallSnapshotResponse, "type">>): InstallSnapshotResponse {
  return {
    type: "InstallSnapshotResponse",
    term: 2,
    requestTerm: 2,
    lastIncludedIndex: 4,
    nextOffset: 0,
    installed: false,
    readRound: 0,
    ...fields,
  };
}

function installRequest(fields: Partial<Omit<InstallSnapshotRequest, "type">> = {}): InstallSnapshotRequest {
  return {
    type: "InstallSnapshotRequest",
    term: 2,
    lastIncludedIndex: 4,
    lastIncludedTerm: 2,
    totalBytes: 100,
    checksum: 7,
    offset: 0,
    data: new Uint8Array(60),
    ...fields,
  };
}

Deno.test("a log goes on after its base as if the entries before were there", () => {
  const leader = leaderWithSnapshot();
  const { log } = leader.view;
  assertEquals([log.base, log.lastIndex, log.termAt(4), log.termAt(3)], [
    { index: 4, term: 2 },
    4,
    2,
    undefined,
  ]);
  leader.propose(1);
  assertEquals(leader.view.lastLogIndex, 5);
  assertEquals(log.slice(0, 9).map(({ index }) => index), [5]);
});

Deno.test("what a snapshot stands for is kept for slow followers as far as there is room for it", () => {
  const kept = (keptLogBytes: number) => {
    const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1), { keptLogBytes });
    leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 4 }));
    leader.step({ kind: "snapshotTaken", index: 4 });
    return leader.view.log.base.index;
  };
  assertEquals([kept(0), kept(300), kept(100_000)], [4, 2, 0]);
});

Deno.test("no snapshot is taken of what is not applied, or not newer", () => {
  const leader = leaderOf(VOTERS, 2, logOf(1, 1, 1));
  leader.step({ kind: "snapshotTaken", index: 4 });
  assertEquals(leader.view.snapshot.index, 0);
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 4 }));
  leader.step({ kind: "snapshotTaken", index: 4 });
  leader.step({ kind: "snapshotTaken", index: 3 });
  assertEquals(leader.view.snapshot, { index: 4, term: 2 });
});

Deno.test("a follower that lacks what the log no longer holds is sent the snapshot, a piece at a time", () => {
  const leader = leaderWithSnapshot();
  const ready = refuseProbe(leader);
  assertEquals(ready.chunksToSend, [{ to: 3, term: 2, index: 4, offset: 0 }]);
  assertEquals(leader.take().chunksToSend, [], "one at a time");
  assertEquals(leader.receive(3, installResponse({ nextOffset: 60 })).chunksToSend, [
    { to: 3, term: 2, index: 4, offset: 60 },
  ]);
  leader.propose(1);
  const installed = leader.receive(3, installResponse({ installed: true }));
  const appends = sentOf(installed, "AppendEntriesRequest").filter(({ to }) => to === 3);
  assertEquals(
    appends.map(({ message }) => [message.prevLogIndex, message.prevLogTerm, message.entries.length]),
    [
      [4, 2, 1],
    ],
  );
  assertEquals(leader.view.progress?.get(3)?.matchIndex, 4);
});

Deno.test("meanwhile it hears that the leader lives, in a heartbeat that fits any log", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  leader.wait(HEARTBEAT_MS);
  const heartbeats = sentOf(leader.take(), "AppendEntriesRequest").filter(({ to }) => to === 3);
  assertEquals(
    heartbeats.map(({ message }) => [message.prevLogIndex, message.prevLogTerm, message.entries]),
    [
      [0, 0, []],
    ],
  );
});

Deno.test("a piece that is not answered is sent again, and a transfer goes on where the follower has it", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  leader.wait(HEARTBEAT_MS);
  assertEquals(leader.take().chunksToSend, []);
  // The other follower keeps the leader in office.
  leader.receive(2, appendResponse({ term: 2, matchIndex: 4 }));
  leader.wait(ELECTION_MIN_MS);
  assertEquals(leader.take().chunksToSend, [{ to: 3, term: 2, index: 4, offset: 0 }]);
  assertEquals(leader.receive(3, installResponse({ nextOffset: 90 })).chunksToSend, [
    { to: 3, term: 2, index: 4, offset: 90 },
  ]);
});

Deno.test("answers to other snapshots, of other terms or that were never sent move nothing", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  for (
    const response of [
      installResponse({ lastIncludedIndex: 3, nextOffset: 50 }),
      installResponse({ lastIncludedIndex: 99, installed: true }),
      installResponse({ requestTerm: 1, installed: true }),
    ]
  ) {
    assertEquals(leader.receive(3, response).chunksToSend, []);
  }
  assertEquals(leader.view.progress?.get(3)?.matchIndex, 0);
  assertEquals(leader.view.progress?.get(3)?.transfer?.offset, 0);
});

Deno.test("a newer snapshot does not take from a follower the entries after the one that it is sent", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  for (let token = 1; token <= 3; token++) leader.propose(token);
  leader.take();
  leader.finishWrite();
  leader.receive(2, appendResponse({ term: 2, matchIndex: 7, prevLogIndex: 4 }));
  leader.settle();
  leader.receive(3, installResponse({ nextOffset: 10 }));
  leader.step({ kind: "snapshotTaken", index: 7 });
  assertEquals([leader.view.snapshot.index, leader.view.log.base.index], [7, 4]);
  const appends = sentOf(leader.receive(3, installResponse({ installed: true })), "AppendEntriesRequest");
  assertEquals(appends.map(({ to, message }) => [to, message.prevLogIndex, message.entries.length]), [[
    3,
    4,
    3,
  ]]);
});

Deno.test("a follower hands a piece out to be kept and says how much it has, when it is told so", () => {
  const server = new TestServer(1, VOTERS);
  const request = installRequest();
  const ready = server.receiveDurably(2, request);
  assertEquals(ready.chunksToStore, [{ from: 2, request }]);
  assertEquals(server.view.leader, 2);
  server.step({ kind: "chunkStored", from: 2, lastIncludedIndex: 4, nextOffset: 60 });
  assertEquals(sentOf(server.take(), "InstallSnapshotResponse"), [
    { to: 2, message: installResponse({ nextOffset: 60 }) },
  ]);
});

Deno.test("an installed snapshot replaces a log that does not contain its end", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1),
    hardState: { currentTerm: 1, votedFor: 0 },
  });
  server.receiveDurably(2, installRequest());
  server.step(INSTALLED);
  const { view } = server;
  assertEquals([view.log.base, view.lastLogIndex, view.commitIndex, view.lastApplied], [
    { index: 4, term: 2 },
    4,
    4,
    4,
  ]);
  assertEquals(view.log.durableIndex, 4);
  assertEquals(sentOf(server.take(), "InstallSnapshotResponse"), [
    { to: 2, message: installResponse({ installed: true }) },
  ]);
  // And the log goes on from there.
  const next = appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 2, entries: [command(5, 2)] });
  assertEquals(server.receive(2, next).persist?.entries, [command(5, 2)]);
});

Deno.test("an installed snapshot leaves what follows it in a log that contains its end", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 1, 2, 2),
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  server.step(INSTALLED);
  assertEquals([server.view.lastLogIndex, server.view.commitIndex], [5, 4]);
  assertEquals(termsOf(server.log), [1, 1, 1, 2, 2]);
});

Deno.test("entries that were on their way to the disk when a snapshot replaced the log are not durable in it", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 1, votedFor: 0 } });
  server.receive(2, appendRequest({ term: 1, entries: logOf(1, 1, 1, 1, 1, 1) }));
  server.receive(2, installRequest());
  server.step(INSTALLED);
  const [write] = server.writing;
  assert(write !== undefined);
  server.step({ kind: "persisted", sequence: write.sequence });
  assertEquals([server.view.lastLogIndex, server.view.log.durableIndex], [4, 4]);
});

Deno.test("a snapshot of what is applied already is acknowledged, and nothing is stored", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 1, 1),
    hardState: { currentTerm: 1, votedFor: 0 },
  });
  const heartbeat = appendRequest({ term: 2, prevLogIndex: 4, prevLogTerm: 1, leaderCommit: 4 });
  server.receiveDurably(2, heartbeat);
  const ready = server.receive(2, installRequest({ lastIncludedIndex: 3, lastIncludedTerm: 1 }));
  assertEquals(ready.chunksToStore, []);
  assertEquals(sentOf(ready, "InstallSnapshotResponse").map(({ message }) => message.installed), [true]);
});

Deno.test("a leader of a term that is over learns it from the answer to a piece", () => {
  const server = new TestServer(1, VOTERS, { hardState: { currentTerm: 5, votedFor: 0 } });
  assertReady(server.receive(2, installRequest()), {
    messages: [{ to: 2, message: installResponse({ term: 5 }) }],
  });
});

Deno.test("entries under a snapshot that come once more are the same, and are skipped", () => {
  const server = new TestServer(1, VOTERS);
  server.receiveDurably(2, installRequest());
  server.step(INSTALLED);
  server.take();
  const late = appendRequest({
    term: 2,
    prevLogIndex: 2,
    prevLogTerm: 1,
    entries: [command(3, 1), noop(4, 2), command(5, 2)],
  });
  const ready = server.receive(2, late);
  assertEquals(ready.persist?.entries, [command(5, 2)]);
  server.step({ kind: "persisted", sequence: ready.persist?.sequence ?? 0 });
  assertEquals(sentOf(server.take(), "AppendEntriesResponse").map(({ message }) => message.matchIndex), [5]);
});

Deno.test("a server starts from a snapshot and the entries around it", () => {
  const options = new TestServer(1, VOTERS).options;
  const server = new RaftServer(options, {
    ...NOTHING_RECOVERED,
    hardState: { currentTerm: 2, votedFor: 0 },
    base: { index: 2, term: 1 },
    snapshot: { index: 4, term: 1 },
    entries: [command(3, 1), command(4, 1), command(5, 2)],
  }, 0);
  const { commitIndex, lastApplied, lastLogIndex, log } = server.view();
  assertEquals([commitIndex, lastApplied, lastLogIndex, log.termAt(5), log.termAt(2)], [4, 4, 5, 2, 1]);
  assertEquals(server.ready().committed, []);
});

Deno.test("the answer to a copy of a piece does not make another copy, and a dead follower is sent nothing again", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  leader.receive(3, installResponse({ nextOffset: 10 }));
  assertEquals(leader.receive(3, installResponse({ nextOffset: 10 })).chunksToSend, []);
  assertEquals(
    leader.receive(3, installResponse({ nextOffset: 20 })).chunksToSend.map(({ offset }) => offset),
    [20],
  );
  const resent: number[] = [];
  for (let i = 0; i < 20; i++) {
    leader.receive(2, appendResponse({ term: 2, matchIndex: 4 }));
    leader.wait(ELECTION_MIN_MS);
    resent.push(...leader.take().chunksToSend.map(({ offset }) => offset));
  }
  assertEquals(resent, [20], "nothing was heard of it since");
});

Deno.test("a transfer that stalls keeps no entries, and gives way to a newer snapshot", () => {
  const leader = leaderWithSnapshot();
  refuseProbe(leader);
  for (let i = 0; i < 60; i++) {
    leader.receive(2, appendResponse({ term: 2, matchIndex: leader.view.lastLogIndex }));
    // It follows, and never says that it has a piece: its disk is full, or what it gets is damaged.
    leader.receive(3, appendResponse({ term: 2, matchIndex: 0 }));
    leader.wait(ELECTION_MIN_MS);
    leader.settle();
  }
  assertEquals(leader.view.role, "leader");
  leader.propose(1);
  leader.settle();
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 5, prevLogIndex: 4 }));
  leader.step({ kind: "snapshotTaken", index: 5 });
  assertEquals(leader.view.log.base.index, 5);
  leader.take();
  assertEquals(leader.view.progress?.get(3)?.transfer?.index, 5);
});
