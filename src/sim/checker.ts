/**
 * Judges every step of a simulated cluster. It sees what no node can: all logs, all disks and all promises at once.
 *
 * Each hook is called at the moment at which its invariants could first fail, and looks only at what changed, so
 * that checking everything all the time stays cheap. The invariants themselves are listed in `invariants.ts`.
 *
 * @module
 */
import type { Entry, PeerMessage } from "../../packraft/mod.ts";
import { decodeCommand, type WriteResult } from "../kv/mod.ts";
import type {
  Configuration,
  HardState,
  LogPosition,
  NodeId,
  Persist,
  RaftView,
  Recovered,
} from "../raft/mod.ts";
import { CommittedMembers, votersIn } from "./committed_members.ts";
import { checkPromise, type DurableMemory } from "./promises.ts";
import { EntryBook, isSameBytes, isSameEntry } from "./entry_book.ts";
import { Violation } from "./violation.ts";
import { VoteBook } from "./vote_book.ts";

/** What the checker remembers of one node. */
interface NodeMemory extends DurableMemory {
  hardState: HardState;
  readonly durable: Entry[];
  /** What was durable once, before the disk was damaged or replaced. */
  lost: readonly Entry[];
  snapshotIndex: number;
  /** Of its present life. */
  role: RaftView["role"];
  roleTerm: number;
  configuration: Configuration;
  commitIndex: number;
  lastApplied: number;
  truncatedInTerm: number;
  /** Ever. */
  currentTerm: number;
}

/** The first time that an entry was seen to be committed. */
interface Committed {
  readonly term: number;
  /** The currentTerm of the node that committed it. */
  readonly inTerm: number;
}

interface Applied {
  readonly entry: Entry;
  readonly digest: number;
}

export class Checker {
  readonly #members: CommittedMembers;
  readonly #nodes = new Map<NodeId, NodeMemory>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new VoteBook();
  readonly #entries = new EntryBook();
  readonly #committed: Committed[] = [];
  readonly #applied: Applied[] = [];
  readonly #executedAt = new Map<string, number>();

