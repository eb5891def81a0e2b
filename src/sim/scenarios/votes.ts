/**
 * Scenarios of elections and votes.
 *
 * @module
 */
import { scenario } from "../scenario.ts";
import { hasEntries } from "./filters.ts";

export const VOTE_SCENARIOS = [
  scenario("vote-amnesia", {
    nodes: 3,
    says: "a node that loses power while it votes, or after, does not vote again in that term",
    source: "Raft §5.1 and Figure 2; drafty #1",
  }, (c) => {
    c.elect(1);
    c.crash(1);
    c.cutPowerAt(3, 2); // its vote is written by then, and not synced
    const only2 = c.silenceAllBut(2);
    c.until("node 3 loses power while it votes", () => !c.isUp(3));
    const term = c.term(2);
    c.restart(3);
    only2.end();
    c.elect(2);
    c.expect("the term of the broken vote stays without a second leader", c.term(2) >= term);
    c.crash(2, 3); // a vote that is durable now
    c.restart(1, 3);
    c.elect();
  }),

  scenario("one-vote", {
    nodes: 3,
    says: "of two candidates in one term, a voter serves the first",
    source: "Raft §5.2; drafty #1, chelseatroy #21",
  }, (c) => {
    // Node 3 does not hear in time that node 2 stands: it would yield.
    const silence1 = c.drop((message, from, to) =>
      message.type === "PreVoteRequest" && (from === 1 || (from === 2 && to === 3))
    );
    const likely = c.hold((message) => message.type === "PreVoteResponse");
    const other = c.drop((message, from, to) => message.type === "RequestVoteRequest" && from + to === 5);
    const late = c.hold((message, from) => message.type === "RequestVoteRequest" && from === 3);
    c.until(
      "both have asked",
      () => c.view(2)?.role === "preCandidate" && c.view(3)?.role === "preCandidate",
    );
    c.advance(5);
    likely.release();
    const entries = c.drop(hasEntries); // or node 1 would refuse for the log's sake
    c.until(
      "node 2 leads, and node 3 is a candidate",
      () => c.view(2)?.role === "leader" && c.view(3)?.role === "candidate",
    );
    late.release();
    c.advance(20);
    other.end();
    entries.end();
    silence1.end();
    c.advance(100);
    c.expectSame("the leader", c.leader, 2);
    c.expectSame("the term of node 3", c.term(3), c.term(2));
  }),

  scenario("two-candidates", {
    nodes: 4,
    says: "a split vote elects nobody, and chance resolves it",
    source: "Raft §5.2",
  }, (c) => {
    // Node 2 does not hear in time that node 1 stands: it would yield.
    const silence = c.drop((message, from, to) =>
      message.type === "PreVoteRequest" && (from > 2 || (from === 1 && to === 2))
    );
    const likely = c.hold((message) => message.type === "PreVoteResponse");
    const split = c.drop((message, from, to) => message.type === "RequestVoteRequest" && to !== from + 2);
    c.until(
      "both have asked",
      () => c.view(1)?.role === "preCandidate" && c.view(2)?.role === "preCandidate",
    );
    c.advance(5);
    likely.release();
    c.advance(20);
    c.expectSame("the roles of nodes 1 and 2", [c.view(1)?.role, c.view(2)?.role], [
      "candidate",
      "candidate",
    ]);
    c.expectSame("the votes", c.nodes.map((node) => c.view(node)?.votedFor), [1, 2, 1, 2]);
    silence.end();
    split.end();
    c.elect();
    c.put("x", "1");
  }),

  scenario("second-yields", {
    nodes: 3,
    says: "of nodes that stand at the same time all but one yield, and no votes are split",
    source: "Raft §5.2; thesis §9.6",
  }, (c) => {
    const asked = c.hold((message) => message.type === "PreVoteRequest");
    const standing = () => c.nodes.filter((node) => c.view(node)?.role === "preCandidate");
    c.until("two stand", () => standing().length >= 2);
    const [first] = standing();
    asked.release();
    c.until("one leads", () => c.leader !== 0);
    c.expectSame("the leader", c.leader, first);
    c.expectSame("the term", c.term(first ?? 0), 1);
    c.put("x", "1");
  }),

  scenario("half-cluster", {
    nodes: 4,
    says: "two of four neither elect nor commit",
    source: "Raft §5.2; chelseatroy #26",
  }, (c) => {
    c.elect(1);
    c.partition([1, 2], [3, 4]);
    const write = c.beginPut("x", "1", { at: 1 });
    c.advance(5_000);
    c.expect("the write is not done", !write.isDone, write.answer);
    c.expectSame("the roles", c.nodes.filter((node) => c.view(node)?.role === "leader"), []);
    c.heal();
    c.elect();
    c.put("x", "2");
  }),

  scenario("leaders-take-turns", {
    nodes: 3,
    says: "every node can lead in its turn, and none forgets what the others wrote",
    source: "Raft §5.1; drafty #17, chelseatroy #21",
  }, (c) => {
    for (const [turn, node] of [1, 2, 3, 1].entries()) {
      c.elect(node);
      c.put("x", `turn ${turn}`, { at: node });
      c.settle();
    }
    c.expectSame("x", c.get("x"), "turn 3");
  }),

  scenario("newer-but-shorter", {
    nodes: 3,
    says: "the log with the newer last term wins over the longer one",
    source: "Raft §5.4.1; drafty #2, chelseatroy #26",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.isolate(1);
    for (const value of ["a", "b", "c", "d"]) c.beginPut("y", value, { at: 1 });
    c.elect(2);
    c.put("x", "2", { at: 2 });
    c.crash(2);
    c.expect("the newer log is shorter", c.terms(3).length < c.terms(1).length);
    c.heal();
    const only1 = c.silenceAllBut(1);
    c.advance(3_000);
    c.expectSame("the role of node 1", c.view(1)?.role, "preCandidate");
    only1.end();
    c.elect(3);
    c.expectSame("x", c.get("x"), "2");
  }),

  scenario("same-vote-twice", {
    nodes: 5,
    says: "a vote that arrives twice counts once",
    source: "Raft §5.2; drafty #17",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.network({ duplicate: 1, replayUpToMs: 5 });
    c.partition([2, 3], [1, 4, 5]);
    c.advance(5_000);
    for (const node of [2, 3]) {
      c.expect(`node ${node} does not lead in its minority`, c.view(node)?.role !== "leader");
    }
    c.put("x", "1");
  }),

  scenario("candidate-meets-leader", {
    nodes: 3,
    says: "a candidate follows the leader of its own term as soon as it hears from it",
    source: "Raft §5.2; drafty #7",
  }, (c) => {
    // Node 3 does not hear in time that node 2 stands: it would yield.
    const silence1 = c.drop((message, from, to) =>
      message.type === "PreVoteRequest" && (from === 1 || (from === 2 && to === 3))
    );
    const likely = c.hold((message) => message.type === "PreVoteResponse");
    const others = c.drop((message, from) => message.type === "RequestVoteRequest" && from === 3);
    c.cut(2, 3);
    c.until(
      "both have asked",
      () => c.view(2)?.role === "preCandidate" && c.view(3)?.role === "preCandidate",
    );
    c.advance(5);
    likely.release();
    c.until(
      "node 2 leads, and node 3 is a candidate",
      () => c.view(2)?.role === "leader" && c.view(3)?.role === "candidate",
    );
    const term = c.term(2);
    c.expectSame("the term of node 3", c.term(3), term);
    c.heal();
    c.advance(100);
    c.expectSame("the leader that node 3 knows, and its term", [c.view(3)?.leader, c.term(3)], [2, term]);
    others.end();
    silence1.end();
  }),

  scenario("old-leader-is-told", {
    nodes: 3,
    says: "a leader that slept through an election learns of it from the answer to its next request",
    source: "Raft §5.1; drafty #8",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.cut(2, 1); // the new leader itself cannot tell it
    c.pause(1, 2_000, { clock: "stops" });
    c.elect(2);
    c.advance(2_000);
    c.expectSame("the term of node 1", c.term(1), c.term(2));
    c.expect("node 1 leads no more", c.view(1)?.role !== "leader");
  }),

  scenario("deaf-candidate", {
    nodes: 3,
    says: "a node that hears nothing but can speak disturbs nobody, for however long",
    source: "thesis §9.6; TigerBeetle's liveness",
  }, (c) => {
    c.elect(1);
    c.settle(); // or its log alone would keep it from winning
    const term = c.term(1);
    c.cut(1, 3);
    c.cut(2, 3);
    for (let i = 0; i < 10; i++) {
      c.advance(1_000);
      c.put("x", `${i}`, { at: 1 });
    }
    c.expectSame("leader and term", [c.leader, c.term(1), c.term(2)], [1, term, term]);
  }),
];
