/**
 * The abstracted server: Raft without a socket, a file, a clock or chance of its own.
 *
 * One door in, {@linkcode RaftServer.step}; one door out, {@linkcode RaftServer.ready}. The same inputs give
 * the same outputs, so the driver of a real node and the simulator run the same thing. A driver's duties, in
 * this order, after every batch of inputs and until `ready()` has nothing more to say:
 *
 * 1. send `messages`;
 * 2. write and sync `persist`, then `step({ kind: "persisted", sequence })`;
 * 3. apply `committed`, then `step({ kind: "applied", upTo })`;
 * 4. answer `reads` from the state machine, and tell those in `refused`;
 * 5. send and store pieces of snapshots, and report those that are stored;
 * 6. call again no later than `nextWakeMs()` with `step({ kind: "time", nowMs })`.
 *
 * @module
 */
import {
  handlePreVoteRequest,
  handlePreVoteResponse,
  handleRequestVoteRequest,
  handleRequestVoteResponse,
  isLeaderAlive,
  maybeStartElection,
} from "./election.ts";
import type { RaftLog } from "./log.ts";
import { malformationOf } from "./malformed.ts";
import type { Progress } from "./progress.ts";
import type { Role } from "./role.ts";
import { handleChangeMembers, isHeardAt } from "./membership.ts";
import { flushReads, handleRead, handleReadIndexRequest, handleReadIndexResponse } from "./reads.ts";
import { memberOf } from "./configurations.ts";
import {
  askAgain,
  becomeRejoining,
  configurationsInPlay,
  handleRejoinRequest,
  handleRejoinResponse,
  handleWhileRejoining,
  mayVote,
} from "./rejoin.ts";
import {
  broadcastHeartbeat,
  checkQuorum,
  flushAppends,
  handleAppendEntriesRequest,
  handleAppendEntriesResponse,
  handlePropose,
  maybeCommit,
} from "./replication.ts";
import {
  flushSnapshots,
  handleChunkStored,
  handleInstallSnapshotRequest,
  handleInstallSnapshotResponse,
  handleSnapshotInstalled,
  handleSnapshotTaken,
  resendChunks,
} from "./snapshots.ts";
import { ServerState } from "./state.ts";
import { flushTransfer, handleTimeoutNow, handleTransfer, maybeEndTransfer } from "./transfer.ts";
import { becomeFollower } from "./transitions.ts";
import type {
  Configuration,
  Input,
  LogPosition,
  MemberAddress,
  NodeId,
  PeerMessage,
  RaftOptions,
  Ready,
  Recovered,
  RoleName,
} from "./types.ts";

/**
 * The most entries that are handed out to be applied at once: a server that has a million of them to apply after a
 * restart must still hear its leader in between.
 */
const MAX_COMMITTED = 4_096;

/** What can be seen of a server from outside. */
export interface RaftView {
  readonly id: NodeId;
  readonly role: RoleName;
  readonly currentTerm: number;
  readonly votedFor: NodeId;
  /** The leader that this server knows, itself included, or 0. */
  readonly leader: NodeId;
  readonly lastLogIndex: number;
  readonly commitIndex: number;
  readonly lastApplied: number;
  /** The newest snapshot; index 0 if there is none. */
  readonly snapshot: LogPosition;
  /** Whether it remembers enough of what it promised to vote. */
  readonly mayVote: boolean;
  readonly log: Pick<RaftLog, "base" | "termAt" | "entryAt" | "slice" | "lastIndex" | "durableIndex">;
  /** The members, committed or not; and as far as that is known to be committed. */
  readonly configuration: Configuration;
  readonly committedConfiguration: Configuration;
  /** A leader's followers. */
  readonly progress: ReadonlyMap<NodeId, Readonly<Progress>> | undefined;
  /** All that the role consists of. */
  readonly part: Readonly<Role>;
  /** Since when this server has known of nothing committed that it has not applied; undefined if it never did. */
  readonly freshMs: number | undefined;
  /** The server's own time, for comparison with the times in here. */
  readonly nowMs: number;
}

