/**
 * What became of the last attempt at each server, so that the error at the end says where to look.
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
}

export class Troubles {
  readonly #byServer = new Map<string, Trouble>();

  /**
   * Notes how an attempt at the server of this name went wrong; or that it went well. An attempt that was `cutShort` by
   * the end of the request's time says nothing new of a server that something is known of.
   */
  note(server: string, attempt: Attempt, cutShort: boolean): void {
    if (cutShort && this.#byServer.has(server)) return;
    const trouble = troubleOf(attempt);
    this.#byServer.delete(server); // so that the newest is the last
    if (trouble !== undefined) this.#byServer.set(server, trouble);
  }

  clear(): void {
    this.#byServer.clear();
  }

  /** The error to give when time is up. */
  timedOut(timeoutMs: number, mayHaveTakenEffect: boolean): ClientError {
    const after = `after ${timeoutMs / 1_000} s${this.#list()}`;
    const kinds = new Set([...this.#byServer.values()].map(({ kind }) => kind));
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

  /** " (127.0.0.1:9001: connection refused, 127.0.0.1:9002 knows no leader)" */
  #list(): string {
    if (this.#byServer.size === 0) return "";
    return ` (${[...this.#byServer].map(([server, { text }]) => server + text).join(", ")})`;
  }
}

function troubleOf(attempt: Attempt): Trouble | undefined {
  if (attempt.kind !== "answered") return { kind: attempt.kind, text: `: ${attempt.reason}` };
  const { response } = attempt;
  if (response.type === "RedirectResponse") {
    return { kind: "noLeader", text: ` names node ${response.leader}` };
  }
  if (response.type !== "ErrorResponse") return undefined;
  if (response.code === "noLeader") return { kind: "noLeader", text: " knows no leader" };
  return response.code === "noSpace"
    ? { kind: "noSpace", text: " has no room" }
    : { kind: "refused", text: `: ${response.message}` };
}
