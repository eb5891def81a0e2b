/**
 * Bugs in changes of the members, in handing over, and in reads that followers serve.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";
import type { SettingsOverride } from "../settings.ts";
import { BUSY_CLIENTS } from "./occasions.ts";

/** Members come and go while the network falls apart. */
const CHURN: SettingsOverride = {
  ...BUSY_CLIENTS,
  nodes: 3,
  spares: 2,
  safetyMs: 30_000,
  faults: { addMember: 40, removeMember: 40, partition: 40, kill: 15, transfer: 20 },
};

export const MEMBER_MUTANTS: readonly Mutant[] = [
  {
    name: "old-configuration-used",
    summary: "a configuration counts only when it is committed",
    origin: "section 6: two majorities that do not meet",
    rules: { configurationInForce: (_newest, committed) => committed },
    settings: CHURN,
  },
  {
    name: "configuration-not-rolled-back",
    summary: "a configuration goes on counting when its entry is removed from the log",
    origin: "chelseatroy: the cached view that was not invalidated",
    rules: { keepsConfiguration: () => true },
    scenario: "remove-in-partition",
  },
  {
    name: "learner-counts",
    summary: "votes and confirmations of learners count",
    origin: "chelseatroy: a server that is not voting yet counted in the majority",
    rules: { counts: (role) => role !== undefined },
    scenario: "learner-counts-for-nothing",
  },
  {
    name: "removed-counts",
    summary: "votes and confirmations of servers that are no members any more count",
    origin: "redisraft #17",
    rules: { counts: () => true },
    settings: CHURN,
  },
  {
    name: "promoted-too-early",
    summary: "a learner becomes a voter with its first answer",
    origin: "thesis, 4.2.1: a new server that has everything still to load",
    rules: { isCaughtUp: () => true },
    settings: CHURN,
  },
  {
    name: "changes-before-own-commit",
    summary: "a new leader changes members before it has committed an entry of its term",
    origin: "the bug that Ongaro published in 2015",
    rules: {
      mayChangeMembers: (commitIndex, _termStartIndex, configurationIndex) =>
        commitIndex >= configurationIndex,
    },
    settings: CHURN,
  },
  {
    name: "changes-while-changing",
    summary: "a leader begins a change of the members before the last one is committed",
    origin: "thesis, 4.1",
    rules: { mayChangeMembers: (commitIndex, termStartIndex) => commitIndex >= termStartIndex },
    settings: CHURN,
  },
  {
    name: "begins-twice",
    summary: "a member that has lost its disk begins again as one without a past",
    origin: "etcd: a member with an empty directory under its old id",
    rules: { mayBegin: () => true },
    settings: { ...CHURN, faults: { addMember: 60, removeMember: 40, wipe: 60, kill: 15, partition: 20 } },
  },
  {
    name: "stale-life-counts",
    summary:
      "an acknowledgement of a member's earlier life counts for the one that begins with an empty disk",
    origin: "the same id registered again",
    rules: { isOfThisLife: () => true },
    settings: {
      ...CHURN,
      network: { duplicate: 0.6, replayUpToMs: 5_000, straggle: 0.3, straggleUpToMs: 3_000 },
      faults: { addMember: 120, removeMember: 120, kill: 10 },
    },
  },
  {
    name: "old-read-answer",
    summary: "a follower takes the answer to an earlier question for the answer to its present one",
    origin: "etcd's ReadIndex retries",
    rules: { answersRound: () => true },
    scenario: "follower-read-race",
  },
  {
    name: "follower-reads-alone",
    summary: "a follower serves a read for any node without asking its leader",
    origin: "chelseatroy #26: stale reads",
    hooks: () => ({
      answer: (request, replica) => {
        if (request.type !== "GetRequest" || request.mode !== "any") return undefined;
        const value = replica.store.get(request.key);
        const age = { appliedIndex: replica.store.lastApplied, isAgeKnown: true, ageMs: 0 };
        return { type: "GetResponse", found: value !== undefined, value: value ?? new Uint8Array(), ...age };
      },
    }),
    settings: { ...BUSY_CLIENTS, keys: 1, safetyMs: 20_000, faults: { partition: 40, pause: 15 } },
  },
  {
    name: "skips-pre-vote",
    summary: "a server stands for election without asking whether it could win",
    origin: "thesis, 9.6: a server that comes back deposes the leader",
    rules: { asksBeforeStanding: () => false },
    scenario: "returning-node",
  },
  {
    name: "votes-while-leader-lives",
    summary: "a vote is given though the leader was heard from a moment ago",
    origin: "thesis, 4.2.3: a server that was removed disturbs the others",
    rules: { refusesWhileLeaderAlive: () => false },
    scenario: "quorum-bridge",
  },
  {
    name: "wish-not-told",
    summary:
      "who stands because the leader wishes it does not say so, and is refused because a leader is alive",
    origin: "thesis, 3.10",
    hooks: () => ({
      send: (message) => message.type === "RequestVoteRequest" ? { ...message, isTransfer: false } : message,
    }),
    scenario: "handed-over",
  },
];
