/**
 * Drives Raft servers in the tests, without time, sockets or disks of their own.
 *
 * A {@linkcode TestServer} is one server with its disk: what it asks to be persisted waits in `writing` until the
 * test says that it is durable, and only what is durable survives {@linkcode TestServer.restart}. Each server has a
 * clock of its own that moves only when told. A `TestCluster` (`cluster.ts`) is several of them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { decodeMembers, encodeMembers } from "../../packraft/mod.ts";
import {
  type Configuration,
  type DiskMemory,
  type Entry,
  type HardState,
  type Input,
  type Member,
  type MemberAddress,
  type MemberChange,
  type NodeId,
  NOTHING_RECOVERED,
  type PeerMessage,
  type Persist,
  type RaftOptions,
  RaftServer,
  type RaftView,
  type Ready,
  type Recovered,
} from "../../src/raft/mod.ts";
import { appendResponse, emptyReady, isEmptyReady, preVoteResponse, voteResponse } from "./messages.ts";

export const HEARTBEAT_MS = 30;
export const ELECTION_MIN_MS = 180;
export const ELECTION_MAX_MS = 360;

/** What a test may set of a server; the rest is as in a usual cluster. */
export interface TestOptions extends Partial<Omit<RaftOptions, "id">> {
  readonly hardState?: HardState;
  readonly entries?: readonly Entry[];
  readonly nowMs?: number;
  /** What the disk remembers, until a hard state is written to it. */
  readonly memory?: DiskMemory;
  /** The hash of the state machine after the entry at an index; without, the server is told none. */
  readonly hashAfter?: (index: number) => number;
}

/** A cluster of these voters, as it begins. */
export function membersOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): Configuration {
  const member = (role: Member["role"]) => (id: NodeId): Member => (
    { id, host: "127.0.0.1", peerPort: 8_000 + id, clientPort: 9_000 + id, role, admission: 0 }
  );
  const members = [...voters.map(member("voter")), ...learners.map(member("learner"))];
  return { index: 0, term: 0, members: members.sort((a, b) => a.id - b.id) };
}

/** One server, its disk and its state machine. */
export class TestServer {
  readonly options: RaftOptions;
  /** What would survive a crash. */
  disk: { hardState: HardState; entries: Entry[]; memory: DiskMemory };
  /** What was handed out to be written and is not reported as durable yet. */
  writing: Persist[] = [];
  /** What was handed out to be applied in this life. */
  applied: Entry[] = [];
  /** The tokens of the reads that may be answered, in order. */
  reads: number[] = [];
  nowMs: number;
  #hashAfter: ((index: number) => number) | undefined;
  #server: RaftServer;

  constructor(id: NodeId, voters: readonly NodeId[], options: TestOptions = {}) {
    const { hardState = { currentTerm: 0, votedFor: 0 }, entries = [], nowMs = 0, ...more } = options;
    const { memory = "whole", hashAfter, ...rest } = more;
    this.options = {
      id,
      configuration: membersOf(voters),
      codec: { encode: encodeMembers, decode: decodeMembers },
      heartbeatMs: HEARTBEAT_MS,
      electionTimeoutMs: { min: ELECTION_MIN_MS, max: ELECTION_MAX_MS },
      maxAppendBytes: 1 << 20,
      keptLogBytes: 0,
      maxInflightAppends: 16,
      maxInflightBytes: 1 << 24,
      random: () => 0.5,
      ...rest,
    };
    this.disk = { hardState, entries: [...entries], memory };
    this.#hashAfter = hashAfter;
    this.nowMs = nowMs;
    this.#server = new RaftServer(this.options, this.#recovered(), nowMs);
  }

  get id(): NodeId {
    return this.options.id;
  }

  get view(): RaftView {
    return this.#server.view();
  }

  /** Where the others are to look for it, if it listens at `listensAt`. */
  claimedAddress(listensAt: MemberAddress) {
    return this.#server.claimedAddress(listensAt);
  }

  get log(): Entry[] {
    return this.view.log.slice(0, this.view.lastLogIndex);
  }

  step(input: Input): void {
    this.#server.step(input);
  }

  /** Takes in one message and hands out what follows at once; nothing becomes durable or applied. */
  receive(from: NodeId, message: PeerMessage): Ready {
    this.step({ kind: "message", from, message });
    return this.take();
  }

  /** Takes in one message, lets all that follows become durable, and returns all that came out. */
  receiveDurably(from: NodeId, message: PeerMessage): Ready {
    this.step({ kind: "message", from, message });
    return this.settle();
  }

  /** Hands out what is to be done now. Writes wait; committed entries are kept but not reported as applied. */
  take(): Ready {
    const ready = this.#server.ready();
    if (ready.persist !== undefined) this.writing.push(ready.persist);
    this.applied.push(...ready.committed);
    this.reads.push(...ready.reads);
    return ready;
  }

  /** The oldest write becomes durable, and the server is told. */
  finishWrite(): void {
    const persist = this.writing.shift();
    assert(persist !== undefined, `node ${this.id} writes nothing`);
    this.#write(persist, persist.entries.length);
    this.step({ kind: "persisted", sequence: persist.sequence });
  }

  /** The state machine has applied all that was handed out. */
  finishApply(): void {
    const upTo = this.applied.length;
    const hashAfter = this.#hashAfter;
    const stateHashes = hashAfter === undefined
      ? []
      : this.applied.slice(this.view.lastApplied).map(({ index }) => hashAfter(index));
    this.step({ kind: "applied", upTo, stateHashes });
  }

