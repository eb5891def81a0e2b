/** What a node tells of itself and of the others when it is asked to explain (src/replica/explanation.ts). */
import { assert, assertEquals } from "@std/assert";
import { type ClientResponseOf, encodePacket, type VoteRefusal } from "../../packraft/mod.ts";
import { Fixture } from "./fixture.ts";
import { acknowledgement, appendRequest, configurationOf } from "./options.ts";

const VOTERS = [1, 2, 3];

function explain(fixture: Fixture): ClientResponseOf<"ExplainResponse"> {
  const luid = `explain at ${fixture.nowMs} ${fixture.answers.size}`;
  const answer = fixture.ask(luid, { type: "ExplainRequest" });
  assert(answer?.type === "ExplainResponse");
  return answer;
}

Deno.test("a node that has just started says so, and that it knows no leader", () => {
  assertEquals(explain(new Fixture(VOTERS)), {
    type: "ExplainResponse",
    node: 1,
    role: "follower",
    roleReason: "it has just started",
    roleMs: 0,
    term: 0,
    leader: 0,
    leaderSilentMs: 0,
    lastLogIndex: 0,
    durableIndex: 0,
    commitIndex: 0,
    lastApplied: 0,
    isDiskFull: false,
    mayVote: true,
    configuration: configurationOf(VOTERS),
    isConfigurationCommitted: true,
    oldestWriteIndex: 0,
    oldestWriteMs: 0,
    waitingWrites: 0,
    readsUnconfirmed: 0,
    readsUnapplied: 0,
    followers: [],
    transferTo: 0,
    votes: [],
  });
});

Deno.test("a follower says whom it follows, and how long ago it heard from it", () => {
  const fixture = new Fixture(VOTERS);
  fixture.receive(3, appendRequest({ term: 4 }));
  fixture.wait(20);
  const { role, leader, term, leaderSilentMs, roleMs } = explain(fixture);
  assertEquals([role, leader, term, leaderSilentMs, roleMs], ["follower", 3, 4, 20, 20]);
});

Deno.test("a node that stands says what each voter has answered, and why it was refused", () => {
  const fixture = new Fixture([1, 2, 3, 4]);
  fixture.wait(200);
  const answer = (from: number, refusal: VoteRefusal) =>
    fixture.receive(from, {
      type: "PreVoteResponse",
      term: 0,
      requestTerm: 1,
      voteGranted: refusal === "none",
      refusal,
      configurationIndex: 0,
    });
  answer(2, "none");
  answer(3, "logBehind");
  const { role, roleReason, leader, votes } = explain(fixture);
  assertEquals([role, roleReason, leader], ["preCandidate", "election timeout", 0]);
  assertEquals(votes, [
    { id: 2, answer: "granted", refusal: "none" },
    { id: 3, answer: "refused", refusal: "logBehind" },
    { id: 4, answer: "none", refusal: "none" },
  ]);
});

Deno.test("a leader says why it leads, what each follower has, and how long it has been silent", () => {
  const fixture = new Fixture(VOTERS);
  fixture.leadSettled();
  fixture.wait(10);
  fixture.receive(2, acknowledgement(1, 1));
  fixture.wait(20);
  const { role, roleReason, roleMs, leader, followers } = explain(fixture);
  assertEquals([role, roleReason, roleMs, leader], ["leader", "2 of 3 votes", 30, 1]);
  assertEquals(followers, [
    { id: 2, role: "voter", mode: "replicate", matchIndex: 1, silentMs: 20 },
    { id: 3, role: "voter", mode: "probe", matchIndex: 0, silentMs: 30 },
  ]);
});

Deno.test("a leader tells of the write that waits for longest, and how many wait", () => {
  const fixture = new Fixture(VOTERS);
  fixture.leadSettled();
  for (const [sequence, waitMs] of [[1, 15], [2, 5]] as const) {
    fixture.put(`w${sequence}`, sequence);
    fixture.replica.flush();
    fixture.wait(waitMs);
  }
  const waiting = explain(fixture);
  assertEquals([waiting.oldestWriteIndex, waiting.oldestWriteMs, waiting.waitingWrites], [2, 20, 2]);
  assertEquals([waiting.lastLogIndex, waiting.durableIndex, waiting.commitIndex], [3, 3, 1]);
  fixture.acknowledge(2);
  const after = explain(fixture);
  assertEquals([after.oldestWriteIndex, after.oldestWriteMs, after.waitingWrites], [3, 5, 1]);
  fixture.acknowledge(3);
  assertEquals([explain(fixture).oldestWriteIndex, explain(fixture).waitingWrites], [0, 0]);
});

Deno.test("reads that wait are counted: for the leader's confirmation, on a leader and on a follower", () => {
  const leader = new Fixture(VOTERS);
  leader.leadSettled();
  leader.get("r1");
  leader.get("r2");
  assertEquals([explain(leader).readsUnconfirmed, explain(leader).readsUnapplied], [2, 0]);
  leader.acknowledge(1);
  leader.acknowledge(1);
  assertEquals(explain(leader).readsUnconfirmed, 0);

  const follower = new Fixture(VOTERS);
  follower.receive(2, appendRequest({ term: 1 }));
  follower.get("r1", "any");
  const asked = follower.sent.at(-1);
  assert(asked?.message.type === "ReadIndexRequest");
  const { round } = asked.message;
  assertEquals([explain(follower).readsUnconfirmed, explain(follower).readsUnapplied], [1, 0]);
  const confirmed = {
    type: "ReadIndexResponse",
    term: 1,
    requestTerm: 1,
    confirmed: true,
    readIndex: 5,
  } as const;
  follower.receive(2, { ...confirmed, round });
  assertEquals([explain(follower).readsUnconfirmed, explain(follower).readsUnapplied], [0, 1]);
});

Deno.test("members that count and are not committed yet are told as such, and a transfer that is under way", () => {
  const fixture = new Fixture(VOTERS);
  fixture.leadSettled();
  const place = { host: "host4", peerPort: 8004, clientPort: 9004 };
  fixture.ask("add", { type: "ChangeMembersRequest", change: "register", id: 4, ...place });
  const changing = explain(fixture);
  assertEquals([changing.isConfigurationCommitted, changing.configuration.index], [false, 2]);
  assertEquals(changing.followers.map(({ id, role }) => `${id} ${role}`), [
    "2 voter",
    "3 voter",
    "4 learner",
  ]);
  fixture.acknowledge(2);
  assertEquals(explain(fixture).isConfigurationCommitted, true);
  fixture.ask("go", { type: "TransferRequest", to: 3 });
  assertEquals(explain(fixture).transferTo, 3);
});

Deno.test("a node answers while it has no leader, while too much is under way, and while it stops", () => {
  const fixture = new Fixture(VOTERS, 0);
  fixture.lead();
  assertEquals(explain(fixture).role, "leader");
  fixture.replica.stop();
  assertEquals(explain(fixture).role, "leader");
});

Deno.test("an explanation fits its message: a long reason is cut", () => {
  const fixture = new Fixture(VOTERS);
  fixture.wait(200);
  fixture.receive(2 ** 52, {
    type: "PreVoteResponse",
    term: 0,
    requestTerm: 1,
    voteGranted: false,
    refusal: "removed",
    configurationIndex: Number.MAX_SAFE_INTEGER,
  });
  const message = explain(fixture);
  assertEquals(message.roleReason, "node 4503599627370496 says that it was removed by entry 90071992…");
  encodePacket({ family: "response", envelope: { transactionId: "t" }, message });
});
