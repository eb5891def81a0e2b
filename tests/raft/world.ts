/**
 * A cluster to which what a list of actions says happens, checked after every step: for tests of properties.
 *
 * @module
 */
import fc from "fast-check";
import type { MemberChange, NodeId, RaftView, Rules } from "../../src/raft/mod.ts";
import { TestCluster } from "./cluster.ts";
import { seededRandom, type TestServer } from "./harness.ts";
import { Invariants } from "./invariants.ts";
import { placeOf, shown } from "./members.ts";

/** One thing that happens; the numbers choose to whom and how much, modulo what there is. */
export interface Action {
  readonly kind: keyof typeof WEIGHTS;
  readonly node: number;
  readonly amount: number;
}

/** How often each kind of action comes, in a cluster whose members stay. */
export const WEIGHTS = {
  deliver: 20,
  deliverAny: 8,
  drop: 3,
  duplicate: 5,
  turn: 12,
  write: 8,
  apply: 4,
  wait: 8,
  timeout: 4,
  propose: 12,
  read: 5,
  restart: 2,
  crash: 1,
  partition: 1,
  cut: 1,
  heal: 2,
  everyone: 30,
  register: 0,
  deregister: 0,
  move: 0,
  transfer: 0,
  readAny: 0,
};

const MAX_PACKETS = 100;
const WAITS_MS = [1, 10, 30, 100, 200];

/** Sequences of actions, each kind as often as `weights` says. */
export function actionsOf(weights: typeof WEIGHTS): fc.Arbitrary<Action[]> {
  const kinds = (Object.keys(weights) as (keyof typeof WEIGHTS)[]).filter((kind) => weights[kind] > 0);
  return fc.array(
    fc.record<Action>({
      kind: fc.oneof(...kinds.map((kind) => ({ weight: weights[kind], arbitrary: fc.constant(kind) }))),
      node: fc.nat(60),
      amount: fc.nat(1000),
    }),
    { minLength: 300, maxLength: 300, size: "max" },
  );
}

/** A cluster in which only what the actions say happens, checked after every step. */
export class World {
  readonly cluster: TestCluster;
  readonly invariants: Invariants;
  #token = 0;

  /** @param spares nodes that run with an empty disk and are no members yet */
  constructor(size: number, seed: number, rules: Rules, spares = 0) {
    const options = (id: NodeId) => ({
      random: seededRandom(seed * 10 + id),
      maxAppendBytes: 40,
      maxInflightAppends: 3,
      rules,
    });
    this.cluster = new TestCluster(size, options);
    for (let id = size + 1; id <= size + spares; id++) {
      this.cluster.add(id, { ...options(id), memory: "new" });
    }
    this.invariants = new Invariants(this.cluster);
  }

  do({ kind, node, amount }: Action): void {
    const { cluster } = this;
    const id = 1 + node % cluster.servers.size;
    // Half of what clients want goes to a leader, the rest anywhere.
    const isForLeader = kind === "register" || kind === "deregister" || kind === "move" ||
      kind === "transfer";
    const isWish = isForLeader || (kind === "propose" || kind === "read") && amount % 2 === 0;
    const server = cluster.server(isWish ? cluster.leaders[node % 2] ?? cluster.leaders[0] ?? id : id);
    const at = amount % Math.max(1, cluster.packets.length);
    switch (kind) {
      case "deliver":
        return this.#deliver(0);
      case "deliverAny":
        return this.#deliver(at);
      case "drop":
        cluster.packets.splice(at, 1);
        return;
      case "duplicate": {
        const packet = cluster.packets[at];
        if (packet !== undefined) cluster.packets.push(packet);
        return;
      }
      case "restart":
      case "crash":
        if (kind === "crash") cluster.crash(id);
        // A crash may come at any point of the writes that are under way.
        cluster.restart(id, amount % 3, amount % 5);
        if (kind === "crash") cluster.crash(id);
        return this.invariants.restarted(server);
      case "partition": {
        const ids = [...cluster.servers.keys()];
        const isLeft = (id: number) => (amount >> id) % 2 === 0;
        cluster.heal();
        cluster.partition(ids.filter(isLeft), ids.filter((id) => !isLeft(id)));
        return;
      }
      case "cut":
        cluster.cut(id, 1 + amount % cluster.servers.size);
        return;
      case "heal":
        cluster.heal();
        for (const id of cluster.servers.keys()) if (!cluster.isAlive(id)) this.#revive(id);
        return;
      case "everyone":
        for (const server of cluster.alive) {
          server.wait(amount % 40);
          this.#work(server);
        }
        for (let left = cluster.packets.length; left > 0; left--) this.#deliver(0);
        return;
      default:
        if (cluster.isAlive(server.id)) this.#doAt(server, kind, amount);
    }
  }

