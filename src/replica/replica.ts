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
import type { Store, WriteResult } from "../kv/mod.ts";
import {
  type ChunkToStore,
  type Configuration,
  type LogPosition,
  type MemberAddress,
  type NodeId,
  type RaftOptions,
  RaftServer,
  type RaftView,
  type Ready,
} from "../raft/mod.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import { DurableBatches } from "./durable_batches.ts";
import { DivergedError, MembersError } from "./errors.ts";
import type { ReplicaEvent } from "./events.ts";
import { Requests } from "./requests.ts";
import { shuttingDown } from "./responses.ts";
import { SnapshotReceiving, SnapshotSending } from "./snapshot_transfer.ts";
import { SnapshotWork } from "./snapshot_work.ts";

/** So many entries take some ten milliseconds; then whatever else has arrived has its turn. */
const MAX_APPLIED_PER_FLUSH = 4_096;

export interface ReplicaOptions {
  /** `configuration` is that of the beginning, or a later one that is known to be committed. */
  readonly raft: RaftOptions;
  readonly storage: DurableStorage;
  /** What a node that wants to join is told, to be sure that it is the right one. */
  readonly clusterId: string;
  /** As the storage has restored it. */
  readonly store: Store;
  /** The most requests that may be under way; more are refused as `busy`. */
  readonly maxPendingRequests: number;
  /** The most batches of writes that may be on their way to a majority; what comes meanwhile makes the next one. */
  readonly maxUncommittedBatches: number;
  /** The least growth of the log after which a snapshot is taken, in bytes. */
  readonly snapshotAfterBytes: number;
  /** How many bytes of a snapshot go into one message to another node. */
  readonly snapshotChunkBytes: number;
}

/** What a replica wants done. Called from within its own methods: implementations must not call back into it. */
export interface ReplicaOutput<Asker> {
  send(to: NodeId, message: PeerMessage): void;
  /** The answer to whoever asked: an array with one response, or the pages of a `DataRequest`, to be taken as wanted. */
  answer(asker: Asker, responses: Iterable<ClientResponse>): void;
  tell(event: ReplicaEvent): void;
  /** All answers of the moment have been given: they may leave while this node writes to its disk. */
  answered?(): void;
  /** An entry has been applied, with its result if it held a command. */
  applied?(entry: Entry, result: WriteResult | undefined): void;
  /** The store was restored from a snapshot that another node sent. */
  installed?(position: LogPosition): void;
}

/**
 * A replica. An `Asker` is whoever has asked for something, as the driver knows him: handed back with the answer, and
 * never looked at.
 */
export class Replica<Asker = string> {
  readonly #options: ReplicaOptions;
  readonly #output: ReplicaOutput<Asker>;
  readonly #raft: RaftServer;
  readonly #store: Store;
  readonly #batches: DurableBatches;
  readonly #snapshots: SnapshotWork<Asker>;
  readonly #sending: SnapshotSending;
  readonly #receiving: SnapshotReceiving;
  readonly #requests: Requests<Asker>;
  #isStopping = false;
  /** The time that has passed, and the driver's clock when it was told last. */
  #nowMs: number;
  #clockMs: number;

