/**
 * The requests of clients, and the responses to them.
 *
 * @module
 */
import {
  CLIENT_ID_BYTES,
  MAX_CLUSTER_ID_BYTES,
  MAX_ERROR_TEXT_BYTES,
  MAX_HOST_BYTES,
  MAX_MEMBERS,
  MAX_PAIRS_PER_MESSAGE,
  MAX_REASON_BYTES,
} from "./limits.ts";
import { CONFIGURATION, KEY, MEMBERS, PAIR, PORT, ROLE, VALUE, VOTE_REFUSAL } from "./records.ts";
import { bool, fixedBytes, list, oneOf, record, text, type TypeOf, varint } from "./schema.ts";

/** The client's id: 16 bytes, drawn at random by the client. */
export const CLIENT_ID = fixedBytes(CLIENT_ID_BYTES);

/** The session fields of a write: what makes a repeated request take effect once. */
const SESSION_FIELDS = {
  clientId: CLIENT_ID,
  /** The number of this write among those of the client, from 1. A retry keeps it. */
  sequence: varint,
  /** The client holds the answers of all its writes up to this one; their results may be forgotten. */
  answeredUpTo: varint,
};

const NO_FIELDS = {};

// --------------------------------------------------------------------------------------- to a node

/** How current a read must be, and who serves it. */
export const READ_MODE = oneOf(
  /** Linearizable; a node that does not lead redirects. */
  "leader",
  /** Linearizable; any node serves it, after it has asked the leader. */
  "any",
  /** As the node has it; the answer says how old that may be. */
  "stale",
);
export type ReadMode = TypeOf<typeof READ_MODE>;

/** The requests of clients: number, name, fields. */
export const CLIENT_REQUESTS = {
  PingRequest: { number: 0x40, schema: record(NO_FIELDS) },
  StatusRequest: { number: 0x41, schema: record(NO_FIELDS) },
  GetRequest: { number: 0x42, schema: record({ key: KEY, mode: READ_MODE }) },
  /** All pairs, in key order: answered by one or more DataResponses. */
  DataRequest: { number: 0x43, schema: record({ mode: READ_MODE }) },
  PutRequest: { number: 0x44, schema: record({ ...SESSION_FIELDS, key: KEY, value: VALUE }) },
  DeleteRequest: { number: 0x45, schema: record({ ...SESSION_FIELDS, key: KEY }) },
  /** Take a snapshot now, on the node that is asked, and remove what of the log it makes superfluous. */
  SnapshotRequest: { number: 0x46, schema: record(NO_FIELDS) },
  /** Who are the members? Linearizable. */
  MembersRequest: { number: 0x47, schema: record(NO_FIELDS) },
  /** Answered with the new members when the change is committed. */
  ChangeMembersRequest: {
    number: 0x48,
    schema: record({
      /** Add a learner; remove a member; give a member another address. */
      change: oneOf("register", "deregister", "move"),
      id: varint,
      /** Empty and 0 for `deregister`. */
      host: text({ max: MAX_HOST_BYTES }),
      peerPort: PORT,
      clientPort: PORT,
    }),
  },
  /** Let another node lead: `to`, or for 0 the one with the most of the log. */
  TransferRequest: { number: 0x49, schema: record({ to: varint }) },
  /** Tell what you know, and why you do what you do. */
  ExplainRequest: { number: 0x4a, schema: record(NO_FIELDS) },
} as const;

// -------------------------------------------------------------------------------------- to a client

/** How old what was read may be. */
const AGE_FIELDS = {
  /** The state is the one right after this entry. */
  appliedIndex: varint,
  /** Whether the node has ever had all that its leader knew to be committed; if not, ageMs is 0 and says nothing. */
  isAgeKnown: bool,
  /** Since then so many milliseconds have passed; 0 for a linearizable read. */
  ageMs: varint,
};

/** What a leader knows of another member. */
export const FOLLOWER_REPORT = record({
  id: varint,
  role: oneOf("voter", "learner"),
  mode: oneOf("probe", "replicate", "snapshot"),
  matchIndex: varint,
  /** How long ago it was last heard from. */
  silentMs: varint,
});
export type FollowerReport = TypeOf<typeof FOLLOWER_REPORT>;

/** What a node that stands for election has heard from another. */
export const VOTE_REPORT = record({
  id: varint,
  answer: oneOf("none", "granted", "refused"),
  refusal: VOTE_REFUSAL,
});
export type VoteReport = TypeOf<typeof VOTE_REPORT>;

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
  GetResponse: { number: 0x82, schema: record({ found: bool, value: VALUE, ...AGE_FIELDS }) },
  DataResponse: {
    number: 0x83,
    schema: record({
      /** Whether another DataResponse to the same request follows. */
      more: bool,
      ...AGE_FIELDS,
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
      clientPort: PORT,
    }),
  },
  /** `node` has a snapshot that stands for all entries up to `index`. */
  SnapshotResponse: { number: 0x88, schema: record({ node: varint, index: varint, totalBytes: varint }) },
  /** The members as of the entry at `index`. */
  MembersResponse: {
    number: 0x89,
    schema: record({
      index: varint,
      leader: varint,
      members: MEMBERS,
      /** The term of that entry, and the cluster that this node belongs to. */
      term: varint,
      clusterId: text({ max: MAX_CLUSTER_ID_BYTES }),
    }),
  },
  /** `leader` leads now. */
  TransferResponse: { number: 0x8a, schema: record({ leader: varint }) },
  /** What a node knows, and why it does what it does. */
  ExplainResponse: {
    number: 0x8b,
    schema: record({
      node: varint,
      role: ROLE,
      /** Why it has this role, and for how long. */
      roleReason: text({ max: MAX_REASON_BYTES }),
      roleMs: varint,
      term: varint,
      leader: varint,
      /** How long ago it heard from that leader; 0 for a leader. */
      leaderSilentMs: varint,
      lastLogIndex: varint,
      /** Up to here its log is on its disk. */
      durableIndex: varint,
      commitIndex: varint,
      lastApplied: varint,
      isDiskFull: bool,
      /** Whether it remembers enough of what it promised to vote. */
      mayVote: bool,
      /** The members as it knows them, committed or not. */
      configuration: CONFIGURATION,
      isConfigurationCommitted: bool,
      /** The oldest write that waits: its index, or 0 for none, and for how long; and how many wait. */
      oldestWriteIndex: varint,
      oldestWriteMs: varint,
      waitingWrites: varint,
      /** Reads that wait: for a leader to confirm that it leads, and for entries to be applied. */
      readsUnconfirmed: varint,
      readsUnapplied: varint,
      /** Of a leader. */
      followers: list(FOLLOWER_REPORT, { max: MAX_MEMBERS }),
      /** The node that a leader is handing over to, or 0. */
      transferTo: varint,
      /** Of a node that stands for election. */
      votes: list(VOTE_REPORT, { max: MAX_MEMBERS }),
    }),
  },
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
        /** Leadership was not handed over; the text says why. */
        "transferFailed",
      ),
      /** `notDone`: nothing was changed, nor will be. `unknown`: it may yet take effect, or have done so. */
      outcome: oneOf("notDone", "unknown"),
      retryAfterMs: varint,
      message: text({ max: MAX_ERROR_TEXT_BYTES }),
    }),
  },
} as const;
