/**
 * The options of the replicas in these tests, and their peers' messages.
 *
 * @module
 */
import {
  type AppendEntriesRequest,
  type AppendEntriesResponse,
  type Configuration,
  decodeMembers,
  encodeMembers,
  type PeerMessage,
} from "../../packraft/mod.ts";
import type { RaftOptions } from "../../src/raft/mod.ts";

/** A cluster of these voters at `host1`, `host2` and so on, as it begins. */
export function configurationOf(voters: readonly number[]): Configuration {
  const members = voters.map((id) => (
    {
      id,
      host: `host${id}`,
      peerPort: 8_000 + id,
      clientPort: 9_000 + id,
      role: "voter",
      admission: 0,
    } as const
  ));
  return { index: 0, term: 0, members };
}

/** Node 1 of these voters. */
export function raftOptionsOf(voters: readonly number[]): RaftOptions {
  return {
    id: 1,
    configuration: configurationOf(voters),
    codec: { encode: encodeMembers, decode: decodeMembers },
    heartbeatMs: 10,
    electionTimeoutMs: { min: 50, max: 100 },
    maxAppendBytes: 1_000,
    keptLogBytes: 0,
    maxInflightAppends: 4,
    maxInflightBytes: 100_000,
    random: () => 0,
  };
}

/** The answers that make a server which has just been waiting for too long the leader of `term`. */
export function votesFor(term: number): PeerMessage[] {
  const granted = { voteGranted: true, refusal: "none", requestTerm: term, configurationIndex: 0 } as const;
  return [
    { type: "PreVoteResponse", term: term - 1, ...granted },
    { type: "RequestVoteResponse", term, ...granted },
  ];
}

/** A request of a leader, a heartbeat after the empty log unless `fields` say more. */
export function appendRequest(
  fields: Partial<Omit<AppendEntriesRequest, "type">> & { term: number },
): AppendEntriesRequest {
  return {
    type: "AppendEntriesRequest",
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 0,
    readRound: 0,
    hashIndex: 0,
    divergesAt: 0,
    entries: [],
    ...fields,
  };
}

/** A follower has everything up to `matchIndex`. */
export function acknowledgement(
  term: number,
  matchIndex: number,
  fields: Partial<Omit<AppendEntriesResponse, "type">> = {},
): AppendEntriesResponse {
  return {
    type: "AppendEntriesResponse",
    term,
    requestTerm: term,
    success: true,
    matchIndex,
    prevLogIndex: matchIndex,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: 0,
    hashIndex: 0,
    stateHash: 0,
    ...fields,
  };
}
