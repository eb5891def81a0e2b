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
 * What takes longer and is not urgent (a snapshot) is done in slices by {@linkcode Replica.work}.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, Entry, PeerMessage } from "../../packraft/mod.ts";
import { commandOf, encodeCommand, Store, type WriteResult } from "../kv/mod.ts";
import {
  type ChunkToStore,
  type LogPosition,
  type NodeId,
  type RaftOptions,
  RaftServer,
  type RaftView,
  type Ready,
} from "../raft/mod.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import { DurableBatches } from "./durable_batches.ts";
import { MembersError } from "./errors.ts";
import type { ReplicaEvent } from "./events.ts";
import {
  busy,
  leadershipLost,
  noSpace,
  nothingYet,
  notLeader,
  pagesOf,
  responseOf,
  shuttingDown,
  snapshotFailed,
  statusOf,
} from "./responses.ts";
import { SnapshotTaking } from "./snapshot_taking.ts";
import { SnapshotReceiving, SnapshotSending } from "./snapshot_transfer.ts";

/** So many entries take some ten milliseconds; then whatever else has arrived has its turn. */
const MAX_APPLIED_PER_FLUSH = 4_096;

/** Where a node's clients find it. */
export interface ClientAddress {
  readonly host: string;
  readonly clientPort: number;
}

export interface ReplicaOptions {
  readonly raft: RaftOptions;
  readonly storage: DurableStorage;
  /** As the storage has restored it. */
  readonly store: Store;
  /** The client addresses of all nodes, for redirects. */
  readonly addresses: ReadonlyMap<NodeId, ClientAddress>;
  /** The most requests that may be under way; more are refused as `busy`. */
  readonly maxPendingRequests: number;
  /** The least growth of the log after which a snapshot is taken, in bytes. */
  readonly snapshotAfterBytes: number;
  /** How many bytes of a snapshot go into one message to another node. */
  readonly snapshotChunkBytes: number;
}

/** What a replica wants done. Called from within its own methods: implementations must not call back into it. */
export interface ReplicaOutput {
  send(to: NodeId, message: PeerMessage): void;
  /** The answer to the request `luid`: one response, or the pages of a `DataRequest`, to be taken as wanted. */
  answer(luid: string, responses: Iterable<ClientResponse>): void;
  tell(event: ReplicaEvent): void;
  /** An entry has been applied, with its result if it held a command. */
  applied?(entry: Entry, result: WriteResult | undefined): void;
  /** The store was restored from a snapshot that another node sent. */
  installed?(position: LogPosition): void;
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
  readonly #batches: DurableBatches;
  readonly #taking: SnapshotTaking;
  readonly #sending: SnapshotSending;
  readonly #receiving: SnapshotReceiving;
  /** Who asked for the snapshot that is under way. */
  #snapshotLuids: string[] = [];
  readonly #asked = new Map<number, Asked>();
  readonly #writesByIndex = new Map<number, WaitingWrite>();
  #proposals: { readonly token: number; readonly data: Uint8Array }[] = [];
  #nextToken = 1;
  #isStopping = false;
  /** The time that has passed, and the driver's clock when it was told last. */
  #nowMs: number;
  #clockMs: number;

  constructor(options: ReplicaOptions, output: ReplicaOutput, nowMs: number) {
    const { storage, store } = options;
    this.#options = options;
    this.#output = output;
    this.#nowMs = nowMs;
    this.#clockMs = nowMs;
    this.#raft = new RaftServer(options.raft, storage.recovered, nowMs);
    this.#store = store;
    this.#batches = new DurableBatches(storage, (detail) => output.tell({ kind: "diskFull", detail }));
    this.#taking = new SnapshotTaking(storage, store, options.snapshotAfterBytes);
    this.#sending = new SnapshotSending(storage, options.snapshotChunkBytes);
    this.#receiving = new SnapshotReceiving(storage);
    this.#checkMembers();
  }

  get store(): Store {
    return this.#store;
  }

  view(): RaftView {
    return this.#raft.view();
  }

