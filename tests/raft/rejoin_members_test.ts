/** Coming back without a memory to a cluster whose members have changed since (src/raft/rejoin.ts). */
import { assertEquals } from "@std/assert";
import type { Configuration } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import { Forgetful } from "./forgetful.ts";
import { ELECTION_MAX_MS, HEARTBEAT_MS, membersOf, TestServer } from "./harness.ts";
import { deregister, membersAt, membersEntry, register, shown } from "./members.ts";
import { appendRequest, logOf, noop, sentOf, voteRequest } from "./messages.ts";

/** All nodes in `froms` answer that they are whole, in term 4, and know these configurations. */
function allAnswer(node: Forgetful, froms: readonly number[], ...configurations: Configuration[]): void {
  const round = node.round();
  for (const from of froms) node.answer(from, round, 4, "whole", configurations);
}

Deno.test("whoever answers says who the members are, committed and not, with the address of each", () => {
  const server = new TestServer(1, [1, 2, 3], {
    entries: [noop(1, 1), membersEntry(2, 1, [1, 2, 3], [4]), membersEntry(3, 1, [1, 2, 3, 4])],
    hardState: { currentTerm: 1, votedFor: 0 },
  });
  const request = appendRequest({ term: 1, prevLogIndex: 3, prevLogTerm: 1, leaderCommit: 2 });
  server.receiveDurably(2, request);
  const answers = () =>
    sentOf(server.receiveDurably(9, { type: "RejoinRequest", term: 0, round: 5 }), "RejoinResponse")
      .map(({ message }) => message.configurations);
  assertEquals(answers(), [[membersAt(2, 1, [1, 2, 3], [4]), membersAt(3, 1, [1, 2, 3, 4])]]);
  server.receiveDurably(2, { ...request, leaderCommit: 3 });
  assertEquals(answers(), [[membersAt(3, 1, [1, 2, 3, 4])]]);
});

Deno.test("it asks the voters of the newest configuration that it is told of, and waits for no other", () => {
  const node = new Forgetful("lost");
  assertEquals(node.asks(), [2, 3]);
  const round = node.round();
  node.answer(2, round, 4, "whole", [membersAt(5, 2, [1, 2, 4])]);
  assertEquals(node.view.role, "rejoining");
  assertEquals(node.asks(), [2, 4]);
  node.answer(4, round, 6);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 7]);
  assertEquals(node.view.configuration, membersAt(5, 2, [1, 2, 4]), "and it is in force");
});

Deno.test("it goes from each configuration to the next, until nobody knows of a newer one", () => {
  const node = new Forgetful("lost");
  const round = node.round();
  node.answer(3, round, 4, "whole", [membersAt(5, 2, [1, 3, 4])]);
  node.answer(4, round, 4, "whole", [membersAt(8, 3, [1, 4, 5])]);
  assertEquals([node.view.role, node.asks()], ["rejoining", [4, 5]]);
  node.answer(5, round, 9, "whole", [membersAt(8, 3, [1, 4, 5])]);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 10]);
});

Deno.test("an older configuration, or an older one of a later index in an earlier term, takes nothing back", () => {
  const node = new Forgetful("lost", { configuration: membersAt(5, 2, [1, 2, 3]) });
  const round = node.round();
  node.answer(2, round, 4, "whole", [membersAt(3, 1, [1, 2, 9])]);
  node.answer(2, round, 4, "whole", [membersAt(9, 1, [1, 2, 9])]);
  assertEquals(node.asks(), [2, 3]);
  node.answer(3, round, 4);
  assertEquals([node.view.role, shown(node.view.configuration)], ["follower", "1 2 3"]);
});

Deno.test("a configuration that may not be committed is asked too: it may be the one in force", () => {
  const node = new Forgetful("lost");
  const round = node.round();
  const told = [membersOf([1, 2, 3]), membersAt(5, 2, [1, 2, 3, 4])];
  for (const from of [2, 3]) node.answer(from, round, 4, "whole", told);
  assertEquals([node.view.role, node.asks()], ["rejoining", [2, 3, 4]]);
  node.answer(4, round, 4, "whole", told);
  assertEquals([node.view.role, shown(node.view.configuration)], ["follower", "1 2 3"], "the log will tell");
});

Deno.test("of every configuration that may be in force a majority has to remember everything", () => {
  const node = new Forgetful("lost");
  const told = [membersOf([1, 2, 3]), membersAt(5, 2, [1, 2, 3, 4])];
  for (let rounds = 0; rounds < 2; rounds++) {
    const round = node.round();
    for (const from of [2, 3]) node.answer(from, round, 4, "whole", told);
    // Of 1 to 3 only itself has forgotten; of 1 to 4 it and node 4 have: no majority of such may ever have acted alone.
    node.answer(4, round, 0, "lost", told);
  }
  assertEquals(node.view.role, "follower");

  const hopeless = new Forgetful("lost");
  for (let rounds = 0; rounds < 3; rounds++) {
    const round = hopeless.round();
    hopeless.answer(2, round, 4, "whole", told);
    for (const from of [3, 4]) hopeless.answer(from, round, 0, "lost", told);
  }
  assertEquals(hopeless.view.role, "rejoining");
});

