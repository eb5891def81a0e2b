/**
 * Scenarios of networks, clocks, and everything at once.
 *
 * @module
 */
import { scenario } from "../scenario.ts";

export const NETWORK_SCENARIOS = [
  scenario("quorum-bridge", {
    nodes: 3,
    says:
      "two nodes that cannot reach each other but both reach the third do not depose one another by turns",
    source: "Cloudflare, 2020: a Byzantine failure in the real world",
  }, (c) => {
    c.elect(1);
    c.settle(); // or the log of node 2 alone would keep it from winning
    const term = c.term(1);
    c.cutBoth(1, 2);
    for (let i = 0; i < 10; i++) {
      c.advance(1_000);
      c.put("x", `${i}`, { at: 1 });
    }
    c.expectSame("leader and terms", [c.leader, c.term(1), c.term(3)], [1, term, term]);
  }),

  scenario("quorum-bridge-of-five", {
    nodes: 5,
    says: "where one node alone reaches a majority, it comes to lead",
    source: "Howard and Abraham 2020: Raft does not guarantee liveness in the face of network faults",
  }, (c) => {
    c.elect(4);
    c.put("x", "1");
    // Node 5 is in the middle; the others, the leader among them, reach nobody else.
    c.partition([5, 1], [5, 2], [5, 3], [5, 4]);
    c.until("node 5 leads", () => c.leader === 5, 10_000);
    c.put("x", "2", { at: 5 });
    const term = c.term(5);
    c.advance(10_000);
    c.expectSame("leader and term", [c.leader, c.term(5)], [5, term]);
  }),

  scenario("clogged-majority", {
    nodes: 5,
    says: "when a minority leaves, nothing stops; when it comes back, nothing stops either",
    source: "thesis §9.6",
  }, (c) => {
    c.elect(1);
    const term = c.term(1);
    for (let i = 0; i < 5; i++) {
      c.partition([1, 2, 3], [4, 5]);
      c.advance(2_000);
      c.put("x", `apart ${i}`, { at: 1 });
      c.heal();
      c.advance(500);
      c.put("x", `together ${i}`, { at: 1 });
    }
    c.expectSame("leader and term", [c.leader, c.term(1)], [1, term]);
  }),

  scenario("clock-chaos", {
    nodes: 3,
    says: "clocks that jump by an hour or run at double speed cost elections at most, and no answer is wrong",
    source: "Raft §2: safety does not depend on timing",
  }, (c) => {
    const hourMs = 3_600_000;
    let value = 0;
    for (const node of c.nodes) {
      for (const byMs of [hourMs, -hourMs]) {
        c.elect();
        c.put("x", `${++value}`);
        c.stepClock(node, byMs);
        c.setClockRate(node, byMs > 0 ? 2 : 0.5);
        for (const at of c.nodes) c.expectSame("x", c.get("x", { at }), `${value}`);
        c.advance(300);
      }
    }
    for (const node of c.nodes) c.setClockRate(node, 1);
  }),

  scenario("mixed-mayhem", {
    nodes: 5,
    says: "pauses, kills and partitions at once, while members come and go, with clients at work",
    source: "redisraft #28, #44: split brain",
    settings: { spares: 2 },
  }, (c) => {
    c.elect();
    const members = { addMember: 30, removeMember: 30, moveMember: 5, transfer: 10 };
    c.mayhem({ pause: 20, kill: 20, partition: 20, oneWay: 10, ...members }, 20_000);
  }),
];