  #doAt(server: TestServer, kind: Action["kind"], amount: number): void {
    switch (kind) {
      case "turn":
        return this.#turn(server);
      case "write":
        if (server.writing.length > 0) server.finishWrite();
        break;
      case "apply":
        server.finishApply();
        break;
      case "wait":
        server.wait(WAITS_MS[amount % WAITS_MS.length] ?? 0);
        break;
      case "timeout":
        server.waitForWake();
        break;
      case "propose":
        server.propose(++this.#token, `${this.#token}`.padEnd(amount % 30, "."));
        break;
      case "read":
        this.invariants.readArrived(++this.#token);
        server.read(this.#token);
        break;
      case "readAny":
        this.invariants.readArrived(++this.#token);
        server.readAny(this.#token);
        break;
      case "transfer":
        server.transfer(++this.#token, amount % (this.cluster.servers.size + 1));
        break;
      case "register":
      case "deregister":
      case "move":
        server.changeMembers(++this.#token, this.#changeOf(kind, 1 + amount % this.cluster.servers.size));
        break;
    }
    this.invariants.check(server);
  }

  #changeOf(kind: MemberChange["kind"], id: NodeId): MemberChange {
    if (kind === "deregister") return { kind, id };
    const place = placeOf(id);
    return { kind, id, address: kind === "register" ? place : { ...place, host: `host${this.#token}` } };
  }

  #turn(server: TestServer): void {
    const ready = server.take();
    this.invariants.check(server);
    this.invariants.checkReady(server, ready);
    this.cluster.send(server.id, ready.messages);
    this.cluster.packets.splice(0, this.cluster.packets.length - MAX_PACKETS);
  }

  /** All that is to be done at one server, and what follows from it. */
  #work(server: TestServer): void {
    this.#turn(server);
    while (server.writing.length > 0) {
      server.finishWrite();
      this.invariants.check(server);
    }
    server.finishApply();
    this.#turn(server);
  }

  #deliver(at: number): void {
    const [packet] = this.cluster.packets.splice(at, 1);
    if (packet === undefined) return;
    this.cluster.deliver(packet);
    this.invariants.check(this.cluster.server(packet.to));
  }

  #revive(id: number): void {
    this.cluster.restart(id);
    this.invariants.restarted(this.cluster.server(id));
  }

  /** Everything is well again: within this time there must be a leader, and all servers must have what it has. */
  converge(withinMs: number): void {
    const { cluster } = this;
    cluster.heal();
    for (const id of cluster.servers.keys()) if (!cluster.isAlive(id)) this.#revive(id);
    const floor = this.invariants.committedCount;
    for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 10) {
      for (const server of cluster.alive) {
        server.wait(10);
        this.invariants.check(server);
      }
      for (let rounds = 0; rounds < 4; rounds++) this.do({ kind: "everyone", node: 0, amount: 0 });
      const first = cluster.server(cluster.leaders[0] ?? 1).view;
      const others = cluster.alive.map((server) => server.view).filter(({ id }) => isMember(first, id));
      const isSettled = cluster.leaders.length === 1 && first.commitIndex === first.lastLogIndex &&
        others.every((view) =>
          view.commitIndex === first.commitIndex && view.lastLogIndex === first.lastLogIndex
        );
      if (isSettled && first.commitIndex > floor) return;
      // All is as it was before: then a new command must be committed too.
      if (isSettled) { for (const id of cluster.leaders) cluster.server(id).propose(++this.#token); }
    }
    const views = cluster.alive.map(({ view }) =>
      `${view.id}: ${view.role} ${view.currentTerm}, ${view.commitIndex}/${view.lastLogIndex}, ` +
      shown(view.configuration)
    );
    throw new Error(`no agreement within ${withinMs} ms: ${views.join("; ")}`);
  }
}

function isMember({ configuration }: RaftView, node: NodeId): boolean {
  return configuration.members.some(({ id }) => id === node);
}
