import { explains, explainsNode } from "./explaining.ts";
import { ASKING, follower, leader, member, report, UNANSWERED } from "./node_reports.ts";

const LEADS = "Node 1 leads term 3, for 2 min: it got 2 of 3 votes.";
const ONE = { index: 0, term: 0, members: [member(1)] };
const LEARNERS = {
  index: 56,
  term: 3,
  members: [1, 2, 3].map((id) => member(id)).concat(
    member(4, { role: "learner", admission: 77 }),
    member(5, { role: "learner", admission: 78 }),
    member(6, { role: "learner" }),
  ),
};
const CHANGE = {
  index: 57,
  term: 3,
  members: [member(1), member(2), member(4, { role: "learner", admission: 77 })],
};

explains("a healthy cluster in three sentences", [leader(), report(2), report(3)], [
  LEADS,
  "Nodes 2 and 3 follow and have everything up to entry 57.",
  "Nothing waits.",
]);

explains("a single node", [leader({ followers: [], roleReason: "1 of 1 votes", configuration: ONE })], [
  "Node 1 leads term 3, for 2 min: it has the only vote.",
  "Node 1 is the only member.",
  "Node 2 is in the configuration file, but is no member of the cluster.",
  "Node 3 is in the configuration file, but is no member of the cluster.",
  "Nothing waits.",
]);

explains("a leader that has lost its majority, and not noticed yet", [
  leader({ followers: [follower(2, { silentMs: 1_200 }), follower(3, { silentMs: 1_300 })] }),
], [
  LEADS,
  "Node 1 hears from 1 of 3 voters, itself included, and needs 2: it is about to step down.",
  "Node 2 has been silent for 1.2 s and does not answer at 127.0.0.1:9002; it has everything up to entry 57.",
  "Node 3 has been silent for 1.3 s and does not answer at 127.0.0.1:9003; it has everything up to entry 57.",
  "Nothing waits.",
]);

explains("a stalled follower, and writes that wait for another one", [
  leader({
    lastLogIndex: 60,
    waitingWrites: 3,
    oldestWriteIndex: 58,
    oldestWriteMs: 1_234,
    durableIndex: 60,
    followers: [follower(2, { silentMs: 4_200, matchIndex: 50 }), follower(3)],
  }),
  report(3),
], [
  LEADS,
  "3 writes wait, the oldest of them, entry 58, for 1.2 s: node 1 has it on disk, and 1 more of nodes 2 and 3 must have it too (nothing is heard from node 2; node 3 is behind).",
  "Node 2 has been silent for 4.2 s and does not answer at 127.0.0.1:9002; it lags by 10 entries: it has everything up to entry 50.",
  "Node 3 lags by 3 entries: it has everything up to entry 57.",
]);

explains("a write that waits for the leader's own disk", [
  leader({ lastLogIndex: 58, waitingWrites: 1, oldestWriteIndex: 58, oldestWriteMs: 800 }),
  report(2),
  report(3),
], [
  LEADS,
  "1 write waits, entry 58, for 800 ms: no voter has it on disk yet, and 2 of nodes 1, 2 and 3 must have it too (the disk of node 1 itself has entries up to 57 only; nodes 2 and 3 are behind).",
  "Node 2 lags by 1 entry: it has everything up to entry 57.",
  "Node 3 lags by 1 entry: it has everything up to entry 57.",
]);

explains("writes that are committed, and wait to be applied", [
  leader({
    lastLogIndex: 58,
    commitIndex: 58,
    durableIndex: 58,
    waitingWrites: 2,
    oldestWriteIndex: 58,
    oldestWriteMs: 5,
  }),
  report(2),
  report(3),
], [
  LEADS,
  "2 writes wait, the oldest of them, entry 58, for 5 ms: it is committed, and waits to be applied (entry 57 was the last).",
  "Node 2 lags by 1 entry: it has everything up to entry 57.",
  "Node 3 lags by 1 entry: it has everything up to entry 57.",
]);

explains("an entry of a new leader that is not committed yet", [
  leader({
    lastLogIndex: 58,
    roleMs: 3,
    followers: [follower(2, { matchIndex: 0, silentMs: 3, mode: "probe" }), follower(3)],
  }),
  report(2),
  report(3),
], [
  "Node 1 leads term 3, for 3 ms: it got 2 of 3 votes.",
  "Entry 58 is not committed yet: no voter has it on disk yet, and 2 of nodes 1, 2 and 3 must have it too (the disk of node 1 itself has entries up to 57 only; nodes 2 and 3 are behind).",
  "Node 2 answers here, but node 1, the leader, has not heard from it yet.",
  "Node 3 lags by 1 entry: it has everything up to entry 57.",
]);

explains("reads that wait", [
  leader({ readsUnconfirmed: 4, readsUnapplied: 1 }),
  report(2, { readsUnconfirmed: 1 }),
  report(3, { readsUnapplied: 2, lastApplied: 55 }),
], [
  LEADS,
  "4 reads at node 1 wait for a majority to confirm that it still leads.",
  "1 read at node 1 waits for entries to be applied (entry 57 was the last).",
  "1 read at node 2 waits for the leader to say from which entry on a read is current.",
  "2 reads at node 3 wait for entries to be applied (entry 55 was the last).",
  "Nodes 2 and 3 follow and have everything up to entry 57.",
]);

