/**
 * What goes into the abstracted server and what comes out of it: one door in ({@linkcode Input}), one door
 * out ({@linkcode Ready}).
 *
 * Indexes and terms count from 1 as in the paper; 0 means "none". Times are milliseconds of a monotonic
 * clock. A node id is a whole number from 1; 0 means "no node".
 *
 * @module
 */
import type {
  Configuration,
  Entry,
  InstallSnapshotRequest,
  Member,
  Memory,
  PeerMessage,
  RoleName,
  VoteRefusal,
} from "../../packraft/mod.ts";
import type { Rules } from "./rules.ts";

export type {
  Configuration,
  Entry,
  InstallSnapshotRequest,
  Member,
  Memory,
  PeerMessage,
  RoleName,
  VoteRefusal,
};

/** A node's id, from 1. */
export type NodeId = number;

/** What must survive a restart besides the log (Figure 2, "persistent state"). */
export interface HardState {
  readonly currentTerm: number;
  /** The node that got this node's vote in currentTerm, or 0. */
  readonly votedFor: NodeId;
  /**
   * Absent for a node that remembers all it ever promised. Otherwise the term in which it came back without that: it
   * neither votes nor stands until its log holds an entry of this term or a later one (`rejoin.ts`).
   */
  readonly rejoinTerm?: number;
}

/** What a disk remembers of its node's past. Only a running node is on its way back. */
export type DiskMemory = Exclude<Memory, "returning">;

/** A place in the log: an index and the term of the entry there. 0 and 0 for the place before the first. */
export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

/** How the members of a cluster become the data of a log entry, and back (packraft's `encodeMembers`). */
export interface MembersCodec {
  encode(members: readonly Member[]): Uint8Array;
  /** Throws for bytes that `encode` does not make. */
  decode(data: Uint8Array): readonly Member[];
}

/** A change of the members that an operator asks for. A learner becomes a voter by itself. */
export type MemberChange =
  | { readonly kind: "register"; readonly id: NodeId; readonly address: MemberAddress }
  | { readonly kind: "deregister"; readonly id: NodeId }
  | { readonly kind: "move"; readonly id: NodeId; readonly address: MemberAddress };

/** Where a member is found. */
export type MemberAddress = Pick<Member, "host" | "peerPort" | "clientPort">;

/** Fixed for the life of a server. */
export interface RaftOptions {
  readonly id: NodeId;
  /**
   * The members where the recovered log begins: from the snapshot, or those that the cluster began with (index 0). A
   * later one is right too if its entry is known to be committed.
   */
  readonly configuration: Configuration;
  readonly codec: MembersCodec;
  readonly heartbeatMs: number;
  /** Timeouts are drawn evenly from `min` to `max`. */
  readonly electionTimeoutMs: { readonly min: number; readonly max: number };
  /** The most bytes of entry data in one AppendEntriesRequest (one entry may exceed it alone). */
  readonly maxAppendBytes: number;
  /** The most bytes of entries that are kept in memory for slow followers though a snapshot stands for them. */
  readonly keptLogBytes: number;
  /** The most AppendEntriesRequests with entries that may be unanswered at one follower, and the most bytes in them. */
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
  /** Even numbers in [0, 1), from a seeded generator: the server's only source of chance. */
  readonly random: () => number;
  /** The decisions of Figure 2. Only the simulator ever passes others than `RAFT_RULES`. */
  readonly rules?: Rules;
}

/** What recovery found on the disk. */
export interface Recovered {
  readonly hardState: HardState;
  /** What the state machine stands at already: 0 and 0, or the snapshot that it was restored from. */
  readonly snapshot: LogPosition;
  /** The place right before the first of `entries`: not after the snapshot. */
  readonly base: LogPosition;
  /** The log after `base`, without gaps. */
  readonly entries: readonly Entry[];
  readonly memory: DiskMemory;
}

/** What there is at the very beginning. */
export const NOTHING_RECOVERED: Recovered = {
  hardState: { currentTerm: 0, votedFor: 0 },
  snapshot: { index: 0, term: 0 },
  base: { index: 0, term: 0 },
  entries: [],
  memory: "whole",
};

/** A client's wish, by a token of the driver's that comes back with the outcome. */
export interface Proposal {
  readonly token: number;
  readonly data: Uint8Array;
}

/** All that a server can be told. */
export type Input =
  /** A message arrived. The driver has checked cluster and sender. */
  | { readonly kind: "message"; readonly from: NodeId; readonly message: PeerMessage }
  /** Clients want these commands in the log, in this order. */
  | { readonly kind: "propose"; readonly proposals: readonly Proposal[] }
  /**
   * A client wants to read: the token comes back in `Ready.reads` once a read is linearizable. With `isForAny` a
   * follower asks its leader; without, it refuses.
   */
  | { readonly kind: "read"; readonly token: number; readonly isForAny?: boolean }
  /** An operator wants other members: accepted as a proposal is, or refused. */
  | { readonly kind: "changeMembers"; readonly token: number; readonly change: MemberChange }
  /** Another node is to lead: `to`, or for 0 whichever is best. The token comes back when it does, or refused. */
  | { readonly kind: "transfer"; readonly token: number; readonly to: NodeId }
  /** Time has passed. Any other input may be followed by one of these; none carries a time itself. */
  | { readonly kind: "time"; readonly nowMs: number }
  /** All `Ready.persist` up to this sequence are durable. */
  | { readonly kind: "persisted"; readonly sequence: number }
  /**
   * The state machine has applied all entries up to this index; the hashes are of its states after the last of them,
   * one for each entry.
   */
  | { readonly kind: "applied"; readonly upTo: number; readonly stateHashes?: readonly number[] }
  /** A snapshot of the state after this index, which is applied, is durable: the log may begin after it. */
  | { readonly kind: "snapshotTaken"; readonly index: number }
  /** Of the snapshot that `from` sends, so many bytes have arrived. */
  | {
    readonly kind: "chunkStored";
    readonly from: NodeId;
    readonly lastIncludedIndex: number;
    readonly nextOffset: number;
  }
  /** The snapshot that `from` sent is durable, and the state machine was restored from it. */
  | {
    readonly kind: "snapshotInstalled";
    readonly from: NodeId;
    readonly position: LogPosition;
    /** The members as the snapshot has them. */
    readonly configuration: Configuration;
  };

