/**
 * Bugs in what survives a restart.
 *
 * @module
 */
import type { Mutant } from "../mutant.ts";

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
    name: "wiped-node-returns",
    summary: "a node whose disk was replaced comes back under its id, and has forgotten its votes",
    origin: "etcd: a member with an empty directory must be replaced, not restarted",
    returnsAfterWipe: true,
    settings: { faults: { wipe: 10 } },
  },
];