export class RaftServer {
  readonly #state: ServerState;
  /** The driver's clock when it was told last. */
  #clockMs: number;

  /**
   * A server as recovery found it: a follower with a fresh election timeout (section 5.2). It need not be a member yet,
   * or any more: then it votes for others and never stands.
   */
  constructor(options: RaftOptions, recovered: Recovered, nowMs: number) {
    this.#clockMs = nowMs;
    this.#state = new ServerState(options, recovered, nowMs);
    this.#state.resetElectionTimer();
    if (recovered.memory !== "whole") becomeRejoining(this.#state, recovered.memory);
    // Alone there is nobody to wait for.
    if (this.#state.isVoter && this.#state.voters.length === 1) this.#state.electionDeadlineMs = nowMs;
  }

  /** Takes one input. What follows from it is collected until {@linkcode RaftServer.ready}. */
  step(input: Input): void {
    const state = this.#state;
    switch (input.kind) {
      case "message":
        this.#stepMessage(input.from, input.message);
        break;
      case "propose":
        handlePropose(state, input.proposals);
        break;
      case "read":
        handleRead(state, input.token, input.isForAny ?? false);
        break;
      case "changeMembers":
        handleChangeMembers(state, input.token, input.change);
        break;
      case "transfer":
        handleTransfer(state, input.token, input.to);
        break;
      case "time":
        this.#stepTime(input.nowMs);
        break;
      case "persisted":
        this.#stepPersisted(input.sequence);
        break;
      case "applied":
        this.#stepApplied(input.upTo, input.stateHashes ?? []);
        break;
      case "snapshotTaken":
        handleSnapshotTaken(state, input.index);
        break;
      case "chunkStored":
        handleChunkStored(state, input.from, input.lastIncludedIndex, input.nextOffset);
        break;
      case "snapshotInstalled":
        handleSnapshotInstalled(state, input.from, input.position, input.configuration);
        break;
    }
  }

  /** All that is to be done now. Each thing is handed out once. */
  ready(): Ready {
    const state = this.#state;
    flushReads(state);
    flushSnapshots(state);
    flushAppends(state);
    flushTransfer(state);
    // Also what is not durable here: a quorum has it. So a leader whose disk is full still answers reads.
    const upTo = Math.min(state.commitIndex, state.handedToApply + MAX_COMMITTED);
    const committed = state.log.slice(state.handedToApply, upTo);
    state.handedToApply = upTo;
    return state.outbox.take(committed);
  }

  /** When `{kind: "time"}` is wanted next, in milliseconds of the same clock. */
  nextWakeMs(): number {
    const { role, electionDeadlineMs, nowMs, handedToApply, commitIndex } = this.#state;
    if (handedToApply < commitIndex) return this.#clockMs; // there is more to apply
    return this.#clockMs + (dueMsOf(role, electionDeadlineMs) - nowMs);
  }

  get isLeader(): boolean {
    return this.#state.role.name === "leader";
  }

  get lastLogIndex(): number {
    return this.#state.log.lastIndex;
  }

  get commitIndex(): number {
    return this.#state.commitIndex;
  }

  /** The index of the newest configuration that is known here to be committed; 0 for that of the beginning. */
  get committedConfigurationIndex(): number {
    return this.#state.committedConfiguration.index;
  }

  /**
   * Where the others are to look for this server, which listens at `listensAt`, and the index of the configuration that
   * has it there; undefined if none does. Of a place where it listens it is sure, committed or not: it cannot know after
   * a restart how much of its log is. Of any other it is not, and says so with index 0: it may have been told to move by
   * an entry that it does not have, and must not lead those astray who do.
   */
  claimedAddress(listensAt: MemberAddress): { address: MemberAddress; index: number } | undefined {
    const { configurations: { newest }, committedConfiguration, id } = this.#state;
    for (const configuration of [newest, committedConfiguration]) {
      const address = memberOf(configuration, id);
      if (address !== undefined && isHeardAt(address, listensAt)) {
        return { address, index: configuration.index };
      }
    }
    const address = memberOf(committedConfiguration, id);
    return committedConfiguration.index === 0 || address === undefined ? undefined : { address, index: 0 };
  }

  /** Where a node is found, if this one has known it as a member since its log begins. */
  addressOf(node: NodeId): MemberAddress | undefined {
    return addressOf(this.#state, node);
  }

  /** A look at the server as it is now. `log` and `progress` are live: look, do not keep. */
  view(): RaftView {
    const state = this.#state;
    const { role } = state;
    return {
      id: state.id,
      role: role.name,
      currentTerm: state.currentTerm,
      votedFor: state.votedFor,
      leader: role.name === "leader" ? state.id : role.name === "follower" ? role.leader : 0,
      lastLogIndex: state.log.lastIndex,
      commitIndex: state.commitIndex,
      lastApplied: state.lastApplied,
      snapshot: state.snapshot,
      mayVote: role.name !== "rejoining" && mayVote(state),
      log: state.log,
      configuration: state.configuration,
      committedConfiguration: state.committedConfiguration,
      progress: role.name === "leader" ? role.progress : undefined,
      part: role,
      freshMs: role.name === "leader" && state.commitIndex >= role.termStartIndex
        ? state.nowMs
        : state.freshMs,
      nowMs: state.nowMs,
    };
  }

  #stepTime(clockMs: number): void {
    const state = this.#state;
    // The server counts what has passed, not what the clock shows: a clock that steps back loses that one step, and
    // does not stop the heartbeats until it has caught up.
    state.nowMs += Math.max(0, clockMs - this.#clockMs);
    this.#clockMs = clockMs;
    switch (state.role.name) {
      case "leader":
        return this.#heartbeat();
      case "rejoining":
        return askAgain(state);
      default:
        return maybeStartElection(state);
    }
  }

  #heartbeat(): void {
    const state = this.#state;
    if (state.role.name !== "leader" || state.nowMs < state.role.heartbeatDueMs) return;
    checkQuorum(state, state.role);
    if (state.role.name !== "leader") return;
    maybeEndTransfer(state, state.role);
    if (state.role.name !== "leader") return;
    resendChunks(state, state.role);
    broadcastHeartbeat(state, state.role);
  }

  #stepApplied(upTo: number, stateHashes: readonly number[]): void {
    const state = this.#state;
    let index = upTo - stateHashes.length;
    for (const hash of stateHashes) state.stateHashes.note(++index, hash);
    state.lastApplied = Math.max(state.lastApplied, Math.min(upTo, state.handedToApply));
    state.maybeFreshen();
  }

  #stepPersisted(sequence: number): void {
    const state = this.#state;
    const { messages, durableIndex } = state.outbox.release(sequence);
    state.log.markDurable(durableIndex);
    for (const outgoing of messages) {
      if (outgoing.to === state.id) this.#dispatch(state.id, outgoing.message);
      else state.outbox.send(outgoing);
    }
    maybeCommit(state);
  }

