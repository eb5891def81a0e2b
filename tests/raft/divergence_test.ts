/** State machines that differ are found (src/raft/divergence.ts). */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { NodeId } from "../../src/raft/mod.ts";
import { StateHashes } from "../../src/raft/state_hashes.ts";
import { TestCluster } from "./cluster.ts";
import { HEARTBEAT_MS, membersOf, settledLeaderOf, TestServer } from "./harness.ts";
import { appendRequest, appendResponse, eventsOf, logOf, sentOf } from "./messages.ts";

/** The hash of a sound state after an entry, and that of one that has gone wrong. */
function sound(index: number): number {
  return 1_000 + index;
}

function wrongFrom(first: number, by = 1): (index: number) => number {
  return (index) => index < first ? sound(index) : sound(index) + by * 1_000_000;
}

/** A cluster led by node 1, with `count` commands applied everywhere; `wrong` has those whose state is wrong. */
function clusterWith(
  size: number,
  count: number,
  wrong: Record<NodeId, (index: number) => number>,
): TestCluster {
  const cluster = new TestCluster(size, (id) => ({ hashAfter: wrong[id] ?? sound }));
  cluster.elect(1);
  for (let token = 1; token <= count; token++) cluster.commit(1, token);
  assertEquals(cluster.eventsOf("diverged"), []);
  return cluster;
}

/** Who was said to have diverged, by whom and since when: `[by, node, index]`. */
function verdicts(cluster: TestCluster): [NodeId, NodeId, number][] {
  return cluster.eventsOf("diverged").map(([by, { node, index }]) => [by, node, index]);
}

function beat(cluster: TestCluster, times: number): void {
  for (let i = 0; i < times; i++) cluster.heartbeat(1);
}

Deno.test("states that are equal are compared at every heartbeat, and nobody is said to differ", () => {
  const cluster = clusterWith(3, 20, {});
  beat(cluster, 20);
  assertEquals(verdicts(cluster), []);
  const states = [...cluster.server(1).view.progress?.values() ?? []].map(({ state }) => state.agreesUpTo);
  assertEquals(states, [21, 21]);
});

for (const first of [1, 2, 13, 63, 64, 65]) {
  Deno.test(`a follower whose state is wrong from entry ${first} of 65 on is found in a few heartbeats, and told the entry`, () => {
    const cluster = clusterWith(3, 64, { 3: wrongFrom(first) });
    let beats = 0;
    while (verdicts(cluster).length < 2) {
      assertLessOrEqual(++beats, 12, "it takes no more heartbeats than halving 65 entries does, and some");
      beat(cluster, 1);
    }
    // One that went on instead of ending would be found again.
    const [leaders, own] = verdicts(cluster);
    assertEquals([leaders, own], [[1, 3, first], [3, 3, first]], "the leader knows it, and the follower");
  });
}

Deno.test("a follower whose state goes wrong later on is found while writes go on", () => {
  const cluster = clusterWith(3, 10, { 2: wrongFrom(30) });
  for (let token = 100; token < 140; token++) {
    cluster.commit(1, token);
    beat(cluster, 1);
  }
  const [by, node, index] = verdicts(cluster)[0] ?? [];
  assertEquals([by, node, index], [1, 2, 30]);
});

Deno.test("of five two may be wrong, each from an entry of its own", () => {
  const cluster = clusterWith(5, 30, { 2: wrongFrom(7), 5: wrongFrom(20, 2) });
  beat(cluster, 12);
  const own = verdicts(cluster).filter(([by, node]) => by === node);
  assertEquals(own.filter(([by], at) => own.findIndex(([other]) => other === by) === at).sort(), [
    [2, 2, 7],
    [5, 5, 20],
  ]);
});

