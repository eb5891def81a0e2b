import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "../cluster.ts";
import { leaderOf } from "../harness.ts";
import { appendRequest, appendResponse, assertReady, logOf, noop, sentOf, termsOf } from "../messages.ts";

const FIVE = [1, 2, 3, 4, 5];

Deno.test("§5.4.2 a leader does not commit entries of earlier terms by counting them", () => {
  const leader = leaderOf(FIVE, 4, logOf(1, 2));
  for (const from of [2, 3, 4, 5]) {
    const ready = leader.receiveDurably(from, appendResponse({ term: 4, matchIndex: 2, prevLogIndex: 1 }));
    assertEquals([leader.view.commitIndex, ready.committed], [0, []]);
  }
});

Deno.test("§5.4.2 an entry of the leader's own term commits all before it", () => {
  const leader = leaderOf(FIVE, 4, logOf(1, 2));
  leader.receiveDurably(2, appendResponse({ term: 4, matchIndex: 3 }));
  assertEquals(leader.view.commitIndex, 0);
  assertReady(leader.receiveDurably(3, appendResponse({ term: 4, matchIndex: 3 })), {
    committed: [...logOf(1, 2), noop(3, 4)],
    events: [{ kind: "committed", upTo: 3 }],
  });
});

Deno.test("§5.4.2 what is committed is the largest index that a majority has", () => {
  const leader = leaderOf(FIVE, 1);
  for (let token = 1; token <= 9; token++) leader.propose(token);
  leader.settle();
  const commits = [10, 4, 7, 9].map((matchIndex, at) => {
    leader.receiveDurably(at + 2, appendResponse({ term: 1, matchIndex }));
    return leader.view.commitIndex;
  });
  assertEquals(commits, [0, 4, 7, 9], "with its own 10: the third largest of five");
});

/**
 * Figure 8 up to (c): S1 has replicated entry 2 of term 2 to S2 (a), S5 was elected for term 3 by S3 and S4 and
 * has another entry at index 2 (b), S1 leads again in term 4 and has sent entry 2 to S3 (c). Its no-op of term 4
 * has reached nobody.
 */
function figure8(): TestCluster {
  const cluster = new TestCluster(5, (id) => ({
    entries: id === 1 || id === 2 ? logOf(1, 2) : id === 5 ? logOf(1, 3) : logOf(1),
    hardState: { currentTerm: id >= 3 ? 3 : 2, votedFor: id === 1 || id === 2 ? 1 : 5 },
  }));
  cluster.crash(5);
  cluster.partition([1, 2, 3]);
  // S1 is elected for term 4 by S2 and S3; of its entries nothing arrives yet.
  for (const id of [2, 3]) cluster.server(id).wait(200);
  const s1 = cluster.server(1);
  s1.waitForWake();
  for (let rounds = 0; s1.view.role !== "leader"; rounds++) {
    assert(rounds < 20, "S1 is not elected");
    // The first try only tells it that S3 is in term 3 already.
    if (s1.view.role === "follower" && s1.view.currentTerm === 3) s1.waitForWake();
    for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
    const packets = cluster.packets;
    cluster.packets = [];
    for (const packet of packets) {
      if (packet.message.type !== "AppendEntriesRequest") cluster.deliver(packet);
    }
  }
  assertEquals(s1.view.currentTerm, 4);
  assertEquals(cluster.leaders, [1]);
  return cluster;
}

/** Brings S1's log up to `upTo` onto `to`, by requests of S1's term with just those entries. */
function replicate(cluster: TestCluster, to: number, upTo: number): void {
  const s1 = cluster.server(1);
  const ready = cluster.server(to).receiveDurably(
    1,
    appendRequest({
      term: s1.view.currentTerm,
      prevLogIndex: 1,
      prevLogTerm: 1,
      leaderCommit: s1.view.commitIndex,
      entries: s1.view.log.slice(1, upTo),
    }),
  );
  for (const { message } of sentOf(ready, "AppendEntriesResponse")) s1.receiveDurably(to, message);
}

Deno.test("§5.4.2 Figure 8 (d): an old entry on a majority may be overwritten, so it was not committed", () => {
  const cluster = figure8();
  replicate(cluster, 3, 2);
  const [s1, s2, s3] = [1, 2, 3].map((id) => cluster.server(id));
  assertEquals([s1, s2, s3].map((server) => server?.disk.entries[1]?.term), [2, 2, 2], "a majority has it");
  assertEquals(s1?.view.commitIndex, 0, "and it is not committed");
  assertEquals(s1?.applied, []);

  // S1 crashes; S5 is elected by S2, S3 and S4, whose logs end with terms 2, 2 and 1: its own ends with 3.
  cluster.crash(1);
  cluster.heal();
  cluster.restart(5);
  for (let tries = 0; tries < 5 && cluster.leaders.length === 0; tries++) {
    for (const id of [2, 3, 4]) {
      const server = cluster.server(id);
      server.wait(Math.max(0, server.nextWakeMs() - 1 - server.nowMs));
    }
    cluster.server(5).waitForWake();
    cluster.run();
  }
  assertEquals(cluster.leaders, [5]);
  cluster.heartbeat(5);
  const term = cluster.server(5).view.currentTerm;
  for (const id of [2, 3, 4, 5]) {
    assertEquals(termsOf(cluster.server(id).disk.entries), [1, 3, term], `S${id}`);
    assertEquals(cluster.server(id).view.commitIndex, 3, `S${id}`);
  }
});

Deno.test("§5.4.2 Figure 8 (e): once an entry of its own term is on a majority, S5 cannot win any more", () => {
  const cluster = figure8();
  replicate(cluster, 2, 3);
  replicate(cluster, 3, 3);
  const s1 = cluster.server(1);
  assertEquals(s1.view.commitIndex, 3);
  assertEquals(termsOf(s1.applied), [1, 2, 4]);

  cluster.crash(1);
  cluster.heal();
  cluster.restart(5);
  for (let tries = 0; tries < 5; tries++) {
    for (const id of [2, 3, 4]) {
      const server = cluster.server(id);
      server.wait(Math.max(0, server.nextWakeMs() - 1 - server.nowMs));
    }
    cluster.server(5).waitForWake();
    cluster.run();
    assertEquals(cluster.leaders, [], "S5 has S4's vote at most");
  }
  cluster.elect(2);
  cluster.heartbeat(2);
  for (const id of [2, 3, 4, 5]) {
    assertEquals(termsOf(cluster.server(id).disk.entries).slice(0, 3), [1, 2, 4], `S${id}`);
  }
});

Deno.test("§5.4.3 servers apply the same entries at the same indexes, in order, each once", () => {
  const cluster = new TestCluster(5);
  cluster.elect(1);
  for (let token = 1; token <= 5; token++) cluster.commit(1, token);
  cluster.crash(1);
  cluster.elect(4);
  for (let token = 6; token <= 9; token++) cluster.commit(4, token);
  cluster.heartbeat(4);
  for (const server of cluster.alive) {
    assertEquals(server.applied.map((entry) => entry.index), Array.from({ length: 11 }, (_, at) => at + 1));
    assertEquals(server.applied, cluster.server(4).applied);
  }
});
