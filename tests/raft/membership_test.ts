/** Changes of the members: what is taken and what is refused (src/raft/membership.ts). */
import { assertEquals } from "@std/assert";
import type { Member } from "../../packraft/mod.ts";
import type { MemberAddress, MemberChange, Ready } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import {
  acknowledge,
  ELECTION_MAX_MS,
  HEARTBEAT_MS,
  leaderOf,
  membersOf,
  settledLeaderOf,
  TestServer,
} from "./harness.ts";
import { deregister, membersAt, membersEntry, move, placeOf, register, shown } from "./members.ts";
import { appendRequest, appendResponse, assertReady, eventsOf, noop, sentOf } from "./messages.ts";

const VOTERS = [1, 2, 3];

function settledLeader(voters: readonly number[] = VOTERS, learners: readonly number[] = []): TestServer {
  return settledLeaderOf(voters, 2, [], { configuration: membersOf(voters, learners) });
}

/** Asks for a change; returns why it was refused, or undefined. */
function refusal(leader: TestServer, change: MemberChange): string | undefined {
  const before = leader.view.lastLogIndex;
  leader.changeMembers(7, change);
  const ready = leader.settle();
  const [refused] = ready.refused;
  if (refused === undefined) return undefined;
  assertEquals(
    [leader.view.lastLogIndex, ready.accepted, refused.token],
    [before, [], 7],
    "it is not in the log",
  );
  return refused.detail === undefined ? refused.reason : `${refused.reason}: ${refused.detail}`;
}

/** To whom something is sent. */
function receivers(ready: Ready): number[] {
  return [...new Set(ready.messages.map(({ to }) => to))].sort();
}

Deno.test("a registered server is a learner in the log at once, and is sent everything", () => {
  const leader = settledLeader();
  leader.changeMembers(7, register(4));
  const ready = leader.take();
  assertEquals(ready.accepted, [{ token: 7, index: 2, term: 2 }]);
  assertEquals(ready.persist?.entries, [membersEntry(2, 2, VOTERS, [4])]);
  assertEquals(eventsOf(ready, "configuration").map(({ configuration }) => configuration), [
    membersAt(2, 2, VOTERS, [4]),
  ]);
  assertEquals(shown(leader.view.configuration), "1 2 3 4?");
  leader.finishWrite();
  leader.wait(HEARTBEAT_MS);
  assertEquals(receivers(leader.take()), [2, 3, 4]);
});

Deno.test("members are in the log with the smallest id first, whatever the order in which they come", () => {
  const leader = settledLeader([3, 5]);
  for (const id of [9, 1, 4]) {
    leader.changeMembers(1, register(id));
    leader.settle();
    acknowledge(leader, 5);
  }
  assertEquals(shown(leader.view.configuration), "1? 3 4? 5 9?");
});

Deno.test("a member goes by an entry, and moves by one: the id stays, the address is another", () => {
  const leader = settledLeader();
  leader.changeMembers(1, deregister(2));
  leader.settle();
  assertEquals(shown(leader.view.configuration), "1 3");
  acknowledge(leader, 3);

  const place = { host: "elsewhere", peerPort: 1, clientPort: 2 };
  leader.changeMembers(2, move(3, place));
  assertEquals(leader.settle().accepted, [{ token: 2, index: 3, term: 2 }]);
  assertEquals(leader.view.configuration.members.find(({ id }) => id === 3), {
    ...place,
    id: 3,
    role: "voter",
    admission: 0,
  });
});

Deno.test("a moved member is still fed from where it was: nothing is sent twice", () => {
  const leader = settledLeader();
  const before = leader.view.progress?.get(3)?.matchIndex;
  leader.changeMembers(1, move(3, { host: "elsewhere", peerPort: 1, clientPort: 2 }));
  const requests = sentOf(leader.settle(), "AppendEntriesRequest").filter(({ to }) => to === 3);
  assertEquals([before, requests.map(({ message }) => [message.prevLogIndex, message.entries.length])], [1, [[
    1,
    1,
  ]]]);
});

