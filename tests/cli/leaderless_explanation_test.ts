import { explains, explainsNode } from "./explaining.ts";
import { ASKING, report, UNANSWERED } from "./node_reports.ts";

const WAITING = "Writes and linearizable reads wait for a leader; reads with --stale are served.";

explains("the leader has just been killed, and its followers still name it", [
  report(2, { leaderSilentMs: 310 }),
  report(3, { leaderSilentMs: 290 }),
], [
  "Node 1 led term 3 when nodes 2 and 3 last heard from it, 290 ms ago, but does not answer at 127.0.0.1:9001.",
  "If node 1 is gone, there is an election when it has been silent for an election timeout.",
]);

explains("the leader was killed, and an election is under way", [
  report(2, {
    role: "candidate",
    roleReason: "2 of 3 votes likely",
    roleMs: 12,
    term: 4,
    leader: 0,
    votes: [{ id: 1, ...UNANSWERED }, { id: 3, answer: "granted", refusal: "none" }],
  }),
  report(3, { term: 4, leader: 0, roleMs: 11, roleReason: "node 2 is in term 4" }),
], [
  "Nobody leads: an election is under way.",
  "Node 1 does not answer at 127.0.0.1:9001.",
  "Node 2 stands for election in term 4, for 12 ms; it needs 2 of 3 votes, and has its own; node 3 has voted for it; node 1 has not answered it.",
  "Node 3 follows nobody in term 4, for 11 ms: node 2 is in term 4.",
  WAITING,
]);

explains("candidates that are refused, and one that nobody hears", [
  report(1, {
    ...ASKING,
    roleMs: 90,
    votes: [
      { id: 2, answer: "refused", refusal: "logBehind" },
      { id: 3, answer: "refused", refusal: "leaderAlive" },
    ],
  }),
  report(2, { ...ASKING, roleMs: 4_000, votes: [{ id: 1, ...UNANSWERED }, { id: 3, ...UNANSWERED }] }),
  report(3, { leader: 0, roleReason: "it has just started" }),
], [
  "Nobody leads: an election is under way.",
  "Node 1 asks who would vote for it in term 4, for 90 ms; it needs 2 of 3 votes, and has its own; node 2 refuses, as the candidate's log lacks entries; node 3 refuses, as it hears from a leader.",
  "Node 2 asks who would vote for it in term 4, for 4.0 s; it needs 2 of 3 votes, and has its own; nodes 1 and 3 have not answered it, though they answer here: look at the network between the nodes.",
  "Node 3 follows nobody in term 3, for 2 min: that is how a node begins.",
  WAITING,
]);

explains("a majority was killed", [
  report(3, { ...ASKING, roleMs: 3_900, votes: [{ id: 1, ...UNANSWERED }, { id: 2, ...UNANSWERED }] }),
], [
  "Nobody leads: 2 of 3 voters have to reach each other, and only node 3 answers.",
  "Nodes 1 and 2 do not answer at 127.0.0.1:9001 and 127.0.0.1:9002.",
  "Node 3 asks who would vote for it in term 4, for 3.9 s; it needs 2 of 3 votes, and has its own; nodes 1 and 2 have not answered it.",
  WAITING,
]);

explains("followers that name a leader which has stepped down", [
  report(1, { leader: 0, roleReason: "heard from 1 of 3 voters", roleMs: 80 }),
  report(2, { leaderSilentMs: 500 }),
  report(3, { leaderSilentMs: 500 }),
], [
  "Nobody leads: nodes 2 and 3 still name node 1, which does not lead term 3 any more (it heard from 1 of 3 voters).",
  "Node 1 follows nobody in term 3, for 80 ms: it heard from 1 of 3 voters.",
  WAITING,
]);

explains("a new cluster of which one node has begun", [
  report(1, {
    role: "rejoining",
    roleReason: "its disk is empty",
    term: 0,
    leader: 0,
    lastLogIndex: 0,
    roleMs: 3_000,
  }),
], [
  "Nobody leads: 2 of 3 voters have to reach each other, and only node 1 answers.",
  "Nodes 2 and 3 do not answer at 127.0.0.1:9002 and 127.0.0.1:9003.",
  "Node 1 takes no part yet, since its disk is empty; it needs an answer of every other voter, and nodes 2 and 3 do not answer here.",
  WAITING,
]);

explains("too few nodes that may vote", [
  report(1, { leader: 0, mayVote: false, roleReason: "the others have come to term 2" }),
  report(2, { role: "rejoining", roleReason: "its disk does not hold all that it promised", leader: 0 }),
  report(3, { leader: 0, roleReason: "node 1 is in term 3" }),
], [
  "Nobody leads: 2 of 3 voters have to vote, and only node 3 may.",
  "Node 1 follows nobody in term 3, for 2 min: the others have come to term 2.",
  "Node 1 may not vote yet: its disk had lost a part of its past, and a leader has to give it back what it may have acknowledged.",
  "Node 2 takes no part yet, since its disk does not hold all that it promised; it asks all other voters what it may have promised.",
  "Node 3 follows nobody in term 3, for 2 min: node 1 is in term 3.",
  WAITING,
]);

explains("a cluster of which no node answers", [], [
  "No node answers at 127.0.0.1:9001, 127.0.0.1:9002 and 127.0.0.1:9003: start the nodes, or check the addresses.",
]);

explainsNode("a node that may not vote, without a leader", 3, [
  report(3, {
    leader: 0,
    mayVote: false,
    term: 4,
    durableIndex: 50,
    commitIndex: 40,
    lastApplied: 40,
    roleReason: "the others have come to term 3",
  }),
], [
  "Node 3 follows nobody in term 4, for 2 min: the others have come to term 3.",
  "Node 3 may not vote yet: its disk had lost a part of its past, and a leader has to give it back what it may have acknowledged.",
  "Its log ends at entry 57, on its disk up to 50; it is committed up to 40 and applied up to 40.",
  "Nobody leads: 2 of 3 voters have to reach each other, and only node 3 answers.",
  "Nodes 1 and 2 do not answer at 127.0.0.1:9001 and 127.0.0.1:9002.",
  WAITING,
]);
