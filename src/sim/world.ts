/**
 * A simulated world: machines, a network, clients, and the checker that watches all of them. One seed decides
 * everything in it; nothing in it knows the real time.
 *
 * @module
 */
import {
  type ClientRequest,
  type ClientResponse,
  encodePacket,
  type Packet,
  PacketReader,
  type PeerMessage,
} from "../../packraft/mod.ts";
import type { Configuration, NodeId } from "../raft/mod.ts";
import {
  type ReplicaEvent,
  sentenceOfEvent,
  sentenceOfPeerMessage,
  sentenceOfRequest,
  sentenceOfResponse,
} from "../replica/mod.ts";
import { type Fault, sentenceOfFault } from "./actions.ts";
import { beginningOf } from "./beginnings.ts";
import { Checker } from "./checker.ts";
import { type ClientWorld, SimClient } from "./client.ts";
import { EventQueue } from "./event_queue.ts";
import { HistoryRecorder } from "./history.ts";
import { DATA_PATH, Machine } from "./machine.ts";
import type { MachineWorld } from "./machine_world.ts";
import { Membership, type MembershipFault, type MembershipWorld } from "./membership.ts";
import type { Mutant } from "./mutant.ts";
import { CALM_NETWORK, Network } from "./network.ts";
import { Operator } from "./operator.ts";
import { Random } from "./random.ts";
import type { Settings } from "./settings.ts";
import { Trace, type TraceKind } from "./trace.ts";
import { Violation } from "./violation.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly settings: Settings;
  readonly mutant?: Mutant;
  /** Whether the trace is kept as sentences. */
  readonly records?: boolean;
}

/** Many times what the busiest cluster of the drawn settings does. */
const MAX_EVENTS_PER_SECOND = 200_000;

/** A message between nodes that is about to enter the network. */
export interface Letter {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: PeerMessage;
  /** Puts it on its way after all. */
  readonly send: () => void;
}

/** Who waits for the answer to a request. */
interface Asked {
  readonly client: number;
  readonly request: ClientRequest;
  readonly answered: (response: ClientResponse | "refused") => void;
}

export class World implements MachineWorld, ClientWorld, MembershipWorld {
  readonly queue = new EventQueue();
  readonly history = new HistoryRecorder();
  readonly trace: Trace;
  readonly settings: Settings;
  readonly mutant: Mutant | undefined;
  /** All machines, whether they are members or not. */
  readonly nodes: readonly NodeId[];
  readonly checker: Checker;
  readonly network: Network;
  readonly machines: readonly Machine[];
  readonly operator: Operator;
  readonly membership: Membership;
  readonly clients: SimClient[] = [];
  /** How often each kind of fault was done to the cluster. */
  readonly faultCounts: Record<string, number> = {};
  events = 0;
  /** Looks at each message between nodes before the network does; true if it takes the message out of it. */
  intercept: ((letter: Letter) => boolean) | undefined;
  readonly #seed: number;
  readonly #restartRandom: Random;
  readonly #asked = new Map<string, Asked>();
  readonly #damaged = new Set<NodeId>();
  /** Nodes that were registered, and have not been seen since to remember what they promised. */
  readonly #joining = new Set<NodeId>();
  /** Nodes that have been seen to take part. */
  readonly #begun = new Set<NodeId>();
  /** How many events until the next look at how long they took. */
  #eventsLeft = MAX_EVENTS_PER_SECOND;
  #countedFromMs = 0;
  #nextRequest = 1;
  /** Whether a machine that is down comes back by itself. */
  #restarts = true;

  constructor(options: WorldOptions) {
    const { seed, settings } = options;
    this.#seed = seed;
    this.settings = settings;
    this.mutant = options.mutant;
    this.trace = new Trace(options.records ?? false);
    this.nodes = Array.from({ length: settings.nodes + settings.spares }, (_, i) => i + 1);
    this.checker = new Checker(this.nodes, beginningOf(settings.nodes));
    this.network = new Network(this.queue, new Random(seed, "network"), settings.network);
    this.#restartRandom = new Random(seed, "restarts");
    this.machines = this.nodes.map((id) =>
      new Machine(id, this, new Random(seed, `node ${id}`), new Random(seed, `disk ${id}`))
    );
    this.operator = new Operator(this, new Random(seed, "operator"));
    this.membership = new Membership(this, this.operator, new Random(seed, "membership"));
    for (const machine of this.machines) machine.start();
  }