/**
 * What must become durable, in this order, with one sync at the end: the hard state, then the entries.
 * Entries at indexes that the log already holds replace those and everything after them.
 */
export interface Persist {
  /** Reported back with `{kind: "persisted"}`. Counts up by one. */
  readonly sequence: number;
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
}

/** A message to send. The driver adds the envelope. */
export interface Outgoing {
  readonly to: NodeId;
  readonly message: PeerMessage;
}

/** A proposal that is in the leader's log now. It is committed when `index` is, if its term is still `term`. */
export interface Accepted {
  readonly token: number;
  readonly index: number;
  readonly term: number;
}

/** A proposal, a read or an operator's wish that this server cannot serve. Nothing was done for it. */
export interface Refused {
  readonly token: number;
  readonly reason:
    | "notLeader"
    | "leadershipLost"
    /** The leader is handing over and takes no proposals meanwhile. */
    | "handingOver"
    /** A change of the members that makes no sense; `detail` says why. */
    | "badChange"
    /** A change that may be asked for again later. */
    | "notNow"
    | "transferFailed";
  /** For the last three, what a person should know. */
  readonly detail?: string;
}

/** A transfer that has come about: `leader` leads. */
export interface Transferred {
  readonly token: number;
  readonly leader: NodeId;
}

/** A piece of the newest snapshot that a follower is to be sent: an InstallSnapshotRequest to be made of it. */
export interface ChunkToSend {
  readonly to: NodeId;
  /** The leader's term. */
  readonly term: number;
  /** The snapshot's last index. */
  readonly index: number;
  readonly offset: number;
}

/** A piece of a snapshot that the leader sent, to be kept and then reported. */
export interface ChunkToStore {
  readonly from: NodeId;
  readonly request: InstallSnapshotRequest;
}

/** Something that a person may want to know, with the reason. */
export type RaftEvent =
  | {
    readonly kind: "role";
    readonly from: RoleName;
    readonly to: RoleName;
    readonly term: number;
    readonly reason: string;
  }
  | { readonly kind: "leader"; readonly term: number; readonly leader: NodeId }
  | {
    readonly kind: "voteRefused";
    readonly to: NodeId;
    readonly term: number;
    readonly preVote: boolean;
    readonly reason: VoteRefusal;
  }
  | {
    readonly kind: "entriesRejected";
    readonly from: NodeId;
    readonly term: number;
    readonly prevLogIndex: number;
    readonly reason: "staleTerm" | "logTooShort" | "termConflict";
  }
  | { readonly kind: "truncated"; readonly after: number; readonly lastLogIndex: number }
  | { readonly kind: "committed"; readonly upTo: number }
  | { readonly kind: "sendsSnapshot"; readonly to: NodeId; readonly index: number }
  | { readonly kind: "snapshotInstalled"; readonly from: NodeId; readonly index: number }
  | { readonly kind: "rejoinAsks"; readonly memory: Memory; readonly silent: readonly NodeId[] }
  | { readonly kind: "rejoined"; readonly term: number }
  /** It waits for an operator: it is no member, as the others have it. */
  | { readonly kind: "notRegistered"; readonly members: readonly NodeId[] }
  /** Other members count from now on, committed or not. */
  | { readonly kind: "configuration"; readonly configuration: Configuration; readonly reason: string }
  /** This node is no member any more: the entry at `index` is committed. */
  | { readonly kind: "removed"; readonly index: number }
  | { readonly kind: "transferBegun"; readonly to: NodeId }
  | { readonly kind: "transferFailed"; readonly to: NodeId; readonly reason: string }
  /** A replica's state is not the majority's, first after the entry at `index`. */
  | { readonly kind: "diverged"; readonly node: NodeId; readonly index: number }
  /** Too few nodes remember enough: this one can never be sure of what it promised. */
  | { readonly kind: "rejoinImpossible"; readonly memory: Memory; readonly without: readonly NodeId[] }
  | {
    readonly kind: "ignored";
    readonly from: NodeId;
    readonly type: PeerMessage["type"];
    readonly reason: string;
  };

/**
 * All that is now to be done, and nothing that must wait: a message, an answer or a commit that depends on
 * durability is not in here before `{kind: "persisted"}` has told the server that it is durable.
 */
export interface Ready {
  /** Messages that may leave at once. Send them first: the followers work while this disk does. */
  readonly messages: readonly Outgoing[];
  /** To be made durable, then reported. */
  readonly persist: Persist | undefined;
  /** Committed entries, to be applied in order, then reported with `{kind: "applied"}`. */
  readonly committed: readonly Entry[];
  readonly accepted: readonly Accepted[];
  /** Tokens of reads that may be answered from the state machine as it is once `committed` is applied. */
  readonly reads: readonly number[];
  readonly refused: readonly Refused[];
  readonly transferred: readonly Transferred[];
  readonly chunksToSend: readonly ChunkToSend[];
  readonly chunksToStore: readonly ChunkToStore[];
  readonly events: readonly RaftEvent[];
}