Deno.test("a member is found where a committed configuration has it, or where its log has it and it listens", () => {
  const [old, place] = [placeOf(2), { host: "elsewhere", peerPort: 1, clientPort: 2 }];
  const isMoved = (member: Member) => member.id === 2 ? { ...member, ...place } : member;
  const entries = [noop(1, 1), membersEntry(2, 1, VOTERS, [], isMoved)];
  const moved = new TestServer(2, VOTERS, { hardState: { currentTerm: 1, votedFor: 0 }, entries });
  const claimed = (listensAt: MemberAddress) => {
    const { address, index } = moved.claimedAddress(listensAt) ?? {};
    return [address?.peerPort, index];
  };
  // After a restart nothing is known to be committed: that it listens there is what tells that the entry is right.
  assertEquals(claimed(place), [place.peerPort, 2]);
  assertEquals(
    claimed({ ...place, clientPort: 9 }),
    [place.peerPort, 2],
    "its peers do not ask for the other port",
  );
  assertEquals(claimed({ ...place, host: "0.0.0.0" }), [place.peerPort, 2], "everywhere is there, too");
  assertEquals(claimed(old), [old.peerPort, 0], "the entry may yet be replaced");
  moved.receiveDurably(1, appendRequest({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 }));
  assertEquals(claimed(place), [place.peerPort, 2]);
  // Nobody who knows better is to believe it: it may have missed its own move.
  assertEquals(claimed(old), [place.peerPort, 0]);
});

Deno.test("a change that makes no sense is refused before it reaches the log, with the reason and the way out", () => {
  const leader = settledLeader();
  const at = (port: number, host = "127.0.0.1") => ({ host, peerPort: port, clientPort: port + 1 });
  const refusals: [MemberChange, string][] = [
    [
      register(2, at(700)),
      "node 2 is a member already, at 127.0.0.1:8002:9002; give another id, or move it to another address: " +
      "client move 2 HOST:PEER:CLIENT",
    ],
    [register(0), "0 is not an id; give a whole number from 1"],
    [
      register(4, placeOf(2)),
      "127.0.0.1:8002:9002 is taken: node 2 is at 127.0.0.1:8002:9002; give other ports",
    ],
    [
      register(4, { host: "127.0.0.1", peerPort: 9003, clientPort: 77 }),
      "127.0.0.1:9003:77 is taken: node 3 is at 127.0.0.1:8003:9003; give other ports",
    ],
    ...[
      { ...at(5), host: "" },
      { ...at(5), peerPort: 0 },
      { ...at(5), clientPort: 0 },
      { ...at(5), clientPort: 5 },
    ].map((address): [MemberChange, string] => [
      register(4, address),
      `${address.host}:${address.peerPort}:${address.clientPort} is not an address; ` +
      "give HOST:PEER:CLIENT with two different ports",
    ]),
    [deregister(4), "node 4 is not a member; the members are 1, 2, 3"],
    [move(4, at(5)), "node 4 is not a member; the members are 1, 2, 3"],
    [move(2, placeOf(2)), "node 2 is at 127.0.0.1:8002:9002 already"],
    [move(2, placeOf(3)), "127.0.0.1:8003:9003 is taken: node 3 is at 127.0.0.1:8003:9003; give other ports"],
    [
      move(2, { ...at(5, "::1"), clientPort: 5 }),
      "[::1]:5:5 is not an address; give HOST:PEER:CLIENT with two different ports",
    ],
  ];
  for (const [change, reason] of refusals) assertEquals(refusal(leader, change), `badChange: ${reason}`);
  assertEquals(
    refusal(leader, register(4, at(8001, "other"))),
    undefined,
    "another host has ports of its own",
  );
});

