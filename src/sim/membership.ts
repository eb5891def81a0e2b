/**
 * The members of a simulated cluster over time: what the operator changes, and how much of the cluster may be damaged.
 *
 * Nobody can lead a cluster of which a majority has lost its memory, and nobody is to blame for that but the hand that
 * did it. So before a disk is damaged or a member is removed it is made sure that every configuration that any node may
 * believe in keeps a majority of sound voters, its learners counted as if they were voters already.
 *
 * @module
 */
import type { Configuration, NodeId } from "../raft/mod.ts";
import { addressAt } from "./beginnings.ts";
import type { Fault } from "./actions.ts";
import type { Machine } from "./machine.ts";
import type { Operator } from "./operator.ts";
import type { Random } from "./random.ts";

export type MembershipFault = Extract<
  Fault,
  { readonly kind: "addMember" | "removeMember" | "moveMember" | "transfer" }
>;

export interface MembershipWorld {
  readonly machines: readonly Machine[];
  /** Configurations that a node may believe in: the newest committed one first, and what is in any log after it. */
  configurationsInPlay(): readonly Configuration[];
  /** Nodes that have, or are sure to find on their disks, all that they ever promised. */
  readonly undamaged: readonly NodeId[];
  machine(node: NodeId): Machine;
  /** Whether anything was ever committed. */
  readonly hasBegun: boolean;
  /** A node has a disk without a past, and is no danger to anyone. */
  forgive(node: NodeId): void;
}

/** A lost disk under a fresh registration is as good as none: half of those who come back have one. */
const COMES_BACK_EMPTY = 0.5;

export class Membership {
  readonly #world: MembershipWorld;
  readonly #operator: Operator;
  readonly #random: Random;
  /** A node whose new address the others may not know yet. */
  #moving: NodeId = 0;

  constructor(world: MembershipWorld, operator: Operator, random: Random) {
    this.#world = world;
    this.#operator = operator;
    this.#random = random;
  }

  /** Nodes that cannot be reached before the operator has finished. */
  get moving(): NodeId {
    return this.#moving;
  }

  /** Whether all voters, and learners that may become voters, leave a sound majority if `without` is not counted. */
  isSound(without: readonly NodeId[]): boolean {
    const sound = this.#world.undamaged.filter((node) => !without.includes(node) && node !== this.#moving);
    return isMajority(sound, this.#world.configurationsInPlay());
  }

  /** Whether something is under way of which it is not known yet which configurations will come of it. */
  get isChanging(): boolean {
    return this.#operator.isBusy;
  }

  /** Does a fault, if the operator has a hand free and the cluster can bear it. Returns whether it was done. */
  apply(fault: MembershipFault): boolean {
    // There is nobody to ask before the cluster has begun.
    if (this.#operator.isBusy || !this.#world.hasBegun) return false;
    if (fault.kind === "transfer") {
      this.#operator.transfer(fault.node);
      return true;
    }
    const [committed] = this.#world.configurationsInPlay();
    const isMember = committed?.members.some(({ id }) => id === fault.node) ?? false;
    const damaged = committed?.members.some(({ id }) => !this.#world.undamaged.includes(id)) ?? true;
    if (damaged) return false;
    switch (fault.kind) {
      case "addMember":
        if (isMember) return false;
        this.#add(fault.node);
        return true;
      case "removeMember":
        if (!isMember || !this.isSound([fault.node])) return false;
        this.#operator.change({ kind: "deregister", id: fault.node }, () => {});
        return true;
      case "moveMember":
        if (!isMember || !this.isSound([fault.node])) return false;
        this.#move(fault.node);
        return true;
    }
  }

  #add(node: NodeId): void {
    const machine = this.#world.machine(node);
    const isEmpty = machine.hasDisk && !machine.isUp && this.#random.chance(COMES_BACK_EMPTY);
    if (isEmpty) machine.wipe();
    const address = addressAt(machine.port);
    this.#operator.change({ kind: "register", id: node, address }, (outcome) => {
      // Also if nobody knows whether it was registered: it finds out by itself, and waits.
      if (outcome === "unknown") return machine.join(undefined);
      if (outcome.type !== "MembersResponse") return;
      this.#world.forgive(node);
      machine.join(outcome);
    });
  }

  /** Another address: the process ends, starts there, and the others are told. It cannot be left half done. */
  #move(node: NodeId): void {
    const machine = this.#world.machine(node);
    machine.moveTo(machine.port + 1);
    this.#moving = node;
    this.#operator.change(
      { kind: "move", id: node, address: addressAt(machine.port) },
      () => this.#moving = 0,
      Infinity,
    );
  }
}

/** Whether nodes are a majority of all configurations: of the voters, and also once its learners have become voters. */
export function isMajority(nodes: readonly NodeId[], configurations: readonly Configuration[]): boolean {
  return configurations.every(({ members }) =>
    [members.filter(({ role }) => role === "voter"), members].every((each) =>
      each.filter(({ id }) => nodes.includes(id)).length > each.length / 2
    )
  );
}
