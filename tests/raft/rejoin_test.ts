/** A server that does not remember all it promised (src/raft/rejoin.ts). */
import { assert, assertEquals } from "@std/assert";
import { Forgetful } from "./forgetful.ts";
import { ELECTION_MAX_MS, membersOf, TestServer } from "./harness.ts";
import {
  appendRequest,
  logOf,
  noop,
  preVoteRequest,
  rejoinResponse,
  sentOf,
  voteRequest,
} from "./messages.ts";

const VOTERS = [1, 2, 3];

Deno.test("a node with an empty disk takes part in nothing before all others have answered", () => {
  const node = new Forgetful("new");
  assertEquals(node.view.role, "rejoining");
  const round = node.round();
  assertEquals(node.wait(ELECTION_MAX_MS * 3).map(({ type }) => type), ["RejoinRequest", "RejoinRequest"]);
  for (
    const message of [voteRequest(9), preVoteRequest(9), appendRequest({ term: 9, entries: [noop(1, 9)] })]
  ) {
    assertEquals(node.receive(2, message), []);
  }
  node.answer(2, round, 4);
  assertEquals([node.view.role, node.view.currentTerm, node.view.lastLogIndex], ["rejoining", 0, 0]);
  assertEquals(node.persisted, []);
});

Deno.test("it comes back in a term after the newest that any other has seen, and that is durable first", () => {
  const node = new Forgetful("new");
  const round = node.round();
  node.answer(2, round, 4);
  node.answer(3, round, 7);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 8]);
  assertEquals(node.persisted, [{
    sequence: 1,
    hardState: { currentTerm: 8, votedFor: 0, rejoinTerm: 8 },
    entries: [],
  }]);
});

Deno.test("it neither votes nor stands before its log has an entry of that term or a later one", () => {
  const node = new Forgetful("lost", { entries: logOf(1, 2), hardState: { currentTerm: 2, votedFor: 3 } });
  const round = node.round();
  node.answer(2, round, 4);
  node.answer(3, round, 4);
  assertEquals(node.view.mayVote, false);
  node.wait(ELECTION_MAX_MS * 2);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 5]);
  const refusals = [voteRequest(6, 9, 5), preVoteRequest(7, 9, 5)].map((request) => {
    const [answer] = node.receive(2, request);
    return answer?.type === "RequestVoteResponse" || answer?.type === "PreVoteResponse" ? answer.refusal : "";
  });
  assertEquals(refusals, ["memoryLost", "memoryLost"]);

  // Node 3 leads term 7, and gives it what it lacks: first of old terms, then its own.
  node.receive(3, appendRequest({ term: 7, prevLogIndex: 2, prevLogTerm: 2, entries: [noop(3, 4)] }));
  assertEquals(node.view.mayVote, false);
  node.receive(3, appendRequest({ term: 7, prevLogIndex: 3, prevLogTerm: 4, entries: [noop(4, 7)] }));
  assertEquals(node.view.mayVote, true);
  node.wait(ELECTION_MAX_MS);
  assertEquals(node.view.role, "preCandidate");
});

Deno.test("a leader of a term that it may have forgotten is refused, and so learns of the new one", () => {
  const node = new Forgetful("lost");
  const round = node.round();
  node.answer(2, round, 4);
  node.answer(3, round, 4);
  const [answer] = node.receive(2, appendRequest({ term: 4, entries: [noop(1, 1)] }));
  assert(answer?.type === "AppendEntriesResponse");
  assertEquals([answer.success, answer.term], [false, 5]);
  assertEquals(node.view.lastLogIndex, 0);
});

Deno.test("answers to an earlier round, or to another life, count for nothing", () => {
  const node = new Forgetful("lost");
  const round = node.round();
  node.answer(2, round, 4);
  node.answer(3, round + 1, 4);
  node.answer(3, 0, 4);
  assertEquals(node.view.role, "rejoining");
  assert(new Forgetful("lost").round() > 0);
});

Deno.test("a new cluster begins when all its nodes have said that they are new", () => {
  const node = new Forgetful("new");
  const round = node.round();
  node.answer(2, round, 0, "new");
  assertEquals(node.view.role, "rejoining");
  node.answer(3, round, 0, "new");
  assertEquals([node.view.role, node.view.currentTerm, node.view.mayVote], ["follower", 0, true]);
  assertEquals(node.persisted.map(({ hardState }) => hardState), [{ currentTerm: 0, votedFor: 0 }]);
});

Deno.test("a node that has begun and promised nothing yet does not keep the others from beginning", () => {
  const node = new Forgetful("new");
  const round = node.round();
  node.answer(2, round, 0, "whole");
  node.answer(3, round, 0, "new");
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 0]);
});