Deno.test("if the majority differs from the leader, it is the leader that is wrong, and nobody else is told so", () => {
  const cluster = clusterWith(3, 30, { 1: wrongFrom(9) });
  let beats = 0;
  while (verdicts(cluster).length === 0) {
    assertLessOrEqual(++beats, 12);
    beat(cluster, 1);
  }
  assertEquals([...new Set(verdicts(cluster).map(String))], ["1,1,9"]);
  assertEquals(cluster.server(1).view.part.name, "leader", "to stop is for whoever runs it");
});

Deno.test("of two, nobody can tell who is wrong: the follower stops, for the leader's state is the one that is served", () => {
  const cluster = clusterWith(2, 30, { 2: wrongFrom(9) });
  beat(cluster, 10);
  assertEquals(verdicts(cluster).slice(0, 2), [[1, 2, 9], [2, 2, 9]]);
});

Deno.test("a third that does not answer leaves it open who is wrong; when it is back, it is known", () => {
  const cluster = clusterWith(3, 30, { 2: wrongFrom(9) });
  cluster.crash(3);
  beat(cluster, 11);
  assertEquals(verdicts(cluster), []);
  cluster.restart(3);
  beat(cluster, 12);
  assertEquals(verdicts(cluster).slice(0, 2), [[1, 2, 9], [2, 2, 9]]);
});

/** Lets followers answer the leader's questions, each from its own state, until `about` is told that it is wrong. */
function answerUntilTold(
  leader: TestServer,
  states: Record<NodeId, (index: number) => number>,
  about: NodeId,
): { asked: number[]; told: number; accused: NodeId[] } {
  const asked: number[] = [];
  const accused: NodeId[] = [];
  const matchIndex = leader.view.lastLogIndex;
  for (let beats = 0; beats < 12; beats++) {
    leader.wait(HEARTBEAT_MS);
    for (
      const { to, message: { hashIndex, divergesAt } } of sentOf(leader.settle(), "AppendEntriesRequest")
    ) {
      if (to === about && divergesAt > 0) return { asked, told: divergesAt, accused };
      if (to === about) asked.push(hashIndex);
      const stateHash = hashIndex > 0 ? states[to]?.(hashIndex) ?? 0 : 0;
      const answer = appendResponse({ term: 2, matchIndex, prevLogIndex: matchIndex, hashIndex, stateHash });
      accused.push(...eventsOf(leader.receiveDurably(to, answer), "diverged").map(({ node }) => node));
    }
  }
  return { asked, told: 0, accused };
}

Deno.test("learners are compared too, and their word counts for nothing", () => {
  const configuration = membersOf([1, 2], [3, 4, 5]);
  const leader = settledLeaderOf([1, 2], 2, logOf(1, 1, 1, 1), { configuration, hashAfter: sound });
  const states = { 2: sound, 3: wrongFrom(2), 4: wrongFrom(3), 5: wrongFrom(1) };
  const { told, accused } = answerUntilTold(leader, states, 4);
  assertEquals([told, accused.includes(1), accused.includes(4)], [3, false, true]);
});

Deno.test("the search halves what is left: it asks for no entry twice", () => {
  const log = logOf(...Array.from({ length: 99 }, () => 1));
  const leader = settledLeaderOf([1, 2], 2, log, { hashAfter: sound });
  const { asked, told } = answerUntilTold(leader, { 2: wrongFrom(38) }, 2);
  assertEquals(told, 38);
  const questions = asked.filter((index) => index > 0);
  assertEquals(questions.slice(0, 3), [100, 50, 25]);
  assertEquals(new Set(questions).size, questions.length);
  assertLessOrEqual(questions.length, 8);
});

Deno.test("a follower is told once that it is wrong: one that comes back with the right state is accused no more", () => {
  const leader = settledLeaderOf([1, 2], 2, logOf(1, 1, 1, 1), { hashAfter: sound });
  assertEquals(answerUntilTold(leader, { 2: wrongFrom(3) }, 2).told, 3);
  const { told, accused } = answerUntilTold(leader, { 2: sound }, 2);
  assertEquals([told, accused], [0, []]);
});

