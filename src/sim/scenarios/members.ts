/**
 * Scenarios of members that come, go and move.
 *
 * @module
 */
import { scenario } from "../scenario.ts";
import { hasEntries } from "./filters.ts";

export const MEMBER_SCENARIOS = [
  scenario("grow-and-shrink", {
    nodes: 3,
    says: "from three members to five and back to three, with a write after each step",
    source: "thesis §4.1",
    settings: { spares: 2 },
  }, (c) => {
    c.elect(1);
    for (const node of [4, 5]) {
      c.members.add(node);
      c.put("x", `with ${node}`);
      c.until(`node ${node} votes`, () => c.members.votersOf(c.leader).includes(node));
    }
    for (const node of [2, 3]) {
      c.members.remove(node);
      c.put("x", `without ${node}`);
    }
    c.members.untilVoters(1, [1, 4, 5]);
    c.expectSame("who has gone", [c.members.isAway(2), c.members.isAway(3)], [true, true]);
    c.crash(1);
    c.elect();
    c.put("x", "by the new ones");
  }),

  scenario("learner-counts-for-nothing", {
    nodes: 3,
    says: "a learner neither votes nor makes a majority, and is no voter before it has caught up",
    source: "thesis §4.2.1",
    settings: { spares: 1 },
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    // It hears the leader and is sent no entries, so it stays a learner.
    const entries = c.drop((message, _from, to) => hasEntries(message) && to === 4);
    c.members.add(4);
    c.advance(500); // it has begun
    c.isolateFrom([2, 3], [1, 4]);
    const write = c.beginPut("x", "2", { at: 1 });
    c.advance(3_000);
    c.expect("the write waits for a voter", !write.isDone, write.answer);
    c.expectSame("the role of node 1", c.role(1) === "leader", false);
    c.heal();
    c.elect();
    c.expectSame("the voters", c.members.votersOf(c.leader), [1, 2, 3]);
    entries.end();
    c.members.untilVoters(1, [1, 2, 3, 4]);
  }),

  scenario("learner-by-snapshot", {
    nodes: 3,
    says: "a new member gets a snapshot where the log does not go back so far, and then votes",
    source: "Raft §7",
    settings: { spares: 1 },
  }, (c) => {
    c.elect(1);
    for (let i = 0; i < 30; i++) c.put(`k${i % 5}`, `${i}`);
    for (const node of [1, 2, 3]) c.snapshot(node);
    c.members.add(4);
    c.members.untilVoters(1, [1, 2, 3, 4]);
    c.settle();
    c.expectSame("the state of node 4", c.digest(4), c.digest(1));
  }),

  scenario("dead-member-replaced", {
    nodes: 3,
    says: "a member that is gone for good is replaced while one is down, and the cluster bears the next loss",
    source: "drafty",
    settings: { spares: 1 },
  }, (c) => {
    c.elect(1);
    c.put("x", "1");
    c.crash(3);
    c.members.add(4);
    c.members.untilVoters(1, [1, 2, 3, 4]);
    c.members.remove(3);
    c.put("x", "2");
    c.settle();
    c.crash(2);
    c.put("x", "3");
    c.expectSame("x", c.get("x"), "3");
    c.restart(2);
  }),

  scenario("same-id-with-an-empty-disk", {
    nodes: 3,
    says:
      "a member whose disk is gone comes back under its id, removed and registered again, while another is down",
    source: "drafty",
    settings: { spares: 1 },
  }, (c) => {
    c.elect(1);
    c.members.add(4);
    c.members.untilVoters(1, [1, 2, 3, 4]);
    c.crash(3);
    c.wipe(4);
    c.advance(1_000);
    c.members.remove(4);
    c.members.add(4);
    c.members.untilVoters(1, [1, 2, 3, 4]);
    c.put("x", "1");
    c.settle();
    c.expectSame("the state of node 4", c.digest(4), c.digest(1));
    c.restart(3);
  }),

  scenario("remove-in-partition", {
    nodes: 3,
    says: "a change of members by a leader that was cut off takes no effect",
    source: "redisraft #17, RethinkDB",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.isolate(1);
    const wish = c.members.begin({ kind: "deregister", id: 3 }, { at: 1 });
    c.advance(20);
    c.expectSame("the voters as node 1 has them", c.members.votersOf(1), [1, 2]);
    c.elect(2);
    c.put("x", "1", { at: 2 });
    c.expect(
      "it was not said to be done",
      wish.answer === undefined || wish.answer === "refused" ||
        wish.answer.type !== "MembersResponse",
      wish.answer,
    );
    c.heal();
    c.settle();
    for (const node of c.nodes) {
      c.expectSame(`the voters as node ${node} has them`, c.members.votersOf(node), [1, 2, 3]);
    }
  }),

  scenario("two-changes-of-two-leaders", {
    nodes: 4,
    says: "uncommitted changes of two leaders that do not know of each other do not lead to two majorities",
    source: "Ongaro, raft-dev 2015: bug in single-server membership changes",
  }, (c) => {
    c.elect(1);
    c.settle();
    // Node 1 removes node 2, and nobody hears of it.
    c.isolate(1);
    c.members.begin({ kind: "deregister", id: 2 }, { at: 1 });
    c.advance(20);
    c.expectSame("the voters as node 1 has them", c.members.votersOf(1), [1, 3, 4]);
    // Node 3 comes to lead, and wants to remove node 1 before node 4 has heard of anything of its term.
    const toFour = c.drop((message, from, to) =>
      from === 3 && to === 4 && message.type === "AppendEntriesRequest"
    );
    const others = c.silenceAllBut(3);
    c.until("node 3 leads", () => c.role(3) === "leader");
    others.end();
    c.advance(20); // node 2 has the first entry of its term, which is one too few to commit it
    c.members.begin({ kind: "deregister", id: 1 }, { at: 3 });
    const lost = c.beginPut("y", "by the new leader", { at: 3 });
    c.advance(200);
    // Now nodes 1 and 4 are alone with each other: by node 1's account a majority of three.
    c.partition([1, 4], [2, 3]);
    const write = c.beginPut("x", "by the old leader", { at: 1 });
    c.advance(3_000);
    c.expect("not both sides have a majority", !(write.isDone && lost.isDone), [write.answer, lost.answer]);
    toFour.end();
    c.heal();
  }),

  scenario("removed-node-nag", {
    nodes: 4,
    says: "a member that was removed and keeps campaigning disturbs nobody, and is told",
    source: "thesis §4.2.3",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.isolate(4);
    c.members.remove(4);
    c.advance(8_000); // longer than anyone goes on telling it
    const term = c.term(1);
    const unheard = c.drop((_message, _from, to) => to === 4);
    c.heal();
    for (let i = 0; i < 10; i++) {
      c.advance(1_000);
      c.put("x", `${i}`, { at: 1 });
    }
    c.expectSame("leader and terms", [c.leader, c.term(1), c.term(2), c.term(3)], [1, term, term, term]);
    c.expect("node 4 goes on asking", c.role(4) === "preCandidate", c.role(4));
    unheard.end();
    c.until("node 4 is told that it was removed", () => c.members.isAway(4), 5_000);
    c.expectSame("leader and term", [c.leader, c.term(1)], [1, term]);
  }),

  scenario("removed-leader", {
    nodes: 3,
    says: "a leader that is removed leads until that is committed, then another leads at once",
    source: "thesis §4.2.2",
  }, (c) => {
    c.elect(1);
    c.settle();
    c.members.remove(1);
    c.until("another leads", () => c.leader === 2 || c.leader === 3, 100);
    c.until("node 1 has ended", () => c.members.isAway(1), 1_000);
    c.put("x", "1");
    c.expectSame("the voters", c.members.votersOf(c.leader), [2, 3]);
  }),

  scenario("last-voter", {
    nodes: 1,
    says:
      "the last voter cannot be removed, nor a member that does not exist, nor one that is there be added",
    source: "drafty",
  }, (c) => {
    c.elect(1);
    const wishes = [
      c.members.begin({ kind: "deregister", id: 1 }, { at: 1 }),
      c.members.begin({ kind: "deregister", id: 9 }, { at: 1 }),
      c.members.begin({ kind: "register", id: 1, address: { host: "sim", peerPort: 7, clientPort: 8 } }, {
        at: 1,
      }),
    ];
    c.advance(1_000);
    for (const { answer } of wishes) {
      c.expect(
        "it is refused",
        typeof answer === "object" && answer.type === "ErrorResponse" &&
          answer.code === "badRequest",
        answer,
      );
    }
    c.put("x", "1");
    c.expectSame("the voters", c.members.votersOf(1), [1]);
  }),

  scenario("moved-members", {
    nodes: 3,
    says: "one after the other all members get other addresses, the leader too, and writes go on",
    source: "drafty: identity is not address",
  }, (c) => {
    c.elect(1);
    for (const node of [3, 2, 1]) {
      c.members.move(node);
      c.elect();
      c.put("x", `${node} has moved`);
      c.settle();
    }
    c.cutPower(...c.nodes);
    c.restart(...c.nodes);
    c.elect();
    c.expectSame("x", c.get("x"), "1 has moved");
  }),

  scenario("forgetful-among-strangers", {
    nodes: 3,
    says: "a node that has lost its disk finds its way back though all whom it knew have been replaced since",
    source: "drafty",
    settings: { spares: 2 },
  }, (c) => {
    c.elect(1);
    for (const node of [4, 5]) {
      c.members.add(node);
      c.until(`node ${node} votes`, () => c.members.votersOf(c.leader).includes(node));
    }
    for (const node of [2, 3]) c.members.remove(node);
    c.members.untilVoters(c.leader, [1, 4, 5]);
    c.settle();
    // What it starts with names nodes 1, 2 and 3; nodes 2 and 3 never answer, and of node 4 and 5 it has never heard.
    c.wipe(1);
    c.restart(1);
    c.elect();
    c.put("x", "1");
    c.settle();
    c.expect("node 1 takes part", c.view(1)?.mayVote === true);
  }),
];