Deno.test("a node alone is new when nobody has spoken to it for an election timeout, and does not come back from damage", () => {
  const alone = new Forgetful("new", { voters: [1] });
  alone.take();
  alone.wait(1);
  assertEquals(alone.view.role, "rejoining", "it may have members by now that it has forgotten");
  alone.wait(2 * ELECTION_MAX_MS);
  alone.wait(1);
  assertEquals(alone.view.role, "leader");

  const damaged = new Forgetful("lost", { voters: [1], entries: logOf(1) });
  damaged.server.step({ kind: "time", nowMs: 1 });
  assertEquals(damaged.server.ready().events.at(-1), {
    kind: "rejoinImpossible",
    memory: "lost",
    without: [],
  });
  assertEquals(damaged.view.role, "rejoining");
});

Deno.test("where too few remember everything nobody comes back, and it says who is missing", () => {
  const node = new Forgetful("lost");
  let told: unknown;
  for (let round = 0; round < 3; round++) {
    const number = node.round();
    node.answer(2, number, 4);
    node.answer(3, number, 0, "lost");
    told = node.events.find(({ kind }) => kind === "rejoinImpossible") ?? told;
  }
  assertEquals(told, { kind: "rejoinImpossible", memory: "lost", without: [3] });
  assertEquals(node.view.role, "rejoining");
});

Deno.test("a round decides only if those without a memory in it had none in the round before", () => {
  const voters = [1, 2, 3, 4, 5];
  const node = new Forgetful("lost", { voters });
  const first = node.round();
  for (const from of [2, 3, 4]) node.answer(from, first, 4);
  // Node 5 may have led term 5 with the help of node 4, which had not voted when it answered.
  const asked = node.answer(5, first, 0, "lost");
  assertEquals(node.view.role, "rejoining");
  const second = asked.find((message) => message.type === "RejoinRequest")?.round ?? 0;
  assert(second !== 0 && second !== first);
  for (const from of [2, 3]) node.answer(from, second, 4);
  node.answer(4, second, 5);
  node.answer(5, second, 0, "lost");
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 6]);
});

Deno.test("a node that remembers everything answers with its term, when that is durable, and changes nothing", () => {
  const server = new TestServer(1, VOTERS);
  server.step({ kind: "message", from: 2, message: appendRequest({ term: 3 }) });
  const request = { type: "RejoinRequest", term: 99, round: 5 } as const;
  assertEquals(sentOf(server.receive(3, request), "RejoinResponse"), []);
  server.finishWrite();
  const [answer] = sentOf(server.take(), "RejoinResponse");
  assertEquals(answer?.message, rejoinResponse({ term: 3, round: 5, configurations: [membersOf(VOTERS)] }));
  assertEquals(server.view.currentTerm, 3);
});

Deno.test("a restart in the middle of coming back does not make it whole", () => {
  const hardState = { currentTerm: 8, votedFor: 0, rejoinTerm: 8 };
  const node = new Forgetful("whole", { hardState, entries: logOf(1, 4) });
  assertEquals([node.view.role, node.view.mayVote], ["follower", false]);
  node.wait(ELECTION_MAX_MS * 2);
  assertEquals(node.view.role, "follower");
});

Deno.test("a damaged node in term 0 is no proof that the cluster is new", () => {
  const node = new Forgetful("new");
  const round = node.round();
  node.answer(2, round, 0, "new");
  node.answer(3, round, 0, "lost");
  assertEquals(node.view.role, "rejoining");
});

Deno.test("a node that is on its way back itself says so; it does not count, and nobody gives up for it", () => {
  const node = new Forgetful("lost");
  const events: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const round = node.round();
    node.answer(2, round, 4);
    node.answer(3, round, 5, "returning");
    events.push(...node.events);
  }
  assertEquals(node.view.role, "rejoining");
  assertEquals(events.filter((event) => JSON.stringify(event).includes("rejoinImpossible")), []);
  const round = node.round();
  node.answer(2, round, 6);
  node.answer(3, round, 6);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 7]);
  // It was asked, and answers that it has not everything yet.
  const [answer] = node.receive(3, { type: "RejoinRequest", term: 0, round: 9 });
  const configurations = [membersOf(VOTERS)];
  assertEquals(answer, rejoinResponse({ term: 7, round: 9, memory: "returning", configurations }));
});

Deno.test("a node alone that is spoken to has members that it has forgotten: it does not begin anew", () => {
  const node = new Forgetful("new", { voters: [1] });
  node.take();
  node.receive(2, appendRequest({ term: 4, entries: [noop(1, 4)] }));
  node.wait(3 * ELECTION_MAX_MS);
  assertEquals([node.view.role, node.view.currentTerm], ["rejoining", 0]);
  assertEquals(node.asks(), [2]);
});
