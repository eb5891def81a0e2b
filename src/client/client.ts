/**
 * The client library: asks whichever node leads, follows redirects, retries until it has an answer or the time is
 * up. A write takes effect once, however often it had to be sent.
 *
 * @module
 */
import {
  CLIENT_ID_BYTES,
  type ClientRequest,
  type ClientRequestOf,
  type ClientResponse,
  type ClientResponseOf,
  type Pair,
  type ReadMode,
} from "../../packraft/mod.ts";
import { expected } from "./answers.ts";
import { Caller } from "./caller.ts";
import { OutcomeUnknownError, RequestError, SessionLostError } from "./errors.ts";
import { checkedKey, checkedValue } from "./inputs.ts";
import { type ClusterMember, type ClusterMembers, isAt, type MemberPlace } from "./members.ts";
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
  /** Who serves reads: by default the leader; with "any", any node does, after it has asked the leader. */
  readonly readFrom?: "leader" | "any";
  /** Told when a node names another as the leader. */
  readonly onRedirect?: (leader: number, address: ServerAddress) => void;
  /** Time, chance and connections; by default Deno's. */
  readonly platform?: ClientPlatform;
}

/** What a node has, without asking anyone. */
export interface StaleRead {
  readonly value: Uint8Array | undefined;
  /** The state is the one right after this entry. */
  readonly appliedIndex: number;
  /** Since so long the node may have missed something; undefined if it never heard from a leader. */
  readonly ageMs: number | undefined;
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
  readonly #readFrom: "leader" | "any";
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
    this.#readFrom = options.readFrom ?? "leader";
    this.#isIdChosen = options.clientId !== undefined;
    this.#window = new WriteWindow(clientId);
  }

  /** Sets a key. Resolves, once that is committed, to the index of the entry that did it. */
  put(key: Uint8Array | string, value: Uint8Array | string): Promise<{ index: number }> {
    return new Promise((resolve, reject) => {
      const keyBytes = checkedKey(key);
      const valueBytes = checkedValue(value);
      this.#write(
        ({ clientId, sequence, answeredUpTo }) => ({
          type: "PutRequest",
          clientId,
          sequence,
          answeredUpTo,
          key: keyBytes,
          value: valueBytes,
        }),
        ([response]) => resolve({ index: expected(response, "PutResponse").index }),
        reject,
      );
    });
  }

  /** Removes a key. Resolves to whether it was there, and the index of the entry that removed it. */
  delete(key: Uint8Array | string): Promise<{ found: boolean; index: number }> {
    return new Promise((resolve, reject) => {
      const keyBytes = checkedKey(key);
      this.#write(
        (session) => ({ type: "DeleteRequest", ...session, key: keyBytes }),
        ([response]) => {
          const { found, index } = expected(response, "DeleteResponse");
          resolve({ found, index });
        },
        reject,
      );
    });
  }

  /**
   * The value of a key, or undefined if there is none. Linearizable: it sees every write that was answered before. The
   * bytes are the caller's; short ones may have others beside them in their `buffer`.
   */
  get(key: Uint8Array | string): Promise<Uint8Array | undefined> {
    return this.#get(key, this.#readFrom, ({ value }) => value);
  }

  /** The value of a key as the first node that answers has it, and how old that may be. */
  getStale(key: Uint8Array | string): Promise<StaleRead> {
    return this.#get(key, "stale", (read) => read);
  }

  /** All pairs, in the order of their keys' bytes, as they were at one moment. */
  async data(): Promise<Pair[]> {
    const responses = await this.#read({ type: "DataRequest", mode: this.#readFrom });
    return responses.flatMap((response) => [...expected(response, "DataResponse").pairs]);
  }

  /** All pairs as the first node that answers has them, and how old that may be. */
  async dataStale(): Promise<{ pairs: Pair[]; appliedIndex: number; ageMs: number | undefined }> {
    const responses = await this.#read({ type: "DataRequest", mode: "stale" });
    const pages = responses.map((response) => expected(response, "DataResponse"));
    const [first] = pages;
    return {
      pairs: pages.flatMap(({ pairs }) => [...pairs]),
      appliedIndex: first?.appliedIndex ?? 0,
      ageMs: first?.isAgeKnown === true ? first.ageMs : undefined,
    };
  }

  /** The members of the cluster. Linearizable. */
  async members(): Promise<ClusterMembers> {
    const [response] = await this.#read({ type: "MembersRequest" });
    return expected(response, "MembersResponse");
  }

  /**
   * Adds a node: a learner first, which is sent everything and counts for nothing, and becomes a voter by itself when
   * it has caught up. Resolves, when that is committed, to the members.
   */
  register(id: number, place: MemberPlace): Promise<ClusterMembers> {
    return this.#change({ change: "register", id, ...place }, (member) => isAt(member, place));
  }

  /** Removes a member. It is told, and ends. */
  deregister(id: number): Promise<ClusterMembers> {
    const nowhere = { host: "", peerPort: 0, clientPort: 0 };
    return this.#change({ change: "deregister", id, ...nowhere }, (member) => member === undefined);
  }

  /** Tells the cluster that a member is found at another address now. */
  move(id: number, place: MemberPlace): Promise<ClusterMembers> {
    return this.#change({ change: "move", id, ...place }, (member) => isAt(member, place));
  }

  /** Lets another node lead: `to`, or whichever the leader picks. Resolves to the node that leads now. */
  async transfer(to = 0): Promise<{ leader: number }> {
    const [response] = await this.#read({ type: "TransferRequest", to });
    return { leader: expected(response, "TransferResponse").leader };
  }

  /** Asks the first node that answers what it knows, and why it does what it does. */
  async explain(): Promise<ClientResponseOf<"ExplainResponse">> {
    const [response] = await this.#read({ type: "ExplainRequest" });
    return expected(response, "ExplainResponse");
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

  #get<Result>(
    key: Uint8Array | string,
    mode: ReadMode,
    resultOf: (read: StaleRead) => Result,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const request = { type: "GetRequest", key: checkedKey(key), mode } as const;
      this.#caller.call(request, this.#caller.deadlineMs(), ([response]) => {
        const { found, value, appliedIndex, isAgeKnown, ageMs } = expected(response, "GetResponse");
        resolve(resultOf({
          value: found ? value : undefined,
          appliedIndex,
          ageMs: isAgeKnown ? ageMs : undefined,
        }));
      }, reject);
    });
  }

  /**
   * A change of the members has no session that would make it take effect once. If an earlier attempt may have been
   * taken, a refusal can mean that it was; then it is the members that tell.
   */
  async #change(
    fields: Omit<ClientRequestOf<"ChangeMembersRequest">, "type">,
    isDone: (member: ClusterMember | undefined) => boolean,
  ): Promise<ClusterMembers> {
    try {
      const [response] = await this.#read({ type: "ChangeMembersRequest", ...fields });
      return expected(response, "MembersResponse");
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError)) throw error;
      const members = await this.members().catch(() => undefined);
      if (members !== undefined && isDone(members.members.find(({ id }) => id === fields.id))) return members;
      throw error;
    }
  }

  #read(request: ClientRequest): Promise<readonly ClientResponse[]> {
    return new Promise((resolve, reject) => {
      this.#caller.call(request, this.#caller.deadlineMs(), resolve, reject);
    });
  }

  /** A write, as soon as the session has room for it. */
  #write(
    requestOf: (session: WriteSession) => ClientRequest,
    answered: (responses: readonly ClientResponse[]) => void,
    failed: (error: unknown) => void,
  ): void {
    const deadlineMs = this.#caller.deadlineMs();
    const window = this.#window;
    window.begin((session) => {
      this.#caller.call(requestOf(session), deadlineMs, (responses) => {
        window.end(session.sequence, true);
        answered(responses);
      }, (error) => {
        // The cluster has forgotten this client: later writes are a new one's, unless the caller chose the id.
        if (error instanceof SessionLostError && window === this.#window && !this.#isIdChosen) {
          this.#window = new WriteWindow(randomClientId());
        }
        window.end(session.sequence, false);
        failed(error);
      });
    });
  }
}

function randomClientId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(CLIENT_ID_BYTES));
}
