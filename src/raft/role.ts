/**
 * The parts a server can play. Each holds just the state that exists in that part, so that a follower has no
 * vote count to leave stale and a leader has no leader to mistake for another (raft.model by Diego Ongaro has
 * the same shape).
 *
 * @module
 */
import type { Progress } from "./progress.ts";
import type { Configuration, Memory, NodeId, RaftEvent, VoteRefusal } from "./types.ts";

export interface Follower {
  readonly name: "follower";
  /** The leader of currentTerm, or 0 while none is known. */
  leader: NodeId;
  /** When it was last heard from. */
  heardMs: number;
  readonly reads: FollowerReads;
}

/** Reads that a follower serves: it asks its leader from which index on they are current. */
export interface FollowerReads {
  /** Not asked for yet. */
  waiting: number[];
  /** What was asked last, and for which reads; 0 for nothing. */
  round: number;
  asked: readonly number[];
  askedMs: number;
  /** Answered when `readIndex` is applied. */
  confirmed: ConfirmedRead[];
}

export interface ConfirmedRead {
  readonly token: number;
  readonly readIndex: number;
}

export interface PreCandidate {
  readonly name: "preCandidate";
  /** Who would vote for this server, itself included. */
  readonly granted: NodeId[];
  /** Who would not, and why. */
  readonly refused: Map<NodeId, VoteRefusal>;
}

export interface Candidate {
  readonly name: "candidate";
  /** Who did vote for this server. Its own vote is in here once it is durable. */
  readonly granted: NodeId[];
  /** Who did not, and why. */
  readonly refused: Map<NodeId, VoteRefusal>;
}

export interface Leader {
  readonly name: "leader";
  /** The other members, and those who have just left and are told so. */
  readonly progress: Map<NodeId, Progress>;
  /** The index of the no-op that this leader began its term with. */
  readonly termStartIndex: number;
  heartbeatDueMs: number;
  readonly reads: LeaderReads;
  /** Set while it hands over. */
  transfer: LeaderTransfer | undefined;
  /** The entry that followers are asked for the hash of their states after. */
  hashIndex: number;
  /** The one that comes next: what was applied here at the last heartbeat will be there by then. */
  nextHashIndex: number;
}

/** A leader on its way out of the leadership. */
export interface LeaderTransfer {
  readonly to: NodeId;
  readonly deadlineMs: number;
  /** Who waits to be told. */
  readonly tokens: number[];
  /** When the other was last told to stand. */
  sentMs: number;
}

/** A read of this server's own client, or of another server that serves one. */
export type Read =
  | { readonly token: number }
  | { readonly from: NodeId; readonly round: number };

/** Reads on their way through a leader: waiting for a round, then for its answers, then for the application. */
export interface LeaderReads {
  /** Not in a round yet. */
  waiting: Read[];
  /** The newest round, and the reads in it; a round without reads is over. */
  round: number;
  inRound: readonly Read[];
  /** What must be applied before the reads of the round are answered. */
  roundReadIndex: number;
  /** Leadership confirmed; answered when `readIndex` is applied. */
  confirmed: ConfirmedRead[];
}

/** Without all of its memory: it asks the others, and takes no part until it knows enough (`rejoin.ts`). */
export interface Rejoining {
  readonly name: "rejoining";
  readonly memory: "lost" | "new";
  /** The number of the present round of questions. */
  round: number;
  /** The answers of the present round. */
  readonly answers: Map<NodeId, { readonly memory: Memory; readonly term: number }>;
  /** Configurations that others have told of, the committed ones apart. */
  committed: Configuration;
  others: Configuration[];
  /** Who has spoken to it though it had not asked: they may know of members of whom it has never heard. */
  readonly heard: Set<NodeId>;
  /** Who had no whole memory in the round before. */
  unsound: readonly NodeId[];
  readonly beganMs: number;
  askDueMs: number;
  /** What was told last of how it goes, of each kind of event. */
  readonly told: Map<RaftEvent["kind"], string>;
}

export type Role = Follower | PreCandidate | Candidate | Leader | Rejoining;
