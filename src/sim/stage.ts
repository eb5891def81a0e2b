/**
 * What a scenario can do and see: the steps of the scenario language (`scenario.ts`). Nodes are named by their
 * ids, from 1; times are milliseconds of simulated time.
 *
 * @module
 */
import type { ClientResponse } from "../../packraft/mod.ts";
import { Store } from "../kv/mod.ts";
import type { NodeId, RaftView } from "../raft/mod.ts";
import { planOf } from "./actions.ts";
import type { SimClient } from "./client.ts";
import type { DiskFaults } from "./disk.ts";
import { type Drop, type Hold, LetterBox, type MessageFilter } from "./letter_box.ts";
import type { Machine } from "./machine.ts";
import type { NetworkDials } from "./network.ts";
import { type FaultRates, NO_FAULTS } from "./settings.ts";
import { type SingleRequest, SingleRequests } from "./single_requests.ts";
import { StageMembers } from "./stage_members.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** How long `elect`, `until` and a client's operation may take. */
const LIMIT_MS = 20_000;
/** A clock that stands still; not quite, for a rate of zero has no inverse. */
const STOPPED_CLOCK = 1e-6;

/** Which node a client asks first. */
export interface At {
  readonly at?: NodeId;
}

export class Stage {
  /** Requests that go to one node once. */
  readonly requests: SingleRequests;
  /** What has to do with members. */
  readonly members: StageMembers;
  readonly #world: World;
  readonly #seed: number;
  readonly #client: SimClient;
  readonly #letters = new LetterBox();
  readonly #keys = new Set<string>();

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#seed = seed;
    this.requests = new SingleRequests(world);
    this.members = new StageMembers(world);
    this.#client = world.addClient();
    world.setRestarts(false);
    world.intercept = (letter) => this.#letters.take(letter);
  }

  // ------------------------------------------------------------------------------------------ network

  /** Nodes of different groups cannot reach each other; a node in two groups bridges them. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    this.#world.apply({ kind: "partition", groups });
  }

  /** Nothing passes from `from` to `to`; the other way stays open. 0 stands for the clients. */
  cut(from: NodeId, to: NodeId): void {
    this.#world.apply({ kind: "cut", from, to });
  }

  /** Cuts the link in both directions. */
  cutBoth(a: NodeId, b: NodeId): void {
    this.cut(a, b);
    this.cut(b, a);
  }

  /** None of these reaches any of those, nor they them. */
  isolateFrom(these: readonly NodeId[], those: readonly NodeId[]): void {
    for (const one of these) for (const other of those) this.cutBoth(one, other);
  }

  /** No other node reaches this one, nor it them. Its clients do. */
  isolate(node: NodeId): void {
    for (const other of this.#world.nodes) if (other !== node) this.cutBoth(node, other);
  }

  /** Mends all links. */
  heal(): void {
    this.#world.apply({ kind: "heal" });
  }

  /** Loses exactly these messages between nodes, until the end of it. */
  drop(filter: MessageFilter): Drop {
    return this.#letters.drop(filter);
  }

  /** Keeps these messages, to deliver them later. */
  hold(filter: MessageFilter): Hold {
    return this.#letters.hold(filter);
  }

  /** Changes the dials of the network. */
  network(dials: Partial<NetworkDials>): void {
    this.#world.network.dials = { ...this.#world.network.dials, ...dials };
  }

  // ---------------------------------------------------------------------------------- nodes and clocks

  /** Ends the process at once; what it has written stays. */
  crash(...nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#world.apply({ kind: "kill", node });
  }

  /** Cuts the power: what was not synced may be lost. */
  cutPower(...nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#world.apply({ kind: "powerCut", node });
  }

  /** Cuts the power before the disk operation number `operation` from now. */
  cutPowerAt(node: NodeId, operation: number): void {
    this.#world.apply({ kind: "cutInOperation", node, operations: operation });
  }

  /** Starts nodes; those that run are ended first. */
  restart(...nodes: readonly NodeId[]): void {
    for (const node of nodes) this.#machine(node).kill();
    for (const node of nodes) this.#machine(node).start();
  }

  /** The process takes nothing in for a while. With `clock: "stops"` the whole machine sleeps, and does not know. */
  pause(node: NodeId, forMs: number, options: { readonly clock?: "goes on" | "stops" } = {}): void {
    this.#world.apply({ kind: "pause", node, forMs });
    if (options.clock !== "stops") return;
    this.setClockRate(node, STOPPED_CLOCK);
    this.#world.queue.after(forMs, () => this.setClockRate(node, 1));
  }

  stepClock(node: NodeId, byMs: number): void {
    this.#world.apply({ kind: "clockStep", node, byMs });
  }

  /** Lets a clock run at `rate` times the true speed. */
  setClockRate(node: NodeId, rate: number): void {
    this.#world.apply({ kind: "clockDrift", node, rate });
  }

  /** Faults by chance, at these rates per minute, with clients at work, for a while. */
  mayhem(rates: Partial<FaultRates>, forMs: number): void {
    const world = this.#world;
    const startMs = world.queue.nowMs;
    const faults = { ...NO_FAULTS, ...rates };
    for (const { atMs, fault } of planOf(this.#seed, { ...world.settings, faults, safetyMs: forMs })) {
      world.queue.at(startMs + atMs, () => world.apply(fault));
    }
    world.setRestarts(true);
    const clients = [1, 2, 3].map(() => world.addClient());
    for (const client of clients) client.start();
    world.advance(forMs);
    for (const client of clients) client.stop();
    world.setRestarts(false);
    this.heal();
  }

  // -------------------------------------------------------------------------------------------- disks

  /** Sets what goes wrong on a disk by chance, from now on. */
  disk(node: NodeId, faults: Partial<DiskFaults>): void {
    Object.assign(this.#machine(node).disk.faults, faults);
  }

  /** Each sync takes long, by chance up to `upToMs`; 0 ends it. */
  stall(node: NodeId, upToMs: number): void {
    this.#world.apply({ kind: "diskStall", node, upToMs });
    if (upToMs > 0) this.disk(node, { stall: 1 });
  }

  /** No more bytes fit. */
  fill(node: NodeId): void {
    this.#world.apply({ kind: "diskFull", node, isFull: true });
  }

  /** There is room again. */
  free(node: NodeId): void {
    this.#world.apply({ kind: "diskFull", node, isFull: false });
  }

  /** Flips a bit on the disk and ends the process; `at` is a part of the log's length, from 0 to 1. */
  corrupt(node: NodeId, at: number): void {
    this.#world.flipBit(node, (durableBytes) => Math.floor(durableBytes * at));
  }

  /** Flips a bit of one byte of the newest segment of the log, or of the snapshot, and ends the process. */
  corruptByte(node: NodeId, kind: "log" | "snapshot", offset: number): void {
    this.#world.flipByte(node, kind, offset);
  }

  /** The disk operation number `operation` from now fails. */
  failAt(node: NodeId, operation: number): void {
    this.#machine(node).trouble.failAfter = operation;
  }

  wipe(node: NodeId): void {
    this.#world.apply({ kind: "wipe", node });
  }

  /** Gives nodes these logs, by the terms of their entries, before anything else has happened. */
  writeLogs(logs: Readonly<Record<NodeId, readonly number[]>>, currentTerm: number): void {
    const nodes = Object.keys(logs).map(Number);
    this.crash(...nodes);
    for (const node of nodes) {
      const machine = this.#machine(node);
      const directory = machine.open(new Store());
      const entries = (logs[node] ?? []).map((term, i) => (
        { index: i + 1, term, kind: "noop", data: new Uint8Array() } as const
      ));
      const persist = { sequence: 1, hardState: { currentTerm, votedFor: 0 }, entries };
      directory.append(persist);
      directory.sync();
      machine.disk.killProcess();
      this.#world.checker.onDurable(node, persist);
    }
    this.restart(...nodes);
  }

  // ---------------------------------------------------------------------------------------- snapshots

  /** Asks a node to take a snapshot, and lets no time pass. */
  beginSnapshot(node: NodeId): void {
    this.#world.ask(0, node, { type: "SnapshotRequest" }, () => {});
  }

  /** Lets a node take a snapshot of all that it has applied. */
  snapshot(node: NodeId): void {
    const upTo = this.view(node)?.lastApplied ?? 0;
    this.beginSnapshot(node);
    this.until(`node ${node} has a snapshot`, () => this.snapshotIndex(node) >= upTo);
  }

  /** The last entry that the newest snapshot of a node stands for; 0 for none, and while it does not run. */
  snapshotIndex(node: NodeId): number {
    return this.view(node)?.snapshot.index ?? 0;
  }

  // --------------------------------------------------------------------------------------------- time

  advance(forMs: number): void {
    this.#world.advance(forMs);
  }

  /** Lets time pass until `condition` holds, and fails if that takes too long. */
  until(what: string, condition: () => boolean, limitMs = LIMIT_MS): void {
    if (this.#world.advanceUntil(condition, limitMs)) return;
    throw new Violation("expectation", `did not come about within ${limitMs} ms: ${what}`);
  }

  /**
   * Lets time pass until a majority follows one leader, and returns it. With a node given, until they follow that
   * one: meanwhile the network loses what the other leaders and candidates send.
   */
  elect(node?: NodeId): NodeId {
    const others = node === undefined ? undefined : this.silenceAllBut(node);
    const who = node === undefined ? "a leader that a majority follows" : `node ${node} leads a majority`;
    this.until(who, () => node === undefined ? this.leader !== 0 : this.leader === node);
    others?.end();
    return this.leader;
  }

  /** Lets time pass until every node that runs has the leader's log, and has applied all of it. */
  settle(): void {
    this.until(
      "all nodes have the leader's log",
      () => this.leader !== 0 && this.nodes.every((node) => !this.isUp(node) || this.hasCaughtUp(node)),
    );
  }

  /** Loses what other leaders and candidates than `node` send: in time, only it can lead. */
  silenceAllBut(node: NodeId): Drop {
    return this.drop((message, from) =>
      from !== node &&
      (message.type === "PreVoteRequest" || message.type === "RequestVoteRequest" ||
        message.type === "AppendEntriesRequest")
    );
  }

  // ------------------------------------------------------------------------------------------ clients

  /** Writes as an ordinary client does, with retries, until it is done. */
  put(key: string, value: string, options: At = {}): void {
    this.#operate(
      `a client puts ${key} = ${value}`,
      key,
      options,
      (done) => this.#client.put(key, done, value),
    );
  }

  /** Deletes as an ordinary client does; whether there was something to delete. */
  delete(key: string, options: At = {}): boolean {
    const answer = this.#operate(
      `a client deletes ${key}`,
      key,
      options,
      (done) => this.#client.delete(key, done),
    );
    return answer.type === "DeleteResponse" && answer.found;
  }

  /** Reads as an ordinary client does; undefined for a missing key. */
  get(key: string, options: At = {}): string | undefined {
    const answer = this.#operate(`a client gets ${key}`, key, options, (done) => this.#client.get(key, done));
    return answer.type === "GetResponse" && answer.found ? new TextDecoder().decode(answer.value) : undefined;
  }

  /** Sends a write to one node, once, and lets no time pass. */
  beginPut(key: string, value: string, { at }: Required<At>): SingleRequest {
    this.#keys.add(key);
    return this.requests.put(key, value, at);
  }

  /** Sends a read to one node, once, and lets no time pass. */
  beginGet(key: string, { at }: Required<At>): SingleRequest {
    this.#keys.add(key);
    return this.requests.get(key, at);
  }

  /** Sends a request again as it was. */
  retry(request: SingleRequest, { at }: Required<At>): void {
    this.requests.send(request, at);
  }

  /** How often the ordinary client has had to try again. */
  get retryCount(): number {
    return this.#client.counts.retries;
  }

  // ------------------------------------------------------------------------------------------- seeing

  get nodes(): readonly NodeId[] {
    return this.#world.nodes;
  }

  /** The node that a majority follows in one term, itself included, or 0. */
  get leader(): NodeId {
    const leader = this.#world.leader();
    if (leader === 0) return 0;
    const term = this.term(leader);
    const voters = this.view(leader)?.configuration.members.filter(({ role }) => role === "voter") ?? [];
    const followers = voters.filter(({ id }) => {
      const view = this.view(id);
      return view?.leader === leader && view.currentTerm === term;
    });
    return followers.length > voters.length / 2 ? leader : 0;
  }

  /** What can be seen of a node from outside; undefined while it does not run. */
  view(node: NodeId): RaftView | undefined {
    return this.#machine(node).view();
  }

  /** The currentTerm of a node, or 0 while it does not run. */
  term(node: NodeId): number {
    return this.view(node)?.currentTerm ?? 0;
  }

  /** The terms of a node's entries, in order. */
  terms(node: NodeId): number[] {
    const log = this.view(node)?.log;
    return log === undefined ? [] : log.slice(0, log.lastIndex).map((entry) => entry.term);
  }

  isUp(node: NodeId): boolean {
    return this.#machine(node).isUp;
  }

  /** The role of a node; undefined while it does not run. */
  role(node: NodeId): RaftView["role"] | undefined {
    return this.view(node)?.role;
  }

  /** Whether a node has all that the leader has, and has applied it. */
  hasCaughtUp(node: NodeId): boolean {
    const leader = this.leader === 0 ? undefined : this.view(this.leader);
    const view = this.view(node);
    return view !== undefined && view.leader === leader?.id && view.lastApplied === leader.lastLogIndex;
  }

  /** The digest of what a node's store holds. */
  digest(node: NodeId): number | undefined {
    return this.#machine(node).replica?.store.digest;
  }

  /** Messages that were dropped or held so far. */
  get interceptedCount(): number {
    return this.#letters.count;
  }

  /** Fails unless it is so; `seen` is what there was instead. */
  expect(what: string, isSo: boolean, seen?: unknown): void {
    if (isSo) return;
    const instead = seen === undefined ? "" : `; seen: ${JSON.stringify(seen)}`;
    throw new Violation("expectation", `expected, and not so: ${what}${instead}`);
  }

  /** Fails unless the two are the same, as JSON has it. */
  expectSame(what: string, actual: unknown, expected: unknown): void {
    const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (seen !== wanted) throw new Violation("expectation", `${what} is ${seen}, and should be ${wanted}`);
  }

  // ------------------------------------------------------------------------------------------ the end

  /** Ends all drops, and delivers what is held. */
  clear(): void {
    this.#letters.clear();
  }

  /** Reads every key once more, for the history to be judged by. */
  readAll(): void {
    for (const key of this.#keys) this.get(key);
  }

  #machine(node: NodeId): Machine {
    return this.#world.machine(node);
  }

  #operate(
    what: string,
    key: string,
    { at }: At,
    begin: (done: (outcome: ClientResponse | "unknown") => void) => void,
  ): ClientResponse {
    this.#keys.add(key);
    if (at !== undefined) this.#client.prefer(at);
    let outcome: ClientResponse | "unknown" | undefined;
    begin((answer) => outcome = answer);
    this.until(what, () => outcome !== undefined);
    // Assigned in a callback, which the type checker does not see.
    const answer = outcome as ClientResponse | "unknown" | undefined;
    if (answer === undefined || answer === "unknown") {
      throw new Violation("expectation", `${what}, and gives up without an answer`);
    }
    return answer;
  }
}
