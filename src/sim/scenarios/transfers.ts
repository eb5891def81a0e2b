/**
 * Scenarios of leadership that is handed over, and of reads that others than the leader serve.
 *
 * @module
 */
import { scenario } from "../scenario.ts";
import { hasEntries } from "./filters.ts";

export const TRANSFER_SCENARIOS = [
  scenario("handed-over", {
    nodes: 3,
    says: "a leader that hands over is followed at once, without an election timeout",
    source: "thesis §3.10",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    for (const to of [2, 3, 1]) {
      const answer = c.members.transfer(to);
      c.expectSame("the answer", answer, { type: "TransferResponse", leader: to });
      c.until(`node ${to} leads`, () => c.leader === to, 50);
      c.put("x", `under ${to}`);
    }
  }),

  scenario("handed-over-to-nobody", {
    nodes: 3,
    says: "a leader whose successor does not come to lead goes on by itself",
    source: "thesis §3.10",
  }, (c) => {
    c.elect(1);
    c.settle();
    const deaf = c.drop((message) => message.type === "TimeoutNowRequest");
    const term = c.term(1);
    const answer = c.members.transfer(2);
    c.expect("it failed", answer.type === "ErrorResponse" && answer.code === "transferFailed", answer);
    c.put("x", "1", { at: 1 });
    c.expectSame("leader and term", [c.leader, c.term(1)], [1, term]);
    deaf.end();
    c.crash(2);
    c.advance(1_000);
    const dead = c.members.transfer(2);
    c.expect("it failed", dead.type === "ErrorResponse" && dead.code === "transferFailed", dead);
    c.put("x", "2", { at: 1 });
  }),

  scenario("handed-over-to-a-laggard", {
    nodes: 3,
    says: "who is to lead gets what it lacks before it stands",
    source: "thesis §3.10",
  }, (c) => {
    c.elect(1);
    c.settle();
    const entries = c.drop((message, _from, to) => hasEntries(message) && to === 3);
    for (let i = 0; i < 5; i++) c.put("x", `${i}`, { at: 1 });
    entries.end();
    c.members.transfer(3);
    c.until("node 3 leads", () => c.leader === 3, 1_000);
    c.expectSame("x", c.get("x", { at: 3 }), "4");
  }),

  scenario("returning-node", {
    nodes: 3,
    says: "a node that was cut off and comes back causes no election",
    source: "thesis §9.6",
  }, (c) => {
    c.elect(1);
    c.settle();
    const terms = c.nodes.map((node) => c.term(node));
    for (let i = 0; i < 5; i++) {
      c.isolate(3);
      c.advance(5_000);
      c.heal();
      c.advance(1_000);
      c.put("x", `${i}`, { at: 1 });
    }
    c.expectSame("the terms", c.nodes.map((node) => c.term(node)), terms);
    c.expectSame("the leader", c.leader, 1);
  }),

  scenario("follower-reads", {
    nodes: 3,
    says: "any node serves a read, and it sees every write that was answered before",
    source: "thesis §6.4",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 5; i++) {
      c.put("x", `${i}`, { at: 1 });
      const reads = c.nodes.map((at) => c.requests.get("x", at, "any"));
      c.until("all have answered", () => reads.every((read) => read.isDone), 1_000);
      c.expectSame("what they have read", reads.map((read) => read.value), [`${i}`, `${i}`, `${i}`]);
    }
    // A follower that reaches no leader answers nothing.
    c.isolate(3);
    const read = c.requests.get("x", 3, "any");
    c.put("x", "new", { at: 1 });
    c.advance(3_000);
    c.expect("node 3 has served no read", !read.isDone, read.value);
  }),

  scenario("follower-read-race", {
    nodes: 3,
    says: "a late answer to an earlier question of a follower confirms no read that came after it",
    source: "thesis §6.4; etcd's ReadIndex retries",
  }, (c) => {
    c.elect(1);
    c.put("x", "old", { at: 1 });
    c.settle();
    const next = c.hold((message) => message.type === "ReadIndexResponse");
    let round = 0;
    const late = c.hold((message) =>
      message.type === "ReadIndexResponse" && (round ||= message.round) === message.round
    );
    const first = c.requests.get("x", 3, "any");
    c.advance(100);
    // Node 3 hears nothing of what is written now, but its questions are still answered.
    const entries = c.drop((message, _from, to) =>
      message.type === "AppendEntriesRequest" && hasEntries(message) && to === 3
    );
    c.put("x", "new", { at: 1 });
    const second = c.requests.get("x", 3, "any");
    c.advance(400); // it has asked again, for both
    late.release();
    c.advance(20);
    next.release();
    c.advance(20);
    c.expect("no read that came after the write is old", second.value !== "old", [first.value, second.value]);
    entries.end();
    c.until("both are answered", () => second.isDone, 5_000);
    c.expectSame("the second read", second.value, "new");
  }),
];
