/**
 * Bugs in elections.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";
import { BUSY_CLIENTS } from "./occasions.ts";

export const VOTE_MUTANTS: readonly Mutant[] = [
  {
    name: "votes-twice",
    summary: "a node votes for every candidate that asks, in the same term",
    origin: "drafty #1, chelseatroy #21: the vote was kept where the guard did not look",
    rules: { mayVoteFor: () => true },
  },
  {
    name: "forgets-own-vote",
    summary: "a candidate does not record its vote for itself",
    origin: "drafty #1",
    rules: { voteOfCandidate: () => 0 },
  },
  {
    name: "vote-not-synced",
    summary: "a vote leaves before it is on the disk",
    origin: "drafty #1, #15: nothing was persisted before the reply",
    hooks: () => ({
      skipsSync: (persist) => persist.hardState !== undefined && persist.entries.length === 0,
    }),
  },
  {
    name: "term-not-persisted",
    summary: "a new term is written to the disk only together with a vote",
    origin: "drafty #17",
    hooks: () => ({
      persist: (persist) =>
        persist.hardState?.votedFor === 0 ? { ...persist, hardState: undefined } : persist,
    }),
  },
  {
    name: "vote-needs-both",
    summary: "a candidate's log must be as long and as new; a newer but shorter log is refused",
    origin: "drafty #2",
    rules: {
      isUpToDate: (candidate, own) =>
        candidate.lastLogTerm >= own.lastLogTerm && candidate.lastLogIndex >= own.lastLogIndex,
    },
    // The last two nodes are one that led alone, with a long tail, and one that led later but not for long: neither
    // may win. They must be apart when all is healed, for the later leader would bring the other up to date.
    settings: {
      ...BUSY_CLIENTS,
      nodes: 3,
      safetyMs: 12_000,
      faults: { partition: 60, kill: 30, oneWay: 20, powerCut: 20 },
    },
  },
  {
    name: "vote-ignores-log",
    summary: "a candidate's log is not looked at",
    origin: "what section 5.4.1 is there to prevent",
    rules: { isUpToDate: () => true },
  },
  {
    name: "vote-by-length",
    summary: "the longer log wins, whatever its terms",
    origin: "chelseatroy #26",
    rules: { isUpToDate: (candidate, own) => candidate.lastLogIndex >= own.lastLogIndex },
    // A leader without followers collects a long tail, and then beats one that has committed less.
    settings: {
      ...BUSY_CLIENTS,
      nodes: 3,
      safetyMs: 20_000,
      faults: { partition: 60, kill: 20, oneWay: 20 },
    },
  },
  {
    name: "vote-carried-over",
    summary: "the vote of the last term still counts in the next",
    origin: "drafty #17: state of an old term was kept",
    rules: { votedForInNewTerm: (votedFor) => votedFor },
  },
  {
    name: "counts-replies",
    summary: "votes are counted per reply, so a duplicate makes a majority",
    origin: "drafty #17",
    rules: { votesOf: (granted) => granted.length },
    settings: { network: { duplicate: 0.4, replayUpToMs: 50 } },
  },
  {
    name: "tie-wins",
    summary: "half of the votes are enough",
    origin: "chelseatroy #26: two of four",
    rules: { quorum: (voterCount) => Math.ceil(voterCount / 2) },
    settings: { nodes: 4, faults: { partition: 20 } },
  },
  {
    name: "counts-old-terms",
    summary: "replies to requests of an earlier term count in this one",
    origin: "what an answer without its term invites",
    rules: { countsForTerm: () => true },
    // Two candidates must meet in one term, so the timeouts lie close together and answers are slow and late.
    settings: {
      nodes: 3,
      thinkMs: 200,
      safetyMs: 20_000,
      heartbeatMs: 50,
      electionTimeoutMs: { min: 300, max: 330 },
      maxInflightAppends: 4,
      network: {
        meanDelayMs: 20,
        duplicate: 0.5,
        replayUpToMs: 3_000,
        straggle: 0.3,
        straggleUpToMs: 1_000,
      },
      faults: { partition: 60, kill: 20 },
    },
  },
  {
    name: "candidate-deaf-to-leader",
    summary: "a candidate ignores the leader of its own term and does not answer it",
    origin: "drafty #7",
    hooks: () => ({
      receive: (message, _from, view) => {
        const isDeaf = view.role === "candidate" || view.role === "preCandidate";
        return isDeaf && message.type === "AppendEntriesRequest" && message.term === view.currentTerm
          ? undefined
          : message;
      },
    }),
  },
  {
    name: "stale-requests-unanswered",
    summary: "a request of an old term is not answered, so its sender never learns that its term is over",
    origin: "drafty #8",
    hooks: () => ({
      send: (message) =>
        message.type === "AppendEntriesResponse" && message.term > message.requestTerm ? undefined : message,
    }),
  },
  {
    name: "never-steps-down",
    summary: "a larger term in a message is not taken over",
    origin: "chelseatroy #21: the voter did not adopt the term",
    rules: { adoptsTerm: () => false },
  },
];
