/**
 * What messages, log entries and snapshots consist of.
 *
 * @module
 */
import {
  MAX_ENTRY_DATA_BYTES,
  MAX_HOST_BYTES,
  MAX_KEY_BYTES,
  MAX_MEMBERS,
  MAX_PORT,
  MAX_VALUE_BYTES,
  MIN_KEY_BYTES,
} from "./limits.ts";
import {
  bytes,
  list,
  oneOf,
  record,
  type Schema,
  text,
  type TypeOf,
  varint,
  varintUpTo,
  writtenOut,
} from "./schema.ts";

const ENTRY_KIND = oneOf("noop", "command", "configuration");
const ENTRY_DATA = bytes({ max: MAX_ENTRY_DATA_BYTES });
const ENTRY_FIELDS = record({ index: varint, term: varint, kind: ENTRY_KIND, data: ENTRY_DATA });

/**
 * One entry of the replicated log. `index` is 1-based. A `noop` carries no data, a `command` what the application
 * encoded, a `configuration` the {@linkcode MEMBERS} of the cluster from this entry on.
 */
export const ENTRY: Schema<Entry> = {
  ...ENTRY_FIELDS,
  ...writtenOut(ENTRY_FIELDS, {
    write(writer, entry) {
      writer.varint(entry.index);
      writer.varint(entry.term);
      ENTRY_KIND.write(writer, entry.kind);
      ENTRY_DATA.write(writer, entry.data);
    },
    read: (reader) => ({
      index: reader.varint(),
      term: reader.varint(),
      kind: ENTRY_KIND.read(reader),
      data: ENTRY_DATA.read(reader),
    }),
  }),
};
export type Entry = TypeOf<typeof ENTRY_FIELDS>;

/** A TCP port, or 0 for none. */
export const PORT = varintUpTo(MAX_PORT);

export const KEY = bytes({ min: MIN_KEY_BYTES, max: MAX_KEY_BYTES });
export const VALUE = bytes({ max: MAX_VALUE_BYTES });

export const PAIR = record({ key: KEY, value: VALUE });
export type Pair = TypeOf<typeof PAIR>;

/** A member of a cluster, and where it is found. The id is who it is; the address may change. */
export const MEMBER = record({
  id: varint,
  host: text({ max: MAX_HOST_BYTES }),
  peerPort: PORT,
  clientPort: PORT,
  /** A learner is sent everything and counts for nothing. */
  role: oneOf("voter", "learner"),
  /**
   * 0 until the member has begun; then the round of the RejoinRequest with which it did. A node with an empty disk can
   * begin as a member once only: a second time it has forgotten something.
   */
  admission: varint,
});
export type Member = TypeOf<typeof MEMBER>;

/** All members, the smallest id first: the data of a `configuration` entry. */
export const MEMBERS = list(MEMBER, { max: MAX_MEMBERS });

/** Members as a node has them from the entry at `index` of `term`; 0 and 0 for those of the beginning. */
export const CONFIGURATION = record({ index: varint, term: varint, members: MEMBERS });
export type Configuration = TypeOf<typeof CONFIGURATION>;

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
  /** The candidate is no member any more, as the voter knows for certain. */
  "removed",
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