  /** Writes and applies until nothing more is to be done; returns all that came out, joined. */
  settle(): Ready {
    let all = emptyReady();
    for (;;) {
      const ready = this.take();
      const hasWork = this.writing.length > 0 || this.view.lastApplied < this.applied.length;
      while (this.writing.length > 0) this.finishWrite();
      this.finishApply();
      if (isEmptyReady(ready) && !hasWork) return all;
      all = joined(all, ready);
    }
  }

  /** Lets the clock run. */
  wait(ms: number): void {
    this.nowMs += ms;
    this.step({ kind: "time", nowMs: this.nowMs });
  }

  /** Lets the clock run to the point at which the server wants to be woken. */
  waitForWake(): void {
    this.wait(this.#server.nextWakeMs() - this.nowMs);
  }

  nextWakeMs(): number {
    return this.#server.nextWakeMs();
  }

  propose(token: number, text = `command ${token}`): void {
    this.step({ kind: "propose", proposals: [{ token, data: new TextEncoder().encode(text) }] });
  }

  read(token: number): void {
    this.step({ kind: "read", token });
  }

  /** A read that a follower may serve. */
  readAny(token: number): void {
    this.step({ kind: "read", token, isForAny: true });
  }

  changeMembers(token: number, change: MemberChange): void {
    this.step({ kind: "changeMembers", token, change });
  }

  transfer(token: number, to: NodeId): void {
    this.step({ kind: "transfer", token, to });
  }

  /**
   * A crash and a start: memory is lost, and what was being written is too, except the first `kept` writes and
   * `keptEntries` entries of the one after (with its hard state, which stands before them).
   */
  restart(kept = 0, keptEntries = 0): void {
    for (const [at, persist] of this.writing.entries()) {
      if (at < kept) this.#write(persist, persist.entries.length);
      else if (at === kept && keptEntries > 0) this.#write(persist, keptEntries);
    }
    this.writing = [];
    this.applied = [];
    this.reads = [];
    this.#server = new RaftServer(this.options, this.#recovered(), this.nowMs);
  }

  /** A new disk takes the place of the old one. */
  wipe(): void {
    this.disk = { hardState: { currentTerm: 0, votedFor: 0 }, entries: [], memory: "new" };
    this.writing = [];
    this.restart();
  }

  #write(persist: Persist, entryCount: number): void {
    if (persist.hardState !== undefined) {
      this.disk.hardState = persist.hardState;
      this.disk.memory = "whole";
    }
    for (const entry of persist.entries.slice(0, entryCount)) {
      assert(
        entry.index <= this.disk.entries.length + 1,
        `node ${this.id} writes a gap before ${entry.index}`,
      );
      this.disk.entries.length = entry.index - 1;
      this.disk.entries.push(entry);
    }
  }

  #recovered(): Recovered {
    const { hardState, entries, memory } = this.disk;
    return { ...NOTHING_RECOVERED, hardState, entries: [...entries], memory };
  }
}

/** Even numbers in [0, 1) by Lehmer's generator: the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = 1 + (seed * 7919) % 2147483646;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state - 1) / 2147483646;
  };
}

function joined(a: Ready, b: Ready): Ready {
  return {
    messages: [...a.messages, ...b.messages],
    persist: b.persist ?? a.persist,
    committed: [...a.committed, ...b.committed],
    accepted: [...a.accepted, ...b.accepted],
    reads: [...a.reads, ...b.reads],
    refused: [...a.refused, ...b.refused],
    transferred: [...a.transferred, ...b.transferred],
    chunksToSend: [...a.chunksToSend, ...b.chunksToSend],
    chunksToStore: [...a.chunksToStore, ...b.chunksToStore],
    events: [...a.events, ...b.events],
  };
}

/** A server that has been elected by all voters in `term`, with `entries` and the no-op of its term durable. */
export function leaderOf(
  voters: readonly NodeId[],
  term: number,
  entries: readonly Entry[] = [],
  options: TestOptions = {},
): TestServer {
  const [id, ...others] = voters;
  assert(id !== undefined);
  const server = new TestServer(id, voters, {
    ...options,
    entries,
    hardState: { currentTerm: term - 1, votedFor: 0 },
  });
  server.waitForWake();
  server.settle();
  for (const from of others) server.receiveDurably(from, preVoteResponse(term - 1, term));
  for (const from of others) server.receiveDurably(from, voteResponse(term));
  assertEquals(server.view.role, "leader");
  return server;
}

/** The same, with the no-op committed and applied: it may change members, hand over and serve reads. */
export function settledLeaderOf(
  voters: readonly NodeId[],
  term: number,
  entries: readonly Entry[] = [],
  options: TestOptions = {},
): TestServer {
  const leader = leaderOf(voters, term, entries, options);
  for (const from of voters.slice(1)) acknowledge(leader, from);
  assertEquals(leader.view.lastApplied, leader.view.lastLogIndex);
  return leader;
}

/** `from` tells a leader that it has all of its log, or all up to `matchIndex`, and follows in its newest round. */
export function acknowledge(
  leader: TestServer,
  from: NodeId,
  matchIndex = leader.view.lastLogIndex,
): Ready {
  const { part, currentTerm } = leader.view;
  const readRound = part.name === "leader" ? part.reads.round : 0;
  return leader.receiveDurably(
    from,
    appendResponse({ term: currentTerm, matchIndex, prevLogIndex: matchIndex, readRound }),
  );
}