Deno.test("a follower that cannot tell of old entries is asked for a while, and then the first that it can tell of counts", () => {
  const cluster = clusterWith(3, 40, { 3: wrongFrom(9) });
  // Its state was restored from a snapshot that was wrong already: it knows the hashes after 30 only.
  const known = new StateHashes();
  for (let index = 31; index <= 41; index++) known.note(index, wrongFrom(9)(index));
  const leader = cluster.server(1);
  const answer = (from: NodeId, hash: { hashIndex: number; stateHash: number }) =>
    leader.receiveDurably(from, appendResponse({ term: 1, matchIndex: 41, prevLogIndex: 41, ...hash }));
  let told = 0;
  for (let beats = 0; beats < 60 && told === 0; beats++) {
    leader.wait(HEARTBEAT_MS);
    const [toThree] = sentOf(leader.settle(), "AppendEntriesRequest").filter(({ to }) => to === 3);
    assert(toThree !== undefined);
    const { hashIndex, divergesAt } = toThree.message;
    told = divergesAt;
    const stateHash = known.at(hashIndex);
    answer(2, { hashIndex: 41, stateHash: sound(41) });
    answer(3, stateHash === undefined ? { hashIndex: 0, stateHash: 0 } : { hashIndex, stateHash });
  }
  assertEquals(told, 31);
});

Deno.test("a follower that is told that it has diverged says so each time, whatever the leader sends", () => {
  const server = new TestServer(2, [1, 2, 3], { entries: logOf(1) });
  const request = appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, divergesAt: 1 });
  for (let i = 0; i < 2; i++) {
    assertEquals(eventsOf(server.receiveDurably(1, request), "diverged"), [{
      kind: "diverged",
      node: 2,
      index: 1,
    }]);
  }
});

Deno.test("a server tells the hash after an entry only if it has applied it, and only as long as it remembers it", () => {
  const server = new TestServer(2, [1, 2, 3], { entries: logOf(1, 1, 1), hashAfter: sound });
  const ask = (hashIndex: number, leaderCommit = 2) => {
    const request = appendRequest({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit, hashIndex });
    const [answer] = sentOf(server.receiveDurably(1, request), "AppendEntriesResponse");
    return [answer?.message.hashIndex, answer?.message.stateHash];
  };
  ask(0);
  assertEquals([0, 1, 2, 3, 9].map((index) => ask(index)), [
    [0, 0],
    [1, sound(1)],
    [2, sound(2)],
    [0, 0],
    [0, 0],
  ]);
});

// ------------------------------------------------------------------------------------------- hashes

Deno.test("StateHashes remembers one hash for each of the last entries, and forgets the oldest", () => {
  const hashes = new StateHashes();
  const count = 200_000;
  for (let index = 1; index <= count; index++) hashes.note(index, index);
  const oldest = hashes.after + 1;
  assertEquals(count - hashes.after, 65_536);
  assertEquals([0, oldest - 1, oldest, count, count + 1].map((index) => hashes.at(index)), [
    undefined,
    undefined,
    oldest,
    count,
    undefined,
  ]);
});

Deno.test("StateHashes keeps all of them while it grows", () => {
  const hashes = new StateHashes();
  for (let index = 1; index <= 5_000; index++) {
    hashes.note(index, index * 3);
    if (index % 97 === 0) {
      assertEquals([hashes.at(1), hashes.at(index), hashes.at(index >> 1)], [3, index * 3, (index >> 1) * 3]);
    }
  }
});

Deno.test("StateHashes begins anew where a snapshot leaves a gap, and takes hashes of all 32 bits", () => {
  const hashes = new StateHashes();
  hashes.note(1, 1);
  hashes.note(500, 2 ** 32 - 1);
  hashes.note(501, 0);
  assertEquals([1, 499, 500, 501].map((index) => hashes.at(index)), [undefined, undefined, 2 ** 32 - 1, 0]);
  assertEquals(hashes.after, 499);
});
