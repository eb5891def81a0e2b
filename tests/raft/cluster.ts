/**
 * Several servers of the tests and the messages between them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { MemberChange, NodeId, Outgoing, PeerMessage, RaftEvent } from "../../src/raft/mod.ts";
import { ELECTION_MAX_MS, HEARTBEAT_MS, seededRandom, type TestOptions, TestServer } from "./harness.ts";

/** One message on its way. */
export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: PeerMessage;
}

/** Several servers and the messages between them. Nothing moves by itself. */
export class TestCluster {
  readonly servers = new Map<NodeId, TestServer>();
  /** On their way, oldest first. A test may take out, repeat or reorder what it likes. */
  packets: Packet[] = [];
  /** What the nodes have told while all ran by itself, in order. */
  readonly events: { readonly node: NodeId; readonly event: RaftEvent }[] = [];
  /** How many messages were delivered, by type. */
  delivered = new Map<PeerMessage["type"], number>();
  readonly #voters: readonly NodeId[];
  readonly #dead = new Set<NodeId>();
  readonly #cut = new Set<string>();

  constructor(size: number, options: (id: NodeId) => TestOptions = () => ({})) {
    this.#voters = Array.from({ length: size }, (_, at) => at + 1);
    for (const id of this.#voters) this.add(id, options(id));
  }

  /** Starts one more node, with the members as they were at the beginning: it is none of them. */
  add(id: NodeId, options: TestOptions = {}): TestServer {
    const server = new TestServer(id, this.#voters, { random: seededRandom(id), ...options });
    this.servers.set(id, server);
    return server;
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

  /** The events of one kind that the nodes have told, by node. */
  eventsOf<Kind extends RaftEvent["kind"]>(kind: Kind): [NodeId, Extract<RaftEvent, { kind: Kind }>][] {
    const isOfKind = (event: RaftEvent): event is Extract<RaftEvent, { kind: Kind }> => event.kind === kind;
    return this.events.flatMap(({ node, event }) => isOfKind(event) ? [[node, event]] : []);
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
      for (const server of this.alive) {
        const { messages, events } = server.settle();
        for (const event of events) this.events.push({ node: server.id, event });
        this.send(server.id, messages);
      }
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

  /** The node is back with a new disk. */
  wipe(id: NodeId): void {
    this.#dead.delete(id);
    this.server(id).wipe();
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

  /** Has a leader change the members and lets all that follows happen; asserts that it did. */
  change(leader: NodeId, change: MemberChange): void {
    const server = this.server(leader);
    server.changeMembers(0, change);
    const ready = server.take();
    assertEquals(ready.refused, []);
    this.send(leader, ready.messages);
    this.run();
  }

  /** Proposes through `leader` and lets all that follows happen. */
  commit(leader: NodeId, token: number, text?: string): void {
    this.server(leader).propose(token, text);
    this.run();
  }
}
