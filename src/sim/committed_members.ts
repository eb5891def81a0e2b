/**
 * Who the members of a simulated cluster are, as the log has it: the checker's own account, taken from the entries that
 * were seen to be durable or committed, not from what a server believes.
 *
 * @module
 */
import { decodeMembers, type Entry } from "../../packraft/mod.ts";
import type { Configuration, NodeId, RaftView } from "../raft/mod.ts";
import { Violation } from "./violation.ts";

export class CommittedMembers {
  /** By index; the first is that of the beginning. */
  readonly #committed: Configuration[];
  /** The entry with which each learner came. */
  readonly #cameAt = new Map<NodeId, number>();

  constructor(beginning: Configuration) {
    this.#committed = [beginning];
  }

  get newest(): Configuration {
    const newest = this.#committed[this.#committed.length - 1];
    if (newest === undefined) throw new Error("there is always a configuration");
    return newest;
  }

  /**
   * A leader has appended a configuration: `before` was its newest until then. `durableUpTo` says how much of the log a
   * node has on its disk.
   */
  checkAppended(
    view: RaftView,
    before: Configuration,
    durableUpTo: (node: NodeId) => number,
  ): void {
    const { id, configuration, commitIndex, currentTerm, log } = view;
    if (commitIndex < before.index || log.termAt(commitIndex) !== currentTerm) {
      throw new Violation(
        "members-change-in-order",
        `node ${id}, leader of term ${currentTerm}, has committed up to entry ${commitIndex} and changed the members ` +
          `by entry ${configuration.index} after entry ${before.index}`,
      );
    }
    for (const { id: node } of configuration.members) {
      if (before.members.every((member) => member.id !== node)) this.#cameAt.set(node, configuration.index);
    }
    const promoted = votersIn(configuration).filter((node) => !votersIn(before).includes(node));
    for (const node of promoted) {
      if (durableUpTo(node) >= (this.#cameAt.get(node) ?? 0)) continue;
      throw new Violation(
        "promoted-when-caught-up",
        `node ${id} makes node ${node} a voter by entry ${configuration.index}, which has entries up to ` +
          `${durableUpTo(node)} only`,
      );
    }
  }

  /** An entry was seen to be committed for the first time. */
  note(entry: Entry): void {
    if (entry.kind !== "configuration" || entry.index <= this.newest.index) return;
    const next = configurationIn(entry);
    const [before, after] = [votersIn(this.newest), votersIn(next)];
    const changed = [
      ...before.filter((id) => !after.includes(id)),
      ...after.filter((id) => !before.includes(id)),
    ];
    if (changed.length > 1) {
      throw new Violation(
        "one-voter-at-a-time",
        `entry ${entry.index} changes the voters from ${before.join(", ")} to ${after.join(", ")}`,
      );
    }
    this.#committed.push(next);
  }

  /** The newest configuration of a log. */
  inForce(log: readonly Entry[]): Configuration {
    const entry = log.findLast(({ kind }) => kind === "configuration");
    return entry === undefined || entry.index <= (this.#committed[0]?.index ?? 0)
      ? this.#committed[0] ?? this.newest
      : configurationIn(entry);
  }

  /** What a node may believe in: the newest that is committed, and what any of these logs has after it. */
  inPlay(logs: Iterable<readonly Entry[]>): Configuration[] {
    const { newest } = this;
    const later = new Map<string, Configuration>();
    for (const log of logs) {
      for (let at = newest.index; at < log.length; at++) {
        const entry = log[at];
        if (entry?.kind === "configuration") {
          later.set(`${entry.term}/${entry.index}`, configurationIn(entry));
        }
      }
    }
    return [newest, ...later.values()];
  }
}

export function votersIn({ members }: Configuration): NodeId[] {
  return members.filter(({ role }) => role === "voter").map(({ id }) => id);
}

function configurationIn({ index, term, data }: Entry): Configuration {
  return { index, term, members: decodeMembers(data) };
}
