/**
 * Every message of drafty, one schema each. The number of a message is the `type` byte of its frame.
 *
 * Three families, told apart by their numbers, each with an envelope of its own:
 *
 * | numbers | family | envelope |
 * | --- | --- | --- |
 * | 0x01–0x3f | between nodes | {@linkcode PeerEnvelope} |
 * | 0x40–0x7f | from a client | {@linkcode ClientEnvelope} |
 * | 0x80–0xbf | to a client | {@linkcode ClientEnvelope} |
 *
 * A response says what it answers (`requestTerm`, `matchIndex`, `readRound`), because peer messages are
 * one-shot: a reply arrives on a connection of its own and cannot be paired by the connection it came on.
 *
 * @module
 */
import {
  CLIENT_ID_BYTES,
  MAX_CLUSTER_ID_BYTES,
  MAX_ENTRIES_PER_MESSAGE,
  MAX_ENTRY_DATA_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_HOST_BYTES,
  MAX_KEY_BYTES,
  MAX_LUID_BYTES,
  MAX_PAIRS_PER_MESSAGE,
  MAX_PORT,
  MAX_SNAPSHOT_CHUNK_BYTES,
  MAX_VALUE_BYTES,
  MIN_KEY_BYTES,
} from "./limits.ts";
import {
  bool,
  bytes,
  fixedBytes,
  list,
  oneOf,
  record,
  text,
  type TypeOf,
  varint,
  varintUpTo,
} from "./schema.ts";

// ---------------------------------------------------------------------------------------- envelopes

/** What stands in front of every message between nodes. */
export const PEER_ENVELOPE = record({
  /** The cluster that the sender belongs to; another cluster's message changes nothing. */
  clusterId: text({ max: MAX_CLUSTER_ID_BYTES }),
  /** The sender's node id; `to` is the receiver's, so that a swapped address is noticed. */
  from: varint,
  to: varint,
  /** The sender's name for this message, for logs and traces; opaque to the receiver. */
  luid: text({ max: MAX_LUID_BYTES }),
});
export type PeerEnvelope = TypeOf<typeof PEER_ENVELOPE>;

/** What stands in front of every request of a client, and of every response to one. */
export const CLIENT_ENVELOPE = record({
  /** The sender's name for this request; the response carries it back unchanged. */
  transactionId: text({ max: MAX_LUID_BYTES }),
});
export type ClientEnvelope = TypeOf<typeof CLIENT_ENVELOPE>;

// ------------------------------------------------------------------------------------------ records

/**
 * One entry of the replicated log. `index` is 1-based. A `noop` carries no data; a `command` carries what
 * the application encoded.
 */
export const ENTRY = record({
  index: varint,
  term: varint,
  kind: oneOf("noop", "command"),
  data: bytes({ max: MAX_ENTRY_DATA_BYTES }),
});
export type Entry = TypeOf<typeof ENTRY>;

const KEY = bytes({ min: MIN_KEY_BYTES, max: MAX_KEY_BYTES });
const VALUE = bytes({ max: MAX_VALUE_BYTES });

export const PAIR = record({ key: KEY, value: VALUE });
export type Pair = TypeOf<typeof PAIR>;

/** A node's part in its cluster (section 5.1 of the Raft paper; preCandidate: section 9.6 of the thesis). */
export const ROLE = oneOf(
  "follower",
  "preCandidate",
  "candidate",
  "leader",
  /** It cannot know what it promised before, and finds out from the others what it must not contradict. */
  "rejoining",
);
export type RoleName = TypeOf<typeof ROLE>;

/** Why a vote was refused. `none` where it was granted. */
export const VOTE_REFUSAL = oneOf(
  "none",
  /** The request is of a term that has passed. */
  "staleTerm",
  /** The voter gave its vote of this term to another node. */
  "alreadyVoted",
  /** The candidate's log lacks entries that the voter has. */
  "logBehind",
  /** The voter has heard from a leader within the minimum election timeout. */
  "leaderAlive",
  /** The voter has lost a part of its memory, and has not yet been given back what it may have acknowledged. */
  "memoryLost",
);
export type VoteRefusal = TypeOf<typeof VOTE_REFUSAL>;

/** What a node's disk remembers of its own past. */
export const MEMORY = oneOf(
  /** All that it ever promised. */
  "whole",
  /** Not all of it: the disk is damaged, or was copied. */
  "lost",
  /** Nothing: it is new, or its disk was replaced. It cannot tell which. */
  "new",
  /** Not all of it, but it has found out its term, and is being given back what it lacks. */
  "returning",
);
export type Memory = TypeOf<typeof MEMORY>;

/** The session fields of a write: what makes a repeated request take effect once. */
const SESSION_FIELDS = {
  /** The client's id: 16 bytes, drawn at random by the client. */
  clientId: fixedBytes(CLIENT_ID_BYTES),
  /** The number of this write among those of the client, from 1. A retry keeps it. */
  sequence: varint,
  /** The client holds the answers of all its writes up to this one; their results may be forgotten. */
  answeredUpTo: varint,
};

