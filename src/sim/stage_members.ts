/**
 * The steps of a scenario that have to do with members and with who leads: what an operator does.
 *
 * @module
 */
import type { ClientResponse } from "../../packraft/mod.ts";
import type { MemberChange, NodeId } from "../raft/mod.ts";
import { addressAt } from "./beginnings.ts";
import { votersIn } from "./committed_members.ts";
import type { WishOutcome } from "./operator.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

const LIMIT_MS = 20_000;

/** A wish that was sent to one node, once. */
export interface SentWish {
  answer: ClientResponse | "refused" | undefined;
}

export class StageMembers {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Registers a node and starts it, as an operator does who tries until it is done. */
  add(node: NodeId): void {
    const machine = this.#world.machine(node);
    const answer = this.#wish(`node ${node} is registered`, (ended) => {
      this.#world.operator.change({ kind: "register", id: node, address: addressAt(machine.port) }, ended);
    });
    if (answer.type !== "MembersResponse") {
      throw new Violation("expectation", `node ${node} was not registered`);
    }
    this.#world.forgive(node);
    machine.join(answer);
  }

  remove(node: NodeId): void {
    const answer = this.#wish(`node ${node} is deregistered`, (ended) => {
      this.#world.operator.change({ kind: "deregister", id: node }, ended);
    });
    if (answer.type !== "MembersResponse") throw new Violation("expectation", `node ${node} was not removed`);
  }

  /** Starts a node at another address, and tells the others. */
  move(node: NodeId): void {
    const machine = this.#world.machine(node);
    machine.moveTo(machine.port + 1);
    machine.start();
    this.#wish(`node ${node} is known at its new address`, (ended) => {
      this.#world.operator.change({ kind: "move", id: node, address: addressAt(machine.port) }, ended);
    });
  }

  /** Lets a node lead. Returns the answer. */
  transfer(to: NodeId): ClientResponse {
    return this.#wish(
      "leadership is handed over, or not",
      (ended) => this.#world.operator.transfer(to, ended),
    );
  }

  /** Sends a change to one node, once, and lets no time pass. */
  begin(change: MemberChange, { at }: { readonly at: NodeId }): SentWish {
    const address = change.kind === "deregister" ? { host: "", peerPort: 0, clientPort: 0 } : change.address;
    const sent: SentWish = { answer: undefined };
    this.#world.ask(
      0,
      at,
      { type: "ChangeMembersRequest", change: change.kind, id: change.id, ...address },
      (answer) => sent.answer = answer,
    );
    return sent;
  }

  /** The voters as a node has them, committed or not. */
  votersOf(node: NodeId): NodeId[] {
    if (node === 0) return []; // nobody leads
    const configuration = this.#world.machine(node).view()?.configuration;
    return configuration === undefined ? [] : votersIn(configuration);
  }

  /** Whether a node has ended because it is no member any more. */
  isAway(node: NodeId): boolean {
    return this.#world.machine(node).state === "away";
  }

  /** Lets time pass until a node counts exactly these voters. */
  untilVoters(node: NodeId, voters: readonly NodeId[]): void {
    const wanted = voters.join();
    if (this.#world.advanceUntil(() => this.votersOf(node).join() === wanted, LIMIT_MS)) return;
    throw new Violation(
      "expectation",
      `node ${node} counts ${this.votersOf(node).join(", ")} as voters, and should count ${
        voters.join(", ")
      }`,
    );
  }

  #wish(what: string, begin: (ended: (outcome: WishOutcome) => void) => void): ClientResponse {
    let outcome: WishOutcome | undefined;
    begin((answer) => outcome = answer);
    this.#world.advanceUntil(() => outcome !== undefined, LIMIT_MS);
    const answer = outcome as WishOutcome | undefined;
    if (answer !== undefined && answer !== "unknown") return answer;
    throw new Violation("expectation", `did not come about: ${what}`);
  }
}
