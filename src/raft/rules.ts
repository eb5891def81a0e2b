/**
 * The decisions of Raft on one page: Figure 2 of the paper ("In Search of an Understandable Consensus
 * Algorithm", Ongaro and Ousterhout, extended version) as pure functions. The handlers decide *when* to ask;
 * each answer is here, with the section that states it. Whoever wants to know what Raft is reads this file.
 *
 * They stand behind an interface because the simulator proves its worth by breaking them one at a time: it
 * passes a copy with one rule wrong and must notice (`src/sim/mutants`). Nothing else ever passes another.
 *
 * @module
 */
import type { Configuration, Member, NodeId, RoleName } from "./types.ts";

/** The end of a log: what an election compares. */
export interface LogEnd {
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
}

/** A follower's answer to entries that do not fit. */
export interface Conflict {
  /** The prevLogIndex that did not fit. */
  readonly prevLogIndex: number;
  /** The term of the follower's entry there, or 0 where its log is too short. */
  readonly conflictTerm: number;
  /** The follower's first index of that term, or the index after its last. */
  readonly conflictIndex: number;
}

/** The decisions of Raft. See {@linkcode RAFT_RULES} for what each must answer. */
export interface Rules {
  quorum(voterCount: number): number;
  votesOf(granted: readonly NodeId[]): number;
  voteOfCandidate(self: NodeId): NodeId;
  mayVoteFor(candidate: NodeId, votedFor: NodeId): boolean;
  isUpToDate(candidate: LogEnd, own: LogEnd): boolean;
  adoptsTerm(messageTerm: number, currentTerm: number): boolean;
  votedForInNewTerm(votedFor: NodeId): NodeId;
  refusesWhileLeaderAlive(sinceLeaderMs: number, electionTimeoutMinMs: number): boolean;
  yieldsToLeader(role: RoleName): boolean;
  prevMatches(ownTerm: number | undefined, prevLogTerm: number): boolean;
  conflicts(ownTerm: number, entryTerm: number): boolean;
  prevLogIndexFor(nextIndex: number): number;
  matchIndexAfter(prevLogIndex: number, entryCount: number, lastLogIndex: number): number;
  followerCommitIndex(leaderCommit: number, matchIndex: number): number;
  acknowledges(success: boolean): boolean;
  countsForTerm(requestTerm: number, currentTerm: number): boolean;
  nextIndexAfter(conflict: Conflict, lastIndexOfTerm: number): number;
  quorumIndex(matchIndexes: readonly number[], quorum: number): number;
  mayCommit(entryTerm: number, currentTerm: number): boolean;
  mayServeReads(commitIndex: number, termStartIndex: number): boolean;
  readConfirmed(acknowledged: number, quorum: number): boolean;
  readIndexFor(commitIndex: number): number;
  mayAnswerRead(lastApplied: number, readIndex: number): boolean;
  configurationInForce(newest: Configuration, committed: Configuration): Configuration;
  keepsConfiguration(index: number, after: number): boolean;
  isOfThisLife(readRound: number, sinceRound: number): boolean;
  counts(role: Member["role"] | undefined): boolean;
  mayChangeMembers(commitIndex: number, termStartIndex: number, configurationIndex: number): boolean;
  isCaughtUp(matchIndex: number, upTo: number, roundMs: number, electionTimeoutMinMs: number): boolean;
  mayBegin(admission: number, round: number): boolean;
  asksBeforeStanding(): boolean;
  answersRound(round: number, askedRound: number): boolean;
  rejoinAnswers(voterCount: number): number;
  rejoinTerm(newestTerm: number): number;
  votesAgain(durableTerm: number, rejoinTerm: number): boolean;
  ownMatchIndex(durableIndex: number, lastLogIndex: number): number;
  needsSnapshot(nextIndex: number, baseIndex: number): boolean;
  keepsLog(ownTerm: number | undefined, lastIncludedTerm: number): boolean;
}