  /** @param nodes all machines, members or not */
  constructor(nodes: readonly NodeId[], beginning: Configuration) {
    this.#members = new CommittedMembers(beginning);
    for (const node of nodes) {
      this.#nodes.set(node, {
        hardState: { currentTerm: 0, votedFor: 0 },
        durable: [],
        lost: [],
        snapshotIndex: 0,
        role: "follower",
        roleTerm: 0,
        configuration: beginning,
        commitIndex: 0,
        lastApplied: 0,
        truncatedInTerm: 0,
        currentTerm: 0,
      });
    }
  }

  /** The highest index known to be committed by any node. */
  get committedUpTo(): number {
    return this.#committed.length;
  }

  /** The newest configuration that is committed, and those that any log has after it. */
  configurationsInPlay(): Configuration[] {
    return this.#members.inPlay([...this.#nodes.values()].flatMap(({ durable, lost }) => [durable, lost]));
  }

  /** A node was taken in as one without a past: what it promised before is nobody's concern any more. */
  forgive(node: NodeId): void {
    this.#votes.forgive(node);
    this.#memoryOf(node).lost = [];
  }

  /** The entry applied at `index`, by whichever node was first. */
  appliedAt(index: number): Entry | undefined {
    return this.#applied[index - 1]?.entry;
  }

  /**
   * A node (re)starts with what its storage recovered; `digest` is that of its state machine, which a snapshot
   * may have restored.
   */
  onStart(node: NodeId, recovered: Recovered, digest: number): void {
    const memory = this.#memoryOf(node);
    if (recovered.memory === "whole") this.#checkRecovered(node, memory, recovered);
    else memory.lost = [...memory.durable];
    this.#checkRestored(node, recovered.snapshot, digest);
    // What the snapshot stands for was applied once, by whichever node was first.
    const log = this.#appliedUpTo(recovered.snapshot.index).slice(0, recovered.base.index);
    log.push(...recovered.entries);
    for (let i = recovered.base.index; i < log.length; i++) this.#entries.check(node, log, i);
    this.#votes.check(node, recovered.hardState.currentTerm, recovered.hardState.votedFor);
    memory.hardState = recovered.hardState;
    memory.durable.length = 0;
    for (const entry of log) memory.durable.push(entry);
    memory.snapshotIndex = recovered.snapshot.index;
    memory.role = "follower";
    memory.roleTerm = 0;
    memory.commitIndex = recovered.snapshot.index;
    memory.lastApplied = recovered.snapshot.index;
    memory.truncatedInTerm = 0;
    // A term that was never durable may be gone, for nothing that depends on it has left the node.
    memory.currentTerm = recovered.hardState.currentTerm;
  }

  #checkRecovered(node: NodeId, memory: NodeMemory, recovered: Recovered): void {
    const { currentTerm, votedFor } = recovered.hardState;
    const { hardState, durable } = memory;
    if (
      currentTerm < hardState.currentTerm ||
      (currentTerm === hardState.currentTerm && hardState.votedFor !== 0 && votedFor !== hardState.votedFor)
    ) {
      throw new Violation(
        "recovery-is-exact",
        `node ${node} recovered term ${currentTerm}, vote for ${votedFor}; it had made durable term ` +
          `${hardState.currentTerm}, vote for ${hardState.votedFor}`,
      );
    }
    if (recovered.snapshot.index < memory.snapshotIndex) {
      throw new Violation(
        "recovery-is-exact",
        `node ${node} recovered a snapshot up to ${recovered.snapshot.index}, and had one up to ${memory.snapshotIndex}`,
      );
    }
    // A batch that was written but not synced may have survived: then the log is longer, or ends differently.
    // Only what was replaced by such a batch may be missing, and that was never committed.
    const left = durable.slice(recovered.snapshot.index);
    const found = (entry: Entry) => recovered.entries[entry.index - 1 - recovered.base.index];
    const lost = left.find((entry) => !isSameEntry(entry, found(entry)));
    // Entries that contradict an installed snapshot go with the whole log, which then ends with the snapshot.
    const isSuperseded = recovered.snapshot.index > memory.snapshotIndex && recovered.entries.length === 0;
    if (lost !== undefined && found(lost) === undefined && !isSuperseded) {
      throw new Violation(
        "recovery-is-exact",
        `node ${node} recovered entries up to ${
          recovered.base.index + recovered.entries.length
        }, and had made ` +
          `entry ${lost.index} durable`,
      );
    }
    for (const entry of left) {
      if (found(entry)?.term !== entry.term) this.#checkReplaced(node, entry);
    }
  }

  /** A snapshot of a node's own state has become durable. */
  onSnapshot(node: NodeId, index: number): void {
    const memory = this.#memoryOf(node);
    memory.snapshotIndex = index;
    // It makes durable what it stands for, whatever the log has of it.
    if (memory.durable.length < index) {
      memory.durable.push(...this.#appliedUpTo(index).slice(memory.durable.length));
    }
  }

  /** A node has been restored from another's snapshot; `view` is that of the node since. */
  onInstalled(node: NodeId, position: LogPosition, digest: number, view: RaftView): void {
    const memory = this.#memoryOf(node);
    this.#checkRestored(node, position, digest);
    const kept = view.log.lastIndex > position.index ? memory.durable.slice(position.index) : [];
    const replaced = memory.durable.slice(position.index + kept.length);
    memory.durable.length = 0;
    memory.durable.push(...this.#appliedUpTo(position.index), ...kept);
    for (const entry of replaced) this.#checkReplaced(node, entry);
    memory.snapshotIndex = position.index;
    memory.commitIndex = Math.max(memory.commitIndex, position.index);
    memory.lastApplied = position.index;
  }

  /** The state after an entry is the same, whether it was applied or restored. */
  #checkRestored(node: NodeId, { index, term }: LogPosition, digest: number): void {
    if (index === 0) return;
    const applied = this.#applied[index - 1];
    if (applied === undefined || applied.entry.term !== term) {
      throw new Violation(
        "state-machine-safety",
        `node ${node} was restored from a snapshot up to entry ${index} of term ${term}, which was never applied`,
      );
    }
    if (applied.digest !== digest) {
      throw new Violation(
        "equal-digest",
        `node ${node}, restored from a snapshot, is in another state after entry ${index} than the first to apply it`,
      );
    }
  }

  #appliedUpTo(index: number): Entry[] {
    return this.#applied.slice(0, index).map(({ entry }) => entry);
  }

  /** A batch has become durable on a node's disk. */
  onDurable(node: NodeId, persist: Persist): void {
    const memory = this.#memoryOf(node);
    if (persist.hardState !== undefined) {
      this.#votes.check(node, persist.hardState.currentTerm, persist.hardState.votedFor);
      memory.hardState = persist.hardState;
    }
    // What waited for room on a full disk may be written when a snapshot stands for it already: that replaces nothing.
    const entries = persist.entries.filter(({ index }) => index > memory.snapshotIndex);
    const first = entries[0];
    if (first === undefined) return;
    const replaced = memory.durable.splice(first.index - 1);
    for (const entry of entries) {
      memory.durable.length = entry.index - 1;
      memory.durable.push(entry);
      this.#entries.check(node, memory.durable, entry.index - 1);
    }
    for (const entry of replaced) {
      if (memory.durable[entry.index - 1]?.term !== entry.term) this.#checkReplaced(node, entry);
    }
  }

  /** A message leaves a node. */
  onSend(node: NodeId, to: NodeId, message: PeerMessage): void {
    if (message.type === "RequestVoteRequest") this.#votes.check(node, message.term, node);
    if (message.type === "RequestVoteResponse" && message.voteGranted) {
      this.#votes.check(node, message.requestTerm, to);
    }
    checkPromise(node, to, message, this.#memoryOf(node));
  }

  /** A node has applied an entry; `digest` is that of its state machine afterwards. */
  onApplied(node: NodeId, entry: Entry, result: WriteResult | undefined, digest: number): void {
    const known = this.#applied[entry.index - 1];
    if (known !== undefined) {
      if (!isSameEntry(known.entry, entry)) {
        throw new Violation(
          "state-machine-safety",
          `node ${node} applied entry ${entry.index} of term ${entry.term}; another node applied one of term ${known.entry.term} there`,
        );
      }
      if (known.digest !== digest) {
        throw new Violation(
          "equal-digest",
          `node ${node} is in another state after entry ${entry.index} than the first to apply it`,
        );
      }
      return;
    }
    this.#applied[entry.index - 1] = { entry, digest };
    if (result === undefined || result.kind === "stale" || result.kind === "invalid") return;
    if (result.index !== entry.index) return; // answered from the session: not executed now
    const { clientId, sequence } = decodeCommand(entry.data);
    const write = `${clientId.toHex()}/${sequence}`;
    const before = this.#executedAt.get(write);
    if (before !== undefined) {
      throw new Violation(
        "sessions-apply-once",
        `write ${sequence} of a client took effect at entry ${before} and again at entry ${entry.index}`,
      );
    }
    this.#executedAt.set(write, entry.index);
  }

  /** A node tells a client that its write is done at `index`. */
  onAcknowledged(
    node: NodeId,
    index: number,
    write: { readonly clientId: Uint8Array; readonly sequence: number },
  ): void {
    const entry = this.appliedAt(index);
    const command = entry === undefined || entry.kind !== "command" ? undefined : decodeCommand(entry.data);
    if (command?.sequence === write.sequence && isSameBytes(command.clientId, write.clientId)) return;
    throw new Violation(
      "acknowledged-is-committed",
      `node ${node} says that write ${write.sequence} of a client is done at entry ${index}, which is not that write`,
    );
  }

  /** An input has been handled, with all that followed from it. */
  afterStep(node: NodeId, view: RaftView): void {
    const memory = this.#memoryOf(node);
    this.#checkOrder(node, memory, view);
    const isLeader = view.role === "leader";
    if (isLeader && (memory.role !== "leader" || memory.roleTerm !== view.currentTerm)) {
      this.#checkNewLeader(node, view);
    }
    this.#checkCommit(node, memory.commitIndex, view, isLeader);
    const { configuration } = view;
    const wasLeader = memory.role === "leader" && memory.roleTerm === view.currentTerm;
    if (isLeader && wasLeader && configuration.index > memory.configuration.index) {
      this.#members.checkAppended(
        view,
        memory.configuration,
        (other) => this.#memoryOf(other).durable.length,
      );
    }
    memory.configuration = configuration;
    memory.role = view.role;
    memory.roleTerm = view.currentTerm;
    memory.currentTerm = view.currentTerm;
    memory.commitIndex = view.commitIndex;
    memory.lastApplied = view.lastApplied;
  }

  /** A node knows who leads a term: itself, or another. */
  onLeader(node: NodeId, term: number, leader: NodeId): void {
    const known = this.#leaders.get(term);
    if (known === undefined) {
      this.#leaders.set(term, leader);
    } else if (known !== leader) {
      throw new Violation(
        "election-safety",
        `node ${leader} and node ${known} both lead term ${term}, as node ${node} has it`,
      );
    }
  }

  /** A node's log had entries removed after `after`; `view` is that of the node since. */
  onTruncated(node: NodeId, after: number, view: RaftView): void {
    const memory = this.#memoryOf(node);
    memory.truncatedInTerm = view.currentTerm;
    if (memory.role === "leader" && view.role === "leader" && memory.roleTerm === view.currentTerm) {
      throw new Violation(
        "leader-append-only",
        `node ${node}, leader of term ${view.currentTerm}, removed entries after ${after}`,
      );
    }
  }

  #memoryOf(node: NodeId): NodeMemory {
    const memory = this.#nodes.get(node);
    if (memory === undefined) throw new RangeError(`node ${node} is not in the simulated cluster`);
    return memory;
  }

  #checkOrder(node: NodeId, memory: NodeMemory, view: RaftView): void {
    const { currentTerm, commitIndex, lastApplied, lastLogIndex } = view;
    if (
      currentTerm < memory.currentTerm || commitIndex < memory.commitIndex || lastApplied < memory.lastApplied
    ) {
      throw new Violation(
        "monotonic-state",
        `node ${node} went from term ${memory.currentTerm}, commit ${memory.commitIndex}, applied ${memory.lastApplied} ` +
          `to term ${currentTerm}, commit ${commitIndex}, applied ${lastApplied}`,
      );
    }
    if (lastApplied > commitIndex || commitIndex > lastLogIndex) {
      throw new Violation(
        "index-order",
        `node ${node} has applied ${lastApplied}, committed ${commitIndex}, and its log ends at ${lastLogIndex}`,
      );
    }
  }

  #checkNewLeader(node: NodeId, view: RaftView): void {
    const term = view.currentTerm;
    this.onLeader(node, term, node);
    // Equal term at an index means equal logs up to there, so the last one that it must have speaks for all.
    for (let index = this.#committed.length; index > 0; index--) {
      const committed = this.#committed[index - 1];
      if (committed === undefined || committed.inTerm >= term) continue;
      if (index <= view.snapshot.index) return;
      if (view.log.termAt(index) !== committed.term) {
        throw new Violation(
          "leader-completeness",
          `node ${node} leads term ${term} without entry ${index} of term ${committed.term}, which was committed in term ${committed.inTerm}`,
        );
      }
      return;
    }
  }

  #checkCommit(node: NodeId, after: number, view: RaftView, isLeader: boolean): void {
    for (let index = after + 1; index <= view.commitIndex; index++) {
      const term = view.log.termAt(index) ?? 0;
      const known = this.#committed[index - 1];
      if (known === undefined) {
        this.#committed[index - 1] = { term, inTerm: view.currentTerm };
        const entry = view.log.entryAt(index);
        if (entry !== undefined) this.#members.note(entry);
      } else if (known.term !== term) {
        throw new Violation(
          "committed-immutable",
          `node ${node} committed entry ${index} of term ${term}; one of term ${known.term} was committed there`,
        );
      }
      // A leader may fall in the step in which it commits: then a follower is the first to be seen with it.
      const isFirst = isLeader || known === undefined;
      if (isFirst && index === view.commitIndex) this.#checkOnQuorum(node, index, term, view.configuration);
    }
  }

  #checkOnQuorum(node: NodeId, index: number, term: number, { members }: Configuration): void {
    // By the leader's own newest configuration, or by the committed one as a follower that hears of it may be behind.
    const candidates = [members, this.#members.newest.members].map((each) =>
      votersIn({ index, term, members: each })
    );
    const isOnQuorum = candidates.some((voters) => this.#holders(voters, index, term) > voters.length / 2);
    if (isOnQuorum) return;
    const [voters = []] = candidates;
    throw new Violation(
      "committed-on-quorum",
      `node ${node} committed entry ${index} of term ${term}, which is durable on ` +
        `${this.#holders(voters, index, term)} of the voters ${voters.join(", ")}`,
    );
  }

  /** Who held it once and has lost it counts: it was promised, and the others must not forget it. */
  #holders(voters: readonly NodeId[], index: number, term: number): number {
    return voters.filter((voter) => {
      const { durable, lost } = this.#memoryOf(voter);
      return durable[index - 1]?.term === term || lost[index - 1]?.term === term;
    }).length;
  }

  #checkReplaced(node: NodeId, replaced: Entry): void {
    const committed = this.#committed[replaced.index - 1];
    if (committed !== undefined && committed.term === replaced.term) {
      throw new Violation(
        "committed-immutable",
        `node ${node} removed or replaced entry ${replaced.index} of term ${replaced.term}, which was committed in term ${committed.inTerm}`,
      );
    }
  }
}
