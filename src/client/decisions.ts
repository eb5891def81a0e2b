/**
 * What a client does after an attempt: the whole of its cleverness, without a socket or a clock.
 *
 * A write keeps its client id and its sequence through all attempts, so asking again is always safe. What the client
 * must remember is whether any attempt may have reached a leader: then a failure is "outcome unknown", else "not done".
 *
 * @module
 */
import type { ClientResponse } from "../../packraft/mod.ts";
import {
  type ClientError,
  NoAnswerError,
  NoLeaderError,
  OutcomeUnknownError,
  RequestError,
  UnreachableError,
} from "./errors.ts";

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** How an attempt ended. */
export type Attempt =
  | { readonly kind: "answered"; readonly response: ClientResponse }
  /** No connection: the request was not sent. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The request was sent, and the connection broke or nothing came back in time. */
  | { readonly kind: "unanswered"; readonly reason: string };

/** What to do next. */
export type Decision =
  | { readonly kind: "done"; readonly response: ClientResponse }
  | { readonly kind: "fail"; readonly error: ClientError }
  | { readonly kind: "redirect"; readonly to: ServerAddress; readonly leader: number }
  /** Try the next server, after a pause. */
  | { readonly kind: "next"; readonly pauseMs: number };

const MAX_REDIRECTS = 10;
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 50;

/** The state of one request through its attempts. */
export class RequestProgress {
  readonly #isWrite: boolean;
  readonly #serverCount: number;
  readonly #random: () => number;
  #mayHaveTakenEffect = false;
  #redirects = 0;
  #unreachableInARow = 0;
  #pauses = 0;
  #hasReachedAny = false;
  #lastRefusal = "";

  constructor(isWrite: boolean, serverCount: number, random: () => number) {
    this.#isWrite = isWrite;
    this.#serverCount = serverCount;
    this.#random = random;
  }

  /** What to do after this attempt. */
  after(attempt: Attempt): Decision {
    switch (attempt.kind) {
      case "unreachable":
        // Down nodes are passed over at once; only when all are down is there a reason to wait.
        this.#unreachableInARow++;
        return {
          kind: "next",
          pauseMs: this.#unreachableInARow % this.#serverCount === 0 ? this.#pauseMs() : 0,
        };
      case "unanswered":
        this.#reached();
        this.#mayHaveTakenEffect = this.#isWrite;
        this.#lastRefusal = attempt.reason;
        return { kind: "next", pauseMs: 0 };
      case "answered":
        this.#reached();
        return this.#afterResponse(attempt.response);
    }
  }

  /** The error to give when time is up. */
  timedOut(timeoutMs: number, servers: readonly ServerAddress[]): ClientError {
    const after = `after ${timeoutMs / 1000} s`;
    if (this.#mayHaveTakenEffect) {
      return new OutcomeUnknownError(
        `timed out ${after}, outcome unknown: the write may or may not take effect; retry it with the same id`,
      );
    }
    if (!this.#hasReachedAny) {
      const addresses = servers.map(({ host, port }) => `${host}:${port}`).join(", ");
      return new UnreachableError(
        `cannot reach ${addresses} ${after}: start the nodes, or check the addresses`,
      );
    }
    if (this.#lastRefusal === "noLeader") {
      return new NoLeaderError(`no leader ${after}: a majority of the nodes must run and reach each other`);
    }
    return new NoAnswerError(
      `no answer ${after}${this.#lastRefusal === "" ? "" : ` (${this.#lastRefusal})`}, nothing was changed`,
    );
  }

  #reached(): void {
    this.#hasReachedAny = true;
    this.#unreachableInARow = 0;
  }

  #afterResponse(response: ClientResponse): Decision {
    switch (response.type) {
      case "RedirectResponse": {
        // Two nodes may each think that the other leads, for a moment: going round is followed by a pause.
        this.#lastRefusal = "noLeader";
        if (++this.#redirects % MAX_REDIRECTS === 0) return { kind: "next", pauseMs: this.#pauseMs() };
        const to = { host: response.host, port: response.clientPort };
        return { kind: "redirect", to, leader: response.leader };
      }
      case "ErrorResponse":
        return this.#afterError(response);
      default:
        return { kind: "done", response };
    }
  }

  #afterError(response: Extract<ClientResponse, { type: "ErrorResponse" }>): Decision {
    if (response.outcome === "unknown" && this.#isWrite) this.#mayHaveTakenEffect = true;
    this.#lastRefusal = response.code;
    switch (response.code) {
      case "badRequest":
        return { kind: "fail", error: new RequestError(response.message) };
      case "staleSequence":
        return { kind: "fail", error: new OutcomeUnknownError(`outcome unknown: ${response.message}`) };
      case "noLeader":
      case "busy":
        return { kind: "next", pauseMs: Math.max(response.retryAfterMs * this.#random(), this.#pauseMs()) };
      case "leadershipLost":
      case "shuttingDown":
        return { kind: "next", pauseMs: 0 };
    }
  }

  /** Longer each time, up to a limit, and never the same for two clients. */
  #pauseMs(): number {
    const longest = Math.min(MIN_PAUSE_MS * 2 ** this.#pauses++, MAX_PAUSE_MS);
    return longest * (0.5 + this.#random() / 2);
  }
}
