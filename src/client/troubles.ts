/**
 * What became of the last attempt at each server, so that the error at the end says where to look. All requests of a
 * client share what they know, for most of them wait while one looks for the leader; but none is told of what was before
 * it began.
 *
 * @module
 */
import type { Attempt } from "./decisions.ts";
import {
  type ClientError,
  NoAnswerError,
  NoLeaderError,
  NoSpaceError,
  OutcomeUnknownError,
  UnreachableError,
} from "./errors.ts";

interface Trouble {
  readonly kind: "unreachable" | "unanswered" | "noLeader" | "noSpace" | "refused";
  readonly text: string;
  readonly atMs: number;
}

export class Troubles {
  readonly #byServer = new Map<string, Trouble>();

  /** Notes how an attempt at the server of this name went wrong at `nowMs`; or that it went well. */
  note(server: string, attempt: Attempt, nowMs: number): void {
    const trouble = troubleOf(attempt, nowMs);
    this.#byServer.delete(server); // so that the newest is the last
    if (trouble !== undefined) this.#byServer.set(server, trouble);
  }

  /** Whether there was trouble with this server at `sinceMs` or later; without a name, with any. */
  isKnownSince(sinceMs: number, server?: string): boolean {
    const troubles = server === undefined ? [...this.#byServer.values()] : [this.#byServer.get(server)];
    return troubles.some((trouble) => trouble !== undefined && trouble.atMs >= sinceMs);
  }

  clear(): void {
    this.#byServer.clear();
  }

  /** The error to give when the time is up of a request that began at `sinceMs`. */
  timedOut(timeoutMs: number, sinceMs: number, mayHaveTakenEffect: boolean): ClientError {
    const troubles = [...this.#byServer].filter(([, { atMs }]) => atMs >= sinceMs);
    const after = `after ${timeoutMs / 1_000} s${listOf(troubles)}`;
    const kinds = new Set(troubles.map(([, { kind }]) => kind));
    if (mayHaveTakenEffect) {
      return new OutcomeUnknownError(
        `timed out ${after}, outcome unknown: the write may have taken effect; ` +
          "the same write with the same id is safe to repeat",
      );
    }
    if (kinds.has("noSpace")) {
      return new NoSpaceError(
        `the disk is full ${after}: nothing was changed; make room on the leader's disk`,
      );
    }
    if (kinds.has("noLeader")) {
      return new NoLeaderError(`no leader ${after}: a majority of the nodes must run and reach each other`);
    }
    if (kinds.size === 1 && kinds.has("unreachable")) {
      return new UnreachableError(
        `cannot reach the cluster ${after}: start the nodes, or check the addresses`,
      );
    }
    return new NoAnswerError(`no answer ${after}: nothing was changed`);
  }
}

/** " (127.0.0.1:9001: connection refused, 127.0.0.1:9002 knows no leader)" */
function listOf(troubles: readonly (readonly [server: string, trouble: Trouble])[]): string {
  if (troubles.length === 0) return "";
  return ` (${troubles.map(([server, { text }]) => server + text).join(", ")})`;
}

function troubleOf(attempt: Attempt, atMs: number): Trouble | undefined {
  if (attempt.kind !== "answered") return { kind: attempt.kind, text: `: ${attempt.reason}`, atMs };
  const { response } = attempt;
  if (response.type === "RedirectResponse") {
    return { kind: "noLeader", text: ` names node ${response.leader}`, atMs };
  }
  if (response.type !== "ErrorResponse") return undefined;
  if (response.code === "noLeader") return { kind: "noLeader", text: " knows no leader", atMs };
  return response.code === "noSpace"
    ? { kind: "noSpace", text: " has no room", atMs }
    : { kind: "refused", text: `: ${response.message}`, atMs };
}
