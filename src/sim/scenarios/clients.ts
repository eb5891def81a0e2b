/**
 * Scenarios of reads and retries: what clients see.
 *
 * @module
 */
import { scenario } from "../scenario.ts";
import { hasEntries, isHeartbeat } from "./filters.ts";

export const CLIENT_SCENARIOS = [
  scenario("paused-leader-read", {
    nodes: 3,
    says: "a leader that slept through an election serves no stale read when it wakes",
    source: "Raft §8; etcd #20418",
  }, (c) => {
    c.elect(1);
    c.put("x", "old");
    c.settle();
    c.pause(1, 3_000, { clock: "stops" });
    const read = c.beginGet("x", { at: 1 });
    const news = c.hold((_message, _from, to) => to === 1); // is slower than the reads
    c.elect(2);
    c.put("x", "new", { at: 2 });
    const later = c.beginGet("x", { at: 1 });
    c.advance(3_000);
    c.expect("no stale value is read", later.value !== "old", later.answer);
    news.release();
    c.advance(100);
    c.expect("both reads are answered", read.answerCount > 0 && later.answerCount > 0);
    c.expect("no stale value is read", later.value !== "old", later.answer);
    c.expectSame("x", c.get("x", { at: 1 }), "new");
  }),

  scenario("readindex-retry-race", {
    nodes: 3,
    says: "late answers to an earlier term's round of the same number confirm no read",
    source: "thesis §6.4; etcd's ReadIndex retries",
  }, (c) => {
    c.elect(1);
    c.put("x", "old");
    c.settle();
    const late = c.hold((message, _from, to) =>
      to === 1 && message.type === "AppendEntriesResponse" && message.readRound > 0
    );
    const first = c.beginGet("x", { at: 1 });
    c.until("answers to the first round are under way", () => late.count === 2);
    late.close();
    c.elect(2);
    c.elect(1);
    c.put("y", "1", { at: 1 });
    c.settle();
    // Node 1 does not hear that its new term is over as well, and its clock does not tell it either.
    c.setClockRate(1, 1e-6);
    const apart = c.drop((_message, from, to) => from === 1 || to === 1);
    c.elect(3);
    c.put("x", "new", { at: 3 });
    const second = c.beginGet("x", { at: 1 });
    c.advance(3);
    late.release();
    c.advance(20);
    c.expect("the second read is not confirmed", !second.isDone, second.value);
    c.expect("the first read is not confirmed", !first.isDone, first.value);
    apart.end();
    c.setClockRate(1, 1);
    c.until("node 1 follows", () => c.view(1)?.leader === 3);
  }),

  scenario("new-leader-read", {
    nodes: 3,
    says: "a new leader serves no read before an entry of its own term is committed",
    source: "Raft §8; redisraft #18",
  }, (c) => {
    c.elect(1);
    c.put("x", "old");
    c.settle();
    const news = c.drop(isHeartbeat); // would tell the others that it is committed
    c.put("x", "new", { at: 1 });
    c.crash(1);
    news.end();
    const ownEntry = c.drop((message, from) => from === 2 && hasEntries(message));
    c.elect(2);
    const read = c.beginGet("x", { at: 2 });
    c.advance(200);
    c.expect("the read waits", !read.isDone, read.value);
    ownEntry.end();
    c.until("the read is answered", () => read.isDone);
    c.expectSame("what it read", read.value, "new");
  }),

  scenario("deposed-leader-write", {
    nodes: 3,
    says: "a leader cut off from the others acknowledges nothing, and steps down",
    source: "thesis §6.2; the split brains of redisraft #28 and #44",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.isolate(1);
    const write = c.beginPut("x", "lost", { at: 1 });
    c.elect(2);
    c.put("x", "kept", { at: 2 });
    c.advance(1_000);
    c.expect("the write is not done", !write.isDone, write.answer);
    c.expect("node 1 leads no more", c.view(1)?.role !== "leader");
    c.heal();
    c.expectSame("x", c.get("x", { at: 1 }), "kept");
  }),

  scenario("restart-empty-read", {
    nodes: 3,
    says: "no read comes back empty while a restarted cluster finds its feet",
    source: "redisraft #18",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.crash(1, 2, 3);
    c.restart(1, 2, 3);
    const reads = [];
    for (let i = 0; i < 60; i++) {
      for (const at of c.nodes) reads.push(c.beginGet("x", { at }));
      c.advance(20);
    }
    c.elect();
    const done = reads.filter((read) => read.isDone);
    c.expect("some reads are answered", done.length > 0);
    c.expectSame("what was read", done.filter((read) => read.value !== "1").map((read) => read.answer), []);
  }),

  scenario("retry-duplicate", {
    nodes: 3,
    says: "a write whose answer was lost is not done again when it is retried elsewhere",
    source: "Raft §8, thesis §6.3; jetcd, drafty #9",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.cut(1, 0);
    const write = c.beginPut("x", "first", { at: 1 });
    c.advance(100);
    c.expect("its answer is lost", write.answerCount === 0);
    c.elect(2);
    c.put("x", "second", { at: 2 });
    for (const node of c.nodes) c.snapshot(node);
    c.restart(1, 2, 3); // what is remembered must not be in memory only
    c.heal();
    c.elect(2);
    c.retry(write, { at: 2 });
    c.until("the retry is answered", () => write.isDone);
    c.expectSame("x", c.get("x"), "second");
    c.until(
      "all have applied it",
      () => c.nodes.every((node) => c.hasCaughtUp(node)),
    );
  }),

  scenario("lost-write", {
    nodes: 3,
    says: "a write that was replaced before it was committed is not answered from memory",
    source: "drafty #10",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.isolate(1);
    const write = c.beginPut("x", "mine", { at: 1 });
    c.elect(2);
    c.put("x", "theirs", { at: 2 });
    c.heal();
    c.settle();
    c.elect(1);
    c.expect("the write is not done", !write.isDone);
    c.retry(write, { at: 1 });
    c.until("the retry is done", () => write.isDone);
    c.expectSame("x", c.get("x"), "mine");
  }),

  scenario("proxy-loop", {
    nodes: 5,
    says: "stale hints lead a client to the leader in a few steps, and without a leader it gives up in time",
    source: "redisraft #13: one RPUSH went round and round, and was done each time",
  }, (c) => {
    // Each of these nodes still believes in the leader that it knew when it fell asleep to the others.
    for (const [node, leader] of [[4, 1], [1, 2]] as const) {
      c.elect(leader);
      c.put("x", `${leader}`, { at: leader });
      c.until(
        "it is known, and the next leaders have it",
        () =>
          c.view(node)?.leader === leader &&
          [2, 3, 5].every((next) => c.terms(next).length === c.terms(leader).length),
      );
      c.setClockRate(node, 1e-6);
      c.isolate(node);
    }
    c.elect(3);
    const before = c.retryCount;
    c.put("x", "3", { at: 4 });
    c.expectSame("the steps from node 4 by 1 and 2 to 3", c.retryCount - before, 3);
    c.expectSame("x", c.get("x"), "3");
    c.crash(3, 5);
    const hopeless = c.nodes.map((at) => c.beginPut("y", `at ${at}`, { at }));
    c.advance(5_000);
    c.expectSame("what is done", hopeless.filter((write) => write.isDone).length, 0);
    c.expect("each request is answered once at most", hopeless.every((write) => write.answerCount <= 1));
    c.setClockRate(1, 1);
    c.setClockRate(4, 1);
  }),
];
