/**
 * The client library: asks whichever node leads, follows redirects, retries until it has an answer or the time is
 * up. A write takes effect once, however often it had to be sent.
 *
 * @module
 */
import {
  CLIENT_ID_BYTES,
  type ClientRequest,
  type ClientResponse,
  type ClientResponseOf,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MIN_KEY_BYTES,
  type Pair,
} from "../../packraft/mod.ts";
import { Connection, type Outcome } from "./connection.ts";
import { RequestProgress, type ServerAddress } from "./decisions.ts";
import { RequestError } from "./errors.ts";

/** How many writes may be under way: the cluster keeps 1,024 results of a client, so this many are safe. */
const MAX_WRITES_IN_FLIGHT = 256;

export interface DraftyClientOptions {
  /** The client addresses of some or all nodes. */
  readonly servers: readonly ServerAddress[];
  /** How long a request may take, retries included. By default 5,000. */
  readonly timeoutMs?: number;
  /** How long one attempt may take before another node is asked. By default 1,000. */
  readonly attemptTimeoutMs?: number;
  /** 16 bytes; by default drawn at random. Whoever uses one again repeats the writes made under it. */
  readonly clientId?: Uint8Array;
  /** Whether each request gets a connection of its own, closed after it. */
  readonly isOneShot?: boolean;
  /** Told when a node names another as the leader. */
  readonly onRedirect?: (leader: number, address: ServerAddress) => void;
  /** Even numbers in [0, 1), for pauses. */
  readonly random?: () => number;
}

/**
 * A client of a cluster.
 *
 * ```ts ignore
 * import { DraftyClient } from "drafty";
 *
 * using client = new DraftyClient({ servers: [{ host: "127.0.0.1", port: 9001 }] });
 * await client.put("colour", "green");
 * const value = await client.get("colour");
 * ```
 *
 * All methods reject with a `ClientError`: `NoLeaderError`, `UnreachableError`, `NoAnswerError`,
 * `OutcomeUnknownError` (a write may have taken effect) or `RequestError`.
 */
export class DraftyClient {
  readonly #options: DraftyClientOptions;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #random: () => number;
  readonly #clientId: Uint8Array;
  readonly #connections = new Map<string, Connection>();
  #target: ServerAddress;
  #nextSequence = 1;
  #answeredUpTo = 0;
  readonly #answered = new Set<number>();
  #writesInFlight = 0;
  readonly #writesWaiting: (() => void)[] = [];

  constructor(options: DraftyClientOptions) {
    const [first] = options.servers;
    if (first === undefined) throw new RequestError("servers is empty; give at least one address");
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? 1_000;
    this.#random = options.random ?? Math.random;
    this.#clientId = options.clientId ?? crypto.getRandomValues(new Uint8Array(CLIENT_ID_BYTES));
    if (this.#clientId.length !== CLIENT_ID_BYTES) {
      throw new RequestError(`clientId has ${this.#clientId.length} B; give ${CLIENT_ID_BYTES}`);
    }
    this.#target = first;
  }

  /** Sets a key. Resolves, once that is committed, to the index of the entry that did it. */
  async put(key: Uint8Array | string, value: Uint8Array | string): Promise<{ index: number }> {
    const fields = { key: checkedKey(key), value: checkedValue(value) };
    const response = await this.#write((session) => ({ type: "PutRequest", ...session, ...fields }));
    return { index: expected(response, "PutResponse").index };
  }

  /** Removes a key. Resolves to whether it was there, and the index of the entry that removed it. */
  async delete(key: Uint8Array | string): Promise<{ found: boolean; index: number }> {
    const fields = { key: checkedKey(key) };
    const response = await this.#write((session) => ({ type: "DeleteRequest", ...session, ...fields }));
    const { found, index } = expected(response, "DeleteResponse");
    return { found, index };
  }

  /** The value of a key, or undefined if there is none. Linearizable: it sees every write that was answered before. */
  async get(key: Uint8Array | string): Promise<Uint8Array | undefined> {
    const [response] = await this.#call({ type: "GetRequest", key: checkedKey(key) });
    const { found, value } = expected(response, "GetResponse");
    return found ? value : undefined;
  }

  /** All pairs, in the order of their keys' bytes, as they were at one moment. */
  async data(): Promise<Pair[]> {
    const responses = await this.#call({ type: "DataRequest" });
    return responses.flatMap((response) => [...expected(response, "DataResponse").pairs]);
  }

