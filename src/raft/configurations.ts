/**
 * Who the members are, as the log has it (section 6; Ongaro's thesis, chapter 4).
 *
 * A server uses the newest configuration in its log, committed or not: were it to wait for the commit, two majorities
 * that do not meet could each believe in its own. When a later leader removes such an entry from the log, the
 * configuration before it counts again. So all configurations of the log are kept, and under them the one that was in
 * force where the log begins.
 *
 * @module
 */
import type { Configuration, Entry, Member, MembersCodec, NodeId } from "./types.ts";

export class Configurations {
  readonly #codec: MembersCodec;
  /** The oldest first; there is always one. */
  #all: Configuration[];

  /**
   * @param base the configuration in force where the log begins, or at a later entry that is known to be committed
   * @param entries the log: configurations at or before the base's index are known already
   */
  constructor(codec: MembersCodec, base: Configuration, entries: readonly Entry[]) {
    this.#codec = codec;
    this.#all = [base];
    for (const entry of entries) this.append(entry);
  }

  get newest(): Configuration {
    const newest = this.#all[this.#all.length - 1];
    if (newest === undefined) throw new Error("there is always a configuration");
    return newest;
  }

  /** The newest at or before `commitIndex`. */
  committed(commitIndex: number): Configuration {
    return this.#all.findLast(({ index }) => index <= commitIndex) ?? this.#all[0] ?? this.newest;
  }

  /** Where a member is found, or one that was a member not long ago. */
  addressOf(node: NodeId): Member | undefined {
    for (let at = this.#all.length - 1; at >= 0; at--) {
      const member = memberOf(this.#all[at], node);
      if (member !== undefined) return member;
    }
    return undefined;
  }

  /** An entry was appended to the log. Returns whether it holds a configuration. */
  append(entry: Entry): boolean {
    if (entry.kind !== "configuration" || entry.index <= this.newest.index) return false;
    const { index, term } = entry;
    this.#all.push({ index, term, members: this.#codec.decode(entry.data) });
    return true;
  }

  /** Entries at the end of the log are gone. Returns whether another configuration is in force now. */
  truncate(keeps: (configuration: Configuration) => boolean): boolean {
    const count = this.#all.length;
    while (this.#all.length > 1 && !keeps(this.newest)) this.#all.pop();
    return this.#all.length < count;
  }

  /** The log begins after `base`: what was replaced before that is not needed any more. */
  compact(base: number): void {
    const first = this.#all.findLastIndex(({ index }) => index <= base);
    if (first > 0) this.#all = this.#all.slice(first);
  }

  /** The log begins anew after a snapshot with `base`. The oldest that is known is committed, and may be newer. */
  restart(base: Configuration): void {
    const [oldest = base] = this.#all;
    this.#all = [oldest.index > base.index ? oldest : base];
  }

  /** Takes in a committed configuration from elsewhere: those of the log up to its index are known with it. */
  advance(base: Configuration): void {
    this.#all = [base, ...this.#all.filter(({ index }) => index > base.index)];
  }
}

export function memberOf(configuration: Configuration | undefined, node: NodeId): Member | undefined {
  return configuration?.members.find(({ id }) => id === node);
}

export function votersOf({ members }: Pick<Configuration, "members">): NodeId[] {
  return members.filter(({ role }) => role === "voter").map(({ id }) => id);
}

/** Whether `a` is from a later entry than `b`: of two that are not in one log, the one of the later term counts. */
export function isNewer(a: Configuration, b: Configuration): boolean {
  return a.term > b.term || (a.term === b.term && a.index > b.index);
}
