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
 * @module
 */
import { CLIENT_REQUESTS, CLIENT_RESPONSES } from "./client_messages.ts";
import { MAX_CLUSTER_ID_BYTES, MAX_HOST_BYTES, MAX_LUID_BYTES } from "./limits.ts";
import { PEER_MESSAGES } from "./peer_messages.ts";
import { PORT } from "./records.ts";
import { record, text, type TypeOf, varint } from "./schema.ts";

export * from "./client_messages.ts";
export * from "./peer_messages.ts";
export * from "./records.ts";

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
  /**
   * Where the sender takes messages: a receiver that does not know it yet, or not any more, can still answer it.
   * Empty and 0 if it takes none.
   */
  host: text({ max: MAX_HOST_BYTES }),
  peerPort: PORT,
  /** The index of the newest configuration that the sender knows to be committed, and that has it there; 0 if none. */
  addressIndex: varint,
});
export type PeerEnvelope = TypeOf<typeof PEER_ENVELOPE>;

/** What stands in front of every request of a client, and of every response to one. */
export const CLIENT_ENVELOPE = record({
  /** The sender's name for this request; the response carries it back unchanged. */
  transactionId: text({ max: MAX_LUID_BYTES }),
});
export type ClientEnvelope = TypeOf<typeof CLIENT_ENVELOPE>;

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
export type TimeoutNowRequest = PeerMessageOf<"TimeoutNowRequest">;
export type ReadIndexRequest = PeerMessageOf<"ReadIndexRequest">;
export type ReadIndexResponse = PeerMessageOf<"ReadIndexResponse">;
export type RejoinRequest = PeerMessageOf<"RejoinRequest">;
export type RejoinResponse = PeerMessageOf<"RejoinResponse">;

/** A message with its envelope: what one frame carries. */
export type Packet =
  | { readonly family: "peer"; readonly envelope: PeerEnvelope; readonly message: PeerMessage }
  | { readonly family: "request"; readonly envelope: ClientEnvelope; readonly message: ClientRequest }
  | { readonly family: "response"; readonly envelope: ClientEnvelope; readonly message: ClientResponse };
