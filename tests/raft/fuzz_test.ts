/** Messages that make no sense, in any order. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeMembers, type Entry } from "../../packraft/mod.ts";
import type { PeerMessage, Ready } from "../../src/raft/mod.ts";
import { HEARTBEAT_MS, membersOf, TestServer } from "./harness.ts";
import { logOf } from "./messages.ts";

const VOTERS = [1, 2, 3];
const HUGE = Number.MAX_SAFE_INTEGER;

const number = fc.oneof(
  { weight: 6, arbitrary: fc.nat(6) },
  { weight: 1, arbitrary: fc.constantFrom(HUGE, HUGE - 1, HUGE - 2, 2 ** 32, 2 ** 31) },
);
const node = fc.integer({ min: 1, max: 5 });
const configuration = fc.record({
  index: number,
  term: number,
  members: fc.uniqueArray(node, { minLength: 1, maxLength: 4 }).map((ids) => membersOf(ids).members),
});
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    index: number,
    term: number,
    kind: fc.constantFrom("noop" as const, "command" as const, "configuration" as const),
    data: fc.uint8Array({ maxLength: 3 }),
  }),
  configuration.map(({ index, term, members }) => (
    { index, term, kind: "configuration" as const, data: encodeMembers(members) }
  )),
);
const vote = { term: number, lastLogIndex: number, lastLogTerm: number };
const refusal = fc.constantFrom(
  "none" as const,
  "staleTerm" as const,
  "leaderAlive" as const,
  "removed" as const,
);
const answer = {
  term: number,
  requestTerm: number,
  voteGranted: fc.boolean(),
  refusal,
  configurationIndex: number,
};

const ANY_MESSAGE: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ type: fc.constant("PreVoteRequest" as const), ...vote }),
  fc.record({ type: fc.constant("RequestVoteRequest" as const), ...vote, isTransfer: fc.boolean() }),
  fc.record({ type: fc.constant("PreVoteResponse" as const), ...answer }),
  fc.record({ type: fc.constant("RequestVoteResponse" as const), ...answer }),
  fc.record({
    type: fc.constant("AppendEntriesRequest" as const),
    term: number,
    prevLogIndex: number,
    prevLogTerm: number,
    leaderCommit: number,
    readRound: number,
    hashIndex: number,
    divergesAt: fc.constant(0),
    entries: fc.array(entry, { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant("AppendEntriesResponse" as const),
    term: number,
    requestTerm: number,
    success: fc.boolean(),
    matchIndex: number,
    prevLogIndex: number,
    conflictTerm: number,
    conflictIndex: number,
    readRound: number,
    hashIndex: number,
    stateHash: number,
  }),
  fc.record({ type: fc.constant("TimeoutNowRequest" as const), term: number }),
  fc.record({ type: fc.constant("ReadIndexRequest" as const), term: number, round: number }),
  fc.record({
    type: fc.constant("ReadIndexResponse" as const),
    term: number,
    requestTerm: number,
    round: number,
    confirmed: fc.boolean(),
    readIndex: number,
  }),
  fc.record({ type: fc.constant("RejoinRequest" as const), term: number, round: number }),
  fc.record({
    type: fc.constant("RejoinResponse" as const),
    term: number,
    round: number,
    memory: fc.constantFrom("whole" as const, "lost" as const, "new" as const, "returning" as const),
    isAdmitted: fc.boolean(),
    configurations: fc.array(configuration, { maxLength: 2 }),
  }),
);

Deno.test("no sequence of messages, however absurd, makes a server fail or its log lose its order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), ANY_MESSAGE, fc.nat(8)), { minLength: 1, maxLength: 60 }),
      (inputs) => {
        const server = new TestServer(1, VOTERS, { entries: logOf(1, 2), maxAppendBytes: 4 });
        let term = 0;
        let commitIndex = 0;
        for (const [from, message, then] of inputs) {
          const ready: Ready = server.receive(from, message);
          if (then === 0) server.wait(HEARTBEAT_MS);
          if (then === 1) server.waitForWake();
          if (then >= 2) server.settle();
          if (then === 3) server.propose(1);
          if (then === 4) server.read(2);
          if (then === 5) server.step({ kind: "read", token: 3, isForAny: true });
          if (then === 6) server.step({ kind: "transfer", token: 4, to: from });
          if (then === 7) {
            server.step({ kind: "changeMembers", token: 5, change: { kind: "deregister", id: from } });
          }
          const { view, log } = server;
          assert(view.currentTerm >= term && view.commitIndex >= commitIndex);
          assert(view.commitIndex <= view.lastLogIndex && server.applied.length <= view.commitIndex);
          assertEquals(log.map(({ index }) => index), log.map((_, at) => at + 1));
          assert(log.every((entry, at) => at === 0 || entry.term >= (log[at - 1]?.term ?? 0)));
          assert(ready.messages.every(({ to }) => to !== 1));
          term = view.currentTerm;
          commitIndex = view.commitIndex;
        }
      },
    ),
    { numRuns: 1000 },
  );
});