const NO_FIELDS = {};

// ------------------------------------------------------------------------------------ between nodes

const VOTE_REQUEST = { term: varint, lastLogIndex: varint, lastLogTerm: varint };
const VOTE_RESPONSE = {
  /** The voter's currentTerm. */
  term: varint,
  /** The `term` of the request that this answers. */
  requestTerm: varint,
  voteGranted: bool,
  refusal: VOTE_REFUSAL,
};

/** The messages between nodes: number, name, fields. */
export const PEER_MESSAGES = {
  /** "Would you vote for me?" `term` is the term the sender would stand in; nobody's state changes. */
  PreVoteRequest: { number: 0x01, schema: record(VOTE_REQUEST) },
  PreVoteResponse: { number: 0x02, schema: record(VOTE_RESPONSE) },
  RequestVoteRequest: { number: 0x03, schema: record(VOTE_REQUEST) },
  RequestVoteResponse: { number: 0x04, schema: record(VOTE_RESPONSE) },
  AppendEntriesRequest: {
    number: 0x05,
    schema: record({
      term: varint,
      prevLogIndex: varint,
      prevLogTerm: varint,
      leaderCommit: varint,
      /** The newest round of leadership checks (ReadIndex); the response carries it back. */
      readRound: varint,
      entries: list(ENTRY, { max: MAX_ENTRIES_PER_MESSAGE }),
    }),
  },
  AppendEntriesResponse: {
    number: 0x06,
    schema: record({
      term: varint,
      /** The `term` of the request that this answers: a stale term's acknowledgement must not count. */
      requestTerm: varint,
      success: bool,
      /** On success: the log is known to equal the leader's up to here, and is durable. Otherwise 0. */
      matchIndex: varint,
      /** The request's prevLogIndex: says which probe was answered. */
      prevLogIndex: varint,
      /** On a mismatch: the term of the conflicting entry, or 0 where the log is too short. */
      conflictTerm: varint,
      /** On a mismatch: the first index of that term, or the index after the last where it is too short. */
      conflictIndex: varint,
      readRound: varint,
    }),
  },
  /**
   * A piece of a snapshot for a follower that lacks entries which the leader's log no longer has. What is sent
   * is the part of the snapshot file that is the same on all nodes.
   */
  InstallSnapshotRequest: {
    number: 0x07,
    schema: record({
      term: varint,
      /** The snapshot stands for all entries up to this one, which has that term. */
      lastIncludedIndex: varint,
      lastIncludedTerm: varint,
      /** The size of the whole, and its checksum: what makes two snapshots of one index the same. */
      totalBytes: varint,
      checksum: varintUpTo(2 ** 32 - 1),
      /** Where `data` belongs. */
      offset: varint,
      data: bytes({ max: MAX_SNAPSHOT_CHUNK_BYTES }),
    }),
  },
  InstallSnapshotResponse: {
    number: 0x08,
    schema: record({
      term: varint,
      requestTerm: varint,
      lastIncludedIndex: varint,
      /** How much of it the follower has: the next piece begins here, whatever was sent. */
      nextOffset: varint,
      /** Whether all of it is durable and in use: the log equals the leader's up to lastIncludedIndex. */
      installed: bool,
    }),
  },
  /** "I do not know what I have promised: which term are you in?" Changes nothing. */
  RejoinRequest: {
    number: 0x09,
    schema: record({
      term: varint,
      /** Drawn anew for each round of questions; the response carries it back. */
      round: varint,
    }),
  },
  RejoinResponse: {
    number: 0x0a,
    schema: record({
      /** The currentTerm of a node with a whole memory is durable. */
      term: varint,
      round: varint,
      memory: MEMORY,
    }),
  },
} as const;

// --------------------------------------------------------------------------------------- to a node

/** The requests of clients: number, name, fields. */
export const CLIENT_REQUESTS = {
  PingRequest: { number: 0x40, schema: record(NO_FIELDS) },
  StatusRequest: { number: 0x41, schema: record(NO_FIELDS) },
  GetRequest: { number: 0x42, schema: record({ key: KEY }) },
  /** All pairs, in key order: answered by one or more DataResponses. */
  DataRequest: { number: 0x43, schema: record(NO_FIELDS) },
  PutRequest: { number: 0x44, schema: record({ ...SESSION_FIELDS, key: KEY, value: VALUE }) },
  DeleteRequest: { number: 0x45, schema: record({ ...SESSION_FIELDS, key: KEY }) },
  /** Take a snapshot now, on the node that is asked, and remove what of the log it makes superfluous. */
  SnapshotRequest: { number: 0x46, schema: record(NO_FIELDS) },
} as const;

// -------------------------------------------------------------------------------------- to a client