Deno.test("a member may keep one of its ports when it moves", () => {
  const leader = settledLeader();
  const { clientPort, host } = placeOf(2);
  assertEquals(refusal(leader, move(2, { host, clientPort, peerPort: 77 })), undefined);
});

Deno.test("the last voter cannot be removed, whoever learns from it; a learner can", () => {
  const alone = settledLeader([1], [2]);
  assertEquals(
    refusal(alone, deregister(1)),
    "badChange: node 1 is the last voter; a cluster cannot do without one",
  );
  assertEquals(refusal(alone, deregister(2)), undefined);
});

Deno.test("the number of members is bounded", () => {
  const leader = settledLeader(VOTERS, [4, 5, 6, 7, 8]);
  assertEquals(
    refusal(leader, register(9)),
    "badChange: the cluster has 8 members, and at most 8 are possible; deregister one first",
  );
  assertEquals(refusal(leader, deregister(8)), undefined);
  acknowledge(leader, 2);
  assertEquals(refusal(leader, register(9)), undefined);
});

Deno.test("a server that does not lead refuses changes", () => {
  assertEquals(refusal(new TestServer(1, VOTERS), register(4)), "notLeader");
});

Deno.test("section 6: one change at a time: the next is refused until the last is committed", () => {
  const leader = settledLeader();
  assertEquals(refusal(leader, register(4)), undefined);
  for (const change of [register(5), deregister(2), move(2, { ...placeOf(2), host: "new" })]) {
    assertEquals(refusal(leader, change), "notNow: the change of entry 2 is not committed yet");
  }
  acknowledge(leader, 4);
  assertEquals(refusal(leader, register(5)), "notNow: the change of entry 2 is not committed yet");
  acknowledge(leader, 3);
  assertEquals(refusal(leader, register(5)), undefined);
});

Deno.test("while a change is under way nobody is refused for good because of it: it may be rolled back", () => {
  const leader = settledLeader();
  assertEquals(refusal(leader, register(4)), undefined);
  assertEquals(refusal(leader, register(4)), "notNow: the change of entry 2 is not committed yet");
  acknowledge(leader, 2);
  assertEquals(refusal(leader, register(4))?.startsWith("badChange: node 4 is a member already"), true);
});

Deno.test("a new leader changes nothing before it has committed an entry of its own term", () => {
  const leader = leaderOf(VOTERS, 2, [noop(1, 1)]);
  const reason = "notNow: this leader is new and has committed nothing yet";
  assertEquals(refusal(leader, register(4)), reason);
  acknowledge(leader, 2, 1); // an entry of an earlier term is on a majority, and says nothing
  assertEquals(refusal(leader, register(4)), reason);
  acknowledge(leader, 2);
  assertEquals(refusal(leader, register(4)), undefined);
});

Deno.test("a change that an earlier leader left uncommitted is committed with the new leader's no-op, and only then the next begins", () => {
  const leader = leaderOf(VOTERS, 3, [noop(1, 1), membersEntry(2, 2, VOTERS, [4])]);
  assertEquals(shown(leader.view.configuration), "1 2 3 4?");
  assertEquals(refusal(leader, deregister(4)), "notNow: this leader is new and has committed nothing yet");
  acknowledge(leader, 2);
  assertEquals(refusal(leader, deregister(4)), undefined);
});

Deno.test("a voter is not removed if those who would be left and answer are no majority", () => {
  const leader = settledLeader();
  for (let waited = 0; waited <= ELECTION_MAX_MS; waited += HEARTBEAT_MS) {
    leader.wait(HEARTBEAT_MS);
    leader.settle();
    acknowledge(leader, 2);
  }
  const without = (id: number, left: string) =>
    `badChange: without node ${id} there would be no majority that answers: ` +
    `of nodes ${left} nothing is heard from 3`;
  assertEquals(refusal(leader, deregister(2)), without(2, "1, 3"));
  assertEquals(refusal(leader, deregister(1)), without(1, "2, 3"), "nor the leader itself");
  assertEquals(refusal(leader, deregister(3)), undefined, "the silent one may go");
});

