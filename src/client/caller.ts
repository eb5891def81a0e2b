/**
 * Gets a request answered: finds the leader, follows redirects, tries again until the time is up. The decisions are
 * made in `decisions.ts`; this carries them out.
 *
 * @module
 */
import type { ClientRequest, ClientResponse } from "../../packraft/mod.ts";
import { attemptOf, isFinal, isWrite, needsLeader } from "./answers.ts";
import { Connection, type Outcome } from "./connection.ts";
import { type Attempt, doesNotLead, RequestProgress } from "./decisions.ts";
import { ClientClosedError, OutcomeUnknownError, RequestError } from "./errors.ts";
import { LeaderSearch } from "./leader_search.ts";
import { type ClientPlatform, nameOf, type ServerAddress } from "./platform.ts";
import { Troubles } from "./troubles.ts";
import { TurnClock } from "./turn_clock.ts";

/**
 * With less time left than this, no more attempt is made after others have failed: the end of the time would cut it
 * short, and a write that a node has been sent is of unknown outcome, where all before it were surely not done.
 */
const LAST_ATTEMPT_MS = 50;

export interface CallerOptions {
  readonly servers: readonly ServerAddress[];
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly isOneShot: boolean;
  readonly onRedirect: ((leader: number, address: ServerAddress) => void) | undefined;
  readonly platform: ClientPlatform;
}

export class Caller {
  readonly #options: CallerOptions;
  readonly #platform: ClientPlatform;
  readonly #firstServer: ServerAddress;
  readonly #clock: TurnClock;
  readonly #connections = new Map<string, Connection>();
  /** The connection that was asked for last: almost always the next one too. */
  #last: { readonly server: ServerAddress; readonly connection: Connection } | undefined;
  readonly #search: LeaderSearch;
  readonly #troubles = new Troubles();
  #isClosed = false;

  constructor(options: CallerOptions) {
    const [first] = options.servers;
    if (first === undefined) throw new RequestError("servers is empty; give at least one address");
    this.#options = options;
    this.#platform = options.platform;
    this.#firstServer = first;
    this.#clock = new TurnClock(options.platform);
    this.#search = new LeaderSearch(options.platform);
  }

  /** When a request that begins now has to be over. */
  deadlineMs(): number {
    return this.#clock.now() + this.#options.timeoutMs;
  }

