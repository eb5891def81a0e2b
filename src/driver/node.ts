/**
 * A node on this machine: sockets, files and timers around a {@linkcode Replica}.
 *
 * Everything that arrives in one turn of the event loop is taken in first and then flushed together, so that one
 * sync covers all of it: the busier a node is, the more writes share a sync.
 *
 * @module
 */
import type { ClientRequest, Configuration, PeerEnvelope, PeerMessage } from "../../packraft/mod.ts";
import { decodeMembers, encodeMembers, encodePacket, offerNativeCrc32 } from "../../packraft/mod.ts";
import type { ClusterConfig } from "../config/mod.ts";
import { isSameAddress, type MemberAddress, shownAddress } from "../raft/mod.ts";
import { Sessions, Store } from "../kv/mod.ts";
import {
  Replica,
  type ReplicaEvent,
  sentenceOfEvent,
  sentenceOfPeerMessage,
  sentenceOfRequest,
  sentenceOfResponse,
} from "../replica/mod.ts";
import type { DataDirectory } from "../storage/data_directory.ts";
import { Alarm } from "./alarm.ts";
import { type ClientAsker, ClientListener } from "./client_listener.ts";
import { listenOn } from "./listen.ts";
import { lineLog, type Log, TroubleLog } from "./log_sink.ts";
import { luidOf, LuidSource } from "./luids.ts";
import { beginningOf, endOf, hopeless, knownAddress, notAMember, openDirectory } from "./node_start.ts";
import { PeerLinks } from "./peer_links.ts";
import { PeerListener } from "./peer_listener.ts";
import { recoverySentences } from "./recovery_sentences.ts";
import { closeQuietly } from "./sockets.ts";

/** How long connecting to a peer may take, or the peer take nothing of what is written to it. */
const STALL_MS = 1_000;
const MAX_PENDING_REQUESTS = 65_536;
/** One on its way while the next one is put together: more makes batches smaller, and syncs and messages more. */
const MAX_UNCOMMITTED_BATCHES = 2;
const MAX_APPEND_BYTES = 1024 * 1024;
/** Kept in memory beside a snapshot, so that a follower that was away for a moment needs no snapshot. */
const KEPT_LOG_BYTES = 8 * 1024 * 1024;
const SNAPSHOT_CHUNK_BYTES = 512 * 1024;
const MAX_INFLIGHT_APPENDS = 32;
const MAX_INFLIGHT_BYTES = 16 * 1024 * 1024;
/** The whole window fits, and heartbeats beside it: a smaller queue would drop appends while a follower catches up. */
const MAX_QUEUED_BYTES_PER_PEER = MAX_INFLIGHT_BYTES + 4 * MAX_APPEND_BYTES;
/** How long a node that stops waits for another to lead: an election takes some milliseconds when it is wished. */
const HAND_OVER_MS = 1_000;
/** How long a node that was removed still answers: the messages that tell the others of it are sent by then. */
const LEAVE_AFTER_MS = 200;
/** How long answers may take to leave when a node stops. */
const STOP_GRACE_MS = 500;
/** The exit code for a node that does not belong where it is. */
const EXIT_IDENTITY = 7;

export interface NodeOptions {
  readonly config: ClusterConfig;
  readonly node: number;
  readonly dataDirectory: string;
  /** Where this node listens; by default where the configuration file has it, else where the cluster knows it. */
  readonly address?: MemberAddress;
  /** The members, as a running cluster has told; by default those of the configuration file. */
  readonly members?: Configuration;
  /** Whether each message between nodes, or of a client, is logged as a sentence. */
  readonly serverMsgs?: boolean;
  readonly clientMsgs?: boolean;
  /** The operator vouches that the cluster is new: the node need not hear that from all others. */
  readonly isNewCluster?: boolean;
  /** The operator says that the directory does not hold all that the node promised: it asks the others. */
  readonly isRejoining?: boolean;
  readonly log?: Log;
}

/** How a node came to its end. */
export interface NodeEnd {
  readonly exitCode: number;
  readonly reason: string;
}