Deno.test("nor if they answer, and have nothing of this leader's term: one that has forgotten its promises could not vote", () => {
  const leader = settledLeaderOf([1, 2], 2, [noop(1, 1)], { configuration: membersOf(VOTERS) });
  acknowledge(leader, 3, 1);
  assertEquals(leader.view.commitIndex, 2);
  assertEquals(refusal(leader, deregister(2)) === undefined, false, "node 1 alone could win nothing");
  acknowledge(leader, 3, 2);
  assertEquals(refusal(leader, deregister(2)), undefined);
});

Deno.test("while it hands over, a leader changes nothing", () => {
  const leader = settledLeader();
  leader.transfer(1, 2);
  assertEquals(refusal(leader, register(4)), "handingOver");
});

/**
 * The schedule that Ongaro published in July 2015: of members 1 to 4, leader 1 begins to add node 5 and is cut off; node
 * 2 leads with 3 and 4 and would remove node 1; node 1 comes back and leads on with what it began.
 */
Deno.test("the bug of 2015: of two leaders with changes that the other does not know, one had to commit in its term first", () => {
  const cluster = new TestCluster(4);
  const first = cluster.elect(1);
  cluster.heartbeat(1);
  first.changeMembers(1, register(5));
  first.settle(); // what it sends is lost
  assertEquals(shown(first.view.configuration), "1 2 3 4 5?");

  cluster.crash(1);
  const second = cluster.server(2);
  for (const id of [3, 4]) cluster.server(id).wait(ELECTION_MAX_MS / 2);
  second.waitForWake();
  for (let i = 0; i < 20 && second.view.role !== "leader"; i++) {
    for (const server of cluster.alive) cluster.send(server.id, server.settle().messages);
    const packets = cluster.packets;
    cluster.packets = [];
    for (const packet of packets) cluster.deliver(packet);
  }
  assertEquals(second.view.role, "leader");
  second.changeMembers(2, deregister(1));
  const ready = second.settle();
  assertEquals(
    ready.refused.map(({ reason }) => reason),
    ["notNow"],
    "it does not know of node 5 and would not ask it",
  );
  assertEquals(shown(second.view.configuration), "1 2 3 4");

  // It commits its no-op on 3 and 4, so node 1 can win nothing with its own change, and the removal is safe now.
  cluster.packets = [];
  cluster.heartbeat(2);
  second.changeMembers(3, deregister(1));
  assertEquals(second.settle().accepted.length, 1);
  cluster.restart(1);
  cluster.wait(4 * ELECTION_MAX_MS);
  assertEquals(shown(cluster.server(2).view.committedConfiguration), "2 3 4");
  assertEquals(cluster.alive.filter(({ id }) => id !== 1).map(({ view }) => shown(view.configuration)), [
    "2 3 4",
    "2 3 4",
    "2 3 4",
  ]);
});

Deno.test("a change that is never committed is gone when another leads, and was never in force for good", () => {
  const leader = settledLeader();
  leader.changeMembers(1, register(4));
  leader.settle();
  const entries = [noop(2, 3)];
  leader.receiveDurably(
    3,
    appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 2, entries, leaderCommit: 2 }),
  );
  assertEquals([shown(leader.view.configuration), leader.view.role], ["1 2 3", "follower"]);
});

Deno.test("acknowledgements of one that is no member count for nothing, and are not answered", () => {
  const leader = settledLeader();
  leader.propose(1);
  leader.settle();
  for (const from of [4, 5]) {
    assertReady(leader.receiveDurably(from, appendResponse({ term: 2, matchIndex: 2, prevLogIndex: 1 })), {
      events: [{
        kind: "ignored",
        from,
        type: "AppendEntriesResponse",
        reason: "it is no member, and a leader is alive",
      }],
    });
  }
  assertEquals(leader.view.commitIndex, 1);
});
