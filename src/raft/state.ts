/**
 * The state of a server (Figure 2, "State"), shared by the handlers of the protocol's concerns. Plain data and
 * the few steps that more than one concern takes.
 *
 * @module
 */
import { Configurations, memberOf, votersOf } from "./configurations.ts";
import { RaftLog } from "./log.ts";
import { Outbox } from "./outbox.ts";
import type { Role } from "./role.ts";
import { RAFT_RULES, type Rules } from "./rules.ts";
import { StateHashes } from "./state_hashes.ts";
import type { Configuration, Entry, LogPosition, Member, NodeId, RaftOptions, Recovered } from "./types.ts";

export class ServerState {
  readonly options: RaftOptions;
  readonly rules: Rules;
  readonly log: RaftLog;
  readonly configurations: Configurations;
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
  role: Role = newFollower();
  /** The hashes of the state machine after the entries applied last. */
  readonly stateHashes = new StateHashes();
  /** The newest round of which the leader of currentTerm has told, in this life. */
  heardRound = 0;
  /** Who waits to hear that the node to which this one handed over leads. */
  transferTokens: number[] = [];
  /** Whether it has yielded to another that stood, the last time that one did. */
  hasYielded = false;
  /** Whether it has been told that this node is no member any more. */
  isRemoved = false;
  /** When this server was last told of nothing committed that its state machine has not applied. */
  freshMs: number | undefined;
  /** When its leader of `term` told that `upTo` is committed, which is to be applied first. */
  readonly fresh = { upTo: Infinity, term: 0, sinceMs: 0 };
  nowMs: number;
  /** When a server that is not a leader stands for election. */
  electionDeadlineMs = 0;

  constructor(options: RaftOptions, recovered: Recovered, nowMs: number) {
    this.options = options;
    this.rules = options.rules ?? RAFT_RULES;
    this.log = new RaftLog(recovered.base, recovered.entries);
    this.configurations = new Configurations(options.codec, options.configuration, recovered.entries);
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

  /** The configuration that counts. */
  get configuration(): Configuration {
    return this.rules.configurationInForce(
      this.configurations.newest,
      this.configurations.committed(this.commitIndex),
    );
  }

  get committedConfiguration(): Configuration {
    return this.configurations.committed(this.commitIndex);
  }

  /** All who may vote, this server among them if it may. */
  get voters(): NodeId[] {
    return votersOf(this.configuration);
  }

  get isVoter(): boolean {
    return this.isCounted(this.id);
  }

  /** Whether the word of `node` counts. */
  isCounted(node: NodeId): boolean {
    return this.rules.counts(memberOf(this.configuration, node)?.role);
  }

  get quorum(): number {
    return this.rules.quorum(this.voters.length);
  }

  /** The members without this server. */
  get others(): Member[] {
    return this.configuration.members.filter(({ id }) => id !== this.id);
  }

  get logEnd(): { lastLogIndex: number; lastLogTerm: number } {
    return { lastLogIndex: this.log.lastIndex, lastLogTerm: this.log.lastTerm };
  }

  /** Sets term and vote, in memory and on their way to the disk. */
  setHardState(currentTerm: number, votedFor: NodeId): void {
    if (currentTerm === this.currentTerm && votedFor === this.votedFor) return;
    if (currentTerm !== this.currentTerm) this.heardRound = 0; // another leader counts its own rounds
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

  /**
   * Enters the term of the leader that has taken this server in, as one that voted for it. It has an entry of this
   * term, and may vote in later ones, when it has been given the log up to the one that took it in.
   */
  begin(term: number, leader: NodeId): void {
    this.rejoinTerm = term;
    this.currentTerm = term;
    this.votedFor = leader;
    this.#persistHardState();
  }

  /** Appends an entry, in memory and on its way to the disk. */
  appendEntry(entry: Entry): void {
    this.log.append(entry);
    this.outbox.persistEntry(entry);
    if (!this.configurations.append(entry)) return;
    if (memberOf(this.configurations.newest, this.id) !== undefined) this.isRemoved = false;
    this.#tellConfiguration(`entry ${entry.index}`);
  }

  /** Removes all entries after `after`, which a leader has contradicted. */
  truncateAfter(after: number): void {
    this.log.truncateAfter(after);
    this.outbox.truncateAfter(after);
    const keeps = ({ index }: Configuration) => this.rules.keepsConfiguration(index, after);
    if (this.configurations.truncate(keeps)) {
      this.#tellConfiguration("the newer one is gone from the log");
    }
  }

  /** Takes in a committed configuration that another server has told of. */
  advanceConfiguration(configuration: Configuration): void {
    this.configurations.advance(configuration);
    this.#tellConfiguration("the others have it so");
  }

  #tellConfiguration(reason: string): void {
    this.outbox.tell({ kind: "configuration", configuration: this.configurations.newest, reason });
  }

  /** Whether the log contains the last entry that a snapshot stands for. */
  keepsLog({ index, term }: LogPosition): boolean {
    return this.rules.keepsLog(this.log.termAt(index), term);
  }

  /** Replaces the log up to `position`, or all of it if it does not contain that, by a snapshot. */
  installSnapshot(position: LogPosition, configuration: Configuration): void {
    const { index } = this.configurations.newest;
    if (this.keepsLog(position)) {
      this.configurations.advance(configuration);
    } else {
      this.log.reset(position);
      this.outbox.resetLog();
      this.configurations.restart(configuration);
    }
    if (this.configurations.newest.index !== index) this.#tellConfiguration("the snapshot has it so");
    this.log.markDurable(position.index);
    this.snapshot = position;
    this.commitIndex = Math.max(this.commitIndex, position.index);
    this.handedToApply = position.index;
    this.lastApplied = position.index;
  }

  /**
   * The state is as old as what the leader told, once all of that is applied. A new leader may not know yet of all that
   * is committed: it does when that ends with an entry of its term.
   */
  maybeFreshen(): void {
    const { upTo, term, sinceMs } = this.fresh;
    if (this.lastApplied >= upTo && this.log.termAt(upTo) === term) this.freshMs = sinceMs;
  }

  /** Draws a new election timeout, so that split votes are rare and resolve themselves (section 5.2). */
  resetElectionTimer(): void {
    const { min, max } = this.options.electionTimeoutMs;
    this.electionDeadlineMs = this.nowMs + min + this.options.random() * (max - min);
  }
}

/** A follower that knows no leader yet. */
export function newFollower(): Role & { name: "follower" } {
  const reads = { waiting: [], round: 0, asked: [], askedMs: 0, confirmed: [] };
  return { name: "follower", leader: 0, heardMs: -Infinity, reads };
}
