/**
 * A simulated client: it reads and writes, follows redirects, and retries with the same sequence until it has an
 * answer or gives up without knowing. What it saw goes into the history that is judged at the end.
 *
 * @module
 */
import type { ClientRequest, ClientResponse } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import type { EventQueue } from "./event_queue.ts";
import type { HistoryRecorder } from "./history.ts";
import type { Random } from "./random.ts";

const ATTEMPT_TIMEOUT_MS = 400;
const PAUSE_MS = 25;
const DEADLINE_MS = 4_000;
const MAX_REDIRECTS = 5;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a client needs of its world. */
export interface ClientWorld {
  readonly queue: EventQueue;
  readonly history: HistoryRecorder;
  readonly nodes: readonly NodeId[];
  /** Asks a node; `answered` may be called any number of times; `"refused"` means that nobody listens there. */
  ask(
    client: number,
    node: NodeId,
    request: ClientRequest,
    answered: (response: ClientResponse | "refused") => void,
  ): void;
}

export interface ClientSettings {
  readonly keys: number;
  readonly thinkMs: number;
  readonly inFlight: number;
}

/** One operation on its way. */
interface Operation {
  readonly historyId: number;
  readonly request: ClientRequest;
  readonly deadlineMs: number;
  attempt: number;
  redirects: number;
  isOver: boolean;
  readonly onOver: ((outcome: ClientResponse | "unknown") => void) | undefined;
}

export class SimClient {
  readonly id: number;
  readonly counts = { ok: 0, unknown: 0, retries: 0 };
  readonly #world: ClientWorld;
  readonly #settings: ClientSettings;
  readonly #random: Random;
  #clientId = new Uint8Array(16);
  #incarnation = 0;
  #nextSequence = 1;
  #answeredUpTo = 0;
  readonly #answered = new Set<number>();
  #underWay = 0;
  #valueCount = 0;
  #isStopped = false;
  #target: NodeId;

  constructor(id: number, world: ClientWorld, settings: ClientSettings, random: Random) {
    this.id = id;
    this.#world = world;
    this.#settings = settings;
    this.#random = random;
    this.#target = random.pick(world.nodes);
    this.#newSession();
  }

  /** Goes on with operations until stopped. */
  start(): void {
    this.#think();
  }

  /** Begins nothing new. What is under way goes on. */
  stop(): void {
    this.#isStopped = true;
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  put(key: string, onOver?: (outcome: ClientResponse | "unknown") => void, value = this.#newValue()): void {
    const session = this.#nextWrite();
    const request = {
      type: "PutRequest",
      ...session,
      key: encoder.encode(key),
      value: encoder.encode(value),
    } as const;
    this.#begin(
      request,
      this.#world.history.invoke({ client: this.id, key, kind: "put", input: value }),
      onOver,
    );
  }

  delete(key: string, onOver?: (outcome: ClientResponse | "unknown") => void): void {
    const request = { type: "DeleteRequest", ...this.#nextWrite(), key: encoder.encode(key) } as const;
    this.#begin(request, this.#world.history.invoke({ client: this.id, key, kind: "delete" }), onOver);
  }

  get(key: string, onOver?: (outcome: ClientResponse | "unknown") => void): void {
    // Any node may serve a read, or only the leader: both must see every write that was answered before.
    const mode = this.#random.chance(0.4) ? "any" : "leader";
    const request = { type: "GetRequest", key: encoder.encode(key), mode } as const;
    this.#begin(request, this.#world.history.invoke({ client: this.id, key, kind: "get" }), onOver);
  }

  /** The next request goes to this node first. */
  prefer(node: NodeId): void {
    this.#target = node;
  }

  // ------------------------------------------------------------------------------------------- within

  #think(): void {
    const pauseMs = -Math.log(1 - this.#random.next()) * this.#settings.thinkMs;
    this.#world.queue.after(pauseMs, () => {
      if (this.#isStopped) return;
      if (this.#underWay < this.#settings.inFlight) this.#beginAny();
      this.#think();
    });
  }

  #beginAny(): void {
    const key = `k${this.#random.below(this.#settings.keys)}`;
    const dice = this.#random.next();
    if (dice < 0.45) this.get(key);
    else if (dice < 0.85) this.put(key);
    else this.delete(key);
  }

