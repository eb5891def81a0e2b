/**
 * The messages between nodes.
 *
 * A response says what it answers (`requestTerm`, `matchIndex`, `readRound`), because peer messages are one-shot: a
 * reply arrives on a connection of its own and cannot be paired by the connection it came on.
 *
 * @module
 */
import { MAX_ENTRIES_PER_MESSAGE, MAX_SNAPSHOT_CHUNK_BYTES } from "./limits.ts";
import { CONFIGURATION, ENTRY, MEMORY, VOTE_REFUSAL } from "./records.ts";
import { bool, bytes, list, record, varint, varintUpTo } from "./schema.ts";

/** Entries of the log, one behind the other. */
export const ENTRIES = list(ENTRY, { max: MAX_ENTRIES_PER_MESSAGE });
/** The hash of a node's state: 32 bits. */
export const STATE_HASH = varintUpTo(2 ** 32 - 1);

const VOTE_REQUEST = { term: varint, lastLogIndex: varint, lastLogTerm: varint };
const VOTE_RESPONSE = {
  /** The voter's currentTerm. */
  term: varint,
  /** The `term` of the request that this answers. */
  requestTerm: varint,
  voteGranted: bool,
  refusal: VOTE_REFUSAL,
  /** The index of the voter's newest committed configuration: a candidate with a newer one knows better. */
  configurationIndex: varint,
};

/** The messages between nodes: number, name, fields. */
export const PEER_MESSAGES = {
  /** "Would you vote for me?" `term` is the term the sender would stand in; nobody's state changes. */
  PreVoteRequest: { number: 0x01, schema: record(VOTE_REQUEST) },
  PreVoteResponse: { number: 0x02, schema: record(VOTE_RESPONSE) },
  RequestVoteRequest: {
    number: 0x03,
    schema: record({
      ...VOTE_REQUEST,
      /** Whether the leader itself has asked the sender to stand: then that it is alive is no reason to refuse. */
      isTransfer: bool,
    }),
  },
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
      /** "What is the hash of your state right after this entry?" 0 to ask nothing. */
      hashIndex: varint,
      /** "Your state differs from that of the majority, and this is the first entry after which it does." 0: it does not. */
      divergesAt: varint,
      entries: ENTRIES,
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
      /** The entry that the hash is of: the request's hashIndex, or 0 if the hash is not known (any more, or yet). */
      hashIndex: varint,
      stateHash: STATE_HASH,
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
      /** The newest readRound that the sender has heard from this leader: says that it is not of an earlier life. */
      readRound: varint,
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
      /**
       * The sender leads, and the cluster has taken in the node as a new member with this round: it has no past, and
       * begins in this term as one that voted for this leader.
       */
      isAdmitted: bool,
      /** The newest configuration that is known to be committed, then the newest of all if that is another. */
      configurations: list(CONFIGURATION, { max: 2 }),
    }),
  },
  /** From a leader: "stand for election now, without waiting". */
  TimeoutNowRequest: { number: 0x0b, schema: record({ term: varint }) },
  /** A follower asks its leader from which index on a read is current (ReadIndex). */
  ReadIndexRequest: {
    number: 0x0c,
    schema: record({
      term: varint,
      /** Drawn anew for each question: an answer to an earlier one says nothing about later reads. */
      round: varint,
    }),
  },
  ReadIndexResponse: {
    number: 0x0d,
    schema: record({
      term: varint,
      requestTerm: varint,
      round: varint,
      /** Whether the sender leads, and a majority has said so since the question came. */
      confirmed: bool,
      readIndex: varint,
    }),
  },
} as const;
