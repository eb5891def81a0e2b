/**
 * What can be done to a simulated cluster, as data: a plan is a list of these, so it can be drawn from a seed,
 * printed, and shrunk to the few that matter.
 *
 * @module
 */
import type { NodeId } from "../raft/mod.ts";
import { Random } from "./random.ts";
import type { FaultRates, Settings } from "./settings.ts";

/** One thing done to the cluster. */
export type Fault =
  /** Nodes of different groups cannot reach each other; a node in two groups bridges them. */
  | { readonly kind: "partition"; readonly groups: readonly (readonly NodeId[])[] }
  /** Nothing passes from one node to another; the other way is open. 0 stands for the clients. */
  | { readonly kind: "cut"; readonly from: NodeId; readonly to: NodeId }
  /** All links are mended. */
  | { readonly kind: "heal" }
  | { readonly kind: "clog"; readonly from: NodeId; readonly to: NodeId; readonly forMs: number }
  | { readonly kind: "kill"; readonly node: NodeId }
  | { readonly kind: "powerCut"; readonly node: NodeId }
  | { readonly kind: "cutInOperation"; readonly node: NodeId; readonly operations: number }
  | { readonly kind: "pause"; readonly node: NodeId; readonly forMs: number }
  | { readonly kind: "clockStep"; readonly node: NodeId; readonly byMs: number }
  | { readonly kind: "clockDrift"; readonly node: NodeId; readonly rate: number }
  /** Syncs take up to `upToMs` from now on; 0 ends it. */
  | { readonly kind: "diskStall"; readonly node: NodeId; readonly upToMs: number }
  /** The next sync, append or rename fails. */
  | { readonly kind: "diskError"; readonly node: NodeId; readonly operation: "sync" | "append" }
  /** No more bytes fit; ended by `isFull: false`. */
  | { readonly kind: "diskFull"; readonly node: NodeId; readonly isFull: boolean }
  /** A durable bit of its log flips. */
  | { readonly kind: "bitFlip"; readonly node: NodeId }
  | { readonly kind: "wipe"; readonly node: NodeId }
  /** An operator's wishes. */
  | { readonly kind: "addMember"; readonly node: NodeId }
  | { readonly kind: "removeMember"; readonly node: NodeId }
  | { readonly kind: "moveMember"; readonly node: NodeId }
  /** To this node; 0 is whichever the leader picks. */
  | { readonly kind: "transfer"; readonly node: NodeId };

/** A fault with its time. */
export interface Action {
  readonly atMs: number;
  readonly fault: Fault;
}

/** The plan of faults that follows from a seed and its settings, in order of time. */
export function planOf(seed: number, settings: Settings): Action[] {
  const random = new Random(seed, "plan");
  const nodes = Array.from({ length: settings.nodes + settings.spares }, (_, i) => i + 1);
  const actions: Action[] = [];
  for (const [name, perMinute] of Object.entries(settings.faults) as [keyof FaultRates, number][]) {
    if (perMinute <= 0) continue;
    const meanGapMs = 60_000 / perMinute;
    const gapMs = () => -Math.log(1 - random.next()) * meanGapMs;
    for (let atMs = gapMs(); atMs < settings.safetyMs; atMs += gapMs()) {
      for (const action of drawn(name, atMs, nodes, random)) actions.push(action);
    }
  }
  return actions.sort((a, b) => a.atMs - b.atMs);
}