  /** Asks the first node that answers who it is. */
  async ping(): Promise<ClientResponseOf<"PingResponse">> {
    const [response] = await this.#call({ type: "PingRequest" });
    return expected(response, "PingResponse");
  }

  /** Asks the first node that answers how it is. */
  async status(): Promise<ClientResponseOf<"StatusResponse">> {
    const [response] = await this.#call({ type: "StatusRequest" });
    return expected(response, "StatusResponse");
  }

  /** Closes all connections. What is under way fails. */
  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ------------------------------------------------------------------------------------------- within

  async #write(
    requestOf: (session: { clientId: Uint8Array; sequence: number; answeredUpTo: number }) => ClientRequest,
  ): Promise<ClientResponse | undefined> {
    if (this.#writesInFlight >= MAX_WRITES_IN_FLIGHT) {
      await new Promise<void>((resolve) => this.#writesWaiting.push(resolve));
    }
    this.#writesInFlight++;
    const sequence = this.#nextSequence++;
    try {
      const session = { clientId: this.#clientId, sequence, answeredUpTo: this.#answeredUpTo };
      const [response] = await this.#call(requestOf(session));
      return response;
    } finally {
      // Also after a failure: nobody will ask for this result again, so the cluster need not keep it.
      this.#answered.add(sequence);
      while (this.#answered.delete(this.#answeredUpTo + 1)) this.#answeredUpTo++;
      this.#writesInFlight--;
      this.#writesWaiting.shift()?.();
    }
  }

  /** One request, through as many attempts as it takes. */
  async #call(request: ClientRequest): Promise<readonly ClientResponse[]> {
    const { servers, onRedirect } = this.#options;
    const isWrite = request.type === "PutRequest" || request.type === "DeleteRequest";
    const progress = new RequestProgress(isWrite, servers.length, this.#random);
    const deadlineMs = performance.now() + this.#timeoutMs;
    let server = this.#target;
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw progress.timedOut(this.#timeoutMs, servers);
      const outcome = await this.#attempt(server, request, Math.min(leftMs, this.#attemptTimeoutMs));
      const decision = progress.after(attemptOf(outcome));
      switch (decision.kind) {
        case "done":
          this.#target = server;
          return outcome.kind === "answered" ? outcome.responses : [decision.response];
        case "fail":
          throw decision.error;
        case "redirect":
          onRedirect?.(decision.leader, decision.to);
          server = decision.to;
          break;
        case "next":
          if (decision.pauseMs > 0) await sleep(Math.min(decision.pauseMs, deadlineMs - performance.now()));
          server = this.#serverAfter(server);
          break;
      }
    }
  }

  async #attempt(server: ServerAddress, request: ClientRequest, timeoutMs: number): Promise<Outcome> {
    if (this.#options.isOneShot) {
      const connection = new Connection(server);
      try {
        return await connection.ask(request, timeoutMs);
      } finally {
        connection.close();
      }
    }
    const name = `${server.host}:${server.port}`;
    let connection = this.#connections.get(name);
    if (connection === undefined || connection.isClosed) {
      connection = new Connection(server);
      this.#connections.set(name, connection);
    }
    return await connection.ask(request, timeoutMs);
  }

  /** The next of the servers in their order; where many requests fail together, they go the same way. */
  #serverAfter(server: ServerAddress): ServerAddress {
    const { servers } = this.#options;
    const place = servers.findIndex(({ host, port }) => host === server.host && port === server.port);
    return servers[(place + 1) % servers.length] ?? server;
  }
}

function attemptOf(outcome: Outcome) {
  if (outcome.kind !== "answered") return outcome;
  const [response] = outcome.responses;
  if (response === undefined) return { kind: "unanswered", reason: "an empty answer" } as const;
  return { kind: "answered", response } as const;
}

function expected<Name extends ClientResponse["type"]>(
  response: ClientResponse | undefined,
  name: Name,
): ClientResponseOf<Name> {
  if (response?.type !== name) {
    throw new RequestError(`the node answered with ${response?.type}, not ${name}`);
  }
  return response as ClientResponseOf<Name>;
}

function checkedKey(key: Uint8Array | string): Uint8Array {
  const bytes = bytesOf(key);
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    throw new RequestError(`key has ${bytes.length} B; give ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES}`);
  }
  return bytes;
}

function checkedValue(value: Uint8Array | string): Uint8Array {
  const bytes = bytesOf(value);
  if (bytes.length > MAX_VALUE_BYTES) {
    throw new RequestError(`value has ${bytes.length} B; give at most ${MAX_VALUE_BYTES}`);
  }
  return bytes;
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
