/**
 * What clients ask, from the request to the answer: which wait for the server, which for an entry, and what each is told.
 *
 * @module
 */
import type { ClientRequest, ClientRequestOf, ClientResponse, Entry } from "../../packraft/mod.ts";
import { ByteArena, CommandEncoder, commandOf, type Store, type WriteResult } from "../kv/mod.ts";
import type { Accepted, MemberChange, RaftEvent, RaftServer, Refused, Transferred } from "../raft/mod.ts";
import { explanationOf } from "./explanation.ts";
import {
  type Age,
  ageOf,
  busy,
  CURRENT,
  leadershipLost,
  noSpace,
  notLeader,
  pagesOf,
  refusalOf,
  rejoining,
  responseOf,
  shuttingDown,
  statusOf,
} from "./responses.ts";
import { WaitingWrites } from "./waiting_writes.ts";

export interface RequestsOptions<Asker> {
  readonly raft: RaftServer;
  readonly store: Store;
  readonly clusterId: string;
  /** The most that may be under way; more are refused as `busy`. */
  readonly maxPending: number;
  /** After so many the next batch gathers until one of them is committed. */
  readonly maxUncommittedBatches: number;
  readonly isDiskFull: () => boolean;
  readonly requestSnapshot: (asker: Asker) => void;
  readonly answer: (asker: Asker, responses: Iterable<ClientResponse>) => void;
}

/** A batch of so many bytes need not wait for company. */
const FULL_BATCH_BYTES = 256 * 1024;

/** A longer value is read only when it can be sent: thousands of them are never in memory at once. */
const READ_AT_ONCE_BYTES = 4 * 1024;

/** Requests that the server has to decide about. */
type ForServer = Exclude<
  ClientRequest,
  { readonly type: "PingRequest" | "StatusRequest" | "SnapshotRequest" | "ExplainRequest" }
>;

/** What is read when the server says that it may be. */
type Question = Exclude<ForServer, { readonly type: "PutRequest" | "DeleteRequest" }>;

/** A request that the server knows by its token; a write is in its command already. */
interface Asked<Asker> {
  readonly asker: Asker;
  readonly question: Question | undefined;
}

export class Requests<Asker> {
  readonly #options: RequestsOptions<Asker>;
  readonly #raft: RaftServer;
  readonly #store: Store;
  readonly #asked = new Map<number, Asked<Asker>>();
  readonly #writes = new WaitingWrites<Asker>();
  readonly #encoder = new CommandEncoder();
  /** Of reads that wait: what came with a request is overwritten by the next. */
  readonly #keys = new ByteArena();
  readonly #handingOver = new Map<number, (failure: string | undefined) => void>();
  /** Why this node has its role, and since when. */
  #roleReason = "it has just started";
  #roleSinceMs: number;
  #proposals: { readonly token: number; readonly data: Uint8Array }[] = [];
  #proposalBytes = 0;
  /** The last index of each batch that was proposed and is not committed, as far as is known. */
  readonly #batchEnds: number[] = [];
  #nextToken = 1;
  #isStopping = false;

  constructor(options: RequestsOptions<Asker>, nowMs: number) {
    this.#options = options;
    this.#raft = options.raft;
    this.#store = options.store;
    this.#roleSinceMs = nowMs;
  }

