/**
 * What must hold in every cluster after every step (Figure 3 of the paper, and what durability asks for), checked
 * against the history of the whole run, which no server has.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Entry, NodeId, Outgoing, Ready } from "../../src/raft/mod.ts";
import type { TestCluster } from "./cluster.ts";
import type { TestServer } from "./harness.ts";

interface Committed {
  readonly entry: Entry;
  /** The term of the leader that committed it. */
  readonly inTerm: number;
}

/** What was last seen of a server in this life. */
interface Seen {
  readonly currentTerm: number;
  readonly commitIndex: number;
  /** Its log, if it was a leader. */
  readonly leaderLog: readonly Entry[] | undefined;
}

export class Invariants {
  readonly #cluster: TestCluster;
  readonly #committed: Committed[] = [];
  /** The leader of each term. */
  readonly #leaders = new Map<number, NodeId>();
  /** Whom each voter has voted for in each term, as far as it has left the voter. */
  readonly #votes = new Map<string, NodeId>();
  /** The entry at each index and term, and the term before it: equal everywhere (Log Matching, by induction). */
  readonly #known = new Map<string, { readonly entry: Entry; readonly prevTerm: number }>();
  readonly #seen = new Map<NodeId, Seen>();
  /** How many entries were committed when each read arrived. */
  readonly #readFloors = new Map<number, number>();

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    for (const server of cluster.servers.values()) this.check(server);
  }

  get committedCount(): number {
    return this.#committed.length;
  }

  get terms(): number {
    return this.#leaders.size;
  }

  /** Notes a restart: what was only in memory may go back, what is on the disk may not. */
  restarted(server: TestServer): void {
    this.#seen.delete(server.id);
    assertEquals(server.view.currentTerm, server.disk.hardState.currentTerm);
    this.check(server);
  }

  /** Notes the arrival of a read: it must see all that is committed anywhere now. */
  readArrived(token: number): void {
    this.#readFloors.set(token, this.#committed.length);
  }

  /** Checks an output of `server`, after it was taken. */
  checkReady(server: TestServer, ready: Ready): void {
    for (const outgoing of ready.messages) this.#checkMessage(server, outgoing);
    for (const token of ready.reads) {
      const floor = this.#readFloors.get(token) ?? 0;
      assert(
        server.applied.length >= floor,
        `stale read: node ${server.id} answers at ${server.applied.length}, ${floor} were committed`,
      );
    }
    for (const entry of ready.committed) {
      assertEquals(this.#committed[entry.index - 1]?.entry, entry, `state machine safety at ${entry.index}`);
    }
  }

  /** Checks `server` after a step. */
  check(server: TestServer): void {
    const { id, view } = server;
    const { currentTerm, commitIndex, lastLogIndex } = view;
    const log = server.log;
    const seen = this.#seen.get(id);
    assert(server.applied.length <= commitIndex && commitIndex <= lastLogIndex, `node ${id}: index order`);
    assert(currentTerm >= (seen?.currentTerm ?? 0), `node ${id}: currentTerm went back`);
    assert(commitIndex >= (seen?.commitIndex ?? 0), `node ${id}: commitIndex went back`);
    this.#checkLogMatching(log);
    this.#checkDurable(server, log);
    this.#checkCommitted(server, log);
    if (view.role === "leader") this.#checkLeader(server, log, seen);
    this.#seen.set(id, { currentTerm, commitIndex, leaderLog: view.role === "leader" ? log : undefined });
  }

  #checkLogMatching(log: readonly Entry[]): void {
    let prevTerm = 0;
    for (const [at, entry] of log.entries()) {
      assertEquals(entry.index, at + 1, "a gap in a log");
      assert(entry.term >= prevTerm, "terms fall along a log");
      const key = `${entry.index}@${entry.term}`;
      const known = this.#known.get(key);
      if (known === undefined) this.#known.set(key, { entry, prevTerm });
      else assert(known.prevTerm === prevTerm && known.entry === entry, `log matching at ${key}`);
      prevTerm = entry.term;
    }
  }

  /** What a server takes for durable is on its disk. */
  #checkDurable({ id, view, disk }: TestServer, log: readonly Entry[]): void {
    for (let at = 0; at < view.log.durableIndex; at++) {
      assert(disk.entries[at] === log[at], `node ${id}: entry ${at + 1} is not durable`);
    }
  }

  #checkCommitted({ id, view }: TestServer, log: readonly Entry[]): void {
    for (const entry of log.slice(0, view.commitIndex)) {
      const committed = this.#committed[entry.index - 1];
      if (committed !== undefined) {
        assert(committed.entry === entry, `node ${id}: committed entry ${entry.index} differs`);
        continue;
      }
      this.#committed.push({ entry, inTerm: view.currentTerm });
      const voters = view.configuration.members.filter(({ role }) => role === "voter").map(({ id }) => id);
      const holders = voters.filter((voter) =>
        this.#cluster.server(voter).disk.entries[entry.index - 1] === entry
      );
      assert(
        holders.length > voters.length / 2,
        `node ${id} commits ${entry.index}, which is durable on ${holders.length} of ${voters.length}`,
      );
    }
  }

  #checkLeader({ id, view }: TestServer, log: readonly Entry[], seen: Seen | undefined): void {
    const term = view.currentTerm;
    const leader = this.#leaders.get(term);
    assert(leader === undefined || leader === id, `term ${term} has two leaders, ${leader} and ${id}`);
    if (leader === undefined) {
      this.#leaders.set(term, id);
      for (const { entry, inTerm } of this.#committed) {
        if (inTerm < term) {
          assert(
            log[entry.index - 1] === entry,
            `leader completeness: node ${id} in term ${term} lacks ${entry.index}`,
          );
        }
      }
    }
    if (seen?.leaderLog !== undefined && seen.currentTerm === term) {
      assert(seen.leaderLog.every((entry, at) => log[at] === entry), `node ${id}: leader append-only`);
    }
  }

  /** Nothing leaves before what it promises is durable; and one vote per term. */
  #checkMessage({ id, disk }: TestServer, { to, message }: Outgoing): void {
    const { currentTerm, votedFor } = disk.hardState;
    assert(to !== id, `node ${id} sends to itself`);
    switch (message.type) {
      case "RequestVoteRequest":
        this.#noteVote(id, message.term, id);
        assert(currentTerm > message.term || votedFor === id, `node ${id} stands before its vote is durable`);
        break;
      case "RequestVoteResponse":
        if (!message.voteGranted) break;
        this.#noteVote(id, message.term, to);
        assert(currentTerm > message.term || votedFor === to, `node ${id}'s vote is not durable`);
        break;
      case "AppendEntriesResponse":
        assert(currentTerm >= message.term, `node ${id} tells a term that is not durable`);
        if (!message.success || currentTerm > message.term) break;
        assert(
          disk.entries.length >= message.matchIndex,
          `node ${id} acknowledges ${message.matchIndex}, ${disk.entries.length} are durable`,
        );
        break;
      case "AppendEntriesRequest":
        assert(currentTerm >= message.term, `node ${id} leads a term that is not durable`);
        assertEquals(this.#leaders.get(message.term), id, "only the leader of a term sends entries in it");
        break;
    }
  }

  #noteVote(voter: NodeId, term: number, candidate: NodeId): void {
    const key = `${voter} in ${term}`;
    const votedFor = this.#votes.get(key);
    assert(votedFor === undefined || votedFor === candidate, `two votes of node ${key}`);
    this.#votes.set(key, candidate);
  }
}