  /** When {@linkcode Replica.advance} is wanted next. */
  nextWakeMs(): number {
    return Math.min(this.#raft.nextWakeMs(), this.#clockMs + (this.#batches.retryMs - this.#nowMs));
  }

  /** Whether nothing can be written for want of room. */
  get isDiskFull(): boolean {
    return this.#batches.isFull;
  }

  /** Whether there is something for {@linkcode Replica.work} to do. */
  get hasWork(): boolean {
    return this.#taking.isUnderWay;
  }

  /**
   * Does a slice of what is not urgent: about a millisecond. Call it when nothing else waits, as long as there is
   * work, and `flush` after it. Throws what the storage throws.
   */
  work(): void {
    if (!this.#taking.isUnderWay) return;
    const result = this.#taking.slice(this.#nowMs);
    switch (result.kind) {
      case "more":
        return;
      case "taken": {
        const { index, totalBytes } = result.info;
        this.#raft.step({ kind: "snapshotTaken", index });
        this.#output.tell({ kind: "snapshotTaken", index, totalBytes });
        return this.#answerSnapshot({ type: "SnapshotResponse", node: this.#id, index, totalBytes });
      }
      case "failed":
        return this.#failSnapshot(result.reason);
    }
  }

  /** Tells the time. Call it before what arrived at that time, and at `nextWakeMs` at the latest. */
  advance(nowMs: number): void {
    // As the server counts it: a clock that steps back loses that one step.
    this.#nowMs += Math.max(0, nowMs - this.#clockMs);
    this.#clockMs = nowMs;
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
      case "SnapshotRequest":
        return this.#requestSnapshot(luid);
      case "PutRequest":
      case "DeleteRequest":
        if (this.#batches.isFull && this.#raft.view().role === "leader") {
          return this.#output.answer(luid, [noSpace()]);
        }
        return this.#ask(luid, request);
      case "GetRequest":
      case "DataRequest":
        return this.#ask(luid, request);
    }
  }

  /** Refuses new requests from now on and tells those under way that their outcome will not be known here. */
  stop(): void {
    this.#isStopping = true;
    for (const { luid } of this.#asked.values()) this.#output.answer(luid, [shuttingDown("notDone")]);
    for (const { luid } of this.#writesByIndex.values()) this.#output.answer(luid, [shuttingDown("unknown")]);
    this.#answerSnapshot(shuttingDown("notDone"));
    this.#taking.abort();
    this.#receiving.abort();
    this.#sending.keepOnly(new Set());
    this.#asked.clear();
    this.#writesByIndex.clear();
    this.#proposals = [];
  }

  /**
   * Does all that follows from what was taken in since the last call. Whatever came together is written with one
   * sync. What is left to be applied after very many entries is for the next call, which `nextWakeMs` asks for.
   * Throws what the log throws: then this replica has promised nothing that it cannot keep, and must go.
   */
  flush(): void {
    if (this.#proposals.length > 0) {
      this.#raft.step({ kind: "propose", proposals: this.#proposals });
      this.#proposals = [];
    }
    const upTo = this.#store.lastApplied + MAX_APPLIED_PER_FLUSH;
    while (this.#perform(this.#raft.ready()) && this.#store.lastApplied < upTo);
    this.#receiving.endUpTo(this.#store.lastApplied);
    this.#maybeBeginSnapshot();
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
    if (ready.persist !== undefined) this.#batches.push(ready.persist);
    const hasWritten = this.#write();
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
    this.#sendChunks(ready);
    for (const chunk of ready.chunksToStore) this.#storeChunk(chunk);
    for (const event of ready.events) this.#tell(event);
    return hasWritten || ready.committed.length > 0 || ready.chunksToStore.length > 0;
  }

  /** Makes durable what waits for it, and says so. Returns whether there was anything. */
  #write(): boolean {
    const sequence = this.#batches.write(this.#nowMs);
    if (sequence === undefined) return false;
    this.#raft.step({ kind: "persisted", sequence });
    return true;
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

  // --------------------------------------------------------------------------------------- snapshots

  #requestSnapshot(luid: string): void {
    if (this.#isStopping) return this.#output.answer(luid, [shuttingDown("notDone")]);
    const { snapshot } = this.#options.storage;
    const { lastApplied } = this.#store;
    if (lastApplied === 0) return this.#output.answer(luid, [nothingYet()]);
    if (snapshot?.index === lastApplied) {
      const { index, totalBytes } = snapshot;
      return this.#output.answer(luid, [{ type: "SnapshotResponse", node: this.#id, index, totalBytes }]);
    }
    this.#snapshotLuids.push(luid);
    if (!this.#taking.isUnderWay) this.#beginSnapshot();
  }

  #maybeBeginSnapshot(): void {
    if (this.#isStopping || !this.#taking.isDue(this.#nowMs)) return;
    if (this.#store.lastApplied > (this.#options.storage.snapshot?.index ?? 0)) this.#beginSnapshot();
  }

  #beginSnapshot(): void {
    const index = this.#store.lastApplied;
    const term = this.#raft.view().log.termAt(index);
    if (term === undefined) throw new Error(`entry ${index} is applied and not in the log`);
    const reason = this.#taking.begin({ index, term }, this.#nowMs);
    if (reason !== undefined) this.#failSnapshot(reason);
  }

  #failSnapshot(reason: string): void {
    this.#output.tell({ kind: "snapshotFailed", reason });
    this.#answerSnapshot(snapshotFailed(reason));
  }

  #answerSnapshot(response: ClientResponse): void {
    const luids = this.#snapshotLuids;
    this.#snapshotLuids = [];
    for (const luid of luids) this.#output.answer(luid, [response]);
  }

  #sendChunks(ready: Ready): void {
    for (const chunk of ready.chunksToSend) {
      const message = this.#sending.messageFor(chunk);
      if (message !== undefined) this.#output.send(chunk.to, message);
    }
    if (this.#sending.isIdle) return;
    const { progress } = this.#raft.view();
    const wanted = [...progress?.values() ?? []].flatMap(({ transfer }) => transfer?.index ?? []);
    this.#sending.keepOnly(new Set(wanted));
  }

  #storeChunk({ from, request }: ChunkToStore): void {
    const position = { index: request.lastIncludedIndex, term: request.lastIncludedTerm };
    const stored = (nextOffset: number) =>
      this.#raft.step({ kind: "chunkStored", from, lastIncludedIndex: position.index, nextOffset });
    // Overtaken by what was installed or applied in the same turn.
    if (position.index <= this.#store.lastApplied) return stored(request.totalBytes);
    const keepsLog = () => this.#raft.view().log.termAt(position.index) === position.term;
    const result = this.#receiving.store(request, this.#store, keepsLog);
    switch (result.kind) {
      case "stored":
        return stored(result.nextOffset);
      case "refused":
        // Not answered: the leader tries again after a while, and not as fast as the network goes.
        return this.#output.tell({ kind: "snapshotRefused", from, reason: result.reason });
      case "installed":
        return this.#install(from, position, keepsLog());
    }
  }

  /**
   * A snapshot says who the members are. That a configuration has others is a mistake which would otherwise end in
   * two majorities that do not meet.
   */
  #checkMembers(): void {
    const voters = [...this.#options.raft.voters].sort((a, b) => a - b);
    const { members } = this.#store;
    if (members.length === 0) this.#store.members = voters;
    else if (members.join() !== voters.join()) throw new MembersError(members, voters);
  }

  #install(from: NodeId, position: LogPosition, keepsLog: boolean): void {
    this.#checkMembers();
    if (!keepsLog) this.#batches.dropEntries();
    this.#taking.noteInstalled();
    this.#raft.step({ kind: "snapshotInstalled", from, position });
    this.#output.installed?.(position);
    // Writes that a former leader has in its log up to there: what became of them is in the snapshot, but not who asked.
    for (const [index, { luid }] of this.#writesByIndex) {
      if (index > position.index) continue;
      this.#writesByIndex.delete(index);
      this.#output.answer(luid, [leadershipLost()]);
    }
  }

  // -------------------------------------------------------------------------------------------- within

  get #id(): NodeId {
    return this.#options.raft.id;
  }

  #tell(event: ReplicaEvent): void {
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
