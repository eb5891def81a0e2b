/**
 * Scenarios of snapshots: taken, sent, torn, and in the way of each other.
 *
 * @module
 */
import { scenario } from "../scenario.ts";

/** Sent in many pieces, and taken only when a scenario says so. */
const IN_PIECES = { snapshotChunkBytes: 40, segmentBytes: 2_000, keptLogBytes: 0 } as const;

export const SNAPSHOT_SCENARIOS = [
  scenario("snapshot-log-gap", {
    nodes: 3,
    says: "a crash at any step from the snapshot to the trimmed log loses no entry",
    source: "redisraft #43",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    for (let operation = 1; operation <= 16; operation++) {
      for (let i = 0; i < 4; i++) c.put(`k${i}`, `${operation}.${i}`.padEnd(400, "."));
      c.settle();
      c.cutPowerAt(3, operation);
      c.beginSnapshot(3);
      c.advance(200);
      c.cutPower(3);
      c.restart(3);
      c.expect("node 3 starts, and remembers everything", c.isUp(3) && c.role(3) !== "rejoining", c.role(3));
      c.until("node 3 has caught up", () => c.hasCaughtUp(3));
    }
    c.expectSame("the state of node 3", c.digest(3), c.digest(c.leader));
  }),

  scenario("install-log-gap", {
    nodes: 3,
    says:
      "a crash at any step from the first piece of a snapshot to the log that begins after it loses nothing",
    source: "redisraft #43",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    for (let operation = 1; operation <= 16; operation++) {
      c.crash(3);
      for (let i = 0; i < 4; i++) c.put(`k${i}`, `${operation}.${i}`.padEnd(200, "."));
      c.snapshot(c.leader);
      c.restart(3);
      c.cutPowerAt(3, operation);
      c.advance(400);
      c.cutPower(3);
      c.restart(3);
      c.expect("node 3 starts, and remembers everything", c.isUp(3) && c.role(3) !== "rejoining", c.role(3));
      c.until("node 3 has caught up", () => c.hasCaughtUp(3));
      c.expectSame("the state of node 3", c.digest(3), c.digest(c.leader));
    }
  }),

  scenario("torn-snapshot", {
    nodes: 3,
    says: "after a crash in the middle of writing a snapshot the old one still loads",
    source: "redisraft #654",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    for (const node of c.nodes) c.disk(node, { loseTail: 0.5, loseSector: 0.5, loseNameChange: 0.5 });
    for (let round = 0; round < 12; round++) {
      c.put("x", `${round}`.padEnd(600, "."));
      c.settle();
      c.snapshot(3);
      const old = c.snapshotIndex(3);
      c.put("x", `${round} again`);
      c.settle();
      c.cutPowerAt(3, 2 + round % 4);
      c.beginSnapshot(3);
      c.advance(100);
      c.cutPower(3);
      c.restart(3);
      c.expect("node 3 has the old snapshot, or the new one", c.snapshotIndex(3) >= old, c.snapshotIndex(3));
      c.until("node 3 has caught up", () => c.hasCaughtUp(3));
    }
    c.expectSame("x", c.get("x", { at: 3 }), "11 again");
  }),

  scenario("damaged-snapshot", {
    nodes: 3,
    says: "a node whose snapshot was damaged serves nothing of it, and gets another from the leader",
    source: "Protocol-Aware Recovery (FAST 2018)",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 8; i++) c.put(`k${i}`, "v".repeat(200));
    c.settle();
    for (const node of c.nodes) c.snapshot(node);
    for (const offset of [0, 100, 510, 515, 520, 700]) {
      c.corruptByte(3, "snapshot", offset);
      c.restart(3);
      c.expectSame("the part that node 3 takes", c.role(3), "rejoining");
      c.until("node 3 has everything again", () => c.hasCaughtUp(3));
      c.expectSame("the state of node 3", c.digest(3), c.digest(c.leader));
      c.put("k0", `${offset}`);
      c.settle();
      if (c.snapshotIndex(3) === 0) c.snapshot(3);
    }
  }),

  scenario("two-snapshots", {
    nodes: 3,
    says:
      "a second snapshot that arrives before the first is installed does no harm, nor what is left of the first",
    source: "etcd #18055",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    c.crash(3);
    for (let i = 0; i < 6; i++) c.put(`k${i}`, "first");
    c.snapshot(1);
    const late = c.hold((message, from, to) =>
      message.type === "InstallSnapshotRequest" && from === 1 && to === 3
    );
    c.restart(3);
    c.until("pieces of the first snapshot are on their way", () => late.count > 0);
    c.advance(200);
    for (let i = 0; i < 6; i++) c.put(`k${i}`, "second");
    c.snapshot(1);
    c.snapshot(2);
    c.elect(2);
    c.until("node 3 has the second", () => c.hasCaughtUp(3));
    late.release(3);
    c.advance(2_000);
    c.expectSame("the state of node 3", c.digest(3), c.digest(c.leader));
    c.expectSame("k0", c.get("k0", { at: 3 }), "second");
  }),

  scenario("snapshot-catch-up", {
    nodes: 3,
    says:
      "a follower that is far behind gets a snapshot while writes go on, over a network that loses and repeats",
    source: "Raft §7",
    settings: IN_PIECES,
  }, (c) => {
    c.elect(1);
    c.crash(3);
    for (let i = 0; i < 40; i++) c.put(`k${i % 10}`, `${i}`);
    c.snapshot(1);
    c.network({ loss: 0.2, duplicate: 0.3, replayUpToMs: 50, straggle: 0.2, straggleUpToMs: 50 });
    c.restart(3);
    for (let i = 0; i < 40; i++) c.put(`k${i % 10}`, `again ${i}`);
    c.until("node 3 has caught up", () => c.hasCaughtUp(3));
    c.expect("it was sent a snapshot", c.snapshotIndex(3) > 0);
    c.expectSame("the state of node 3", c.digest(3), c.digest(c.leader));
  }),
];
