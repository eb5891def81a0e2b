/**
 * The envelopes and messages that every write and every read goes through, written out field by field: the same bytes
 * as their schemas make, in a fraction of the time. Why that is so, and what has to hold, says
 * {@linkcode writtenOut}; what a field means says its schema. A message without an entry here is as right, and slower.
 *
 * @module
 */
import { ByteWriter } from "./byte_writer.ts";
import { CLIENT_ID, READ_MODE } from "./client_messages.ts";
import { MAX_CLUSTER_ID_BYTES, MAX_FRAME_BYTES, MAX_HOST_BYTES, MAX_LUID_BYTES } from "./limits.ts";
import type {
  AppendEntriesRequest,
  AppendEntriesResponse,
  ClientEnvelope,
  ClientRequestOf,
  ClientResponseOf,
  PeerEnvelope,
} from "./messages.ts";
import { ENTRIES, STATE_HASH } from "./peer_messages.ts";
import { type Entry, KEY, PORT, VALUE } from "./records.ts";
import { bool, type Codec } from "./schema.ts";

export const DIRECT_PEER_ENVELOPE: Codec<PeerEnvelope> = {
  write(writer, envelope) {
    writer.text(envelope.clusterId, MAX_CLUSTER_ID_BYTES);
    writer.varint(envelope.from);
    writer.varint(envelope.to);
    writer.text(envelope.luid, MAX_LUID_BYTES);
    writer.text(envelope.host, MAX_HOST_BYTES);
    PORT.write(writer, envelope.peerPort);
    writer.varint(envelope.addressIndex);
  },
  read: (reader) => ({
    clusterId: reader.text(MAX_CLUSTER_ID_BYTES),
    from: reader.varint(),
    to: reader.varint(),
    luid: reader.text(MAX_LUID_BYTES),
    host: reader.text(MAX_HOST_BYTES),
    peerPort: PORT.read(reader),
    addressIndex: reader.varint(),
  }),
};

export const DIRECT_CLIENT_ENVELOPE: Codec<ClientEnvelope> = {
  write: (writer, envelope) => writer.text(envelope.transactionId, MAX_LUID_BYTES),
  read: (reader) => ({ transactionId: reader.text(MAX_LUID_BYTES) }),
};

const PUT_REQUEST: Codec<ClientRequestOf<"PutRequest">> = {
  write(writer, message) {
    CLIENT_ID.write(writer, message.clientId);
    writer.varint(message.sequence);
    writer.varint(message.answeredUpTo);
    KEY.write(writer, message.key);
    VALUE.write(writer, message.value);
  },
  read: (reader) => ({
    type: "PutRequest",
    clientId: CLIENT_ID.read(reader),
    sequence: reader.varint(),
    answeredUpTo: reader.varint(),
    key: KEY.read(reader),
    value: VALUE.read(reader),
  }),
};

const PUT_RESPONSE: Codec<ClientResponseOf<"PutResponse">> = {
  write: (writer, message) => writer.varint(message.index),
  read: (reader) => ({ type: "PutResponse", index: reader.varint() }),
};

const GET_REQUEST: Codec<ClientRequestOf<"GetRequest">> = {
  write(writer, message) {
    KEY.write(writer, message.key);
    READ_MODE.write(writer, message.mode);
  },
  read: (reader) => ({ type: "GetRequest", key: KEY.read(reader), mode: READ_MODE.read(reader) }),
};

const GET_RESPONSE: Codec<ClientResponseOf<"GetResponse">> = {
  write(writer, message) {
    bool.write(writer, message.found);
    VALUE.write(writer, message.value);
    writer.varint(message.appliedIndex);
    bool.write(writer, message.isAgeKnown);
    writer.varint(message.ageMs);
  },
  read: (reader) => ({
    type: "GetResponse",
    found: bool.read(reader),
    value: VALUE.read(reader),
    appliedIndex: reader.varint(),
    isAgeKnown: bool.read(reader),
    ageMs: reader.varint(),
  }),
};

/** The entries that were written last, if they cannot change, and their bytes. */
let lastEntries: readonly Entry[] | undefined;
const lastEntriesBytes = new ByteWriter(64 * 1024, MAX_FRAME_BYTES);

/**
 * A leader sends the same entries to several followers. If it says that they are the same, by a frozen array, they are
 * encoded once and copied afterwards. (Of an array that is not frozen nobody knows what it held the last time.)
 */
function writeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  if (!Object.isFrozen(entries)) return ENTRIES.write(writer, entries);
  if (entries !== lastEntries) {
    lastEntries = undefined;
    lastEntriesBytes.reset();
    ENTRIES.write(lastEntriesBytes, entries);
    lastEntries = entries;
  }
  writer.raw(lastEntriesBytes.view());
}

const APPEND_ENTRIES_REQUEST: Codec<AppendEntriesRequest> = {
  write(writer, message) {
    writer.varint(message.term);
    writer.varint(message.prevLogIndex);
    writer.varint(message.prevLogTerm);
    writer.varint(message.leaderCommit);
    writer.varint(message.readRound);
    writer.varint(message.hashIndex);
    writer.varint(message.divergesAt);
    writeEntries(writer, message.entries);
  },
  read: (reader) => ({
    type: "AppendEntriesRequest",
    term: reader.varint(),
    prevLogIndex: reader.varint(),
    prevLogTerm: reader.varint(),
    leaderCommit: reader.varint(),
    readRound: reader.varint(),
    hashIndex: reader.varint(),
    divergesAt: reader.varint(),
    entries: ENTRIES.read(reader),
  }),
};

const APPEND_ENTRIES_RESPONSE: Codec<AppendEntriesResponse> = {
  write(writer, message) {
    writer.varint(message.term);
    writer.varint(message.requestTerm);
    bool.write(writer, message.success);
    writer.varint(message.matchIndex);
    writer.varint(message.prevLogIndex);
    writer.varint(message.conflictTerm);
    writer.varint(message.conflictIndex);
    writer.varint(message.readRound);
    writer.varint(message.hashIndex);
    STATE_HASH.write(writer, message.stateHash);
  },
  read: (reader) => ({
    type: "AppendEntriesResponse",
    term: reader.varint(),
    requestTerm: reader.varint(),
    success: bool.read(reader),
    matchIndex: reader.varint(),
    prevLogIndex: reader.varint(),
    conflictTerm: reader.varint(),
    conflictIndex: reader.varint(),
    readRound: reader.varint(),
    hashIndex: reader.varint(),
    stateHash: STATE_HASH.read(reader),
  }),
};

/** By the name of the message. They read the whole message, its `type` included. */
// deno-lint-ignore no-explicit-any
export const DIRECT_MESSAGES: ReadonlyMap<string, Codec<any>> = new Map<string, Codec<any>>([
  ["PutRequest", PUT_REQUEST],
  ["PutResponse", PUT_RESPONSE],
  ["GetRequest", GET_REQUEST],
  ["GetResponse", GET_RESPONSE],
  ["AppendEntriesRequest", APPEND_ENTRIES_REQUEST],
  ["AppendEntriesResponse", APPEND_ENTRIES_RESPONSE],
]);