export interface RunningNode {
  /** Where it listens. */
  readonly address: MemberAddress;
  /** Stops cleanly: answers what it can, seals the log, lets go of the directory. Resolves when all that is done. */
  stop(): Promise<void>;
  /** Resolves when the node has stopped, for whatever reason. */
  readonly ended: Promise<NodeEnd>;
}

/**
 * Starts a node: recovers its log, then listens.
 *
 * @throws errors with an `exitCode` and a one-line message: configuration, data directory, identity, corruption,
 * a port that is in use
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  // Loaded here: it takes longer to load than everything else that a command which runs no node needs.
  offerNativeCrc32((await import("node:zlib")).crc32);
  return new Node(options);
}

class Node implements RunningNode {
  readonly #options: NodeOptions;
  readonly #log: Log;
  readonly #luids = new LuidSource();
  readonly #directory: DataDirectory;
  readonly #replica: Replica<ClientAsker>;
  readonly #peerListener: PeerListener;
  readonly #clientListener: ClientListener;
  readonly #links: PeerLinks;
  /** Where others find this node. */
  readonly #address: MemberAddress;
  readonly #alarm: Alarm;
  readonly #end = Promise.withResolvers<NodeEnd>();
  /** The number of the present turn, or of the last one. */
  #turnNumber: number;
  #isFlushDue = false;
  /** Set while a slice of work that is not urgent waits for its turn. */
  #workTimer: ReturnType<typeof setTimeout> | undefined;
  #workTookMs = 0;
  #leaveTimer: ReturnType<typeof setTimeout> | undefined;
  #handedOver: Promise<void> | undefined;
  #hasEnded = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    const log = options.log ?? lineLog();
    this.#log = (line) => log(`node ${options.node} ${line}`);
    this.#turnNumber = this.#luids.nextNumber("turn");
    const trouble = new TroubleLog(this.#log, now);
    const opened: { close(): void }[] = [];
    const listeners = (address: MemberAddress) => {
      const peer = listenOn(address.host, address.peerPort, "peer");
      opened.push(peer);
      const client = listenOn(address.host, address.clientPort, "client");
      opened.push(client);
      return { peer, client };
    };
    try {
      // Ports before files: a second start of the same node says so without touching its data.
      const address = knownAddress(options);
      const early = address && listeners(address);
      const store = new Store(new Sessions(), crypto.getRandomValues(new Uint32Array(1))[0]);
      this.#directory = openDirectory(options, store);
      opened.push(this.#directory);
      for (const text of recoverySentences(this.#directory)) this.#log(`${this.#turn} ${text}`);
      this.#replica = this.#makeReplica(store);
      this.#address = address ?? this.#replica.addressOf(options.node) ?? notAMember(options);
      this.#logAddress();
      const { peer, client } = early ?? listeners(this.#address);
      this.#alarm = new Alarm(() => this.#wake(), now);
      this.#links = this.#makeLinks(trouble);
      const shared = { luids: this.#luids, trouble, now };
      this.#peerListener = new PeerListener({
        ...shared,
        listener: peer,
        clusterId: options.config.clusterId,
        node: options.node,
        receive: (envelope, message) => this.#receive(envelope, message),
      });
      this.#clientListener = new ClientListener({
        ...shared,
        listener: client,
        request: (asker, request) => this.#request(asker, request),
      });
    } catch (error) {
      for (const resource of opened.reverse()) closeQuietly(resource);
      throw error;
    }
    this.#wake();
  }

  get #turn(): string {
    return luidOf("turn", this.#turnNumber);
  }

  get ended(): Promise<NodeEnd> {
    return this.#end.promise;
  }

  get address(): MemberAddress {
    return this.#address;
  }

  async stop(): Promise<void> {
    this.#handedOver ??= this.#handOver();
    await this.#handedOver;
    await this.#stopWith({ exitCode: 0, reason: "stopped" });
  }

  async #stopWith(end: NodeEnd): Promise<void> {
    if (this.#hasEnded) return void await this.ended;
    this.#hasEnded = true;
    try {
      this.#replica.stop();
      await this.#disconnect(STOP_GRACE_MS);
      this.#directory.close();
      this.#end.resolve(end);
    } catch (error) {
      this.#end.resolve(endOf(error));
    }
  }

  /** Lets another node lead before this one goes: nobody then has to wait for an election timeout. */
  #handOver(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, HAND_OVER_MS);
    this.#takeIn(() => this.#replica.handOver(() => resolve()));
    return promise.finally(() => clearTimeout(timer));
  }

  /** It was registered again before it had gone. */
  #maybeStay({ members }: Configuration): void {
    if (!members.some(({ id }) => id === this.#options.node)) return;
    clearTimeout(this.#leaveTimer);
    this.#leaveTimer = undefined;
  }

  /** It is no member any more. What it has to tell the others, that this is so, may leave first. */
  #leave(index: number): void {
    if (this.#leaveTimer !== undefined) return;
    const { node, dataDirectory } = this.#options;
    const reason = `node ${node} was removed from the cluster by entry ${index}; ` +
      `to bring it back, register it again: drafty client register ${node} HOST:PEER:CLIENT. ` +
      `Its data directory ${dataDirectory} may be removed`;
    this.#leaveTimer = setTimeout(
      () => void this.#stopWith({ exitCode: EXIT_IDENTITY, reason }),
      LEAVE_AFTER_MS,
    );
  }

  /** Ends at once, without another promise to anyone: what the disk holds is no longer known. */
  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    closeQuietly(this.#directory); // a log that has failed is not sealed
    void this.#disconnect(0).then(() => this.#end.resolve(endOf(error)));
  }

  /** Hears and says nothing more; answers that are on their way have `graceMs` to leave. */
  async #disconnect(graceMs: number): Promise<void> {
    this.#alarm.cancel();
    clearTimeout(this.#workTimer);
    clearTimeout(this.#leaveTimer);
    this.#links.close();
    await Promise.all([this.#peerListener.close(), this.#clientListener.close(graceMs)]);
  }

  // ---------------------------------------------------------------------------------- what arrives

  #receive(envelope: PeerEnvelope, message: PeerMessage): void {
    if (this.#hasEnded) return;
    this.#takeIn(() => {
      const { from, luid } = envelope;
      if (this.#options.serverMsgs) this.#logReceived(from, message, luid);
      this.#links.heard(from, envelope);
      this.#replica.receive(from, message);
    });
  }

  #request(asker: ClientAsker, request: ClientRequest): void {
    if (this.#hasEnded) return;
    this.#takeIn(() => {
      if (this.#options.clientMsgs) {
        this.#log(`${this.#turn} ${asker.luid} a client asks: ${sentenceOfRequest(request)}`);
      }
      this.#replica.request(asker, request);
    });
  }

  #logReceived(from: number, message: PeerMessage, theirLuid: string): void {
    const luid = this.#luids.next("peer-message");
    this.#log(
      `${this.#turn} ${luid} (${theirLuid} there) node ${from} says: ${sentenceOfPeerMessage(message)}`,
    );
  }

  #wake(): void {
    this.#takeIn(() => {});
  }

  /** Takes something in and sees to it that a flush follows, after all else that arrived in this turn. */
  #takeIn(take: () => void): void {
    try {
      if (!this.#isFlushDue) {
        this.#turnNumber = this.#luids.nextNumber("turn");
        this.#isFlushDue = true;
        this.#replica.advance(now());
        queueMicrotask(() => this.#flush());
      }
      take();
    } catch (error) {
      this.#fail(error);
    }
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#hasEnded) return;
    try {
      this.#replica.flush();
      this.#alarm.setBy(this.#replica.nextWakeMs());
      this.#scheduleWork();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A slice of work takes no more than half of the time, and never its turn before what has arrived. */
  #scheduleWork(): void {
    if (this.#workTimer !== undefined || !this.#replica.hasWork) return;
    this.#workTimer = setTimeout(() => {
      this.#workTimer = undefined;
      if (this.#hasEnded) return;
      const startMs = now();
      this.#takeIn(() => this.#replica.work());
      this.#workTookMs = now() - startMs;
    }, Math.ceil(this.#workTookMs));
  }

  // ----------------------------------------------------------------------------------- what leaves

  #send(to: number, message: PeerMessage): void {
    const luid = this.#luids.next("peer-message");
    if (this.#options.serverMsgs) {
      this.#log(`${this.#turn} ${luid} tells node ${to}: ${sentenceOfPeerMessage(message)}`);
    }
    const { config: { clusterId }, node: from } = this.#options;
    const envelope = { clusterId, from, to, luid, ...this.#ownAddress() };
    this.#links.send(to, encodePacket({ family: "peer", envelope, message }));
  }

  /** Where the others find this node: as a configuration has it, or where it listens. */
  #ownAddress(): Omit<PeerEnvelope, "clusterId" | "from" | "to" | "luid"> {
    const claimed = this.#replica.claimedAddress(this.#address);
    const { host, peerPort } = claimed?.address ?? this.#address;
    return { host, peerPort, addressIndex: claimed?.index ?? 0 };
  }

  #tell(event: ReplicaEvent): void {
    // Commits are as many as writes: they are in the messages for those who want to see each.
    if (event.kind !== "committed") this.#log(`${this.#turn} ${sentenceOfEvent(event)}`);
    if (event.kind === "configuration") this.#maybeStay(event.configuration);
    if (event.kind === "removed") this.#leave(event.index);
    if (event.kind === "rejoinImpossible") {
      queueMicrotask(() => this.#fail(hopeless(this.#options, this.#directory.report.damage)));
    }
  }

  // ----------------------------------------------------------------------------------- how it is made

  #makeReplica(store: Store): Replica<ClientAsker> {
    const { config, node, clientMsgs } = this.#options;
    return new Replica(
      {
        raft: {
          id: node,
          configuration: beginningOf(this.#options),
          codec: { encode: encodeMembers, decode: decodeMembers },
          heartbeatMs: config.heartbeatMs,
          electionTimeoutMs: config.electionTimeoutMs,
          maxAppendBytes: MAX_APPEND_BYTES,
          keptLogBytes: KEPT_LOG_BYTES,
          maxInflightAppends: MAX_INFLIGHT_APPENDS,
          maxInflightBytes: MAX_INFLIGHT_BYTES,
          random: Math.random,
        },
        clusterId: config.clusterId,
        storage: this.#directory,
        store,
        maxPendingRequests: MAX_PENDING_REQUESTS,
        maxUncommittedBatches: MAX_UNCOMMITTED_BATCHES,
        snapshotAfterBytes: config.snapshotAfterBytes,
        snapshotChunkBytes: SNAPSHOT_CHUNK_BYTES,
      },
      {
        send: (to, message) => this.#send(to, message),
        answer: (asker, responses) => {
          const shown = clientMsgs ? this.#shownResponses(asker.luid, responses) : responses;
          this.#clientListener.answer(asker, shown);
        },
        answered: () => this.#clientListener.flush(),
        tell: (event) => this.#tell(event),
      },
      now(),
    );
  }

  *#shownResponses<Response extends Parameters<typeof sentenceOfResponse>[0]>(
    luid: string,
    responses: Iterable<Response>,
  ): Generator<Response> {
    for (const response of responses) {
      this.#log(`${this.#turn} ${luid} is answered: ${sentenceOfResponse(response)}`);
      yield response;
    }
  }

  #makeLinks(trouble: TroubleLog): PeerLinks {
    return new PeerLinks({
      lingerMs: this.#options.config.lingerMs,
      stallMs: STALL_MS,
      maxQueuedBytes: MAX_QUEUED_BYTES_PER_PEER,
      addressOf: (node) => this.#replica.addressOf(node),
      committedIndex: () => this.#replica.committedConfigurationIndex,
      onLoss: (node, { host, peerPort }, reason, messageCount) =>
        trouble.say(
          `link ${node}`,
          `peer-link-${node} cannot send to node ${node} at ${host}:${peerPort}: ${reason} (up to ${messageCount} messages lost)`,
        ),
    });
  }

  /** The others look for a node where the log says that it is. */
  #logAddress(): void {
    const { node } = this.#options;
    const known = this.#replica.addressOf(node);
    if (known === undefined || isSameAddress(known, this.#address)) return;
    const [here, there] = [shownAddress(this.#address), shownAddress(known)];
    this.#log(
      `${this.#turn} listens at ${here}, and the cluster knows it at ${there}: ` +
        `tell the others (drafty client move ${node} ${here}), or start it with --listen ${there}`,
    );
  }
}

function now(): number {
  return performance.now();
}
