/**
 * Scenarios of disks and power.
 *
 * @module
 */
import type { ClientResponse } from "../../../packraft/mod.ts";
import { scenario } from "../scenario.ts";

/** Whether an answer refuses a request for this reason. */
function isRefusal(answer: ClientResponse | "refused" | undefined, code: string): boolean {
  return answer !== undefined && answer !== "refused" && answer.type === "ErrorResponse" &&
    answer.code === code;
}

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
    says:
      "a node whose log was damaged in the middle cuts nothing and does not vote, and fetches what it lacks again",
    source: "Protocol-Aware Recovery (FAST 2018); etcd's Repair",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 20; i++) c.put("x", `${i}`);
    c.settle();
    c.corrupt(3, 0.8);
    c.crash(1);
    c.restart(3);
    c.advance(3_000);
    c.expectSame("the part that node 3 takes while another is away", c.role(3), "rejoining");
    c.expectSame("the leader of one sound node out of two", c.leader, 0);
    c.restart(1);
    c.until("node 3 has everything again", () => c.hasCaughtUp(3));
    c.expectSame("x", c.get("x"), "19");
    // And it counts again.
    c.crash(c.leader === 1 ? 1 : 2);
    c.put("x", "20");
  }),

  scenario("length-field-flip", {
    nodes: 3,
    says: "a length that leads past the end of the log is damage, and not the end of the log",
    source: "etcd's Repair hazard",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 20; i++) c.put("x", `${i}`);
    c.settle();
    for (const offset of [516, 517, 518, 519]) {
      c.corruptByte(3, "log", offset);
      c.restart(3);
      c.expectSame("the part that node 3 takes", c.role(3), "rejoining");
      c.until("node 3 has everything again", () => c.hasCaughtUp(3));
    }
    c.expectSame("x", c.get("x"), "19");
  }),

  scenario("wiped-disk", {
    nodes: 3,
    says:
      "a node that comes back with an empty disk has forgotten its votes, and does not vote as if it had none",
    source: "etcd: a member with an empty directory must not simply start",
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 5; i++) c.put("x", `${i}`);
    c.wipe(3);
    c.crash(1);
    c.restart(3);
    c.advance(3_000);
    c.expectSame("the leader of one sound node out of two", c.leader, 0);
    c.restart(1);
    c.until("node 3 has everything again", () => c.hasCaughtUp(3));
    c.crash(1);
    c.put("x", "5");
    c.expectSame("x", c.get("x"), "5");
  }),

  scenario("new-cluster", {
    nodes: 3,
    says: "a cluster that nobody vouches for begins when all its nodes have been there once, and not before",
    source: "drafty",
    settings: { isNewCluster: false },
  }, (c) => {
    c.crash(3);
    c.advance(3_000);
    c.expectSame("the leader of two nodes out of three that have no past", c.leader, 0);
    c.restart(3);
    c.put("x", "1");
    c.crash(1);
    c.put("x", "2");
    c.expectSame("x", c.get("x"), "2");
  }),

  scenario("eio-everywhere", {
    nodes: 3,
    says:
      "whichever operation of the disk fails, the node ends at once and has promised nothing that it cannot keep",
    source: "fsyncgate; Can Applications Recover from fsync Failures? (ATC 2020)",
    settings: { segmentBytes: 2_000 },
  }, (c) => {
    for (let operation = 1; operation <= 30; operation++) {
      c.elect();
      c.put("x", `${operation}`);
      c.settle();
      c.failAt(3, operation);
      for (let i = 0; i < 12; i++) c.put("y", `${operation}.${i}`.padEnd(300, "."));
      if (c.isUp(3)) c.beginSnapshot(3);
      c.until("node 3 ends", () => !c.isUp(3), 3_000);
      c.restart(3);
      c.expect("node 3 starts", c.isUp(3));
      c.expectSame("x", c.get("x"), `${operation}`);
    }
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
    says: "a leader without room refuses writes and answers reads, and goes on when there is room",
    source: "etcd's NOSPACE alarm",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    c.fill(1);
    const last = c.beginPut("x", "2", { at: 1 });
    c.advance(100);
    const refused = c.beginPut("x", "3", { at: 1 });
    c.advance(100);
    c.expect("the others have room for what was under way", last.isDone);
    c.expect("a write is refused", !refused.isDone && isRefusal(refused.answer, "noSpace"), refused.answer);
    c.expectSame("x", c.get("x", { at: 1 }), "2");
    c.expectSame("the leader", c.leader, 1);
    c.free(1);
    c.advance(500);
    c.put("x", "4", { at: 1 });
    c.cutPower(1);
    c.restart(1);
    c.until("node 1 has everything", () => c.hasCaughtUp(1));
    c.expectSame("x", c.get("x"), "4");
  }),

  scenario("disk-full-everywhere", {
    nodes: 3,
    says:
      "with no room on any disk nothing is lost and reads go on; with room again the cluster goes on by itself",
    source: "drafty",
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.settle();
    for (const node of c.nodes) c.fill(node);
    const stuck = c.beginPut("x", "2", { at: 1 });
    c.advance(2_000);
    c.expect("what no disk has is not done", !stuck.isDone);
    c.expectSame("x", c.get("x"), "1");
    for (const node of c.nodes) c.free(node);
    c.until("the write that was under way is done", () => stuck.isDone);
    c.put("x", "3");
    c.expectSame("x", c.get("x"), "3");
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
