/**
 * The state of a server (Figure 2, "State"), shared by the handlers of the protocol's concerns. Plain data and
 * the few steps that more than one concern takes.
 *
 * @module
 */
import { RaftLog } from "./log.ts";
import { Outbox } from "./outbox.ts";
import type { Role } from "./role.ts";
import { RAFT_RULES, type Rules } from "./rules.ts";
import type { Entry, LogPosition, NodeId, RaftOptions, Recovered } from "./types.ts";

export class ServerState {
  readonly options: RaftOptions;
  readonly rules: Rules;
  /** The voters without this server. */
  readonly peers: readonly NodeId[];
  readonly log: RaftLog;
  readonly outbox = new Outbox();

  // Persistent, with the log.
  currentTerm: number;
  votedFor: NodeId;
  /** 0, or the term in which this server came back without all of its memory (`rejoin.ts`). */
  rejoinTerm: number;
  /** The newest snapshot, which stands for all entries up to its index; index 0 if there is none. */
  snapshot: LogPosition;

  // Volatile.
  /** The highest index known to be committed. */
  commitIndex: number;
  /** The highest index handed out to be applied. */
  handedToApply: number;
  /** The highest index that the application has reported as applied. */
  lastApplied: number;
  role: Role = { name: "follower", leader: 0, heardMs: -Infinity };
  nowMs: number;
  /** When a server that is not a leader stands for election. */
  electionDeadlineMs = 0;

  constructor(options: RaftOptions, recovered: Recovered, nowMs: number) {
    this.options = options;
    this.rules = options.rules ?? RAFT_RULES;
    this.peers = options.voters.filter((voter) => voter !== options.id);
    this.log = new RaftLog(recovered.base, recovered.entries);
    this.currentTerm = recovered.hardState.currentTerm;
    this.votedFor = recovered.hardState.votedFor;
    this.rejoinTerm = recovered.hardState.rejoinTerm ?? 0;
    this.snapshot = recovered.snapshot;
    // What a snapshot stands for is committed, and the state machine was restored from it.
    this.commitIndex = this.snapshot.index;
    this.handedToApply = this.snapshot.index;
    this.lastApplied = this.snapshot.index;
    this.nowMs = nowMs;
  }

  get id(): NodeId {
    return this.options.id;
  }

  get quorum(): number {
    return this.rules.quorum(this.options.voters.length);
  }

  get logEnd(): { lastLogIndex: number; lastLogTerm: number } {
    return { lastLogIndex: this.log.lastIndex, lastLogTerm: this.log.lastTerm };
  }

  /** Sets term and vote, in memory and on their way to the disk. */
  setHardState(currentTerm: number, votedFor: NodeId): void {
    if (currentTerm === this.currentTerm && votedFor === this.votedFor) return;
    this.currentTerm = currentTerm;
    this.votedFor = votedFor;
    this.#persistHardState();
  }

  /** Enters `term` as a server that may have promised anything in earlier ones; 0 for one that never did. */
  rejoin(term: number): void {
    this.currentTerm = term;
    this.votedFor = 0;
    this.rejoinTerm = term;
    this.#persistHardState();
  }

  #persistHardState(): void {
    const { currentTerm, votedFor, rejoinTerm } = this;
    this.outbox.persistHardState({ currentTerm, votedFor, ...(rejoinTerm === 0 ? {} : { rejoinTerm }) });
  }

  /** Appends an entry, in memory and on its way to the disk. */
  appendEntry(entry: Entry): void {
    this.log.append(entry);
    this.outbox.persistEntry(entry);
  }

  /** Removes all entries after `after`, which a leader has contradicted. */
  truncateAfter(after: number): void {
    this.log.truncateAfter(after);
    this.outbox.truncateAfter(after);
  }

  /** Whether the log contains the last entry that a snapshot stands for. */
  keepsLog({ index, term }: LogPosition): boolean {
    return this.rules.keepsLog(this.log.termAt(index), term);
  }

  /** Replaces the log up to `position`, or all of it if it does not contain that, by a snapshot. */
  installSnapshot(position: LogPosition): void {
    if (!this.keepsLog(position)) {
      this.log.reset(position);
      this.outbox.resetLog();
    }
    this.log.markDurable(position.index);
    this.snapshot = position;
    this.commitIndex = Math.max(this.commitIndex, position.index);
    this.handedToApply = position.index;
    this.lastApplied = position.index;
  }

  /** Draws a new election timeout, so that split votes are rare and resolve themselves (section 5.2). */
  resetElectionTimer(): void {
    const { min, max } = this.options.electionTimeoutMs;
    this.electionDeadlineMs = this.nowMs + min + this.options.random() * (max - min);
  }
}