  /** A request of a client, to be answered to the same asker. Its bytes may be written to after this call. */
  take(asker: Asker, request: ClientRequest): void {
    switch (request.type) {
      case "PingRequest": {
        const { id, role, leader } = this.#raft.view();
        return this.#answer(asker, { type: "PingResponse", node: id, role, leader });
      }
      case "StatusRequest":
        return this.#answer(asker, statusOf(this.#raft.view()));
      case "SnapshotRequest":
        if (this.#isStopping) return this.#answer(asker, shuttingDown("notDone"));
        return this.#options.requestSnapshot(asker);
      case "ExplainRequest":
        return this.#answer(asker, this.#explanation());
      case "PutRequest":
      case "DeleteRequest":
        if (this.#options.isDiskFull() && this.#raft.view().role === "leader") {
          return this.#answer(asker, noSpace());
        }
        return this.#ask(asker, request);
      case "GetRequest":
        return this.#takeRead(asker, { ...request, key: this.#keys.copy(request.key) });
      case "DataRequest":
        return this.#takeRead(asker, request);
      case "MembersRequest":
      case "ChangeMembersRequest":
      case "TransferRequest":
        return this.#ask(asker, request);
    }
  }

  handOver(ended: (failure: string | undefined) => void): void {
    if (this.#raft.view().role !== "leader") return ended(undefined);
    const token = this.#nextToken++;
    this.#handingOver.set(token, ended);
    this.#raft.step({ kind: "transfer", token, to: 0 });
  }

  /** Refuses new requests from now on and tells those under way that their outcome will not be known here. */
  stop(): void {
    this.#isStopping = true;
    for (const { asker } of this.#asked.values()) this.#answer(asker, shuttingDown("notDone"));
    for (const { asker } of this.#writes.takeUpTo(Infinity)) this.#answer(asker, shuttingDown("unknown"));
    this.#asked.clear();
    this.#proposals = [];
    this.#proposalBytes = 0;
  }

  /**
   * Proposes what has come since the last time, together; but not while `maxUncommittedBatches` are on their way.
   * What comes meanwhile makes one batch: each costs a sync on every node and a message to and from every follower,
   * however many writes it carries. A lone writer never waits, and whoever writes very much fills batches anyway.
   */
  propose(): void {
    if (this.#proposals.length === 0 || !this.#hasRoomForBatch()) return;
    this.#raft.step({ kind: "propose", proposals: this.#proposals });
    this.#proposals = [];
    this.#proposalBytes = 0;
    if (this.#raft.isLeader) this.#batchEnds.push(this.#raft.lastLogIndex);
  }

  #hasRoomForBatch(): boolean {
    // Who does not lead refuses, at once.
    if (!this.#raft.isLeader || this.#proposalBytes >= FULL_BATCH_BYTES) return true;
    while ((this.#batchEnds[0] ?? Infinity) <= this.#raft.commitIndex) this.#batchEnds.shift();
    return this.#batchEnds.length < this.#options.maxUncommittedBatches;
  }

  // ------------------------------------------------------------------------------- what became of them

  /** It is in the log, and waits for its entry to be applied. */
  accepted({ token, index, term }: Accepted, nowMs: number): void {
    const asked = this.#forget(token);
    if (asked !== undefined) this.#writes.add({ asker: asked.asker, index, term, sinceMs: nowMs });
  }

  applied(entry: Entry, result: WriteResult | undefined): void {
    const waiting = this.#writes.take(entry.index);
    if (waiting !== undefined) this.#answer(waiting.asker, this.#outcomeOf(entry, waiting.term, result));
  }

  refused({ token, reason, detail }: Refused): void {
    const handingOver = this.#handingOver.get(token);
    this.#handingOver.delete(token);
    handingOver?.(detail ?? reason);
    const asked = this.#forget(token);
    if (asked === undefined) return;
    const response = refusalOf(reason, detail ?? "") ?? this.#notLeader();
    this.#answer(asked.asker, response);
  }

  transferred({ token, leader }: Transferred): void {
    const handingOver = this.#handingOver.get(token);
    this.#handingOver.delete(token);
    handingOver?.(undefined);
    const asked = this.#forget(token);
    if (asked !== undefined) this.#answer(asked.asker, { type: "TransferResponse", leader });
  }

  readable(token: number): void {
    const asked = this.#forget(token);
    if (asked?.question === undefined) return;
    if (asked.question.type === "MembersRequest") this.#answer(asked.asker, this.#members());
    else this.#answerFromHere(asked.asker, asked.question, () => CURRENT);
  }

  /** What the entries up to `index` were for is not known here any more. */
  loseUpTo(index: number): void {
    for (const { asker } of this.#writes.takeUpTo(index)) this.#answer(asker, leadershipLost());
  }

  noteRole({ from, reason }: Extract<RaftEvent, { kind: "role" }>, nowMs: number): void {
    this.#roleReason = reason;
    this.#roleSinceMs = nowMs;
    // What it had in its log may be committed by the next leader, or replaced: these clients have to ask there.
    if (from !== "leader") return;
    this.loseUpTo(Infinity);
    this.#batchEnds.length = 0;
  }

  // -------------------------------------------------------------------------------------------- within

  #takeRead(asker: Asker, request: ClientRequestOf<"GetRequest" | "DataRequest">): void {
    if (request.mode === "stale") return this.#answerStale(asker, request);
    this.#ask(asker, request);
  }

  #ask(asker: Asker, request: ForServer): void {
    if (this.#isStopping) return this.#answer(asker, shuttingDown("notDone"));
    if (this.#asked.size + this.#writes.size >= this.#options.maxPending) {
      return this.#answer(asker, busy(this.#options.maxPending));
    }
    const token = this.#nextToken++;
    const isWrite = request.type === "PutRequest" || request.type === "DeleteRequest";
    this.#asked.set(token, { asker, question: isWrite ? undefined : request });
    switch (request.type) {
      case "PutRequest":
      case "DeleteRequest":
        this.#addProposal(token, this.#encoder.encode(commandOf(request)));
        break;
      case "GetRequest":
      case "DataRequest":
        this.#raft.step({ kind: "read", token, isForAny: request.mode === "any" });
        break;
      case "MembersRequest":
        this.#raft.step({ kind: "read", token });
        break;
      case "ChangeMembersRequest":
        this.#raft.step({ kind: "changeMembers", token, change: changeOf(request) });
        break;
      case "TransferRequest":
        this.#raft.step({ kind: "transfer", token, to: request.to });
        break;
    }
  }

  #addProposal(token: number, data: Uint8Array): void {
    this.#proposals.push({ token, data });
    this.#proposalBytes += data.length;
  }

  /** Not from a state that may have lost anything: an empty disk knows of no key. */
  #answerStale(asker: Asker, request: ClientRequest): void {
    const view = this.#raft.view();
    if (view.role === "rejoining") return this.#answer(asker, rejoining());
    this.#answerFromHere(asker, request, () => ageOf(this.#raft.view()));
  }

  /** Answers from the state machine as it is, or as it will be when there is room for the answer: that is as right. */
  #answerFromHere(asker: Asker, request: ClientRequest, ageNow: () => Age): void {
    if (request.type === "GetRequest") {
      const { key } = request;
      if (this.#store.valueBytes(key) <= READ_AT_ONCE_BYTES) {
        return this.#answer(asker, this.#read(key, ageNow()));
      }
      this.#options.answer(asker, this.#readLater(key, ageNow));
    } else if (request.type === "DataRequest") {
      const fields = { appliedIndex: this.#store.lastApplied, ...ageNow() };
      this.#options.answer(asker, pagesOf(this.#store.pairs(), fields));
    }
  }

  *#readLater(key: Uint8Array, ageNow: () => Age): Generator<ClientResponse> {
    yield this.#read(key, ageNow());
  }

  #read(key: Uint8Array, age: Age): ClientResponse {
    const value = this.#store.get(key);
    const found = value !== undefined;
    const appliedIndex = this.#store.lastApplied;
    return { type: "GetResponse", found, value: value ?? NO_VALUE, appliedIndex, ...age };
  }

  #members(): ClientResponse {
    const { committedConfiguration, leader } = this.#raft.view();
    return { type: "MembersResponse", leader, clusterId: this.#options.clusterId, ...committedConfiguration };
  }

  #explanation(): ClientResponse {
    return explanationOf(this.#raft.view(), {
      roleReason: this.#roleReason,
      roleSinceMs: this.#roleSinceMs,
      isDiskFull: this.#options.isDiskFull(),
      oldestWrite: this.#writes.oldest,
      waitingWrites: this.#writes.size + this.#proposals.length,
    });
  }

  /**
   * The answer to what was proposed with `term` at the place of this entry. Another entry may have taken that place: its
   * result is not this write's answer (bug 10 of the originals answered a lost write with success).
   */
  #outcomeOf(entry: Entry, term: number, result: WriteResult | undefined): ClientResponse {
    if (term !== entry.term) return leadershipLost();
    if (entry.kind === "configuration") return this.#members();
    return result === undefined ? leadershipLost() : responseOf(result);
  }

  #answer(asker: Asker, response: ClientResponse): void {
    this.#options.answer(asker, [response]);
  }

  #notLeader(): ClientResponse {
    const { leader } = this.#raft.view();
    return notLeader(leader, this.#raft.addressOf(leader));
  }

  #forget(token: number): Asked<Asker> | undefined {
    const asked = this.#asked.get(token);
    this.#asked.delete(token);
    return asked;
  }
}

const NO_VALUE = new Uint8Array();

function changeOf(request: ClientRequestOf<"ChangeMembersRequest">): MemberChange {
  const { change, id, host, peerPort, clientPort } = request;
  return change === "deregister"
    ? { kind: change, id }
    : { kind: change, id, address: { host, peerPort, clientPort } };
}
