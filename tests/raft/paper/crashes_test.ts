import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { TestCluster } from "../cluster.ts";
import { ELECTION_MAX_MS, ELECTION_MIN_MS, HEARTBEAT_MS, seededRandom, TestServer } from "../harness.ts";
import { appendRequest, assertReady, command, logOf, sentOf, voteRequest } from "../messages.ts";

const VOTERS = [1, 2, 3];

Deno.test("§5.5 a request that arrives twice is answered twice and takes effect once", () => {
  const server = new TestServer(1, VOTERS);
  const request = appendRequest({ term: 1, leaderCommit: 1, entries: [command(1, 1), command(2, 1)] });
  const first = server.receiveDurably(2, request);
  const wasDisk = structuredClone(server.disk);
  assertReady(server.receiveDurably(2, request), {
    messages: sentOf(first, "AppendEntriesResponse"),
  });
  assertEquals(server.disk, wasDisk);
  assertEquals(server.applied.length, 1);
});

Deno.test("§5.5 a follower that crashed is sent the same again until it answers", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.crash(3);
  cluster.commit(1, 1);
  cluster.heartbeat(1);
  cluster.restart(3);
  assertEquals(cluster.server(3).log.length, 1, "its log is as it was");
  cluster.heartbeat(1);
  assertEquals(cluster.server(3).log, cluster.server(1).log);
});

Deno.test("§5.5 a candidate that crashed before its vote request was answered stands again and wins", () => {
  const cluster = new TestCluster(3);
  cluster.server(1).waitForWake();
  cluster.run();
  assertEquals(cluster.leaders, [1]);
  const term = cluster.server(1).view.currentTerm;
  cluster.restart(1);
  assertEquals(cluster.server(1).view.role, "follower");
  cluster.elect(1);
  assertEquals(cluster.server(1).view.currentTerm, term + 1);
});

Deno.test("§5.5 a follower that crashed after writing and before answering acknowledges the retry", () => {
  const server = new TestServer(1, VOTERS);
  const request = appendRequest({ term: 1, entries: [command(1, 1)] });
  assertEquals(server.receive(2, request).messages, []);
  server.restart(1);
  const ready = server.receiveDurably(2, request);
  assertEquals(ready.persist, undefined, "it is on the disk already");
  assertEquals(sentOf(ready, "AppendEntriesResponse").map(({ message }) => message.matchIndex), [1]);
});

Deno.test("§5.5 after a restart the commitIndex is 0 until a leader tells; nothing is applied at boot", () => {
  const server = new TestServer(1, VOTERS, {
    entries: logOf(1, 1, 2),
    hardState: { currentTerm: 2, votedFor: 2 },
  });
  server.wait(1);
  assertReady(server.settle(), {});
  assertEquals([server.view.commitIndex, server.view.lastApplied], [0, 0]);
});

Deno.test("§5.5 all servers crash; what was acknowledged is there when they are back", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (let token = 1; token <= 5; token++) cluster.commit(1, token);
  const committed = cluster.server(1).applied;
  for (const id of VOTERS) cluster.crash(id);
  cluster.packets = [];
  for (const id of VOTERS) cluster.restart(id);
  cluster.wait(2 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders.length, 1);
  for (const server of cluster.alive) assertEquals(server.applied.slice(0, 6), committed);
});

Deno.test("§5.5 a crash in the middle of a batch keeps a prefix of it, and the leader fills in the rest", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  for (let token = 1; token <= 5; token++) cluster.server(1).propose(token);
  cluster.send(1, cluster.server(1).take().messages);
  for (const packet of cluster.packets.splice(0)) cluster.deliver(packet);
  cluster.server(3).take();
  cluster.restart(3, 0, 2);
  assertEquals(cluster.server(3).log.length, 3, "the no-op and two of five");
  cluster.run();
  cluster.heartbeat(1);
  assertEquals(cluster.server(3).log, cluster.server(1).log);
  assertEquals(cluster.server(1).view.commitIndex, 6);
});

Deno.test("§5.6 with heartbeats well below the election timeout a leader stays for as long as nothing fails", () => {
  const cluster = new TestCluster(5);
  cluster.elect(2);
  cluster.wait(20 * ELECTION_MAX_MS);
  assertEquals(cluster.leaders, [2]);
  assertEquals(cluster.alive.map((server) => server.view.currentTerm), [1, 1, 1, 1, 1]);
});

Deno.test("§5.6 a leader wants to be woken for every heartbeat, and sends one to each follower", () => {
  const cluster = new TestCluster(3);
  const leader = cluster.elect(1);
  for (let beats = 0; beats < 3; beats++) {
    assertEquals(leader.nextWakeMs() - leader.nowMs, HEARTBEAT_MS);
    leader.wait(HEARTBEAT_MS - 1);
    assertReady(leader.settle(), {});
    leader.wait(1);
    assertEquals(sentOf(leader.take(), "AppendEntriesRequest").map(({ to }) => to), [2, 3]);
    for (const from of [2, 3]) {
      const answer = cluster.server(from).receiveDurably(1, appendRequest({ term: 1 }));
      for (const { message } of answer.messages) leader.receiveDurably(from, message);
    }
  }
});

Deno.test("§5.6 after a leader's crash another leads within two election timeouts", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const cluster = new TestCluster(3, () => ({ random }));
    cluster.elect(1);
    cluster.heartbeat(1);
    cluster.crash(1);
    let waitedMs = 0;
    for (; cluster.leaders.length === 0; waitedMs += 5) {
      assert(waitedMs < 2 * ELECTION_MAX_MS, `seed ${seed}: no leader`);
      cluster.wait(5);
    }
    assertGreaterOrEqual(waitedMs, ELECTION_MIN_MS - 5);
    assertLessOrEqual(waitedMs, 2 * ELECTION_MAX_MS);
  }
});

Deno.test("§5.6 what counts is the time that passes: a clock that steps back stretches no timeout", () => {
  const server = new TestServer(1, VOTERS);
  server.wait(200);
  server.nowMs = -5000;
  server.wait(0);
  assertEquals(server.nextWakeMs(), -5000 + 70);
  server.wait(69);
  assertEquals(server.view.role, "follower");
  server.wait(1);
  assertEquals(server.view.role, "preCandidate");
});

Deno.test("§5.5 a voter that crashed before its vote was durable has not voted", () => {
  const server = new TestServer(1, VOTERS);
  assertEquals(server.receive(2, voteRequest(1)).messages, []);
  server.restart();
  assertEquals(server.disk.hardState, { currentTerm: 0, votedFor: 0 });
  const ready = server.receiveDurably(3, voteRequest(1));
  assertEquals(sentOf(ready, "RequestVoteResponse").map(({ message }) => message.voteGranted), [true]);
});
