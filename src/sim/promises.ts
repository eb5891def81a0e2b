/**
 * Whether a message promises only what is durable on its sender's disk.
 *
 * @module
 */
import type { Entry, PeerMessage } from "../../packraft/mod.ts";
import type { HardState, NodeId } from "../raft/mod.ts";
import { Violation } from "./violation.ts";

/** What a node has made durable: a model of its disk. */
export interface DurableMemory {
  readonly hardState: HardState;
  /** By place, from the first index on, whether a snapshot stands for it or not. */
  readonly durable: readonly Entry[];
  /** The newest durable snapshot. */
  readonly snapshotIndex: number;
  /** The newest term in which a leader's entries took the place of others. */
  readonly truncatedInTerm: number;
}

/** Throws a {@linkcode Violation} if `message`, about to leave `node`, says more than its disk would bear out. */
export function checkPromise(node: NodeId, to: NodeId, message: PeerMessage, memory: DurableMemory): void {
  const { hardState: { currentTerm, votedFor }, durable, snapshotIndex, truncatedInTerm } = memory;
  const require = (isDurable: boolean, what: string) => {
    if (!isDurable) throw new Violation("sync-before-send", `node ${node} ${what} durable`);
  };
  const requireTerm = () =>
    require(currentTerm >= message.term, `speaks of term ${message.term} before it is`);
  switch (message.type) {
    case "RequestVoteRequest":
      return require(
        currentTerm > message.term || (currentTerm === message.term && votedFor === node),
        `stands for term ${message.term} before its own vote is`,
      );
    case "RequestVoteResponse":
      if (!message.voteGranted) return;
      return require(
        currentTerm >= message.term && (currentTerm !== message.requestTerm || votedFor === to),
        `tells node ${to} of its vote for term ${message.requestTerm} before it is`,
      );
    case "AppendEntriesRequest":
    case "RejoinResponse":
      return requireTerm();
    case "AppendEntriesResponse":
      requireTerm();
      // Entries that came and were replaced by a newer leader's within one batch are never on the disk by
      // themselves. Their acknowledgement is one that was late: when it leaves, the newer term is durable.
      return require(
        !message.success || message.matchIndex <= durable.length || message.requestTerm < truncatedInTerm,
        `acknowledges entry ${message.matchIndex} when only entry ${durable.length} is`,
      );
    case "InstallSnapshotResponse":
      requireTerm();
      return require(
        !message.installed || message.lastIncludedIndex <= Math.max(snapshotIndex, durable.length),
        `acknowledges a snapshot up to entry ${message.lastIncludedIndex} before it is`,
      );
    default:
      return;
  }
}
