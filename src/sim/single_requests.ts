/**
 * Requests that go to one node, once, and are retried only when a scenario says so. What comes of them goes into
 * the history like the operations of any other client.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, ReadMode } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import type { World } from "./world.ts";

/** The clients' ids in the history and the trace: out of the way of the ordinary ones. */
const FIRST_CLIENT = 1_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A request on its way, and what has come of it so far. */
export class SingleRequest {
  readonly request: ClientRequest;
  readonly client: number;
  readonly historyId: number;
  /** The last answer, of whichever kind. */
  answer: ClientResponse | "refused" | undefined;
  /** How many answers have come. */
  answerCount = 0;
  /** Whether it was done: anything else says "not here" or "not known". */
  isDone = false;
  /** What a read saw. */
  value: string | undefined;

  constructor(request: ClientRequest, client: number, historyId: number) {
    this.request = request;
    this.client = client;
    this.historyId = historyId;
  }
}

export class SingleRequests {
  readonly #world: World;
  readonly #all: SingleRequest[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get doneCount(): number {
    return this.#all.filter((request) => request.isDone).length;
  }

  get undoneCount(): number {
    return this.#all.length - this.doneCount;
  }

  /** Every write is of a client of its own: only a retry shares its session. */
  put(key: string, value: string, node: NodeId): SingleRequest {
    const client = this.#nextClient();
    const historyId = this.#world.history.invoke({ client, key, kind: "put", input: value });
    return this.#begin(
      { type: "PutRequest", ...sessionOf(client), key: encoder.encode(key), value: encoder.encode(value) },
      client,
      historyId,
      node,
    );
  }

  delete(key: string, node: NodeId): SingleRequest {
    const client = this.#nextClient();
    const historyId = this.#world.history.invoke({ client, key, kind: "delete" });
    return this.#begin(
      { type: "DeleteRequest", ...sessionOf(client), key: encoder.encode(key) },
      client,
      historyId,
      node,
    );
  }

  get(key: string, node: NodeId, mode: ReadMode = "leader"): SingleRequest {
    const client = this.#nextClient();
    const historyId = this.#world.history.invoke({ client, key, kind: "get" });
    return this.#begin({ type: "GetRequest", key: encoder.encode(key), mode }, client, historyId, node);
  }

  /** Sends the same request, byte for byte, to `node`. */
  send(single: SingleRequest, node: NodeId): void {
    this.#world.ask(single.client, node, single.request, (answer) => {
      single.answer = answer;
      single.answerCount++;
      if (answer === "refused" || single.isDone) return;
      if (answer.type === "GetResponse") {
        single.value = answer.found ? decoder.decode(answer.value) : undefined;
        this.#finish(single, single.value);
      } else if (answer.type === "PutResponse") {
        this.#finish(single, undefined);
      } else if (answer.type === "DeleteResponse") {
        this.#finish(single, answer.found);
      }
    });
  }

  #begin(request: ClientRequest, client: number, historyId: number, node: NodeId): SingleRequest {
    const single = new SingleRequest(request, client, historyId);
    this.#all.push(single);
    this.send(single, node);
    return single;
  }

  #finish(single: SingleRequest, output: string | boolean | undefined): void {
    single.isDone = true;
    this.#world.history.complete(single.historyId, output);
  }

  #nextClient(): number {
    return FIRST_CLIENT + this.#all.length;
  }
}

function sessionOf(client: number): { clientId: Uint8Array; sequence: number; answeredUpTo: number } {
  const clientId = new Uint8Array(16);
  new DataView(clientId.buffer).setUint32(0, client);
  return { clientId, sequence: 1, answeredUpTo: 0 };
}
