/**
 * What no server sends. Such a message is dropped before its term is looked at, so that it changes nothing: were
 * the check left to the handlers, a request with nonsense in it could still raise the term and name a leader.
 *
 * What can only be judged against the log or the role stays with the handlers. Whether the sender is a member is not
 * asked: a server that was away may have missed the entry that made it one (thesis, 4.1). Answers count only where
 * they were asked for.
 *
 * @module
 */
import type { AppendEntriesRequest, InstallSnapshotRequest, PeerMessage } from "../../packraft/mod.ts";
import type { MembersCodec, NodeId, RaftOptions } from "./types.ts";

/** Terms from here on cannot be counted up any more and are refused: no cluster gets there by elections. */
const MAX_TERM = Number.MAX_SAFE_INTEGER - 1;

/** Why `message` cannot have come from `from`, or undefined if it can. */
export function malformationOf(
  { id, codec }: Pick<RaftOptions, "id" | "codec">,
  from: NodeId,
  message: PeerMessage,
): string | undefined {
  // A server's own vote reaches it from within, once it is durable; from outside it would count before that.
  if (from === id) return "claims to come from this node itself";
  if (message.term > MAX_TERM) return `term ${message.term} is absurd`;
  switch (message.type) {
    case "PreVoteRequest":
    case "RequestVoteRequest":
      return message.term === 0 ? "nobody stands in term 0" : undefined;
    case "AppendEntriesRequest":
      return message.term === 0 ? "nobody leads term 0" : malformationOfEntries(message, codec);
    case "InstallSnapshotRequest":
      return message.term === 0 ? "nobody leads term 0" : malformationOfChunk(message);
    case "TimeoutNowRequest":
    case "ReadIndexRequest":
      return message.term === 0 ? "nobody leads term 0" : undefined;
    case "PreVoteResponse":
    case "RequestVoteResponse":
    case "AppendEntriesResponse":
    case "InstallSnapshotResponse":
    case "ReadIndexResponse":
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

function malformationOfEntries(request: AppendEntriesRequest, codec: MembersCodec): string | undefined {
  let { prevLogIndex: index, prevLogTerm: term } = request;
  for (const entry of request.entries) {
    if (entry.index !== index + 1) return `entry ${entry.index} follows entry ${index}`;
    if (entry.term === 0) return `entry ${entry.index} is of term 0`;
    if (entry.term < term) return `term ${entry.term} of entry ${entry.index} follows term ${term}`;
    if (entry.kind === "configuration" && !isReadable(entry.data, codec)) {
      return `the members of entry ${entry.index} cannot be read`;
    }
    ({ index, term } = entry);
  }
  return term > request.term
    ? `term ${term} of entry ${index} is beyond the leader's ${request.term}`
    : undefined;
}

function isReadable(data: Uint8Array, codec: MembersCodec): boolean {
  try {
    codec.decode(data);
    return true;
  } catch {
    return false;
  }
}
