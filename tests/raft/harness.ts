/**
 * Drives Raft servers in the tests, without time, sockets or disks of their own.
 *
 * A {@linkcode TestServer} is one server with its disk: what it asks to be persisted waits in `writing` until the
 * test says that it is durable, and only what is durable survives {@linkcode TestServer.restart}. A
 * {@linkcode TestCluster} is several of them and the messages on their way. Each server has a clock of its own that
 * moves only when told.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { decodeMembers, encodeMembers } from "../../packraft/mod.ts";
import {
  type Configuration,
  type Entry,
  type HardState,
  type Input,
  type Member,
  type NodeId,
  NOTHING_RECOVERED,
  type Outgoing,
  type PeerMessage,
  type Persist,
  type RaftOptions,
  RaftServer,
  type RaftView,
  type Ready,
  type Recovered,
} from "../../src/raft/mod.ts";
import { emptyReady, isEmptyReady, preVoteResponse, voteResponse } from "./messages.ts";

export const HEARTBEAT_MS = 30;
export const ELECTION_MIN_MS = 180;
export const ELECTION_MAX_MS = 360;

/** What a test may set of a server; the rest is as in a usual cluster. */
export interface TestOptions extends Partial<Omit<RaftOptions, "id">> {
  readonly hardState?: HardState;
  readonly entries?: readonly Entry[];
  readonly nowMs?: number;
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
  disk: { hardState: HardState; entries: Entry[] };
  /** What was handed out to be written and is not reported as durable yet. */
  writing: Persist[] = [];
  /** What was handed out to be applied in this life. */
  applied: Entry[] = [];
  /** The tokens of the reads that may be answered, in order. */
  reads: number[] = [];
  nowMs: number;
  #server: RaftServer;

  constructor(id: NodeId, voters: readonly NodeId[], options: TestOptions = {}) {
    const { hardState = { currentTerm: 0, votedFor: 0 }, entries = [], nowMs = 0, ...rest } = options;
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
    this.disk = { hardState, entries: [...entries] };
    this.nowMs = nowMs;
    this.#server = new RaftServer(this.options, this.#recovered(), nowMs);
  }

  get id(): NodeId {
    return this.options.id;
  }

  get view(): RaftView {
    return this.#server.view();
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
    this.step({ kind: "applied", upTo: this.applied.length });
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

  #write(persist: Persist, entryCount: number): void {
    if (persist.hardState !== undefined) this.disk.hardState = persist.hardState;
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
    return { ...NOTHING_RECOVERED, hardState: this.disk.hardState, entries: [...this.disk.entries] };
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

/** One message on its way. */
export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: PeerMessage;
}

/** Several servers and the messages between them. Nothing moves by itself. */
export class TestCluster {
  readonly servers: ReadonlyMap<NodeId, TestServer>;
  /** On their way, oldest first. A test may take out, repeat or reorder what it likes. */
  packets: Packet[] = [];
  /** How many messages were delivered, by type. */
  delivered = new Map<PeerMessage["type"], number>();
  readonly #dead = new Set<NodeId>();
  readonly #cut = new Set<string>();

  constructor(size: number, options: (id: NodeId) => TestOptions = () => ({})) {
    const voters = Array.from({ length: size }, (_, at) => at + 1);
    this.servers = new Map(
      voters.map((id) => [id, new TestServer(id, voters, { random: seededRandom(id), ...options(id) })]),
    );
  }

  server(id: NodeId): TestServer {
    const server = this.servers.get(id);
    assert(server !== undefined, `there is no node ${id}`);
    return server;
  }

  get alive(): TestServer[] {
    return [...this.servers.values()].filter((server) => !this.#dead.has(server.id));
  }

  get leaders(): NodeId[] {
    return this.alive.filter((server) => server.view.role === "leader").map((server) => server.id);
  }

  isAlive(id: NodeId): boolean {
    return !this.#dead.has(id);
  }

  /** Puts the messages of an output of `from` on their way. */
  send(from: NodeId, messages: readonly Outgoing[]): void {
    for (const { to, message } of messages) this.packets.push({ from, to, message });
  }

  /** Delivers one message, if its way is open and its receiver lives; says whether it arrived. */
  deliver({ from, to, message }: Packet): boolean {
    if (this.#dead.has(to) || this.#cut.has(`${from}>${to}`)) return false;
    this.delivered.set(message.type, (this.delivered.get(message.type) ?? 0) + 1);
    this.server(to).step({ kind: "message", from, message });
    return true;
  }

  /** Lets everything happen that is under way: writes, applies and messages in order, until all is quiet. */
  run(): void {
    for (let rounds = 0;; rounds++) {
      assert(rounds < 10_000, "the cluster does not come to rest");
      for (const server of this.alive) this.send(server.id, server.settle().messages);
      const packets = this.packets;
      if (packets.length === 0) return;
      this.packets = [];
      for (const packet of packets) this.deliver(packet);
    }
  }

  /** Lets all clocks run, in small steps, and everything happen that follows. */
  wait(ms: number, stepMs = 5): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      for (const server of this.alive) server.wait(stepMs);
      this.run();
    }
  }

  /** Cuts the ways between nodes of different groups; nodes that are in no group are alone. */
  partition(...groups: NodeId[][]): void {
    const groupOf = (id: NodeId) => groups.findIndex((group) => group.includes(id));
    for (const from of this.servers.keys()) {
      for (const to of this.servers.keys()) {
        const together = groupOf(from) >= 0 && groupOf(from) === groupOf(to);
        if (from !== to && !together) this.cut(from, to);
      }
    }
  }

  /** Cuts the way of messages from `from` to `to`, not back. */
  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** The node is gone, with what it was writing. */
  crash(id: NodeId): void {
    this.#dead.add(id);
  }

  /** The node is back with what was durable; a living node crashes first. */
  restart(id: NodeId, kept = 0, keptEntries = 0): void {
    this.#dead.delete(id);
    this.server(id).restart(kept, keptEntries);
  }

  /**
   * Makes `id` stand for election and lets all that follows happen. The others have not heard from a leader for
   * long enough to vote, and not long enough to stand themselves; a leader among them finds itself alone.
   */
  elect(id: NodeId): TestServer {
    for (const other of this.alive) {
      if (other.id === id) continue;
      if (other.view.role === "leader") other.wait(ELECTION_MAX_MS * 2);
      else other.wait(Math.max(0, other.nextWakeMs() - 1 - other.nowMs));
    }
    const server = this.server(id);
    server.waitForWake();
    this.run();
    assertEquals(server.view.role, "leader", `node ${id} was not elected`);
    return server;
  }

  /** One heartbeat of a leader and all that follows. */
  heartbeat(id: NodeId): void {
    this.server(id).wait(HEARTBEAT_MS);
    this.run();
  }

  /** Proposes through `leader` and lets all that follows happen. */
  commit(leader: NodeId, token: number, text?: string): void {
    this.server(leader).propose(token, text);
    this.run();
  }
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