/** One occurrence of a kind of fault, with its end if it has one. */
function drawn(name: keyof FaultRates, atMs: number, nodes: readonly NodeId[], random: Random): Action[] {
  const node = random.pick(nodes);
  const untilMs = atMs + random.between(100, 5_000);
  const lasting = (fault: Fault, end: Fault): Action[] => [{ atMs, fault }, { atMs: untilMs, fault: end }];
  const once = (fault: Fault): Action[] => [{ atMs, fault }];
  switch (name) {
    case "partition":
      return lasting(drawnPartition(nodes, random), { kind: "heal" });
    case "oneWay":
      return lasting({ kind: "cut", from: node, to: anotherThan(node, nodes, random) }, { kind: "heal" });
    case "clog": {
      const to = anotherThan(node, nodes, random);
      return once({ kind: "clog", from: node, to, forMs: random.between(10, 5_000) });
    }
    case "kill":
      return once({ kind: "kill", node });
    case "powerCut":
      // Now and then the whole house goes dark.
      return random.chance(0.15)
        ? nodes.map((each) => ({ atMs, fault: { kind: "powerCut", node: each } }))
        : once({ kind: "powerCut", node });
    case "cutInOperation":
      return once({ kind: "cutInOperation", node, operations: 1 + random.below(8) });
    case "pause":
      return once({ kind: "pause", node, forMs: random.between(10, 3_000) });
    case "clockStep":
      return once({
        kind: "clockStep",
        node,
        byMs: random.between(-1, 1) * random.pick([100, 10_000, 3_600_000]),
      });
    case "clockDrift":
      return lasting({ kind: "clockDrift", node, rate: random.pick([0.5, 0.8, 1.25, 2]) }, {
        kind: "clockDrift",
        node,
        rate: 1,
      });
    case "diskStall":
      return lasting({ kind: "diskStall", node, upToMs: random.pick([20, 200, 2_000]) }, {
        kind: "diskStall",
        node,
        upToMs: 0,
      });
    case "diskError":
      return once({ kind: "diskError", node, operation: random.pick(["sync", "append"]) });
    case "diskFull":
      return lasting({ kind: "diskFull", node, isFull: true }, { kind: "diskFull", node, isFull: false });
    case "bitFlip":
      return once({ kind: "bitFlip", node });
    case "wipe":
      return once({ kind: "wipe", node });
    case "addMember":
    case "removeMember":
    case "moveMember":
      return once({ kind: name, node });
    case "transfer":
      return once({ kind: "transfer", node: random.chance(0.5) ? 0 : node });
  }
}

/** Into two halves, one node alone, each alone, or two halves with a bridge between them. */
function drawnPartition(nodes: readonly NodeId[], random: Random): Fault {
  const [first, ...rest] = random.shuffled(nodes);
  if (first === undefined) return { kind: "heal" };
  const half = Math.ceil(rest.length / 2);
  const groups = random.pick([
    [[first], rest],
    [[first, ...rest.slice(0, half)], rest.slice(half)],
    nodes.map((node) => [node]),
    [[first, ...rest.slice(0, half)], [first, ...rest.slice(half)]],
  ]);
  return { kind: "partition", groups };
}

function anotherThan(node: NodeId, nodes: readonly NodeId[], random: Random): NodeId {
  const others = nodes.filter((other) => other !== node);
  return others.length === 0 ? node : random.pick(others);
}

/** What a fault does, to be read after "at 12.3 s: ". */
export function sentenceOfFault(fault: Fault): string {
  const end = (id: NodeId) => id === 0 ? "the clients" : `node ${id}`;
  switch (fault.kind) {
    case "partition":
      return `the network splits into ${fault.groups.map((group) => `{${group.join(", ")}}`).join(" and ")}`;
    case "cut":
      return `nothing passes from ${end(fault.from)} to ${end(fault.to)} any more`;
    case "heal":
      return "all links are mended";
    case "clog":
      return `the link from ${end(fault.from)} to ${end(fault.to)} is clogged for ${
        Math.round(fault.forMs)
      } ms`;
    case "kill":
      return `node ${fault.node} is killed`;
    case "powerCut":
      return `node ${fault.node} loses power`;
    case "cutInOperation":
      return `node ${fault.node} will lose power in the middle of disk operation ${fault.operations} from now`;
    case "pause":
      return `node ${fault.node} pauses for ${Math.round(fault.forMs)} ms`;
    case "clockStep":
      return `node ${fault.node} sees its clock jump by ${Math.round(fault.byMs)} ms`;
    case "clockDrift":
      return `node ${fault.node} has a clock that runs at ${fault.rate.toFixed(2)} times the true speed`;
    case "diskStall":
      return fault.upToMs === 0
        ? `the disk of node ${fault.node} is fast again`
        : `syncs of node ${fault.node} take up to ${fault.upToMs} ms`;
    case "diskError":
      return `the next ${fault.operation} of node ${fault.node} fails`;
    case "diskFull":
      return `the disk of node ${fault.node} ${fault.isFull ? "is full" : "has room again"}`;
    case "bitFlip":
      return `a bit flips on the disk of node ${fault.node}`;
    case "wipe":
      return `node ${fault.node} loses its disk`;
    case "addMember":
      return `the operator registers node ${fault.node}`;
    case "removeMember":
      return `the operator deregisters node ${fault.node}`;
    case "moveMember":
      return `node ${fault.node} gets another address`;
    case "transfer":
      return `the operator wants ${fault.node === 0 ? "another node" : `node ${fault.node}`} to lead`;
  }
}
