/**
 * A simulated operator: adds, removes and moves members and lets others lead, as a person with the command line does.
 * One thing at a time, and it is tried again until it is answered or takes too long.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, ClientResponseOf } from "../../packraft/mod.ts";
import type { MemberChange, NodeId } from "../raft/mod.ts";
import type { EventQueue } from "./event_queue.ts";
import type { Random } from "./random.ts";

const ATTEMPT_TIMEOUT_MS = 1_000;
const PAUSE_MS = 50;
const DEADLINE_MS = 5_000;

/** What came of a wish: the answer, or that none came in time. */
export type WishOutcome = ClientResponse | "unknown";

export interface OperatorWorld {
  readonly queue: EventQueue;
  readonly nodes: readonly NodeId[];
  ask(
    client: number,
    node: NodeId,
    request: ClientRequest,
    answered: (response: ClientResponse | "refused") => void,
    isOpen: () => boolean,
  ): void;
}

interface Wish {
  readonly request: ClientRequest;
  readonly deadlineMs: number;
  readonly ended: (outcome: WishOutcome) => void;
  attempt: number;
  isOver: boolean;
}

export class Operator {
  readonly #world: OperatorWorld;
  readonly #random: Random;
  #underWay = 0;

  constructor(world: OperatorWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  /** Asks for a change of the members. Without a limit it is asked for until there is an answer. */
  change(change: MemberChange, ended: (outcome: WishOutcome) => void, limitMs = DEADLINE_MS): void {
    const { host, peerPort, clientPort } = change.kind === "deregister"
      ? { host: "", peerPort: 0, clientPort: 0 }
      : change.address;
    const request = {
      type: "ChangeMembersRequest",
      change: change.kind,
      id: change.id,
      host,
      peerPort,
      clientPort,
    } as const;
    this.#begin(request, ended, limitMs);
  }

  transfer(to: NodeId, ended: (outcome: WishOutcome) => void = () => {}): void {
    this.#begin({ type: "TransferRequest", to }, ended, DEADLINE_MS);
  }

  /** Who the members are, as `--join` asks before a node starts. */
  members(ended: (response: ClientResponseOf<"MembersResponse"> | undefined) => void): void {
    this.#begin({ type: "MembersRequest" }, (outcome) => {
      ended(outcome !== "unknown" && outcome.type === "MembersResponse" ? outcome : undefined);
    }, DEADLINE_MS);
  }

  #begin(request: ClientRequest, ended: (outcome: WishOutcome) => void, limitMs: number): void {
    this.#underWay++;
    const wish = { request, ended, deadlineMs: this.#world.queue.nowMs + limitMs, attempt: 0, isOver: false };
    this.#attempt(wish, this.#random.pick(this.#world.nodes));
  }

  #attempt(wish: Wish, node: NodeId): void {
    const { queue } = this.#world;
    if (queue.nowMs >= wish.deadlineMs) return this.#end(wish, "unknown");
    const attempt = ++wish.attempt;
    // Whoever asks again has closed the connection of the time before: what has not arrived by then never does. A change
    // of the members has no session, so a copy that came seconds later would move a member back to where it was.
    const isOpen = () => !wish.isOver && wish.attempt === attempt;
    this.#world.ask(0, node, wish.request, (response) => {
      if (isOpen()) this.#handle(wish, response);
    }, isOpen);
    queue.after(ATTEMPT_TIMEOUT_MS, () => {
      if (!wish.isOver && wish.attempt === attempt) this.#attempt(wish, this.#random.pick(this.#world.nodes));
    });
  }

  #handle(wish: Wish, response: ClientResponse | "refused"): void {
    if (response !== "refused" && response.type === "RedirectResponse") {
      return this.#attempt(wish, response.leader);
    }
    const isFinal = response !== "refused" &&
      (response.type !== "ErrorResponse" || response.code === "badRequest" ||
        response.code === "transferFailed");
    if (isFinal) return this.#end(wish, response);
    const attempt = ++wish.attempt;
    this.#world.queue.after(PAUSE_MS * (0.5 + this.#random.next()), () => {
      if (wish.attempt === attempt) this.#attempt(wish, this.#random.pick(this.#world.nodes));
    });
  }

  #end(wish: Wish, outcome: WishOutcome): void {
    if (wish.isOver) return;
    wish.isOver = true;
    // Copies of a request that was not answered may be on their way for as long as the network keeps them.
    if (outcome === "unknown") this.#world.queue.after(DEADLINE_MS, () => this.#underWay--);
    else this.#underWay--;
    wish.ended(outcome);
  }
}