  #stepMessage(from: NodeId, message: PeerMessage): void {
    const state = this.#state;
    const reason = malformationOf(state.options, from, message);
    if (reason !== undefined) {
      state.outbox.tell({ kind: "ignored", from, type: message.type, reason });
      return;
    }
    switch (message.type) {
      case "RejoinRequest":
        return handleRejoinRequest(state, from, message);
      case "RejoinResponse":
        return handleRejoinResponse(state, from, message);
      default:
        break;
    }
    if (state.role.name === "rejoining") return handleWhileRejoining(state, from, message.type);
    const strange = whyStrange(state, from, message);
    if (strange !== undefined) {
      state.outbox.tell({ kind: "ignored", from, type: message.type, reason: strange });
      return;
    }
    this.#gateTerm(from, message);
    this.#dispatch(from, message);
  }

  /** A larger term is taken once, here, before any handler looks at the message (section 5.1). */
  #gateTerm(from: NodeId, message: PeerMessage): void {
    const state = this.#state;
    if (!state.rules.adoptsTerm(message.term, state.currentTerm)) return;
    // Two requests may name a larger term without anyone taking it: one asks about a term that nobody is in
    // yet, the other comes from a candidate that has not noticed the leader (thesis, 4.2.3).
    if (message.type === "PreVoteRequest") return;
    if (message.type === "RequestVoteRequest" && !isWished(state, from, message) && isLeaderAlive(state)) {
      return;
    }
    const isFromLeader = message.type === "AppendEntriesRequest" || message.type === "InstallSnapshotRequest";
    const leader = isFromLeader ? from : 0;
    becomeFollower(state, message.term, leader, `node ${from} is in term ${message.term}`);
  }

  #dispatch(from: NodeId, message: PeerMessage): void {
    const state = this.#state;
    switch (message.type) {
      case "PreVoteRequest":
        return handlePreVoteRequest(state, from, message);
      case "PreVoteResponse":
        return handlePreVoteResponse(state, from, message);
      case "RequestVoteRequest":
        return handleRequestVoteRequest(state, from, message);
      case "RequestVoteResponse":
        return handleRequestVoteResponse(state, from, message);
      case "AppendEntriesRequest":
        return handleAppendEntriesRequest(state, from, message);
      case "AppendEntriesResponse":
        return handleAppendEntriesResponse(state, from, message);
      case "InstallSnapshotRequest":
        return handleInstallSnapshotRequest(state, from, message);
      case "InstallSnapshotResponse":
        return handleInstallSnapshotResponse(state, from, message);
      case "TimeoutNowRequest":
        return handleTimeoutNow(state, from, message);
      case "ReadIndexRequest":
        return handleReadIndexRequest(state, from, message);
      case "ReadIndexResponse":
        return handleReadIndexResponse(state, from, message);
      case "RejoinRequest":
      case "RejoinResponse":
        return; // taken before the term is looked at
    }
  }
}