  constructor(options: ReplicaOptions, output: ReplicaOutput<Asker>, nowMs: number) {
    const { storage, store } = options;
    this.#options = options;
    this.#output = output;
    this.#nowMs = nowMs;
    this.#clockMs = nowMs;
    const configuration = configurationToStartWith(options.raft.configuration, store);
    this.#raft = new RaftServer({ ...options.raft, configuration }, storage.takeRecovered(), nowMs);
    this.#store = store;
    this.#batches = new DurableBatches(storage, (detail) => output.tell({ kind: "diskFull", detail }));
    this.#snapshots = new SnapshotWork({
      node: options.raft.id,
      storage,
      store,
      afterBytes: options.snapshotAfterBytes,
      termAt: (index) => this.#raft.view().log.termAt(index),
      tell: (event) => output.tell(event),
      answer: (asker, response) => output.answer(asker, [response]),
    });
    this.#sending = new SnapshotSending(storage, options.snapshotChunkBytes);
    this.#receiving = new SnapshotReceiving(storage);
    this.#requests = new Requests({
      raft: this.#raft,
      store,
      clusterId: options.clusterId,
      maxPending: options.maxPendingRequests,
      maxUncommittedBatches: options.maxUncommittedBatches,
      isDiskFull: () => this.#batches.isFull,
      requestSnapshot: (asker) => this.#snapshots.request(asker, this.#nowMs),
      answer: (asker, responses) => output.answer(asker, responses),
    }, nowMs);
  }

  get store(): Store {
    return this.#store;
  }

  view(): RaftView {
    return this.#raft.view();
  }

  /** The index of the newest configuration that is known here to be committed; 0 for that of the beginning. */
  get committedConfigurationIndex(): number {
    return this.#raft.committedConfigurationIndex;
  }

  /** Where the others are to look for this node, and the index of the configuration that has it there, if one does. */
  claimedAddress(listensAt: MemberAddress): { address: MemberAddress; index: number } | undefined {
    return this.#raft.claimedAddress(listensAt);
  }

  /** Where a node is found, as far as the log tells. */
  addressOf(node: NodeId): MemberAddress | undefined {
    return this.#raft.addressOf(node);
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
    return this.#snapshots.isUnderWay;
  }

  /**
   * Does a slice of what is not urgent: about a millisecond. Call it when nothing else waits, as long as there is
   * work, and `flush` after it. Throws what the storage throws.
   */
  work(): void {
    if (!this.#snapshots.isUnderWay) return;
    const taken = this.#snapshots.slice(this.#nowMs);
    if (taken !== undefined) this.#raft.step({ kind: "snapshotTaken", index: taken.index });
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

  /**
   * A client's request, to be answered through {@linkcode ReplicaOutput.answer}. What is to be kept of it is copied
   * before this returns.
   */
  request(asker: Asker, request: ClientRequest): void {
    this.#requests.take(asker, request);
  }

  /**
   * Lets another node lead, if this one does. `ended` is called once, from a flush or at once: when another leads, or
   * when that did not come about (then it is told why).
   */
  handOver(ended: (failure: string | undefined) => void): void {
    this.#requests.handOver(ended);
  }

  /** Refuses new requests from now on and tells those under way that their outcome will not be known here. */
  stop(): void {
    this.#isStopping = true;
    this.#requests.stop();
    this.#snapshots.stop(shuttingDown("notDone"));
    this.#receiving.abort();
    this.#sending.keepOnly(new Set());
  }

  /**
   * Does all that follows from what was taken in since the last call. Whatever came together is written with one
   * sync. What is left to be applied after very many entries is for the next call, which `nextWakeMs` asks for.
   * Throws what the log throws: then this replica has promised nothing that it cannot keep, and must go.
   */
  flush(): void {
    this.#requests.propose();
    const upTo = this.#store.lastApplied + MAX_APPLIED_PER_FLUSH;
    while (this.#perform() && this.#store.lastApplied < upTo);
    this.#receiving.endUpTo(this.#store.lastApplied);
    if (!this.#isStopping) this.#snapshots.maybeBegin(this.#nowMs);
  }

  /**
   * The duties of a driver, in their order, which is that in which others wait. A leader's clients wait for what is
   * committed, its followers have been sent what is new, and its own disk is one of three: so it answers before it
   * writes. A follower's leader waits for its disk, and nobody for what it applies: so it writes and says so first.
   * Returns whether there may be more to do.
   */
  #perform(): boolean {
    const first = this.#begin();
    const { isLeader } = this.#raft;
    if (isLeader) {
      this.#finish(first);
      this.#output.answered?.();
    }
    const readies = [first];
    while (this.#write()) readies.push(this.#begin());
    for (const ready of isLeader ? readies.slice(1) : readies) this.#finish(ready);
    return readies.some(({ committed, chunksToStore }) => committed.length > 0 || chunksToStore.length > 0);
  }

  /** Sends what may be sent, and puts what is to be durable behind what is. */
  #begin(): Ready {
    const ready = this.#raft.ready();
    this.#requireSoundState(ready);
    for (const { to, message } of ready.messages) this.#output.send(to, message);
    if (ready.persist !== undefined) this.#batches.push(ready.persist);
    return ready;
  }

  /** Applies what is committed, answers, and all else that nobody waits for at a disk. */
  #finish(ready: Ready): void {
    for (const accepted of ready.accepted) this.#requests.accepted(accepted, this.#nowMs);
    this.#applyAll(ready.committed);
    for (const token of ready.reads) this.#requests.readable(token);
    for (const refused of ready.refused) this.#requests.refused(refused);
    for (const transferred of ready.transferred) this.#requests.transferred(transferred);
    this.#sendChunks(ready);
    for (const chunk of ready.chunksToStore) this.#storeChunk(chunk);
    for (const event of ready.events) this.#tell(event);
  }

  /** Before anything is sent or answered: what this node holds is not to be seen by anyone. */
  #requireSoundState({ events }: Ready): void {
    for (const event of events) {
      if (event.kind === "diverged" && event.node === this.#options.raft.id) {
        throw new DivergedError(event.index);
      }
    }
  }

  /** Makes durable what waits for it, and says so. Returns whether there was anything. */
  #write(): boolean {
    const sequence = this.#batches.write(this.#nowMs);
    if (sequence === undefined) return false;
    this.#raft.step({ kind: "persisted", sequence });
    return true;
  }

  #applyAll(committed: readonly Entry[]): void {
    if (committed.length === 0) return;
    const stateHashes: number[] = [];
    for (const entry of committed) {
      const result = this.#store.apply(entry);
      this.#output.applied?.(entry, result);
      this.#requests.applied(entry, result);
      stateHashes.push(this.#store.digest);
    }
    this.#raft.step({ kind: "applied", upTo: this.#store.lastApplied, stateHashes });
  }

  // --------------------------------------------------------------------------------------- snapshots

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

  #install(from: NodeId, position: LogPosition, keepsLog: boolean): void {
    const { configuration } = this.#store;
    if (configuration === undefined) throw new Error("a snapshot without members");
    requireSameBeginning(configuration, this.#options.raft.configuration);
    if (!keepsLog) this.#batches.dropEntries();
    this.#snapshots.noteInstalled();
    this.#raft.step({ kind: "snapshotInstalled", from, position, configuration });
    this.#output.installed?.(position);
    // Writes that a former leader has in its log up to there: what became of them is in the snapshot, but not who asked.
    this.#requests.loseUpTo(position.index);
  }

  // -------------------------------------------------------------------------------------------- within

  #tell(event: ReplicaEvent): void {
    this.#output.tell(event);
    if (event.kind === "role") this.#requests.noteRole(event, this.#nowMs);
  }
}

/**
 * The members where the log begins: as the snapshot has them, unless newer ones are known. A cluster whose members have
 * never changed has them from its configuration file.
 */
function configurationToStartWith(given: Configuration, store: Store): Configuration {
  const stored = store.configuration;
  if (stored === undefined || stored.members.length === 0) {
    store.begin(given);
    return given;
  }
  if (given.index > stored.index) return given;
  requireSameBeginning(stored, given);
  return stored.index > 0 ? stored : given;
}

/** That two nodes began with different members would end in two majorities that do not meet. */
function requireSameBeginning(stored: Configuration, given: Configuration): void {
  if (stored.index > 0 || given.index > 0) return;
  const ids = ({ members }: Configuration) => members.map(({ id }) => id);
  if (ids(stored).join() !== ids(given).join()) throw new MembersError(ids(stored), ids(given));
}
