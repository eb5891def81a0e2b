import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "../cluster.ts";
import { leaderOf } from "../harness.ts";
import { appendResponse, logOf, sentOf, termsOf } from "../messages.ts";

/** Figure 7: the log of the leader of term 8 when it comes to power. */
const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];

interface Follower {
  readonly name: string;
  readonly terms: readonly number[];
  /** Refusals until the logs agree, counted by hand for the hint of one term per round. */
  readonly refusals: number;
}

const FOLLOWERS: readonly Follower[] = [
  { name: "a", terms: [1, 1, 1, 4, 4, 5, 5, 6, 6], refusals: 1 },
  { name: "b", terms: [1, 1, 1, 4], refusals: 1 },
  { name: "c", terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], refusals: 0 },
  { name: "d", terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], refusals: 0 },
  { name: "e", terms: [1, 1, 1, 4, 4, 4, 4], refusals: 2 },
  { name: "f", terms: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], refusals: 2 },
];

for (const { name, terms, refusals } of FOLLOWERS) {
  Deno.test(`§5.3 figure 7 (${name}): the leader repairs the follower's log after ${refusals} refusals`, () => {
    // Node 2 is the follower of the figure; node 3 has the leader's log and lets it win.
    const logs = new Map([[1, LEADER], [2, terms], [3, LEADER]]);
    const cluster = new TestCluster(3, (id) => ({
      entries: logOf(...(logs.get(id) ?? [])),
      hardState: { currentTerm: 7, votedFor: 0 },
    }));
    cluster.crash(2);
    cluster.elect(1);
    assertEquals(cluster.server(1).view.currentTerm, 8);
    cluster.restart(2);
    assertEquals(termsOf(cluster.server(2).log), [...terms]);

    let refused = 0;
    let requests = 0;
    cluster.server(1).wait(30);
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
      const packets = cluster.packets;
      cluster.packets = [];
      for (const packet of packets) {
        quiet = false;
        if (packet.to === 2 && packet.message.type === "AppendEntriesRequest") requests++;
        if (packet.from === 2 && packet.message.type === "AppendEntriesResponse" && !packet.message.success) {
          refused++;
        }
        cluster.deliver(packet);
      }
    }
    assertEquals(termsOf(cluster.server(2).log), [...LEADER, 8]);
    assertEquals(cluster.server(2).log, cluster.server(1).log);
    assertEquals(cluster.server(2).disk.entries, cluster.server(1).log);
    // The no-op of term 8 went out while the follower was down, so the first probe ends at the log's old end.
    assertEquals(refused, refusals);
    assert(requests <= refusals + 2, `${requests} requests for ${refusals} refusals`);
    cluster.heartbeat(1);
    assertEquals(cluster.server(2).view.commitIndex, 11);
  });
}

Deno.test("§5.3 figure 7: the leader of term 8 is elected by all but c and d, and repairs all six logs", () => {
  // Nodes 2 to 7 are a to f. c and d have logs that are longer or of a later term: they refuse.
  const cluster = new TestCluster(7, (id) => ({
    entries: logOf(...(FOLLOWERS[id - 2]?.terms ?? LEADER)),
    hardState: { currentTerm: 7, votedFor: 0 },
  }));
  cluster.elect(1);
  const voters = cluster.alive.filter((server) => server.view.votedFor === 1).map((server) => server.id);
  assertEquals(voters, [1, 2, 3, 6, 7]);
  for (let beats = 0; beats < 6; beats++) cluster.heartbeat(1);
  for (const server of cluster.alive) {
    assertEquals(termsOf(server.log), [...LEADER, 8], `node ${server.id}`);
    assertEquals(server.view.commitIndex, 11, `node ${server.id}`);
  }
});

Deno.test("§5.3 backing up takes a round for each term, not for each entry", () => {
  // 3,000 entries of term 2 that nobody else has, against 3,000 of terms 3, 4 and 5.
  const mine = logOf(1, ...terms(2, 3000));
  const theirs = logOf(1, ...terms(3, 1000), ...terms(4, 1000), ...terms(5, 1000));
  const cluster = new TestCluster(2, (id) => ({
    entries: id === 1 ? theirs : mine,
    hardState: { currentTerm: 5, votedFor: 0 },
  }));
  cluster.elect(1);
  assertEquals(cluster.server(2).log, cluster.server(1).log);
  assertEquals(cluster.delivered.get("AppendEntriesRequest"), 2);
});

Deno.test("§5.3 the leader resends nothing that both logs have of the conflicting term", () => {
  // Both begin with term 2; the follower has more of it. The leader goes on after its own last entry of term 2.
  const leader = leaderOf([1, 2], 4, logOf(1, ...terms(2, 500), ...terms(3, 400)));
  const conflict = { conflictTerm: 2, conflictIndex: 2 };
  const ready = leader.receive(
    2,
    appendResponse({ term: 4, success: false, prevLogIndex: 901, ...conflict }),
  );
  assertEquals(
    sentOf(ready, "AppendEntriesRequest").map((
      { message },
    ) => [message.prevLogIndex, message.entries.length]),
    [[501, 401]],
  );
});

function terms(term: number, count: number): number[] {
  return Array.from({ length: count }, () => term);
}
