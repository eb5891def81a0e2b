/**
 * Scenarios of disks and power.
 *
 * @module
 */
import { scenario } from "../scenario.ts";

export const DISK_SCENARIOS = [
  scenario("ack-before-fsync", {
    nodes: 3,
    says: "what a client was told survives a power cut of the whole house at that very moment",
    source: "Raft Figure 2; etcd #14370, drafty #5",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 5; i++) {
      c.put("x", `${i}`);
      c.cutPower(1, 2, 3);
      c.restart(1, 2, 3);
      c.expectSame("x", c.get("x"), `${i}`);
    }
  }),

  scenario("power-off-all", {
    nodes: 5,
    says: "a whole cluster that loses power in the middle of its work keeps what it has acknowledged",
    source: "Raft Figure 2; drafty #15",
  }, (c) => {
    for (let round = 0; round < 5; round++) {
      c.elect();
      c.put("x", `${round}`);
      for (let i = 0; i < 20; i++) c.beginPut("y", `${round}.${i}`, { at: c.leader });
      c.advance(0.2 * round);
      c.cutPower(...c.nodes);
      c.restart(...c.nodes);
      c.expectSame("nodes that run", c.nodes.filter((node) => c.isUp(node)), c.nodes);
      c.expectSame("x", c.get("x"), `${round}`);
    }
  }),

  scenario("torn-tail", {
    nodes: 3,
    says: "a log whose last record is cut anywhere loses that record and no other",
    source: "drafty #15; etcd's Repair",
  }, (c) => {
    c.elect(1);
    c.disk(3, { loseTail: 1, loseSector: 0 });
    for (let round = 0; round < 40; round++) {
      c.put("x", `${round}`, { at: 1 });
      c.until("node 3 has it", () => c.terms(3).length === c.terms(1).length);
      const whole = c.terms(3).length;
      c.cutPowerAt(3, 2); // written, not synced
      c.beginPut("y", `${round}`, { at: 1 });
      c.until("node 3 loses power", () => !c.isUp(3));
      c.restart(3);
      c.expect("node 3 starts", c.isUp(3));
      c.expect("it keeps what was whole", c.terms(3).length >= whole, [c.terms(3).length, whole]);
    }
  }),

  scenario("reordered-append", {
    nodes: 3,
    says: "a batch of which the disk wrote a later block and not an earlier one is cut at the hole",
    source: "etcd #6378",
  }, (c) => {
    c.elect(1);
    c.disk(3, { loseTail: 0, loseSector: 0.5 });
    for (let round = 0; round < 40; round++) {
      c.put("x", `${round}`, { at: 1 });
      c.until("node 3 has it", () => c.terms(3).length === c.terms(1).length);
      const whole = c.terms(3).length;
      c.cutPowerAt(3, 2);
      for (let i = 0; i < 3; i++) c.beginPut("y", `${round}.${i} `.padEnd(700, "\0"), { at: 1 });
      c.until("node 3 loses power", () => !c.isUp(3));
      c.restart(3);
      c.expect("node 3 starts", c.isUp(3));
      c.expect("it keeps what was whole", c.terms(3).length >= whole, [c.terms(3).length, whole]);
    }
  }),

  scenario("mid-log-flip", {
    nodes: 3,
    says: "a node whose log was damaged in the middle refuses to start, cuts nothing, and does not vote",
    source: "Protocol-Aware Recovery (FAST 2018); etcd's Repair",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 20; i++) c.put("x", `${i}`);
    c.advance(100);
    c.corrupt(3, 0.5);
    c.restart(3);
    c.expect("node 3 refuses", c.hasRefused(3));
    c.put("x", "20");
    c.crash(1);
    c.advance(3_000);
    c.expectSame("the leader of one node out of two", c.leader, 0);
    c.restart(1);
    c.expectSame("x", c.get("x"), "20");
  }),

  scenario("missing-dirfsync", {
    nodes: 3,
    says:
      "a new log file does not vanish with the power: its directory is synced before anything is promised",
    source: "etcd #6368",
  }, (c) => {
    for (const node of c.nodes) c.disk(node, { loseNameChange: 1 });
    c.elect();
    c.put("x", "1");
    c.cutPower(...c.nodes);
    c.restart(...c.nodes);
    c.expectSame("x", c.get("x"), "1");
  }),

  scenario("hung-disk-leader", {
    nodes: 3,
    says: "a leader whose disk hangs, without an error, is replaced",
    source: "hashicorp/raft #503",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.stall(1, 3_600_000);
    const hung = c.beginPut("x", "hung", { at: 1 });
    c.until("another node leads", () => c.leader > 1, 3_000);
    c.put("x", "2");
    c.advance(2_000);
    c.expectSame("x", c.get("x"), "2");
    c.expect("the write at the hung leader is not done", !hung.isDone || c.leader === 1);
    c.stall(1, 0);
  }),

  scenario("disk-full", {
    nodes: 3,
    says: "a node without room on its disk promises nothing more, and comes back when there is room",
    source: "drafty",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.fill(1);
    const refused = c.beginPut("x", "no room", { at: 1 });
    c.until("node 1 ends", () => !c.isUp(1));
    c.expect("the write is not done", !refused.isDone);
    c.put("x", "2");
    c.restart(1);
    c.free(1);
    c.restart(1);
    c.until("node 1 catches up", () => c.isUp(1) && c.terms(1).length === c.terms(c.leader).length);
    c.expectSame("x", c.get("x", { at: 1 }), "2");
  }),

  scenario("lying-sync", {
    nodes: 3,
    says: "a disk that says it has synced and has not breaks the promise, and it is noticed",
    source: "docs/correctness.md: what is assumed",
    breaks: "recovery-is-exact",
  }, (c) => {
    for (const node of c.nodes) c.disk(node, { lyingSync: 1, loseTail: 1 });
    c.elect();
    for (let i = 0; i < 20; i++) c.put("x", `${i}`);
    c.cutPower(...c.nodes);
    c.restart(...c.nodes);
    c.elect();
  }),
];
