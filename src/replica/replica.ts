/**
 * One node without its platform: the abstracted server, the log and the store, joined by the loop that the
 * server's contract asks for (`src/raft/server.ts`). The Deno driver runs it over sockets, files and timers; the
 * simulator runs the very same code over a world of its own, so that what is proved there holds here.
 *
 * How one `put` goes through a leader:
 *
 * 1. {@linkcode Replica.request} takes the request and proposes its command;
 * 2. {@linkcode Replica.flush} sends it to the followers, writes and syncs it, and tells the server so;
 * 3. {@linkcode Replica.receive} takes a follower's acknowledgement; the entry is committed;
 * 4. `flush` applies it and answers the request that waited for its index.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, Entry, PeerMessage } from "../../packraft/mod.ts";
import { commandOf, encodeCommand, Store, type WriteResult } from "../kv/mod.ts";
import {
  type NodeId,
  type Persist,
  type RaftEvent,
  type RaftOptions,
  RaftServer,
  type RaftView,
  type Ready,
  type Recovered,
} from "../raft/mod.ts";
import { busy, leadershipLost, notLeader, pagesOf, responseOf, shuttingDown, statusOf } from "./responses.ts";

/** Where the log is kept: `append` writes, `sync` makes durable. Either throws when the disk fails. */
export interface DurableLog {
  readonly recovered: Recovered;
  append(persist: Persist): void;
  sync(): void;
}

/** Where a node's clients find it. */
export interface ClientAddress {
  readonly host: string;
  readonly clientPort: number;
}

export interface ReplicaOptions {
  readonly raft: RaftOptions;
  readonly log: DurableLog;
  readonly store?: Store;
  /** The client addresses of all nodes, for redirects. */
  readonly addresses: ReadonlyMap<NodeId, ClientAddress>;
  /** The most requests that may be under way; more are refused as `busy`. */
  readonly maxPendingRequests: number;
}

/** What a replica wants done. Called from within its own methods: implementations must not call back into it. */
export interface ReplicaOutput {
  send(to: NodeId, message: PeerMessage): void;
  /** The answer to the request `luid`: one response, or the pages of a `DataRequest`, to be taken as wanted. */
  answer(luid: string, responses: Iterable<ClientResponse>): void;
  tell(event: RaftEvent): void;
  /** An entry has been applied, with its result if it held a command. */
  applied?(entry: Entry, result: WriteResult | undefined): void;
}

/** A write that is in the log, waiting for its index to be applied. */
interface WaitingWrite {
  readonly luid: string;
  readonly term: number;
}

/** A request that the server knows by its token. */
interface Asked {
  readonly luid: string;
  readonly request: ClientRequest;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #output: ReplicaOutput;
  readonly #raft: RaftServer;
  readonly #store: Store;
  readonly #asked = new Map<number, Asked>();
  readonly #writesByIndex = new Map<number, WaitingWrite>();
  #proposals: { readonly token: number; readonly data: Uint8Array }[] = [];
  #nextToken = 1;
  #isStopping = false;

  constructor(options: ReplicaOptions, output: ReplicaOutput, nowMs: number) {
    this.#options = options;
    this.#output = output;
    this.#raft = new RaftServer(options.raft, options.log.recovered, nowMs);
    this.#store = options.store ?? new Store();
  }

  get store(): Store {
    return this.#store;
  }

  view(): RaftView {
    return this.#raft.view();
  }

  /** When {@linkcode Replica.advance} is wanted next. */
  nextWakeMs(): number {
    return this.#raft.nextWakeMs();
  }

  /** Tells the time. Call it before what arrived at that time, and at `nextWakeMs` at the latest. */
  advance(nowMs: number): void {
    this.#raft.step({ kind: "time", nowMs });
  }

  /** A peer's message. The driver has checked its cluster and its sender. */
  receive(from: NodeId, message: PeerMessage): void {
    this.#raft.step({ kind: "message", from, message });
  }

  /** A client's request, to be answered through {@linkcode ReplicaOutput.answer} under the same luid. */
  request(luid: string, request: ClientRequest): void {
    switch (request.type) {
      case "PingRequest": {
        const { id, role, leader } = this.#raft.view();
        return this.#output.answer(luid, [{ type: "PingResponse", node: id, role, leader }]);
      }
      case "StatusRequest":
        return this.#output.answer(luid, [statusOf(this.#raft.view())]);
      case "GetRequest":
      case "DataRequest":
      case "PutRequest":
      case "DeleteRequest":
        return this.#ask(luid, request);
    }
  }