explains("full disks", [leader({ isDiskFull: true }), report(2), report(3, { isDiskFull: true })], [
  LEADS,
  "The disk of node 1 is full: it refuses writes until there is room, and serves reads.",
  "The disk of node 3 is full: it takes no new entries until there is room.",
  "Nodes 2 and 3 follow and have everything up to entry 57.",
  "Nothing waits.",
]);

explains("learners: one catches up, one is sent a snapshot, one has not begun", [
  leader({
    configuration: LEARNERS,
    followers: [
      follower(2),
      follower(3),
      follower(4, { role: "learner", matchIndex: 20 }),
      follower(5, { role: "learner", matchIndex: 0, mode: "snapshot" }),
      follower(6, { role: "learner", matchIndex: 0, mode: "probe", silentMs: 60_000 }),
    ],
  }),
  ...[2, 3, 4, 5].map((node) => report(node, { configuration: LEARNERS })),
], [
  LEADS,
  "Node 4 is a learner and lags by 37 entries: it has everything up to entry 20; it becomes a voter by itself when it has caught up.",
  "Node 5 is a learner and is being sent a snapshot, since the leader's log does not go back to what it lacks; it becomes a voter by itself when it has caught up.",
  "Node 6 is a learner that has not begun yet: start it with drafty --node 6 --join 127.0.0.1:9001.",
  "Nodes 2 and 3 follow and have everything up to entry 57.",
  "Nothing waits.",
]);

explains("an old leader that is cut off", [
  leader({
    term: 2,
    waitingWrites: 5,
    oldestWriteIndex: 60,
    followers: [follower(2, { silentMs: 900 }), follower(3, { silentMs: 900 })],
  }),
  report(2, {
    role: "leader",
    roleReason: "2 of 3 votes",
    leader: 2,
    roleMs: 400,
    followers: [
      follower(1, { matchIndex: 0, mode: "probe", silentMs: 400 }),
      follower(3),
    ],
  }),
  report(3, { leader: 2 }),
], [
  "Node 2 leads term 3, for 400 ms: it got 2 of 3 votes.",
  "Node 1 answers here, but node 2, the leader, has not heard from it yet.",
  "Node 3 follows and has everything up to entry 57.",
  "Node 1 believes that it still leads term 2, but has not heard of term 3 and can commit nothing; 5 writes wait there in vain.",
]);

explains("a follower that does not hear the leader", [
  leader({ followers: [follower(2), follower(3, { silentMs: 2_500, matchIndex: 50 })] }),
  report(2),
  report(3, {
    ...ASKING,
    roleMs: 2_200,
    votes: [{ id: 1, ...UNANSWERED }, { id: 2, answer: "refused", refusal: "leaderAlive" }],
  }),
], [
  LEADS,
  "Node 3 answers here, but node 1 has heard nothing from it for 2.5 s; it lags by 7 entries: it has everything up to entry 50.",
  "Node 2 follows and has everything up to entry 57.",
  "Node 3 asks who would vote for it in term 4, for 2.2 s; it needs 2 of 3 votes, and has its own; node 2 refuses, as it hears from a leader; node 1 has not answered it, though it answers here: look at the network between the nodes.",
  "Nothing waits.",
]);

explains("a transfer, a change of the members, and nodes that are none", [
  leader({
    transferTo: 2,
    configuration: CHANGE,
    isConfigurationCommitted: false,
    followers: [follower(2), follower(4, { role: "learner" })],
  }),
  report(2),
  report(3, { role: "rejoining", roleReason: "its disk is empty", leader: 0 }),
  report(4, { configuration: CHANGE, isConfigurationCommitted: false }),
], [
  LEADS,
  "Node 1 is handing over to node 2, and takes no writes until that is done.",
  "Node 4 is a learner and has everything up to entry 57; it becomes a voter by itself when it has caught up.",
  "Node 2 follows and has everything up to entry 57.",
  "The members are being changed by entry 57, which is not committed yet: nodes 1 and 2 vote and node 4 learns.",
  "Node 3 runs (its disk is empty), but is no member of the cluster: drafty client register 3 HOST:PEER:CLIENT makes it one.",
  "Nothing waits.",
]);

explainsNode("a follower by what it says itself, then by what the leader says", 3, [
  leader(),
  report(2),
  report(3),
], [
  "Node 3 follows node 1 in term 3, and heard from it 12 ms ago.",
  "It has been a follower for 2 min: node 1 leads term 3.",
  "Its log ends at entry 57, all of it on its disk; it is committed up to 57 and applied up to 57.",
  LEADS,
  "Node 3 follows and has everything up to entry 57.",
]);

explainsNode("a node that does not answer", 3, [
  leader({ followers: [follower(2), follower(3, { silentMs: 12_000, matchIndex: 50 })] }),
  report(2),
], [
  "Node 3 has been silent for 12 s and does not answer at 127.0.0.1:9003; it lags by 7 entries: it has everything up to entry 50.",
  LEADS,
]);

explainsNode("the leader", 1, [leader(), report(2), report(3, { mayVote: false })], [
  LEADS,
  "Nodes 2 and 3 follow and have everything up to entry 57.",
  "Nothing waits.",
]);