  /**
   * One request, through as many attempts as it takes. Calls `answered` with the answer of one node, whole, or `failed`:
   * one of them, once.
   */
  call(
    request: ClientRequest,
    deadlineMs: number,
    answered: (responses: readonly ClientResponse[]) => void,
    failed: (error: unknown) => void,
  ): void {
    try {
      const leftMs = this.#remainingMs(deadlineMs, false);
      const leader = needsLeader(request) ? this.#search.leader : undefined;
      if (leader === undefined || this.#options.isOneShot) {
        this.#pursue(request, deadlineMs).then(answered, failed);
        return;
      }
      // The usual case, kept short: the leader is known, and answers.
      this.#connectionTo(leader).ask(
        request,
        this.#limitMs(request, leftMs),
        this.#clock.now(),
        (outcome) => {
          if (isFinal(request, outcome)) return answered(outcome.responses);
          this.#pursue(request, deadlineMs, { server: leader, outcome }).then(answered, failed);
        },
      );
    } catch (error) {
      failed(error);
    }
  }

  /** The same where it is not that simple. `first` is an attempt that has been made. */
  async #pursue(
    request: ClientRequest,
    deadlineMs: number,
    first?: { readonly server: ServerAddress; readonly outcome: Outcome },
  ): Promise<readonly ClientResponse[]> {
    const progress = new RequestProgress(isWrite(request), this.#options.servers, this.#platform.random);
    const isForLeader = needsLeader(request);
    let server = first?.server ?? this.#serverToBeginWith(request);
    let outcome = first?.outcome;
    try {
      // Others look for the leader already: what they find is this request's first attempt.
      if (outcome === undefined && isForLeader && this.#search.isUnderWay) {
        await this.#search.pause(progress, 0, deadlineMs - this.#platform.now());
        const leftMs = deadlineMs - this.#platform.now();
        // They have given up, and it is too late to begin.
        const isLate = this.#search.leader === undefined && leftMs < LAST_ATTEMPT_MS;
        if (isLate && this.#troubles.isKnownSince(this.#beganMs(deadlineMs))) {
          await this.#search.sleep(leftMs);
        }
        server = this.#search.leader ?? server;
      }
      for (;;) {
        const leftMs = () => this.#remainingMs(deadlineMs, progress.mayHaveTakenEffect);
        outcome ??= await this.#attempt(server, request, leftMs());
        const attempt = attemptOf(request, outcome);
        const decision = progress.after(server, attempt);
        this.#noteTrouble(server, attempt, deadlineMs);
        this.#learn(server, attempt, isForLeader && decision.kind === "done");
        switch (decision.kind) {
          case "done":
            return outcome.kind === "answered" ? outcome.responses : [];
          case "fail":
            throw decision.error;
          case "try":
            if (decision.leader !== undefined) this.#options.onRedirect?.(decision.leader, decision.server);
            server = decision.server;
            break;
          case "pause":
            await this.#pause(progress, decision.pauseMs, leftMs(), isForLeader);
            server = (isForLeader ? this.#search.leader : undefined) ?? decision.server;
            break;
        }
        outcome = undefined;
      }
    } finally {
      this.#search.ended(progress);
    }
  }

  /** Reads that any node serves are spread over all of them. */
  #serverToBeginWith(request: ClientRequest): ServerAddress {
    const isForAny = (request.type === "GetRequest" || request.type === "DataRequest") &&
      request.mode === "any";
    if (!isForAny) return this.#firstServer;
    const { servers } = this.#options;
    return servers[Math.floor(this.#platform.random() * servers.length)] ?? this.#firstServer;
  }

  /** Closes all connections. What is under way fails. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    this.#last = undefined;
    this.#search.stop();
  }

  /** How long the next attempt may take. Throws when the time is up, or the client closed. */
  #remainingMs(deadlineMs: number, mayHaveTakenEffect: boolean): number {
    if (this.#isClosed) {
      throw mayHaveTakenEffect
        ? new OutcomeUnknownError("the client was closed, outcome unknown: the write may have taken effect")
        : new ClientClosedError("the client was closed");
    }
    const leftMs = deadlineMs - this.#clock.now();
    if (leftMs <= 0) {
      throw this.#troubles.timedOut(this.#options.timeoutMs, this.#beganMs(deadlineMs), mayHaveTakenEffect);
    }
    return leftMs;
  }

  /** When the request began that has to be over at `deadlineMs`. */
  #beganMs(deadlineMs: number): number {
    return deadlineMs - this.#options.timeoutMs;
  }

  /** Waits before the next attempt; to the end, where that would begin too late. */
  #pause(progress: RequestProgress, pauseMs: number, leftMs: number, isForLeader: boolean): Promise<void> {
    const ms = leftMs - pauseMs < LAST_ATTEMPT_MS ? leftMs : pauseMs;
    return isForLeader ? this.#search.pause(progress, ms, leftMs) : this.#search.sleep(ms);
  }

  /** An attempt that the end of the time cut short says nothing new of a server of which this request has heard. */
  #noteTrouble(server: ServerAddress, attempt: Attempt, deadlineMs: number): void {
    const nowMs = this.#platform.now();
    const isCutShort = attempt.kind === "unanswered" && nowMs >= deadlineMs;
    const isKnown = this.#troubles.isKnownSince(this.#beganMs(deadlineMs), nameOf(server));
    if (!isCutShort || !isKnown) this.#troubles.note(nameOf(server), attempt, nowMs);
  }

  #learn(server: ServerAddress, attempt: Attempt, isFromLeader: boolean): void {
    if (isFromLeader) {
      this.#search.found(server);
      this.#troubles.clear();
    } else if (doesNotLead(attempt)) {
      this.#search.lost(server);
    }
  }

  async #attempt(server: ServerAddress, request: ClientRequest, leftMs: number): Promise<Outcome> {
    const { isOneShot } = this.#options;
    const connection = isOneShot ? this.#connect(server) : this.#connectionTo(server);
    try {
      const limitMs = this.#limitMs(request, leftMs);
      return await new Promise((settle) => connection.ask(request, limitMs, this.#clock.now(), settle));
    } finally {
      if (isOneShot) connection.close();
    }
  }

  /** How long one attempt may take. */
  #limitMs(request: ClientRequest, leftMs: number): number {
    // A snapshot takes as long as it takes; asking another node instead would only begin another.
    return request.type === "SnapshotRequest" ? leftMs : Math.min(leftMs, this.#options.attemptTimeoutMs);
  }

  #connectionTo(server: ServerAddress): Connection {
    if (this.#last?.server === server && !this.#last.connection.isClosed) return this.#last.connection;
    const name = nameOf(server);
    let connection = this.#connections.get(name);
    if (connection === undefined || connection.isClosed) {
      connection = this.#connect(server);
      this.#connections.set(name, connection);
    }
    this.#last = { server, connection };
    return connection;
  }

  #connect(server: ServerAddress): Connection {
    return new Connection(server, this.#platform, this.#options.attemptTimeoutMs);
  }
}