  machine(node: NodeId): Machine {
    const machine = this.machines[node - 1];
    if (machine === undefined) throw new RangeError(`node ${node} is not in the simulated cluster`);
    return machine;
  }

  addClient(): SimClient {
    const id = this.clients.length + 1;
    const client = new SimClient(id, this, this.settings, new Random(this.#seed, `client ${id}`));
    this.clients.push(client);
    return client;
  }

  // --------------------------------------------------------------------------------------------- time

  /** Lets `forMs` pass. */
  advance(forMs: number): void {
    const untilMs = this.queue.nowMs + forMs;
    while (this.queue.runNext(untilMs)) this.#afterEvent();
  }

  /** Lets time pass until `isReached`, for at most `limitMs`. Returns whether it was reached. */
  advanceUntil(isReached: () => boolean, limitMs: number): boolean {
    const untilMs = this.queue.nowMs + limitMs;
    while (!isReached()) {
      if (!this.queue.runNext(untilMs)) return isReached();
      this.#afterEvent();
    }
    return true;
  }

  /** The leader of the newest term among the running nodes, or 0. */
  leader(): NodeId {
    let leader = 0;
    let leaderTerm = 0;
    for (const machine of this.machines) {
      const view = machine.view();
      if (view?.role !== "leader" || view.currentTerm < leaderTerm) continue;
      leader = machine.id;
      leaderTerm = view.currentTerm;
    }
    return leader;
  }

  #afterEvent(): void {
    this.events++;
    if (--this.#eventsLeft < 0) this.#checkWork();
    if (this.#restarts) { for (const machine of this.machines) this.#maybeRestart(machine); }
  }

  /** A node that answers each answer with a question would keep a run going without end. */
  #checkWork(): void {
    const { nowMs } = this.queue;
    if (nowMs - this.#countedFromMs < 1_000) {
      throw new Violation(
        "bounded-work",
        `more than ${MAX_EVENTS_PER_SECOND} things happened within one second`,
      );
    }
    this.#countedFromMs = nowMs;
    this.#eventsLeft = MAX_EVENTS_PER_SECOND;
  }

  // ------------------------------------------------------------------------------------------- faults

  /** Does a fault to the cluster. One that would take more than a minority for good is left out. */
  apply(fault: Fault): void {
    if ((fault.kind === "bitFlip" || fault.kind === "wipe") && !this.#mayDamage(fault.node)) return;
    if (isMembershipFault(fault) && !this.membership.apply(fault)) return;
    this.faultCounts[fault.kind] = (this.faultCounts[fault.kind] ?? 0) + 1;
    this.trace.mix(this.queue.nowMs, 99, fault.kind.length, "node" in fault ? fault.node : 0);
    this.trace.say(this.queue.nowMs, () => sentenceOfFault(fault), "fault");
    switch (fault.kind) {
      case "partition":
        return this.#partition(fault.groups);
      case "cut":
        return this.network.cut(fault.from, fault.to);
      case "heal":
        return this.network.heal();
      case "clog":
        return this.network.clog(fault.from, fault.to, this.queue.nowMs + fault.forMs);
      case "kill":
        return this.machine(fault.node).kill();
      case "powerCut":
        return this.machine(fault.node).cutPower();
      case "cutInOperation":
        this.machine(fault.node).trouble.cutAfter = fault.operations;
        return;
      case "pause":
        return this.machine(fault.node).pause(fault.forMs);
      case "clockStep":
        return this.machine(fault.node).stepClock(fault.byMs);
      case "clockDrift":
        return this.machine(fault.node).setClockRate(fault.rate);
      case "diskStall":
        return this.machine(fault.node).trouble.stall(fault.upToMs);
      case "diskError":
        this.machine(fault.node).trouble.failNext = fault.operation;
        return;
      case "diskFull":
        return this.machine(fault.node).trouble.fill(fault.isFull);
      case "bitFlip":
        return this.flipBit(fault.node);
      case "wipe":
        this.#damaged.add(fault.node);
        return this.machine(fault.node).wipe();
      case "addMember":
      case "removeMember":
      case "moveMember":
      case "transfer":
        return; // done above
    }
  }

  /** Whether a machine that is down comes back by itself after a while. */
  setRestarts(restarts: boolean): void {
    this.#restarts = restarts;
  }

  /** Nodes that have, or are sure to find on their disks, all that they ever promised. */
  get undamaged(): NodeId[] {
    for (const node of this.nodes) {
      if (!this.machine(node).view()?.mayVote) continue;
      this.#damaged.delete(node);
      this.#joining.delete(node);
      this.#begun.add(node);
    }
    return this.nodes.filter((node) => {
      const { state } = this.machine(node);
      return !this.#damaged.has(node) && (state === "up" || state === "down");
    });
  }

  /**
   * Of those the ones that need nobody but a majority. One that was registered with an empty disk, and has not been seen to
   * begin, may have been taken in and lost power before it knew: then it needs an answer of all.
   */
  get independent(): NodeId[] {
    return this.undamaged.filter((node) => !this.#joining.has(node));
  }

  /** Ends all faults for these nodes, starts them, and takes the others down for good. */
  healCore(core: readonly NodeId[]): void {
    this.#restarts = false;
    this.network.heal();
    this.network.dials = CALM_NETWORK;
    for (const machine of this.machines) {
      if (core.includes(machine.id)) machine.recoverFully();
      else machine.kill();
    }
    this.trace.say(
      this.queue.nowMs,
      () => `nodes ${core.join(", ")} are healed, the others stay down`,
      "fault",
    );
  }

  #partition(groups: readonly (readonly NodeId[])[]): void {
    for (const from of this.nodes) {
      for (const to of this.nodes) {
        if (from === to) continue;
        if (groups.some((group) => group.includes(from) && group.includes(to))) this.network.mend(from, to);
        else this.network.cut(from, to);
      }
    }
  }

  #mayDamage(node: NodeId): boolean {
    if (!this.undamaged.includes(node)) return false;
    // Who has not begun yet remembers nothing either: a cluster of which a majority has no past cannot help anyone.
    // And while members change, nobody knows yet of which nodes a majority is to be left.
    const notBegun = this.nodes.filter((each) => !this.#begun.has(each));
    return !this.membership.isChanging && this.membership.isSound([node, ...notBegun]);
  }

  configurationsInPlay(): readonly Configuration[] {
    const fromServers = this.machines.flatMap((machine) => machine.view()?.configuration ?? []);
    const durable = this.checker.configurationsInPlay();
    const newest = durable[0]?.index ?? 0;
    // What a leader has in its log and not on its disk may yet get there.
    return [...durable, ...fromServers.filter(({ index }) => index > newest)];
  }

  get hasBegun(): boolean {
    return this.checker.committedUpTo > 0;
  }

  forgive(node: NodeId): void {
    this.#damaged.delete(node);
    this.#joining.add(node);
    this.checker.forgive(node);
  }

  /** Flips a bit of the byte at `offset` of the newest segment of a node's log, or of its snapshot. */
  flipByte(node: NodeId, kind: "log" | "snapshot", offset: number): void {
    const { disk } = this.machine(node);
    const path = disk.paths().findLast((name) => name.startsWith(`${DATA_PATH}/${kind}-`));
    if (path === undefined) throw new RangeError(`node ${node} has no ${kind}`);
    disk.flipBit(path, offset);
    this.#damaged.add(node);
    this.machine(node).kill();
  }

  /** Flips a durable bit: of the newest part of a node's log, at `offsetOf` its durable size, or anywhere. */
  flipBit(node: NodeId, offsetOf?: (durableBytes: number) => number): void {
    const { disk } = this.machine(node);
    const paths = disk.paths().filter((name) => name.startsWith(`${DATA_PATH}/`) && name.endsWith(".pack"));
    const newest = paths.findLast((name) => name.startsWith(`${DATA_PATH}/log-`));
    const path = offsetOf === undefined && paths.length > 0 ? this.#restartRandom.pick(paths) : newest;
    if (path === undefined) return;
    if (offsetOf !== undefined) disk.flipBit(path, offsetOf(disk.durableBytes(path)?.length ?? 0));
    else if (disk.flipRandomBit(path) === undefined) return;
    this.#damaged.add(node);
    this.machine(node).kill(); // to be found when it starts again
  }

  #maybeRestart(machine: Machine): void {
    if (machine.state !== "down" || machine.isRestartDue) return;
    machine.isRestartDue = true;
    this.queue.after(this.#restartRandom.between(20, 3_000), () => {
      machine.isRestartDue = false;
      if (this.#restarts) machine.start();
    });
  }

  // ----------------------------------------------------------------------------------------- messages

  send(from: NodeId, to: NodeId, port: number, message: PeerMessage, departMs: number): void {
    const { trace } = this;
    trace.mix(departMs, from * 16 + to, message.type.length, message.term);
    trace.say(departMs, () => `node ${from} to node ${to}: ${sentenceOfPeerMessage(message)}`, "message");
    const carried = this.settings.encodes ? reencoded(from, to, message) : message;
    const { place } = this.machine(from);
    const deliver = () => {
      trace.mix(this.queue.nowMs, from * 16 + to, message.type.length, 1);
      // Whoever has moved gets nothing of what was sent to where it was.
      if (this.machine(to).port === port) this.machine(to).receive(from, place, carried);
    };
    const onLost = trace.isRecording
      ? (why: "lost" | "cut") =>
        trace.say(
          this.queue.nowMs,
          () => `${why}: node ${from} to node ${to}: ${sentenceOfPeerMessage(message)}`,
          "lost",
        )
      : undefined;
    const { intercept, network, queue } = this;
    if (intercept !== undefined) {
      const send = () => network.send(from, to, Math.max(departMs, queue.nowMs), deliver, onLost);
      if (intercept({ from, to, message, send })) return;
    }
    network.send(from, to, departMs, deliver, onLost);
  }

  ask(
    client: number,
    node: NodeId,
    request: ClientRequest,
    answered: (response: ClientResponse | "refused") => void,
    isOpen: () => boolean = () => true,
  ): void {
    const name = `client-request-${this.#nextRequest++}`;
    const { trace, queue, network } = this;
    trace.mix(queue.nowMs, client, node, request.type.length);
    trace.say(queue.nowMs, () => `client ${client} to node ${node}: ${sentenceOfRequest(request)}`, "client");
    this.#asked.set(name, { client, request, answered });
    network.send(0, node, queue.nowMs, () => {
      if (!isOpen()) return;
      const machine = this.machine(node);
      if (machine.isUp) machine.request(name, request);
      else network.send(node, 0, queue.nowMs, () => answered("refused"));
    });
  }

  answer(from: NodeId, name: string, responses: readonly ClientResponse[], departMs: number): void {
    const asked = this.#asked.get(name);
    const response = responses[0];
    if (asked === undefined || response === undefined) return;
    const { client, request, answered } = asked;
    this.trace.mix(departMs, client, from, response.type.length);
    this.trace.say(
      departMs,
      () =>
        `node ${from} to client ${client}: ${sentenceOfResponse(response)} (asked to ${
          sentenceOfRequest(request)
        })`,
      "client",
    );
    if (response.type === "PutResponse" || response.type === "DeleteResponse") {
      if (request.type === "PutRequest" || request.type === "DeleteRequest") {
        this.checker.onAcknowledged(from, response.index, request);
      }
    }
    this.network.send(from, 0, departMs, () => answered(response));
  }

  tell(node: NodeId, kind: number, text: () => string): void {
    this.trace.mix(this.queue.nowMs, node, 77, kind);
    this.trace.say(this.queue.nowMs, () => `node ${node} ${text()}`, "life");
  }

  onEvent(node: NodeId, event: ReplicaEvent): void {
    this.trace.mix(this.queue.nowMs, node, 55, event.kind.length);
    const kind = KIND_OF_EVENT[event.kind] ?? "note";
    this.trace.say(this.queue.nowMs, () => `node ${node} ${sentenceOfEvent(event)}`, kind);
  }
}

const KIND_OF_EVENT: { readonly [Kind in ReplicaEvent["kind"]]?: TraceKind } = {
  role: "role",
  truncated: "log",
  committed: "commit",
};

function isMembershipFault(fault: Fault): fault is MembershipFault {
  return ["addMember", "removeMember", "moveMember", "transfer"].includes(fault.kind);
}

/** The message after a way through bytes. */
function reencoded(from: NodeId, to: NodeId, message: PeerMessage): PeerMessage {
  const envelope = { clusterId: "sim", from, to, luid: "sim", host: "", peerPort: 0, addressIndex: 0 };
  const packet: Packet = { family: "peer", envelope, message };
  const reader = new PacketReader();
  reader.push(encodePacket(packet));
  const received = reader.next();
  if (received?.family !== "peer") throw new Error("a message did not survive its encoding");
  return received.message;
}
