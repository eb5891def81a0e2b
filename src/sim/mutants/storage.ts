/**
 * Bugs in what survives a restart.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";
import { BUSY_CLIENTS } from "./occasions.ts";

/** Disks are lost while elections are held. */
const LOSSES = { wipe: 30, bitFlip: 20, partition: 30, oneWay: 20, kill: 20 } as const;

export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: "restart-commits-all",
    summary: "a restarted node treats all of its log as committed",
    origin: "drafty #6, chelseatroy #26",
    hooks: () => ({
      afterStart: (replica, recovered) => {
        const last = recovered.entries[recovered.entries.length - 1];
        if (last === undefined) return;
        // As if a leader had said so: any other node's id will do.
        replica.receive(replica.view().id === 1 ? 2 : 1, {
          type: "AppendEntriesRequest",
          term: recovered.hardState.currentTerm,
          prevLogIndex: last.index,
          prevLogTerm: last.term,
          leaderCommit: last.index,
          readRound: 0,
          hashIndex: 0,
          divergesAt: 0,
          entries: [],
        });
      },
    }),
    settings: { faults: { kill: 20, partition: 20, powerCut: 20 } },
  },
  {
    name: "sync-lies",
    summary: "a sync returns before anything is on the disk",
    origin: "drafty #15: no fsync; a disk with a volatile cache",
    lyingSync: true,
    settings: { faults: { powerCut: 20 } },
  },
  {
    name: "tail-cut-too-far",
    summary: "recovery drops the last entry along with a torn tail",
    origin: "etcd's Repair hazard",
    hooks: () => ({ recover: (recovered) => ({ ...recovered, entries: recovered.entries.slice(0, -1) }) }),
    settings: { faults: { kill: 20 } },
  },
  {
    name: "vote-lost-at-restart",
    summary: "a restarted node has forgotten its vote",
    origin: "drafty #1, #15",
    hooks: () => ({
      recover: (recovered) => ({ ...recovered, hardState: { ...recovered.hardState, votedFor: 0 } }),
    }),
    settings: { faults: { kill: 20 } },
  },
  {
    name: "term-lost-at-restart",
    summary: "a restarted node begins again in the term of its last entry",
    origin: "drafty #17",
    hooks: () => ({
      recover: (recovered) => {
        const currentTerm = recovered.entries[recovered.entries.length - 1]?.term ?? 0;
        return { ...recovered, hardState: { currentTerm, votedFor: 0 } };
      },
    }),
    settings: { faults: { kill: 20 } },
  },
  {
    name: "denies-its-loss",
    summary: "a node whose disk was damaged or replaced goes on as if it remembered everything",
    origin: "etcd: a member with an empty directory must be replaced, not restarted",
    deniesLoss: true,
    settings: { faults: { wipe: 10, bitFlip: 10 } },
  },
  {
    name: "rejoin-asks-a-majority",
    summary: "a node that has forgotten its promises asks a majority, not all others",
    origin: "Viewstamped Replication Revisited, 4.3, taken over to Raft as it stands",
    rules: { rejoinAnswers: (voterCount) => Math.floor(voterCount / 2) },
    settings: { nodes: 3, faults: LOSSES },
  },
  {
    name: "rejoins-in-the-newest-term",
    summary: "a node that has forgotten its promises comes back in a term in which it may have made some",
    origin: "Protocol-Aware Recovery (FAST 2018): why term and vote are kept twice there",
    rules: { rejoinTerm: (newestTerm) => newestTerm },
    settings: { faults: LOSSES },
  },
  {
    name: "votes-before-caught-up",
    summary: "a node votes again before it has been given back what it once acknowledged",
    origin: "Protocol-Aware Recovery (FAST 2018): the reset and the rebuild approach",
    rules: { votesAgain: () => true },
    settings: { ...BUSY_CLIENTS, faults: LOSSES },
  },
];
