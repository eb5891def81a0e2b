/**
 * What a client does after an attempt: the whole of its cleverness, without a socket or a clock.
 *
 * A write keeps its client id and its sequence through all attempts, so asking again is always safe. What must be
 * remembered is whether any attempt may have reached a leader: then a failure is "outcome unknown", else "not done".
 *
 * Between two pauses every server is tried once at most. While a leader is dead its followers go on naming it for an
 * election timeout; without that rule a client would spend this time running in a circle, on the very processors that
 * the election needs.
 *
 * @module
 */
import type { ClientResponse, ClientResponseOf } from "../../packraft/mod.ts";
import {
  type ClientError,
  NoSpaceError,
  OutcomeUnknownError,
  RequestError,
  SessionLostError,
  TransferFailedError,
} from "./errors.ts";
import { nameOf, type ServerAddress } from "./platform.ts";

/** How an attempt ended. */
export type Attempt =
  /** `response` is the last where there were several. */
  | { readonly kind: "answered"; readonly response: ClientResponse }
  /** No connection: the request was not sent. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The request was sent, and the connection broke or nothing came back in time. */
  | { readonly kind: "unanswered"; readonly reason: string };

/** What to do next. */
export type Decision =
  | { readonly kind: "done" }
  | { readonly kind: "fail"; readonly error: ClientError }
  /** Try this server now. `leader` is the node's number where another node sent us there. */
  | { readonly kind: "try"; readonly server: ServerAddress; readonly leader?: number }
  /** Wait, then try the leader if it has become known, else this server. */
  | { readonly kind: "pause"; readonly pauseMs: number; readonly server: ServerAddress };

/** Whether an attempt says that the server does not lead, or does not at the moment. */
export function doesNotLead(attempt: Attempt): boolean {
  if (attempt.kind !== "answered") return true;
  const { response } = attempt;
  if (response.type !== "ErrorResponse") return response.type === "RedirectResponse";
  return response.code === "noLeader" || response.code === "leadershipLost" ||
    response.code === "shuttingDown";
}

/** Redirects to ever new addresses end here: nobody's cluster is so large. */
const MAX_REDIRECTS_IN_A_ROW = 10;
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 20;

/** The state of one request through its attempts. */
export class RequestProgress {
  readonly #isWrite: boolean;
  readonly #servers: readonly ServerAddress[];
  readonly #random: () => number;
  readonly #triedSincePause = new Set<string>();
  #redirectsInARow = 0;
  #pauseCount = 0;
  #mayHaveTakenEffect = false;

  /** @param servers those that are known from the start; at least one */
  constructor(isWrite: boolean, servers: readonly ServerAddress[], random: () => number) {
    this.#isWrite = isWrite;
    this.#servers = servers;
    this.#random = random;
  }

  /** Whether some attempt may have changed something, so that a failure leaves the outcome unknown. */
  get mayHaveTakenEffect(): boolean {
    return this.#mayHaveTakenEffect;
  }

  /** What to do after this attempt at `server`. */
  after(server: ServerAddress, attempt: Attempt): Decision {
    this.#triedSincePause.add(nameOf(server));
    switch (attempt.kind) {
      case "unreachable":
        return this.#next(server);
      case "unanswered":
        this.#mayHaveTakenEffect ||= this.#isWrite;
        return this.#next(server);
      case "answered":
        return this.#afterResponse(server, attempt.response);
    }
  }

  #afterResponse(server: ServerAddress, response: ClientResponse): Decision {
    switch (response.type) {
      case "RedirectResponse":
        return this.#redirect(server, response);
      case "ErrorResponse":
        return this.#afterError(server, response);
      default:
        return { kind: "done" };
    }
  }

  #redirect(server: ServerAddress, response: ClientResponseOf<"RedirectResponse">): Decision {
    const to = { host: response.host, port: response.clientPort };
    this.#redirectsInARow++;
    const isCircle = this.#triedSincePause.has(nameOf(to)) || this.#redirectsInARow > MAX_REDIRECTS_IN_A_ROW;
    return isCircle ? this.#next(server) : { kind: "try", server: to, leader: response.leader };
  }

  #afterError(server: ServerAddress, response: ClientResponseOf<"ErrorResponse">): Decision {
    if (response.outcome === "unknown") this.#mayHaveTakenEffect ||= this.#isWrite;
    switch (response.code) {
      case "badRequest":
        // An earlier attempt may have been taken by a node that thought otherwise.
        return { kind: "fail", error: this.#failure(response.message) };
      case "staleSequence":
        return { kind: "fail", error: new SessionLostError(`outcome unknown: ${response.message}`) };
      case "noSpace":
        // There may be room before the time is up, or another leader with more of it.
        if (!this.#isWrite) return { kind: "fail", error: new NoSpaceError(response.message) };
        return { ...this.#pause(server), pauseMs: response.retryAfterMs };
      case "busy":
        return { ...this.#pause(server), pauseMs: response.retryAfterMs * (1 + this.#random() / 2) };
      case "transferFailed":
        return { kind: "fail", error: new TransferFailedError(response.message) };
      case "noLeader":
      case "leadershipLost":
      case "shuttingDown":
        return this.#next(server);
    }
  }

  #failure(message: string): ClientError {
    return this.#mayHaveTakenEffect
      ? new OutcomeUnknownError(`outcome unknown: ${message}`)
      : new RequestError(message);
  }

  /** The next server in order that has not been tried since the last pause; after all of them, a pause. */
  #next(server: ServerAddress): Decision {
    const place = this.#servers.findIndex((known) => nameOf(known) === nameOf(server));
    for (let step = 1; step <= this.#servers.length; step++) {
      const candidate = this.#servers[(place + step) % this.#servers.length];
      if (candidate !== undefined && !this.#triedSincePause.has(nameOf(candidate))) {
        return { kind: "try", server: candidate };
      }
    }
    return this.#pause(this.#servers[(place + 1) % this.#servers.length] ?? server);
  }

  /** Longer each time up to a limit, and never the same for two clients. */
  #pause(server: ServerAddress): Extract<Decision, { kind: "pause" }> {
    this.#triedSincePause.clear();
    this.#redirectsInARow = 0;
    const longestMs = Math.min(MIN_PAUSE_MS * 2 ** Math.min(this.#pauseCount++, 8), MAX_PAUSE_MS);
    return { kind: "pause", pauseMs: longestMs * (0.5 + this.#random() / 2), server };
  }
}
