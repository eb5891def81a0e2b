import { assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { ELECTION_MAX_MS, HEARTBEAT_MS, leaderOf, TestServer } from "./harness.ts";
import { appendRequest, appendResponse, command, eventsOf, logOf, noop } from "./messages.ts";
import { deregister, membersEntry, register, shown } from "./members.ts";

Deno.test("BUG A: removal of the leader of two, that only it has, and a restart: nobody can lead", () => {
  const cluster = new TestCluster(2);
  const leader = cluster.elect(1);
  cluster.heartbeat(1);
  leader.changeMembers(1, deregister(1));
  leader.settle(); // messages lost
  assertEquals(shown(leader.view.configuration), "2");
  cluster.restart(1);
  cluster.wait(20 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
});

Deno.test("BUG B: a learner that is given the log by a leader that has committed nothing yet is not removed", () => {
  const learner = new TestServer(4, [1, 2, 3], { hardState: { currentTerm: 5, votedFor: 0 } });
  const ready = learner.receiveDurably(
    1,
    appendRequest({ term: 6, entries: [command(1, 1)], leaderCommit: 0 }),
  );
  assertEquals(eventsOf(ready, "removed"), []);
});

Deno.test("BUG B2: registered again, catching up under a new leader", () => {
  const learner = new TestServer(4, [1, 2, 3, 4], { hardState: { currentTerm: 5, votedFor: 0 } });
  const entries = [command(1, 1), membersEntry(2, 1, [1, 2, 3]), command(3, 1)];
  const ready = learner.receiveDurably(1, appendRequest({ term: 6, entries, leaderCommit: 3 }));
  assertEquals(eventsOf(ready, "removed"), []);
});

Deno.test("BUG C: late snapshot answer of earlier life", () => {
  const leader = leaderOf([1, 2, 3], 2, logOf(1, 1, 1), { keptLogBytes: 0 });
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 4 }));
  leader.receiveDurably(3, appendResponse({ term: 2, matchIndex: 4 }));
  leader.changeMembers(1, register(4));
  leader.settle();
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 5 }));
  leader.step({ kind: "snapshotTaken", index: 5 });
  leader.settle();
  leader.receiveDurably(
    4,
    appendResponse({ term: 2, success: false, prevLogIndex: 5, conflictIndex: 1, readRound: 1 }),
  );
  assertEquals(leader.view.progress?.get(4)?.mode, "snapshot");
  // its disk is replaced
  leader.receiveDurably(4, { type: "RejoinRequest", term: 0, round: 77 });
  leader.receiveDurably(2, appendResponse({ term: 2, matchIndex: 6 }));
  leader.receiveDurably(4, {
    type: "InstallSnapshotResponse",
    term: 2,
    requestTerm: 2,
    lastIncludedIndex: 5,
    nextOffset: 0,
    installed: true,
  });
  assertEquals(leader.view.progress?.get(4)?.matchIndex, 0);
});
