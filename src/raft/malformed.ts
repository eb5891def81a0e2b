/**
 * What no server sends. Such a message is dropped before its term is looked at, so that it changes nothing: were
 * the check left to the handlers, a request with nonsense in it could still raise the term and name a leader.
 *
 * What can only be judged against the log or the role stays with the handlers.
 *
 * @module
 */
import type { AppendEntriesRequest, InstallSnapshotRequest, PeerMessage } from "../../packraft/mod.ts";
import type { NodeId, RaftOptions } from "./types.ts";

/** Terms from here on cannot be counted up any more and are refused: no cluster gets there by elections. */
const MAX_TERM = Number.MAX_SAFE_INTEGER - 1;

/** Why `message` cannot have come from `from`, or undefined if it can. */
export function malformationOf(
  { id, voters }: Pick<RaftOptions, "id" | "voters">,
  from: NodeId,
  message: PeerMessage,
): string | undefined {
  // A server's own vote reaches it from within, once it is durable; from outside it would count before that.
  if (from === id) return "claims to come from this node itself";
  if (!voters.includes(from)) return "not a member of the cluster";
  if (message.term > MAX_TERM) return `term ${message.term} is absurd`;
  switch (message.type) {
    case "PreVoteRequest":
    case "RequestVoteRequest":
      return message.term === 0 ? "nobody stands in term 0" : undefined;
    case "AppendEntriesRequest":
      return message.term === 0 ? "nobody leads term 0" : malformationOfEntries(message);
    case "InstallSnapshotRequest":
      return message.term === 0 ? "nobody leads term 0" : malformationOfChunk(message);
    case "PreVoteResponse":
    case "RequestVoteResponse":
    case "AppendEntriesResponse":
    case "InstallSnapshotResponse":
    case "RejoinRequest":
    case "RejoinResponse":
      return undefined;
  }
}

function malformationOfChunk(request: InstallSnapshotRequest): string | undefined {
  const { term, lastIncludedIndex, lastIncludedTerm, totalBytes, offset, data } = request;
  if (lastIncludedIndex === 0 || lastIncludedTerm === 0) return "a snapshot of nothing";
  if (lastIncludedTerm > term) {
    return `a snapshot up to term ${lastIncludedTerm} is beyond the leader's ${term}`;
  }
  if (data.length === 0) return "an empty piece of a snapshot";
  const end = offset + data.length;
  return end > totalBytes ? `a piece up to byte ${end} of a snapshot of ${totalBytes} B` : undefined;
}

function malformationOfEntries(request: AppendEntriesRequest): string | undefined {
  let { prevLogIndex: index, prevLogTerm: term } = request;
  for (const entry of request.entries) {
    if (entry.index !== index + 1) return `entry ${entry.index} follows entry ${index}`;
    if (entry.term === 0) return `entry ${entry.index} is of term 0`;
    if (entry.term < term) return `term ${entry.term} of entry ${entry.index} follows term ${term}`;
    ({ index, term } = entry);
  }
  return term > request.term
    ? `term ${term} of entry ${index} is beyond the leader's ${request.term}`
    : undefined;
}
