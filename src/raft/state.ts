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
import type { Entry, NodeId, RaftOptions, Recovered } from "./types.ts";

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

  // Volatile.
  /** The highest index known to be committed. */
  commitIndex = 0;
  /** The highest index handed out to be applied. */
  handedToApply = 0;
  /** The highest index that the application has reported as applied. */
  lastApplied = 0;
  role: Role = { name: "follower", leader: 0, heardMs: -Infinity };
  nowMs: number;
  /** When a server that is not a leader stands for election. */
  electionDeadlineMs = 0;

  constructor(options: RaftOptions, recovered: Recovered, nowMs: number) {
    this.options = options;
    this.rules = options.rules ?? RAFT_RULES;
    this.peers = options.voters.filter((voter) => voter !== options.id);
    this.log = new RaftLog(recovered.entries);
    this.currentTerm = recovered.hardState.currentTerm;
    this.votedFor = recovered.hardState.votedFor;
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

  /** Sets the hard state, in memory and on its way to the disk: the one place where either changes. */
  setHardState(currentTerm: number, votedFor: NodeId): void {
    if (currentTerm === this.currentTerm && votedFor === this.votedFor) return;
    this.currentTerm = currentTerm;
    this.votedFor = votedFor;
    this.outbox.persistHardState({ currentTerm, votedFor });
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

  /** Draws a new election timeout, so that split votes are rare and resolve themselves (section 5.2). */
  resetElectionTimer(): void {
    const { min, max } = this.options.electionTimeoutMs;
    this.electionDeadlineMs = this.nowMs + min + this.options.random() * (max - min);
  }
}
