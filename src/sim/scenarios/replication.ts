/**
 * Scenarios of logs: how they come apart, and how they come together again.
 *
 * @module
 */
import { scenario } from "../scenario.ts";
import { hasEntries, isHeartbeat } from "./filters.ts";

export const REPLICATION_SCENARIOS = [
  scenario("figure-7", {
    nodes: 7,
    says: "followers that miss entries, have others, or both, come to the leader's log",
    source: "Raft §5.3, Figure 7",
  }, (c) => {
    c.writeLogs({
      1: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
      2: [1, 1, 1, 4, 4, 5, 5, 6, 6], // (a)
      3: [1, 1, 1, 4], // (b)
      4: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], // (c)
      5: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], // (d)
      6: [1, 1, 1, 4, 4, 4, 4], // (e)
      7: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], // (f)
    }, 7);
    c.elect(1);
    c.advance(1_000);
    for (const node of c.nodes) c.expectSame(`the log of node ${node}`, c.terms(node), c.terms(1));
    c.expectSame("the log of node 1", c.terms(1).slice(0, 10), [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
  }),

  scenario("figure-8", {
    nodes: 5,
    says: "an entry of an old term is never committed by counting",
    source: "Raft §5.4.2, Figure 8",
    settings: { maxAppendBytes: 1, maxInflightAppends: 1 },
  }, (c) => {
    c.elect(1);
    c.put("x", "0");
    c.settle();
    // (a) Node 1 has an entry on node 2 only.
    c.partition([1, 2], [3, 4, 5]);
    c.beginPut("x", "old", { at: 1 });
    c.advance(10);
    c.crash(1);
    // (b) Node 5 leads, and has another entry at that place.
    const kept = c.drop((message, from) => from === 5 && hasEntries(message));
    c.elect(5);
    c.crash(5);
    kept.end();
    // (c) Node 1 leads again, and brings its old entry to a majority, but none of its new term.
    c.heal();
    const ownTerm = c.drop((message) =>
      message.type === "AppendEntriesRequest" && message.entries.some((entry) => entry.term === message.term)
    );
    c.restart(1);
    c.elect(1);
    c.until(
      "the old entry is on a majority",
      () => [1, 2, 3, 4].every((node) => c.terms(node).length >= c.terms(1).length - 1),
    );
    c.advance(100);
    c.expect("the old entry is not committed", (c.view(1)?.commitIndex ?? 0) < c.terms(1).length - 1);
    // (d) Node 5 leads, and its entry takes the place of the old one.
    c.crash(1);
    ownTerm.end();
    c.restart(5);
    c.elect(5);
    c.restart(1);
    c.expectSame("x", c.get("x", { at: 5 }), "0");
  }),

  scenario("late-append", {
    nodes: 3,
    says: "a request that arrives late removes nothing that a later one has brought",
    source: "Raft §5.3, Figure 2; chelseatroy #26",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.crash(2);
    const late = c.hold((message, _from, to) => to === 3 && hasEntries(message));
    c.beginPut("x", "2", { at: 1 });
    c.until("the first request is under way", () => late.count === 1);
    late.close();
    const write = c.beginPut("x", "3", { at: 1 });
    c.until("it is done", () => write.isDone);
    late.release();
    c.advance(2);
    c.expectSame("the length of the log of node 3", c.terms(3).length, c.terms(1).length);
    c.crash(1);
    c.restart(2);
    c.elect(3);
    c.expectSame("x", c.get("x"), "3");
  }),

  scenario("lost-appends", {
    nodes: 3,
    says: "entries that were lost on their way are not counted, and are sent again",
    source: "Raft §5.3; drafty #4, #12",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    const lost = c.drop(hasEntries);
    const writes = ["a", "b", "c"].map((key) => c.beginPut(key, key, { at: 1 }));
    c.advance(200);
    c.expectSame("what is done", writes.map((write) => write.isDone), [false, false, false]);
    lost.end();
    c.until("all are done", () => writes.every((write) => write.isDone), 1_000);
  }),

  scenario("unverified-tail", {
    nodes: 3,
    says: "a follower neither commits nor reports what the leader has not compared",
    source: "Raft §5.3, Figure 2; drafty #3, #13",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.isolate(1);
    c.beginPut("x", "lost 1", { at: 1 });
    c.beginPut("x", "lost 2", { at: 1 });
    const empty = c.drop((message, _from, to) => to === 1 && hasEntries(message));
    c.elect(2);
    c.put("y", "1", { at: 2 });
    c.heal();
    c.isolate(3);
    // Node 1 hears only heartbeats, which fit where the logs still agree.
    c.advance(250);
    c.expect("node 1 still has its tail", c.terms(1).at(-1) !== c.terms(2).at(-1), c.terms(1));
    const write = c.beginPut("x", "2", { at: 2 });
    c.advance(150);
    c.expect("what is on one node is not committed", !write.isDone);
    empty.end();
    c.until("it is done", () => write.isDone);
    c.expectSame("x", c.get("x"), "2");
  }),

  scenario("replaced-for-good", {
    nodes: 3,
    says: "entries that were replaced are gone from the disk too",
    source: "drafty #14",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.isolate(1);
    for (const value of ["lost 1", "lost 2", "lost 3"]) c.beginPut("x", value, { at: 1 });
    c.elect(2);
    c.put("x", "2", { at: 2 });
    c.heal();
    c.until("node 1 has the leader's log", () => c.terms(1).join() === c.terms(2).join());
    c.isolate(1);
    c.restart(1);
    c.expectSame("the log of node 1", c.terms(1), c.terms(2));
  }),

  scenario("restart-commits-nothing", {
    nodes: 3,
    says: "a restarted node does not take its log for committed",
    source: "Raft Figure 2; drafty #6, chelseatroy #26",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.isolate(1);
    const lost = c.beginPut("x", "lost", { at: 1 });
    c.advance(10);
    c.restart(1);
    c.expectSame("commitIndex of node 1", c.view(1)?.commitIndex, 0);
    c.elect(2);
    c.put("x", "2", { at: 2 });
    c.heal();
    c.advance(500);
    c.expect("the lost write is not done", !lost.isDone);
    c.expectSame("x", c.get("x"), "2");
  }),

  scenario("odd-commands", {
    nodes: 3,
    says: "deleting what is not there, or twice, is an answer and not a crash",
    source: "drafty #11, chelseatroy #25",
  }, (c) => {
    c.elect();
    c.expectSame("whether there was something to delete", c.delete("x"), false);
    c.put("x", "key 3 deleted @ noon");
    c.expectSame("x", c.get("x"), "key 3 deleted @ noon");
    c.expectSame("whether there was something to delete", c.delete("x"), true);
    c.expectSame("whether there was something to delete", c.delete("x"), false);
  }),

  scenario("one-node", {
    nodes: 1,
    says: "a cluster of one serves at once, and after a power cut has everything",
    source: "drafty #16",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.cutPower(1);
    c.restart(1);
    c.expectSame("x", c.get("x"), "1");
  }),

  scenario("quiet-followers", {
    nodes: 3,
    says: "a write is done without waiting for the next heartbeat",
    source: "chelseatroy #19: entries travelled only with heartbeats",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    const beats = c.drop(isHeartbeat);
    const write = c.beginPut("x", "2", { at: 1 });
    c.until("it is done", () => write.isDone, 30);
    beats.end();
  }),
];