/** Raft as the paper has it. */
export const RAFT_RULES: Rules = {
  /** A majority (section 5.2): any two of them share a voter, which is what all safety rests on. */
  quorum: (voterCount) => Math.floor(voterCount / 2) + 1,

  /** Votes are counted per voter, not per reply: a duplicated reply is one vote (section 5.2). */
  votesOf: (granted) => new Set(granted).size,

  /** A candidate votes for itself, and that is its vote of the term (section 5.2). */
  voteOfCandidate: (self) => self,

  /** One vote per term, first come first served; the same candidate may ask again (section 5.2). */
  mayVoteFor: (candidate, votedFor) => votedFor === 0 || votedFor === candidate,

  /** The later last term wins; in the same term the longer log does (section 5.4.1). */
  isUpToDate: (candidate, own) =>
    candidate.lastLogTerm > own.lastLogTerm ||
    (candidate.lastLogTerm === own.lastLogTerm && candidate.lastLogIndex >= own.lastLogIndex),

  /** Whoever meets a larger term takes it and follows (section 5.1). */
  adoptsTerm: (messageTerm, currentTerm) => messageTerm > currentTerm,

  /** In a new term no vote has been given yet (section 5.1). */
  votedForInNewTerm: () => 0,

  /** A voter that has just heard from a leader disregards candidates (section 6; thesis, 4.2.3). */
  refusesWhileLeaderAlive: (sinceLeaderMs, electionTimeoutMinMs) => sinceLeaderMs < electionTimeoutMinMs,

  /** A candidate that hears from the leader of its own term follows it (section 5.2). */
  yieldsToLeader: (role) => role === "preCandidate" || role === "candidate",

  /** The consistency check: the entry before the new ones is there, with the same term (section 5.3). */
  prevMatches: (ownTerm, prevLogTerm) => ownTerm === prevLogTerm,

  /** An entry conflicts with a new one at its index when their terms differ; only then is it removed,
   * for a delayed request must not remove what a later one has appended (section 5.3, Figure 2). */
  conflicts: (ownTerm, entryTerm) => ownTerm !== entryTerm,

  /** The entry immediately before the ones that are sent (section 5.3). */
  prevLogIndexFor: (nextIndex) => nextIndex - 1,

  /** What a follower has verified: up to the last entry *of the request*, not the end of its own log, whose
   * tail may be another leader's (raft.tla, `mmatchIndex`). */
  matchIndexAfter: (prevLogIndex, entryCount) => prevLogIndex + entryCount,

  /** min(leaderCommit, index of last new entry): what lies beyond has not been verified (Figure 2). */
  followerCommitIndex: (leaderCommit, matchIndex) => Math.min(leaderCommit, matchIndex),

  /** A reply counts towards commitment only when it says success (section 5.3). */
  acknowledges: (success) => success,

  /** A reply to a request of another term says nothing about this one. */
  countsForTerm: (requestTerm, currentTerm) => requestTerm === currentTerm,

  /** Back up over all entries of the conflicting term in one round (end of section 5.3): to the leader's own
   * last entry of that term if it has any, else to the follower's first. Never below 1, and always back. */
  nextIndexAfter: (conflict, lastIndexOfTerm) => {
    const hint = conflict.conflictTerm > 0 && lastIndexOfTerm > 0
      ? lastIndexOfTerm + 1
      : conflict.conflictIndex;
    return Math.max(1, Math.min(hint, conflict.prevLogIndex));
  },

  /** The largest index that a quorum has: the quorum-th largest of all (section 5.3, Figure 2). */
  quorumIndex: (matchIndexes, quorum) => [...matchIndexes].sort((a, b) => b - a)[quorum - 1] ?? 0,

  /** Only entries of the leader's own term are committed by counting replicas (section 5.4.2, Figure 8). */
  mayCommit: (entryTerm, currentTerm) => entryTerm === currentTerm,

  /** A new leader does not know what is committed before an entry of its own term is (section 8). */
  mayServeReads: (commitIndex, termStartIndex) => commitIndex >= termStartIndex,

  /** A leader may have been deposed without knowing: it asks a quorum before it answers (section 8). */
  readConfirmed: (acknowledged, quorum) => acknowledged >= quorum,

  /** A read sees at least what was committed when it arrived (thesis, 6.4). */
  readIndexFor: (commitIndex) => commitIndex,

  /** It is answered when the state machine has come that far (thesis, 6.4). */
  mayAnswerRead: (lastApplied, readIndex) => lastApplied >= readIndex,

  /** The newest configuration in the log counts, committed or not (section 6; thesis, 4.1). */
  configurationInForce: (newest) => newest,

  /** It counts as long as its entry is in the log, and no longer (section 6). */
  keepsConfiguration: (index, after) => index <= after,

  /** An answer to a request from before a member began with an empty disk says nothing about what it has now. */
  isOfThisLife: (readRound, sinceRound) => readRound >= sinceRound,

  /** Votes, acknowledgements and answers count if they are a voter's: not a learner's, and not one's who has left. */
  counts: (role) => role === "voter",

  /** Members change one at a time, and only under a leader that has committed an entry of its own term: else it may
   * not know of a change that another leader has committed (Ongaro's correction of 2015 to the thesis, 4.1). */
  mayChangeMembers: (commitIndex, termStartIndex, configurationIndex) =>
    commitIndex >= termStartIndex && commitIndex >= configurationIndex,

  /** A learner has caught up when all that the leader had at the beginning of a round arrived within an election
   * timeout: then the last step takes less time than a cluster may do without a leader (thesis, 4.2.1). */
  isCaughtUp: (matchIndex, upTo, roundMs, electionTimeoutMinMs) =>
    matchIndex >= upTo && roundMs <= electionTimeoutMinMs,

  /** A node without a past begins once: with the round that the log has of it, and with no other (`rejoin.ts`). */
  mayBegin: (admission, round) => admission === round,

  /** A server asks whether it could win before it takes a new term with it to the others (PreVote; thesis, 9.6). */
  asksBeforeStanding: () => true,

  /** An answer to an earlier question says nothing about reads that came after it (thesis, 6.4). */
  answersRound: (round, askedRound) => round === askedRound,

  /** Who has forgotten its promises asks all others: any of them may be the one that knows (`rejoin.ts`). */
  rejoinAnswers: (voterCount) => voterCount - 1,

  /** It comes back in a term in which it can have promised nothing. */
  rejoinTerm: (newestTerm) => newestTerm + 1,

  /** It votes again when it has what a leader of that term or a later one had: all that was ever committed. */
  votesAgain: (durableTerm, rejoinTerm) => durableTerm >= rejoinTerm,

  /** A leader counts itself for what is durable here: it sends entries before its own disk has them (thesis, 10.2.1). */
  ownMatchIndex: (durableIndex) => durableIndex,

  /** The entry before the next one to send is needed for the consistency check (section 7). */
  needsSnapshot: (nextIndex, baseIndex) => nextIndex <= baseIndex,

  /** A log that has the snapshot's last entry keeps what follows it; any other is discarded (Figure 13, 6 and 7). */
  keepsLog: (ownTerm, lastIncludedTerm) => ownTerm === lastIncludedTerm,
};
