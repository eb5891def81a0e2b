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
  type Pair,
} from "../../packraft/mod.ts";
import { expected } from "./answers.ts";
import { Caller } from "./caller.ts";
import { RequestError, SessionLostError } from "./errors.ts";
import { checkedKey, checkedValue } from "./inputs.ts";
import { type ClientPlatform, denoPlatform, type ServerAddress } from "./platform.ts";
import { type WriteSession, WriteWindow } from "./write_window.ts";

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_ATTEMPT_TIMEOUT_MS = 1_000;

export interface DraftyClientOptions {
  /** The client addresses of some or all nodes, in the order in which they are to be tried. */
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
  /** Time, chance and connections; by default Deno's. */
  readonly platform?: ClientPlatform;
}

/**
 * A client of a cluster. Any number of requests may be under way at once; they share one connection to the leader.
 *
 * ```ts ignore
 * import { DraftyClient } from "drafty";
 *
 * using client = new DraftyClient({ servers: [{ host: "127.0.0.1", port: 9001 }] });
 * await client.put("colour", "green");
 * const value = await client.get("colour");
 * ```
 *
 * All methods reject with a `ClientError`: `NoLeaderError`, `UnreachableError`, `NoAnswerError`, `OutcomeUnknownError` (a
 * write may have taken effect), `ClientClosedError` or `RequestError`. Keys and values that are strings are UTF-8.
 */
export class DraftyClient {
  readonly #caller: Caller;
  readonly #isIdChosen: boolean;
  #window: WriteWindow;

  constructor(options: DraftyClientOptions) {
    const clientId = options.clientId ?? randomClientId();
    if (clientId.length !== CLIENT_ID_BYTES) {
      throw new RequestError(`clientId has ${clientId.length} B; give ${CLIENT_ID_BYTES}`);
    }
    this.#caller = new Caller({
      servers: options.servers,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      attemptTimeoutMs: options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS,
      isOneShot: options.isOneShot ?? false,
      onRedirect: options.onRedirect,
      platform: options.platform ?? denoPlatform(),
    });
    this.#isIdChosen = options.clientId !== undefined;
    this.#window = new WriteWindow(clientId);
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
    const [response] = await this.#read({ type: "GetRequest", key: checkedKey(key) });
    const { found, value } = expected(response, "GetResponse");
    return found ? value.slice() : undefined; // a copy: the original holds on to all that came with it
  }

  /** All pairs, in the order of their keys' bytes, as they were at one moment. */
  async data(): Promise<Pair[]> {
    const responses = await this.#read({ type: "DataRequest" });
    return responses.flatMap((response) => [...expected(response, "DataResponse").pairs]);
  }

  /** Asks the first node that answers who it is. */
  async ping(): Promise<ClientResponseOf<"PingResponse">> {
    const [response] = await this.#read({ type: "PingRequest" });
    return expected(response, "PingResponse");
  }

  /** Asks the first node that answers how it is. */
  async status(): Promise<ClientResponseOf<"StatusResponse">> {
    const [response] = await this.#read({ type: "StatusRequest" });
    return expected(response, "StatusResponse");
  }

  /**
   * Lets the first node that answers take a snapshot of its state now, and remove the log before it. Resolves, when it
   * is durable, to the entry that the snapshot ends with, and its size.
   */
  async snapshot(): Promise<ClientResponseOf<"SnapshotResponse">> {
    const [response] = await this.#read({ type: "SnapshotRequest" });
    return expected(response, "SnapshotResponse");
  }

  /** Closes all connections. What is under way fails. */
  close(): void {
    this.#caller.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ------------------------------------------------------------------------------------------- within

  #read(request: ClientRequest): Promise<readonly ClientResponse[]> {
    return this.#caller.call(request, this.#caller.deadlineMs());
  }

  async #write(requestOf: (session: WriteSession) => ClientRequest): Promise<ClientResponse | undefined> {
    const deadlineMs = this.#caller.deadlineMs();
    const window = this.#window;
    const begun = window.begin();
    const session = begun instanceof Promise ? await begun : begun;
    let response: ClientResponse | undefined;
    try {
      [response] = await this.#caller.call(requestOf(session), deadlineMs);
      return response;
    } catch (error) {
      // The cluster has forgotten this client: later writes are a new one's, unless the caller chose the id.
      if (error instanceof SessionLostError && window === this.#window && !this.#isIdChosen) {
        this.#window = new WriteWindow(randomClientId());
      }
      throw error;
    } finally {
      window.end(session.sequence, response !== undefined);
    }
  }
}

function randomClientId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(CLIENT_ID_BYTES));
}