function addressOf(state: ServerState, node: NodeId): MemberAddress | undefined {
  // A server that has forgotten things believes what it is told now.
  const told = state.role.name === "rejoining" ? configurationsInPlay(state.role).toReversed() : [];
  const members = told.map((one) => memberOf(one, node));
  return members.find((member) => member !== undefined) ?? state.configurations.addressOf(node);
}

/**
 * Why a message is not taken from a sender that is no member as far as is known here. It may be a leader of whose
 * joining this server has not heard, so it is believed; but not while another leader is alive: a cluster that works
 * is not to be disturbed by nodes that do not belong to it. The requests of candidates are judged by themselves.
 */
function whyStrange(state: ServerState, from: NodeId, message: PeerMessage): string | undefined {
  const isVote = message.type === "PreVoteRequest" || message.type === "RequestVoteRequest";
  if (isVote || isKnown(state, from) || !isLeaderAlive(state)) return undefined;
  const isItsLeader = state.role.name === "follower" && state.role.leader === from;
  return isItsLeader ? undefined : "it is no member, and a leader is alive";
}

/** Whether `node` is a member, was one not long ago, or is being told that it is none any more. */
function isKnown(state: ServerState, node: NodeId): boolean {
  const { configurations, role } = state;
  return configurations.addressOf(node) !== undefined || (role.name === "leader" && role.progress.has(node));
}

/** Whether a candidate stands because the leader asked it to. */
function isWished(
  state: ServerState,
  from: NodeId,
  { isTransfer }: { readonly isTransfer: boolean },
): boolean {
  return isTransfer && isKnown(state, from);
}

/** When a server in this role next has something to do. */
function dueMsOf(role: Role, electionDeadlineMs: number): number {
  switch (role.name) {
    case "leader":
      return role.heartbeatDueMs;
    case "rejoining":
      return role.askDueMs;
    default:
      return electionDeadlineMs;
  }
}
