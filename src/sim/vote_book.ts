/**
 * Who voted for whom in which term, across all restarts.
 *
 * @module
 */
import type { NodeId } from "../raft/mod.ts";
import { Violation } from "./violation.ts";

const MAX_NODES = 1_024;

export class VoteBook {
  /** By term and node. */
  readonly #votes = new Map<number, NodeId>();

  /** Throws if `node` has voted for another than `votedFor` in `term`; 0 is no vote. */
  check(node: NodeId, term: number, votedFor: NodeId): void {
    if (votedFor === 0) return;
    const key = term * MAX_NODES + node;
    const before = this.#votes.get(key);
    if (before === undefined) {
      this.#votes.set(key, votedFor);
    } else if (before !== votedFor) {
      throw new Violation(
        "one-vote-per-term",
        `node ${node} voted for node ${before} and for node ${votedFor} in term ${term}`,
      );
    }
  }

  /** What `node` has voted before is nobody's concern any more. */
  forgive(node: NodeId): void {
    for (const key of this.#votes.keys()) if (key % MAX_NODES === node) this.#votes.delete(key);
  }
}