/** The responses to clients: number, name, fields. */
export const CLIENT_RESPONSES = {
  PingResponse: { number: 0x80, schema: record({ node: varint, role: ROLE, leader: varint }) },
  StatusResponse: {
    number: 0x81,
    schema: record({
      node: varint,
      role: ROLE,
      term: varint,
      lastLogIndex: varint,
      commitIndex: varint,
      lastApplied: varint,
      /** The leader that this node knows, or 0. */
      leader: varint,
    }),
  },
  GetResponse: { number: 0x82, schema: record({ found: bool, value: VALUE }) },
  DataResponse: {
    number: 0x83,
    schema: record({
      /** Whether another DataResponse to the same request follows. */
      more: bool,
      pairs: list(PAIR, { max: MAX_PAIRS_PER_MESSAGE }),
    }),
  },
  /** Written and committed at `index`: for a retry, the index of the first time. */
  PutResponse: { number: 0x84, schema: record({ index: varint }) },
  DeleteResponse: { number: 0x85, schema: record({ index: varint, found: bool }) },
  /** This node does not lead; `leader` does, at this client address. Nothing was done. */
  RedirectResponse: {
    number: 0x86,
    schema: record({
      leader: varint,
      host: text({ max: MAX_HOST_BYTES }),
      clientPort: varintUpTo(MAX_PORT),
    }),
  },
  /** `node` has a snapshot that stands for all entries up to `index`. */
  SnapshotResponse: { number: 0x88, schema: record({ node: varint, index: varint, totalBytes: varint }) },
  ErrorResponse: {
    number: 0x87,
    schema: record({
      code: oneOf(
        /** No leader is known here. Try again, or elsewhere. */
        "noLeader",
        /** The node lost the leadership while the write was under way. */
        "leadershipLost",
        /** Too much is under way. Try again after `retryAfterMs`. */
        "busy",
        /** The request is not one that can be served; the text names the field, the value and the limit. */
        "badRequest",
        /** The session holds no result for this sequence any more. */
        "staleSequence",
        /** The node is on its way out. */
        "shuttingDown",
        /** The node's disk is full. Reads go on; writes do when there is room again. */
        "noSpace",
      ),
      /** `notDone`: nothing was changed, nor will be. `unknown`: it may yet take effect, or have done so. */
      outcome: oneOf("notDone", "unknown"),
      retryAfterMs: varint,
      message: text({ max: MAX_ERROR_TEXT_BYTES }),
    }),
  },
} as const;

// -------------------------------------------------------------------------------------------- types

/** Messages that share an envelope, by name. */
// deno-lint-ignore no-explicit-any
export type Family = { readonly [name: string]: { readonly number: number; readonly schema: any } };
type MessageOf<F extends Family> = {
  [Name in keyof F]: { readonly type: Name } & TypeOf<F[Name]["schema"]>;
}[keyof F];

/** Any message between nodes, told apart by `type`. */
export type PeerMessage = MessageOf<typeof PEER_MESSAGES>;
/** Any request of a client. */
export type ClientRequest = MessageOf<typeof CLIENT_REQUESTS>;
/** Any response to a client. */
export type ClientResponse = MessageOf<typeof CLIENT_RESPONSES>;

/** One message between nodes by its name: `PeerMessageOf<"RequestVoteRequest">`. */
export type PeerMessageOf<Name extends PeerMessage["type"]> = Extract<PeerMessage, { type: Name }>;
/** One request by its name. */
export type ClientRequestOf<Name extends ClientRequest["type"]> = Extract<ClientRequest, { type: Name }>;
/** One response by its name. */
export type ClientResponseOf<Name extends ClientResponse["type"]> = Extract<ClientResponse, { type: Name }>;

export type PreVoteRequest = PeerMessageOf<"PreVoteRequest">;
export type PreVoteResponse = PeerMessageOf<"PreVoteResponse">;
export type RequestVoteRequest = PeerMessageOf<"RequestVoteRequest">;
export type RequestVoteResponse = PeerMessageOf<"RequestVoteResponse">;
export type AppendEntriesRequest = PeerMessageOf<"AppendEntriesRequest">;
export type AppendEntriesResponse = PeerMessageOf<"AppendEntriesResponse">;
export type InstallSnapshotRequest = PeerMessageOf<"InstallSnapshotRequest">;
export type InstallSnapshotResponse = PeerMessageOf<"InstallSnapshotResponse">;
export type RejoinRequest = PeerMessageOf<"RejoinRequest">;
export type RejoinResponse = PeerMessageOf<"RejoinResponse">;

/** A message with its envelope: what one frame carries. */
export type Packet =
  | { readonly family: "peer"; readonly envelope: PeerEnvelope; readonly message: PeerMessage }
  | { readonly family: "request"; readonly envelope: ClientEnvelope; readonly message: ClientRequest }
  | { readonly family: "response"; readonly envelope: ClientEnvelope; readonly message: ClientResponse };
