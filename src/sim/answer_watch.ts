/**
 * Sees to it that a node answers what its peers ask: a refusal is an answer, silence is not (bug 8 of the originals).
 *
 * @module
 */
import type { PeerMessage } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import { Violation } from "./violation.ts";

/** The requests that came with the present inputs and are not answered yet. */
export class AnswerWatch {
  readonly #unanswered = new Set<number>();

  /** New inputs are taken in. */
  begin(): void {
    this.#unanswered.clear();
  }

  /** A message came from a peer. */
  received(from: NodeId, message: PeerMessage): void {
    if (isRequest(message.type)) this.#unanswered.add(exchangeOf(from, message.type));
  }

  /** A message leaves for a peer. */
  sent(to: NodeId, message: PeerMessage): void {
    if (!isRequest(message.type)) this.#unanswered.delete(exchangeOf(to, message.type));
  }

  /** A request that no correct node sends was ignored: it needs no answer. */
  ignored(from: NodeId, type: PeerMessage["type"]): void {
    this.#unanswered.delete(exchangeOf(from, type));
  }

  /** All that follows from the inputs has been done. */
  end(node: NodeId): void {
    for (const exchange of this.#unanswered) {
      throw new Violation(
        "requests-are-answered",
        `node ${node} left unanswered: ${EXCHANGES[exchange % 8]} of node ${Math.floor(exchange / 8)}`,
      );
    }
  }
}

const EXCHANGES = [
  "PreVoteRequest",
  "RequestVoteRequest",
  "AppendEntriesRequest",
  "InstallSnapshotRequest",
  "RejoinRequest",
] as const;

/** A request of `peer`, or the answer to it, as a number: it is asked for with every message. */
function exchangeOf(peer: NodeId, type: PeerMessage["type"]): number {
  switch (type) {
    case "PreVoteRequest":
    case "PreVoteResponse":
      return peer * 8;
    case "RequestVoteRequest":
    case "RequestVoteResponse":
      return peer * 8 + 1;
    case "AppendEntriesRequest":
    case "AppendEntriesResponse":
      return peer * 8 + 2;
    case "InstallSnapshotRequest":
    case "InstallSnapshotResponse":
      return peer * 8 + 3;
    case "RejoinRequest":
    case "RejoinResponse":
      return peer * 8 + 4;
    case "TimeoutNowRequest":
    case "ReadIndexRequest":
    case "ReadIndexResponse":
      return peer * 8 + 7; // answered by a candidacy, or after a round
  }
}

function isRequest(type: PeerMessage["type"]): boolean {
  return (EXCHANGES as readonly string[]).includes(type);
}