Deno.test("it does not come back if no majority of those who remember everything could elect a leader without it", () => {
  const node = new Forgetful("lost", { voters: [1, 2] });
  for (let rounds = 0; rounds < 3; rounds++) node.answer(2, node.round(), 4);
  assertEquals(node.view.role, "rejoining", "node 2 alone is no majority of two");
  const third = [membersAt(5, 2, [1, 2, 3])];
  const round = node.round();
  for (const from of [2, 3]) node.answer(from, round, 4, "whole", third);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 5]);
});

/** What it tells of not being registered, while those of 2, 3 and 4 that answer do so for a while. */
function toldWhileNotRegistered(node: Forgetful, answering: readonly number[]): unknown[] {
  const told: unknown[] = [];
  for (let rounds = 0; rounds < 10; rounds++) {
    const round = node.round();
    for (const from of answering) {
      node.answer(from, round, 4, "whole", [membersAt(5, 2, [2, 3, 4])]);
      told.push(...node.events.filter(({ kind }) => kind === "notRegistered"));
    }
  }
  assertEquals(node.view.role, "rejoining");
  return told;
}

Deno.test("one that is no member says so once, also while others are silent", () => {
  const event = { kind: "notRegistered", members: [2, 3, 4] };
  assertEquals(toldWhileNotRegistered(new Forgetful("new"), [2, 3, 4]), [event]);
  assertEquals(toldWhileNotRegistered(new Forgetful("new"), [2, 3]), [event]);
});

Deno.test("one that is no member waits, and goes on when it is registered", () => {
  const node = new Forgetful("new");
  allAnswer(node, [2, 3, 4], membersAt(5, 2, [2, 3, 4]));
  assertEquals(node.view.role, "rejoining");
  // As a learner it waits for the leader to take it in.
  const registered = membersAt(9, 2, [2, 3, 4], [1]);
  allAnswer(node, [2, 3, 4], registered);
  assertEquals(node.view.role, "rejoining");
  node.receive(3, {
    type: "RejoinResponse",
    term: 4,
    round: node.round(),
    memory: "whole",
    isAdmitted: true,
    configurations: [registered],
  });
  assertEquals([node.view.role, shown(node.view.configuration), node.view.votedFor], [
    "follower",
    "1? 2 3 4",
    3,
  ]);
});

Deno.test("one that was removed while it had no memory does not come back as a voter of the old members", () => {
  const node = new Forgetful("lost", { entries: logOf(1, 1) });
  const round = node.round();
  node.answer(2, round, 4, "whole", [membersAt(5, 2, [2, 3])]);
  node.answer(3, round, 4);
  assertEquals(node.view.role, "rejoining");
  node.wait(10 * ELECTION_MAX_MS);
  assertEquals(node.view.role, "rejoining");
  assertEquals(node.receive(2, voteRequest(9, 9, 9)), []);
});

Deno.test("a member that has begun once and lost its disk asks all voters, also as a learner", () => {
  const configuration = { ...membersAt(5, 2, [2, 3], [1]) };
  const members = configuration.members.map((member) =>
    member.id === 1 ? { ...member, admission: 9 } : member
  );
  const node = new Forgetful("new");
  const round = node.round();
  node.answer(2, round, 4, "whole", [{ ...configuration, members }]);
  assertEquals([node.view.role, node.asks()], ["rejoining", [2, 3]]);
  node.answer(3, round, 5);
  assertEquals([node.view.role, node.view.currentTerm, shown(node.view.configuration)], [
    "follower",
    6,
    "1? 2 3",
  ]);
});

Deno.test("who speaks to it without having been asked is asked: it may be a member of which it never heard", () => {
  const node = new Forgetful("lost");
  const round = node.round();
  node.receive(7, appendRequest({ term: 4, entries: [noop(1, 4)] }));
  assertEquals(node.asks(), [2, 3, 7]);
  node.answer(7, round, 4, "whole", [membersAt(6, 3, [1, 7, 8])]);
  node.answer(8, round, 4);
  assertEquals([node.view.role, node.view.currentTerm], ["follower", 5]);
});

Deno.test("it answers to where it was told last that they are", () => {
  const moved = membersAt(5, 2, [1, 2, 3]);
  const members = moved.members.map((member) => member.id === 2 ? { ...member, host: "new" } : member);
  const node = new Forgetful("lost");
  assertEquals(node.server.addressOf(2)?.host, "127.0.0.1");
  node.answer(3, node.round(), 4, "whole", [{ ...moved, members }]);
  assertEquals([node.server.addressOf(2)?.host, node.server.addressOf(9)], ["new", undefined]);
});

Deno.test("a server that comes back after all others were replaced finds them, and votes when it has what they have", () => {
  const cluster = new TestCluster(3);
  cluster.elect(1);
  cluster.heartbeat(1);
  cluster.crash(3);
  for (const id of [4, 5]) {
    cluster.add(id, { memory: "new" });
    cluster.change(1, register(id));
    cluster.wait(10 * HEARTBEAT_MS);
  }
  cluster.change(1, deregister(2));
  cluster.crash(2);
  cluster.wait(ELECTION_MAX_MS);
  assertEquals(shown(cluster.server(1).view.committedConfiguration), "1 3 4 5");
  // Node 3 knows of 1 and 2 only, and its disk is gone. Node 1 tells it of the others.
  cluster.wipe(3);
  cluster.wait(4 * ELECTION_MAX_MS);
  const back = cluster.server(3).view;
  assertEquals([back.role === "rejoining", back.mayVote, shown(back.configuration)], [
    false,
    true,
    "1 3 4 5",
  ]);
});
