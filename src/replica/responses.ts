/**
 * What a node answers its clients, in packraft's terms.
 *
 * @module
 */
import type { ClientResponse, ClientResponseOf, Pair } from "../../packraft/mod.ts";
import type { WriteResult } from "../kv/mod.ts";
import type { NodeId, RaftView, Refused } from "../raft/mod.ts";

/** About how many bytes of pairs one DataResponse carries: well under the longest frame. */
const PAGE_BYTES = 256 * 1024;
/** How long a client should wait before it asks again, where waiting helps. */
const RETRY_AFTER_MS = 20;

type ErrorCode = ClientResponseOf<"ErrorResponse">["code"];
type Outcome = ClientResponseOf<"ErrorResponse">["outcome"];

/** The response to a write that has been applied. */
export function responseOf(result: WriteResult): ClientResponse {
  switch (result.kind) {
    case "put":
      return { type: "PutResponse", index: result.index };
    case "delete":
      return { type: "DeleteResponse", index: result.index, found: result.found };
    case "stale":
      return error(
        "staleSequence",
        "unknown",
        0,
        "the result of this sequence is not kept any more; use a new client id",
      );
    case "invalid":
      return error("badRequest", "notDone", 0, "the command is not one that this version understands");
  }
}

export function statusOf(view: RaftView): ClientResponse {
  return {
    type: "StatusResponse",
    node: view.id,
    role: view.role,
    term: view.currentTerm,
    lastLogIndex: view.lastLogIndex,
    commitIndex: view.commitIndex,
    lastApplied: view.lastApplied,
    leader: view.leader,
  };
}

/** How old what is read may be. */
export interface Age {
  readonly isAgeKnown: boolean;
  readonly ageMs: number;
}

/** Of a linearizable read. */
export const CURRENT: Age = { isAgeKnown: true, ageMs: 0 };

/** Of a read that asks nobody: since when the node has known of nothing committed that it had not applied. */
export function ageOf({ freshMs, nowMs }: RaftView): Age {
  return freshMs === undefined
    ? { isAgeKnown: false, ageMs: 0 }
    : { isAgeKnown: true, ageMs: Math.max(0, Math.round(nowMs - freshMs)) };
}

/** What became of a wish that the server refused; undefined if another node has to be asked. */
export function refusalOf(reason: Refused["reason"], detail: string): ClientResponse | undefined {
  switch (reason) {
    case "notLeader":
    case "leadershipLost":
      return undefined;
    case "handingOver":
      return error("noLeader", "notDone", RETRY_AFTER_MS, "the leadership is being handed over");
    case "badChange":
      return error("badRequest", "notDone", 0, detail);
    case "notNow":
      return error("busy", "notDone", RETRY_AFTER_MS * 5, detail);
    case "transferFailed":
      return error("transferFailed", "notDone", 0, detail);
  }
}

/** Where to go instead, or that nobody is known to lead. */
export function notLeader(
  leader: NodeId,
  address: { readonly host: string; readonly clientPort: number } | undefined,
): ClientResponse {
  return address === undefined
    ? error("noLeader", "notDone", RETRY_AFTER_MS, "no leader is known here; an election may be under way")
    : { type: "RedirectResponse", leader, host: address.host, clientPort: address.clientPort };
}

/** The node does not know what it has forgotten: others do. */
export function rejoining(): ClientResponse {
  return error("noLeader", "notDone", RETRY_AFTER_MS, "this node has lost a part of its past; ask another");
}

/** The write is in the log of a node that leads no more. */
export function leadershipLost(): ClientResponse {
  return error(
    "leadershipLost",
    "unknown",
    0,
    "the leader changed while the write was under way; retry with the same id",
  );
}

export function busy(limit: number): ClientResponse {
  return error(
    "busy",
    "notDone",
    RETRY_AFTER_MS,
    `${limit} requests are under way; retry after ${RETRY_AFTER_MS} ms`,
  );
}

export function noSpace(): ClientResponse {
  return error(
    "noSpace",
    "notDone",
    RETRY_AFTER_MS * 10,
    "the disk of this node is full: writes are refused until there is room, reads go on",
  );
}

/** A snapshot of no entries would stand for nothing. */
export function nothingYet(): ClientResponse {
  return error(
    "badRequest",
    "notDone",
    0,
    "nothing has been written yet: there is nothing to take a snapshot of",
  );
}

export function snapshotFailed(reason: string): ClientResponse {
  return error("noSpace", "notDone", 0, `no snapshot was taken: ${reason}`);
}

export function shuttingDown(outcome: Outcome): ClientResponse {
  return error("shuttingDown", outcome, 0, "this node is stopping; ask another");
}

/** All pairs as DataResponses, made one at a time as they are wanted. At least one, and `more` on all but the last. */
export function* pagesOf(
  pairs: Iterable<Pair>,
  age: Age & { readonly appliedIndex: number },
): Generator<ClientResponse> {
  let page: Pair[] = [];
  let pageBytes = 0;
  for (const pair of pairs) {
    if (pageBytes > PAGE_BYTES) {
      yield { type: "DataResponse", more: true, ...age, pairs: page };
      page = [];
      pageBytes = 0;
    }
    page.push(pair);
    pageBytes += pair.key.length + pair.value.length + 8;
  }
  yield { type: "DataResponse", more: false, ...age, pairs: page };
}

function error(code: ErrorCode, outcome: Outcome, retryAfterMs: number, message: string): ClientResponse {
  return { type: "ErrorResponse", code, outcome, retryAfterMs, message };
}