  #begin(request: ClientRequest, historyId: number, onOver: Operation["onOver"]): void {
    this.#underWay++;
    const deadlineMs = this.#world.queue.nowMs + DEADLINE_MS;
    const operation = { historyId, request, deadlineMs, attempt: 0, redirects: 0, isOver: false, onOver };
    this.#world.queue.at(deadlineMs, () => this.#giveUp(operation));
    this.#attempt(operation, this.#target);
  }

  #attempt(operation: Operation, node: NodeId): void {
    if (operation.isOver) return;
    const attempt = ++operation.attempt;
    if (attempt > 1) this.counts.retries++;
    this.#world.ask(this.id, node, operation.request, (response) => {
      if (!operation.isOver) this.#handle(operation, attempt, node, response);
    });
    this.#world.queue.after(ATTEMPT_TIMEOUT_MS, () => {
      if (operation.attempt === attempt) this.#attempt(operation, this.#random.pick(this.#world.nodes));
    });
  }

  #handle(operation: Operation, attempt: number, node: NodeId, response: ClientResponse | "refused"): void {
    if (response === "refused" || response.type === "ErrorResponse") {
      if (response !== "refused" && response.code === "staleSequence") return this.#giveUp(operation);
      // An answer to an earlier attempt must not start another one beside the present.
      if (operation.attempt === attempt) this.#attemptLater(operation);
    } else if (response.type === "RedirectResponse") {
      if (operation.attempt !== attempt) return;
      if (++operation.redirects > MAX_REDIRECTS || response.leader === node) this.#attemptLater(operation);
      else this.#attempt(operation, response.leader);
    } else {
      this.#target = node;
      this.#finish(operation, response);
    }
  }

  #attemptLater(operation: Operation): void {
    const attempt = ++operation.attempt; // the timeout of the attempt that failed is void
    operation.redirects = 0;
    this.#world.queue.after(PAUSE_MS * (0.5 + this.#random.next()), () => {
      if (operation.attempt === attempt) this.#attempt(operation, this.#random.pick(this.#world.nodes));
    });
  }

  #finish(operation: Operation, response: ClientResponse): void {
    operation.isOver = true;
    this.#underWay--;
    this.counts.ok++;
    const { history } = this.#world;
    if (response.type === "GetResponse") {
      history.complete(operation.historyId, response.found ? decoder.decode(response.value) : undefined);
    } else if (response.type === "DeleteResponse") {
      history.complete(operation.historyId, response.found);
    } else {
      history.complete(operation.historyId, undefined);
    }
    const { request } = operation;
    if (request.type === "PutRequest" || request.type === "DeleteRequest") this.#noteAnswered(request);
    operation.onOver?.(response);
  }

  /** The outcome stays unknown: it may take effect at any time from its call on, or never. */
  #giveUp(operation: Operation): void {
    if (operation.isOver) return;
    operation.isOver = true;
    this.#underWay--;
    this.counts.unknown++;
    if (operation.request.type !== "GetRequest") this.#newSession();
    operation.onOver?.("unknown");
  }

  #noteAnswered(write: { readonly clientId: Uint8Array; readonly sequence: number }): void {
    if (write.clientId !== this.#clientId) return; // of an earlier session
    this.#answered.add(write.sequence);
    while (this.#answered.delete(this.#answeredUpTo + 1)) this.#answeredUpTo++;
  }

  #nextWrite(): { clientId: Uint8Array; sequence: number; answeredUpTo: number } {
    return { clientId: this.#clientId, sequence: this.#nextSequence++, answeredUpTo: this.#answeredUpTo };
  }

  #newSession(): void {
    this.#clientId = new Uint8Array(16);
    new DataView(this.#clientId.buffer).setUint32(0, this.id);
    new DataView(this.#clientId.buffer).setUint32(4, ++this.#incarnation);
    this.#nextSequence = 1;
    this.#answeredUpTo = 0;
    this.#answered.clear();
  }

  /** Every value is written once only, so that a read says which write it saw. */
  #newValue(): string {
    return `v${this.id}.${++this.#valueCount}`;
  }
}
