/**
 * The parts a server can play. Each holds just the state that exists in that part, so that a follower has no
 * vote count to leave stale and a leader has no leader to mistake for another (raft.model by Diego Ongaro has
 * the same shape).
 *
 * @module
 */
import type { Progress } from "./progress.ts";
import type { Memory, NodeId } from "./types.ts";

export interface Follower {
  readonly name: "follower";
  /** The leader of currentTerm, or 0 while none is known. */
  leader: NodeId;
  /** When it was last heard from. */
  heardMs: number;
}

export interface PreCandidate {
  readonly name: "preCandidate";
  /** Who would vote for this server, itself included. */
  readonly granted: NodeId[];
}

export interface Candidate {
  readonly name: "candidate";
  /** Who did vote for this server. Its own vote is in here once it is durable. */
  readonly granted: NodeId[];
}

export interface Leader {
  readonly name: "leader";
  /** The other voters. */
  readonly progress: ReadonlyMap<NodeId, Progress>;
  /** The index of the no-op that this leader began its term with. */
  readonly termStartIndex: number;
  heartbeatDueMs: number;
  readonly reads: LeaderReads;
}

/** Reads on their way through a leader: waiting for a round, then for its answers, then for the application. */
export interface LeaderReads {
  /** Not in a round yet. */
  waiting: number[];
  /** The newest round, and the reads in it; a round without reads is over. */
  round: number;
  inRound: readonly number[];
  /** What must be applied before the reads of the round are answered. */
  roundReadIndex: number;
  /** Leadership confirmed; answered when `readIndex` is applied. */
  confirmed: { readonly token: number; readonly readIndex: number }[];
}

/** Without all of its memory: it asks the others, and takes no part until it knows enough (`rejoin.ts`). */
export interface Rejoining {
  readonly name: "rejoining";
  readonly memory: "lost" | "new";
  /** The number of the present round of questions. */
  round: number;
  /** The answers of the present round. */
  readonly answers: Map<NodeId, { readonly memory: Memory; readonly term: number }>;
  /** Who had no whole memory in the round before. */
  unsound: readonly NodeId[];
  askDueMs: number;
  /** What was told last of how it goes. */
  told: string;
}

export type Role = Follower | PreCandidate | Candidate | Leader | Rejoining;
