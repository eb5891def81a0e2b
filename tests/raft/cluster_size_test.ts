import { assert, assertEquals } from "@std/assert";
import { TestCluster } from "./cluster.ts";
import { ELECTION_MAX_MS, TestServer } from "./harness.ts";
import { assertReady, noop, preVoteResponse, toEach, voteRequest, voteResponse } from "./messages.ts";

for (const size of [1, 2, 3, 4, 5, 7]) {
  const tolerated = Math.floor((size - 1) / 2);

  Deno.test(`§5.1 ${size} servers elect one of them, replicate and commit`, () => {
    const cluster = new TestCluster(size);
    cluster.wait(2 * ELECTION_MAX_MS);
    const [leader, ...others] = cluster.leaders;
    assert(leader !== undefined);
    assertEquals(others, []);
    for (let token = 1; token <= 3; token++) cluster.commit(leader, token);
    cluster.heartbeat(leader);
    for (const server of cluster.alive) {
      assertEquals(server.view.leader, leader);
      assertEquals(server.applied.map((entry) => entry.kind), ["noop", "command", "command", "command"]);
      assertEquals(server.disk.entries, cluster.server(leader).log);
    }
  });

  Deno.test(`§5.1 ${size} servers go on without ${tolerated} of them, and not without ${tolerated + 1}`, () => {
    const cluster = new TestCluster(size);
    cluster.wait(2 * ELECTION_MAX_MS);
    for (let dead = 1; dead <= tolerated; dead++) {
      // The leader is the one that hurts.
      cluster.crash(cluster.leaders[0] ?? 0);
      cluster.wait(4 * ELECTION_MAX_MS);
      const [leader, ...others] = cluster.leaders;
      assert(leader !== undefined, `no leader without ${dead} of ${size}`);
      assertEquals(others, []);
      const before = cluster.server(leader).view.commitIndex;
      cluster.commit(leader, dead);
      assertEquals(cluster.server(leader).view.commitIndex, before + 1);
    }
    const [leader] = cluster.leaders;
    assert(leader !== undefined);
    const committed = cluster.server(leader).view.commitIndex;
    const victim = cluster.alive.find((server) => server.id !== leader)?.id ?? leader;
    cluster.crash(victim);
    if (victim !== leader) {
      cluster.server(leader).propose(99);
      cluster.wait(4 * ELECTION_MAX_MS);
      assertEquals(cluster.server(leader).view.commitIndex, committed, "nothing is committed by a minority");
    }
    assertEquals(cluster.leaders, [], "a minority has no leader");

    // One of them is back: all goes on, and nothing that was committed is missing.
    cluster.restart(victim);
    cluster.wait(4 * ELECTION_MAX_MS);
    const [next] = cluster.leaders;
    assert(next !== undefined);
    assert(cluster.server(next).view.commitIndex > committed);
  });
}

for (const [size, votes] of [[2, 1], [4, 2], [6, 3]] as const) {
  Deno.test(`§5.2 a tie does not win: ${votes} of ${size} votes elect nobody`, () => {
    const voters = Array.from({ length: size }, (_, at) => at + 1);
    const cluster = new TestCluster(size);
    // Half of them are there: they may ask each other for ever.
    cluster.partition(voters.slice(0, votes), voters.slice(votes));
    cluster.wait(10 * ELECTION_MAX_MS);
    assertEquals(cluster.leaders, []);
    assertEquals(cluster.alive.map((server) => server.view.currentTerm), voters.map(() => 0), "PreVote");
    cluster.heal();
    cluster.wait(2 * ELECTION_MAX_MS);
    assertEquals(cluster.leaders.length, 1);
  });
}

Deno.test("§5.3 a tie does not commit: an entry on 2 of 4 servers is not committed", () => {
  const cluster = new TestCluster(4);
  const leader = cluster.elect(1);
  assertEquals(leader.view.commitIndex, 1);
  cluster.partition([1, 2], [3, 4]);
  cluster.commit(1, 1);
  assertEquals(cluster.server(2).log.length, 2);
  assertEquals(leader.view.commitIndex, 1);
  cluster.heal();
  cluster.cut(4, 1);
  cluster.heartbeat(1);
  assertEquals(leader.view.commitIndex, 2, "3 of 4 have it");
});

Deno.test("alone, a server elects itself at once and commits when its own disk has it", () => {
  const server = new TestServer(1, [1]);
  assertEquals(server.nextWakeMs(), 0, "there is nobody to wait for");
  server.wait(0);
  assertReady(server.take(), {
    persist: { sequence: 1, hardState: { currentTerm: 1, votedFor: 1 }, entries: [] },
    events: [
      { kind: "role", from: "follower", to: "preCandidate", term: 0, reason: "election timeout" },
      { kind: "role", from: "preCandidate", to: "candidate", term: 1, reason: "1 of 1 votes likely" },
    ],
  });
  server.finishWrite();
  assertReady(server.take(), {
    persist: { sequence: 2, hardState: undefined, entries: [noop(1, 1)] },
    events: [
      { kind: "role", from: "candidate", to: "leader", term: 1, reason: "1 of 1 votes" },
      { kind: "leader", term: 1, leader: 1 },
    ],
  });
  server.finishWrite();
  assertReady(server.take(), { committed: [noop(1, 1)], events: [{ kind: "committed", upTo: 1 }] });
});

Deno.test("alone, a server keeps leading and has all that it acknowledged after a restart", () => {
  const server = new TestServer(1, [1]);
  server.wait(0);
  server.settle();
  for (let token = 1; token <= 3; token++) server.propose(token);
  server.settle();
  server.wait(100 * ELECTION_MAX_MS);
  server.settle();
  assertEquals([server.view.role, server.view.currentTerm, server.view.commitIndex], ["leader", 1, 4]);
  const { applied } = server;
  server.restart();
  server.wait(0);
  server.settle();
  assertEquals([server.view.currentTerm, server.applied.slice(0, 4)], [2, applied]);
});

Deno.test("two servers need both: one that votes for itself refuses the other, and does not lead by its own vote", () => {
  const candidate = new TestServer(1, [1, 2]);
  candidate.waitForWake();
  candidate.receiveDurably(2, preVoteResponse(0, 1));
  assertEquals([candidate.view.role, candidate.view.votedFor], ["candidate", 1]);
  assertReady(candidate.receive(2, voteRequest(1)), {
    messages: toEach([2], voteResponse(1, "alreadyVoted")),
    events: [{ kind: "voteRefused", to: 2, term: 1, preVote: false, reason: "alreadyVoted" }],
  });
  assertEquals(candidate.view.role, "candidate");
});

Deno.test("two servers that stand at the same time do not split the votes: the second yields", () => {
  const cluster = new TestCluster(2, () => ({ random: () => 0.5 }));
  for (const id of [1, 2]) cluster.server(id).waitForWake();
  cluster.run();
  assertEquals(cluster.leaders, [1]);
  assertEquals(cluster.alive.map(({ view }) => [view.currentTerm, view.votedFor]), [[1, 1], [1, 1]]);
  assertEquals(
    cluster.eventsOf("role").filter(([id]) => id === 2).map(([, { to, reason }]) => [to, reason]),
    [
      ["preCandidate", "election timeout"],
      ["follower", "node 1 stands too, and comes first"],
    ],
  );
});
