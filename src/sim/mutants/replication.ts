/**
 * Bugs in the replication of the log and in commitment.
 *
 * @module
 */
import type { Entry } from "../../../packraft/mod.ts";
import type { Mutant } from "../mutant.ts";
import { FIGURE_8 } from "./occasions.ts";

const LAGGING = { partition: 20, kill: 20, powerCut: 20 } as const;

export const REPLICATION_MUTANTS: readonly Mutant[] = [
  {
    name: "prev-off-by-one",
    summary: "prevLogIndex is one too small",
    origin: "the classic mistake between 0-based and 1-based logs",
    rules: { prevLogIndexFor: (nextIndex) => Math.max(0, nextIndex - 2) },
  },
  {
    name: "no-consistency-check",
    summary: "entries are appended whatever the entry before them is",
    origin: "what section 5.3 is there to prevent",
    rules: { prevMatches: (ownTerm) => ownTerm !== undefined },
    settings: { faults: LAGGING },
  },
  {
    name: "always-truncates",
    summary: "every append removes what follows, so a delayed one removes newer entries",
    origin: "chelseatroy #26",
    rules: { conflicts: () => true },
    settings: { network: { duplicate: 0.3, replayUpToMs: 500, straggle: 0.2, straggleUpToMs: 500 } },
  },
  {
    name: "keeps-conflicts",
    summary: "entries that conflict with the leader's are kept",
    origin: "what Figure 7 is there to show",
    rules: { conflicts: () => false },
    settings: { faults: LAGGING },
  },
  {
    name: "truncation-in-memory-only",
    summary: "entries that replace others are not written; the disk keeps the old ones",
    origin: "drafty #14",
    hooks: () => {
      let lastIndex = 0;
      return {
        recover: (recovered) => {
          lastIndex = recovered.base.index + recovered.entries.length;
          return recovered;
        },
        persist: (persist) => {
          const entries = persist.entries.filter((entry) => entry.index > lastIndex);
          lastIndex = Math.max(lastIndex, persist.entries[persist.entries.length - 1]?.index ?? 0);
          return { ...persist, entries: entries.length === persist.entries.length ? persist.entries : [] };
        },
      };
    },
    settings: { faults: LAGGING },
  },
  {
    name: "match-is-log-length",
    summary: "a follower reports its whole log as matched, not the verified part",
    origin: "drafty #13",
    rules: { matchIndexAfter: (_prev, _count, lastLogIndex) => lastLogIndex },
    settings: { faults: LAGGING },
  },
  {
    name: "commits-one-too-far",
    summary: "a follower commits one entry past leaderCommit",
    origin: "drafty #3: max(…) + 1",
    rules: { followerCommitIndex: (leaderCommit, matchIndex) => Math.max(leaderCommit, matchIndex) + 1 },
  },
  {
    name: "commits-unverified",
    summary: "a follower commits up to leaderCommit as far as its own log reaches, verified or not",
    origin: "a well-known C library caps by its own last index",
    rules: { followerCommitIndex: (leaderCommit) => leaderCommit },
    settings: { maxAppendBytes: 64, maxInflightAppends: 1, faults: LAGGING },
  },
  {
    name: "failed-replies-count",
    summary: "a reply counts towards commitment without a look at whether it says success",
    origin: "drafty #4, chelseatroy #26: heartbeat replies counted as commits",
    hooks: () => ({
      receive: (message) =>
        message.type === "AppendEntriesResponse" && !message.success
          ? { ...message, success: true, matchIndex: message.prevLogIndex }
          : message,
    }),
    settings: { faults: LAGGING },
  },
  {
    name: "ack-before-sync",
    summary: "entries are acknowledged before they are on the disk",
    origin: "drafty #5, etcd #14370",
    hooks: () => ({ skipsSync: (persist) => persist.entries.length > 0 }),
  },
  {
    name: "counts-itself-too-early",
    summary: "a leader counts itself for entries that its disk does not have yet",
    origin: "what sending before the own sync tempts to",
    rules: { ownMatchIndex: (_durableIndex, lastLogIndex) => lastLogIndex },
    settings: { faults: { diskFull: 40, kill: 20, powerCut: 20, partition: 20 } },
  },
  {
    name: "sends-a-truncated-batch",
    summary: "entries that were encoded once are sent for others that have taken their place",
    origin: "what encoding entries once tempts to",
    hooks: () => {
      const encoded = new Map<number, Entry>();
      return {
        send: (message) => {
          if (message.type !== "AppendEntriesRequest") return message;
          const entries = message.entries.map((entry) => {
            const first = encoded.get(entry.index) ?? entry;
            encoded.set(entry.index, first);
            return first;
          });
          return { ...message, entries };
        },
      };
    },
    settings: FIGURE_8,
  },
  {
    name: "never-backs-up",
    summary: "a leader sends the same entries again after a refusal",
    origin: "drafty #12: backing up went wrong at the beginning of the log",
    rules: { nextIndexAfter: (conflict) => conflict.prevLogIndex + 1 },
    settings: { faults: LAGGING },
  },
  {
    name: "commits-old-terms",
    summary: "entries of earlier terms are committed by counting replicas",
    origin: "Figure 8",
    rules: { mayCommit: (entryTerm) => entryTerm > 0 },
    settings: FIGURE_8,
  },
  {
    name: "commits-on-one",
    summary: "what any one node has is committed",
    origin: "chelseatroy #26: uncommitted entries were applied",
    rules: { quorumIndex: (matchIndexes) => Math.max(...matchIndexes) },
  },
  {
    name: "snapshot-needed-one-too-late",
    summary: "a follower that lacks exactly the first entry behind the snapshot is sent nothing",
    origin: "section 7: an off-by-one at the edge of the log",
    rules: { needsSnapshot: (nextIndex, baseIndex) => nextIndex < baseIndex },
    settings: { faults: LAGGING, snapshotAfterBytes: 500, keptLogBytes: 0 },
  },
  {
    name: "keeps-log-after-snapshot",
    summary: "a follower keeps a log that does not contain the last entry of the snapshot it installs",
    origin: "Figure 13, step 7",
    rules: { keepsLog: () => true },
    settings: { faults: LAGGING, snapshotAfterBytes: 500, keptLogBytes: 0 },
  },
  {
    name: "snapshot-acknowledged-in-part",
    summary: "a follower says that it has a snapshot when its first piece has arrived",
    origin: "redisraft #43",
    hooks: () => ({
      send: (message) =>
        message.type === "InstallSnapshotResponse" && message.nextOffset > 0
          ? { ...message, installed: true }
          : message,
    }),
    settings: { faults: LAGGING, snapshotAfterBytes: 500, keptLogBytes: 0, snapshotChunkBytes: 50 },
  },
];