  /** Refuses new requests from now on and tells those under way that their outcome will not be known here. */
  stop(): void {
    this.#isStopping = true;
    for (const { luid } of this.#asked.values()) this.#output.answer(luid, [shuttingDown("notDone")]);
    for (const { luid } of this.#writesByIndex.values()) this.#output.answer(luid, [shuttingDown("unknown")]);
    this.#asked.clear();
    this.#writesByIndex.clear();
    this.#proposals = [];
  }

  /**
   * Does all that follows from what was taken in since the last call. Whatever came together is written with one
   * sync. Throws what the log throws: then this replica has promised nothing that it cannot keep, and must go.
   */
  flush(): void {
    if (this.#proposals.length > 0) {
      this.#raft.step({ kind: "propose", proposals: this.#proposals });
      this.#proposals = [];
    }
    while (this.#perform(this.#raft.ready()));
  }

  #ask(luid: string, request: ClientRequest): void {
    if (this.#isStopping) return this.#output.answer(luid, [shuttingDown("notDone")]);
    if (this.#asked.size + this.#writesByIndex.size >= this.#options.maxPendingRequests) {
      return this.#output.answer(luid, [busy(this.#options.maxPendingRequests)]);
    }
    const token = this.#nextToken++;
    this.#asked.set(token, { luid, request });
    if (request.type === "PutRequest" || request.type === "DeleteRequest") {
      this.#proposals.push({ token, data: encodeCommand(commandOf(request)) });
    } else {
      this.#raft.step({ kind: "read", token });
    }
  }

  /** The duties of a driver, in their order. Returns whether there may be more to do. */
  #perform(ready: Ready): boolean {
    for (const { to, message } of ready.messages) this.#output.send(to, message);
    if (ready.persist !== undefined) {
      this.#options.log.append(ready.persist);
      this.#options.log.sync();
      this.#raft.step({ kind: "persisted", sequence: ready.persist.sequence });
    }
    for (const { token, index, term } of ready.accepted) {
      const asked = this.#take(token);
      if (asked !== undefined) this.#writesByIndex.set(index, { luid: asked.luid, term });
    }
    for (const entry of ready.committed) this.#apply(entry);
    if (ready.committed.length > 0) this.#raft.step({ kind: "applied", upTo: this.#store.lastApplied });
    for (const token of ready.reads) this.#answerRead(token);
    for (const { token } of ready.refused) {
      const asked = this.#take(token);
      if (asked !== undefined) this.#output.answer(asked.luid, [this.#notLeader()]);
    }
    for (const event of ready.events) this.#tell(event);
    return ready.persist !== undefined || ready.committed.length > 0;
  }

  #apply(entry: Entry): void {
    const result = this.#store.apply(entry);
    this.#output.applied?.(entry, result);
    const waiting = this.#writesByIndex.get(entry.index);
    if (waiting === undefined) return;
    this.#writesByIndex.delete(entry.index);
    // Another entry may have taken the place of the one that was proposed: its result is not this write's answer
    // (bug 10 of the originals answered a lost write with success).
    const isThisWrite = waiting.term === entry.term && result !== undefined;
    this.#output.answer(waiting.luid, [isThisWrite ? responseOf(result) : leadershipLost()]);
  }

  #answerRead(token: number): void {
    const asked = this.#take(token);
    if (asked?.request.type === "GetRequest") {
      const value = this.#store.get(asked.request.key);
      this.#output.answer(asked.luid, [{
        type: "GetResponse",
        found: value !== undefined,
        value: value ?? new Uint8Array(),
      }]);
    } else if (asked?.request.type === "DataRequest") {
      this.#output.answer(asked.luid, pagesOf(this.#store.pairs()));
    }
  }

  #tell(event: RaftEvent): void {
    this.#output.tell(event);
    if (event.kind !== "role" || event.from !== "leader") return;
    // What it had in its log may be committed by the next leader, or replaced: these clients have to ask there.
    for (const { luid } of this.#writesByIndex.values()) this.#output.answer(luid, [leadershipLost()]);
    this.#writesByIndex.clear();
  }

  #notLeader(): ClientResponse {
    const { leader } = this.#raft.view();
    return notLeader(leader, this.#options.addresses.get(leader));
  }

  #take(token: number): Asked | undefined {
    const asked = this.#asked.get(token);
    this.#asked.delete(token);
    return asked;
  }
}
