/**
 * Which response answers which request.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, ClientResponseOf } from "../../packraft/mod.ts";
import type { Outcome } from "./connection.ts";
import type { Attempt } from "./decisions.ts";

/** The response that answers each request. */
const ANSWERS: Readonly<Record<ClientRequest["type"], ClientResponse["type"]>> = {
  PingRequest: "PingResponse",
  StatusRequest: "StatusResponse",
  GetRequest: "GetResponse",
  DataRequest: "DataResponse",
  PutRequest: "PutResponse",
  DeleteRequest: "DeleteResponse",
  SnapshotRequest: "SnapshotResponse",
  MembersRequest: "MembersResponse",
  ChangeMembersRequest: "MembersResponse",
  TransferRequest: "TransferResponse",
  ExplainRequest: "ExplainResponse",
};

/** What every node answers by itself. */
const ANY_NODE: ReadonlySet<ClientRequest["type"]> = new Set([
  "PingRequest",
  "StatusRequest",
  "SnapshotRequest",
  "ExplainRequest",
]);

/** Whether only the leader can answer. */
export function needsLeader(request: ClientRequest): boolean {
  if (request.type === "GetRequest" || request.type === "DataRequest") return request.mode === "leader";
  return !ANY_NODE.has(request.type);
}

/** Whether it changes something. */
export function isWrite(request: ClientRequest): boolean {
  return request.type === "PutRequest" || request.type === "DeleteRequest" ||
    request.type === "ChangeMembersRequest";
}

/** Whether an outcome is an answer to the request, not one about where or when to ask. */
export function isFinal(
  request: ClientRequest,
  outcome: Outcome,
): outcome is Extract<Outcome, { kind: "answered" }> {
  return outcome.kind === "answered" && outcome.responses.at(-1)?.type === ANSWERS[request.type];
}

/** What an outcome means for the next decision; an answer to something else is none. */
export function attemptOf(request: ClientRequest, outcome: Outcome): Attempt {
  if (outcome.kind !== "answered") return outcome;
  const response = outcome.responses.at(-1);
  const isFitting = response !== undefined &&
    [ANSWERS[request.type], "RedirectResponse", "ErrorResponse"].includes(response.type);
  return isFitting
    ? { kind: "answered", response }
    : { kind: "unanswered", reason: `it answered with ${response?.type}` };
}

/** The response, known by its name. */
export function expected<Name extends ClientResponse["type"]>(
  response: ClientResponse | undefined,
  name: Name,
): ClientResponseOf<Name> {
  if (response?.type !== name) {
    throw new TypeError(`the node answered with ${response?.type}, not ${name}`);
  }
  return response as ClientResponseOf<Name>;
}
