/**
 * The limits of the wire format. They are part of the protocol: `docs/protocol.md` lists them, and both
 * sides check them before they allocate.
 *
 * @module
 */

/** The longest frame, header included. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;
/** The shortest and longest key. */
export const MIN_KEY_BYTES = 1;
export const MAX_KEY_BYTES = 1024;
/** The longest value. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** The longest payload of a log entry: a write with the longest key and value, and what surrounds them. */
export const MAX_ENTRY_DATA_BYTES = MAX_VALUE_BYTES + MAX_KEY_BYTES + 256;
/** The most entries in one AppendEntriesRequest. */
export const MAX_ENTRIES_PER_MESSAGE = 16_384;
/** The most pairs in one DataResponse. */
export const MAX_PAIRS_PER_MESSAGE = 65_536;
/** The most bytes of a snapshot in one InstallSnapshotRequest. */
export const MAX_SNAPSHOT_CHUNK_BYTES = 1024 * 1024;
/** The longest luid or transaction id. */
export const MAX_LUID_BYTES = 64;
/** The longest cluster id. */
export const MAX_CLUSTER_ID_BYTES = 64;
/** The longest host name in a redirect (the limit of DNS). */
export const MAX_HOST_BYTES = 255;
/** The largest TCP port. */
export const MAX_PORT = 65_535;
/** The longest text of an error. */
export const MAX_ERROR_TEXT_BYTES = 1024;
/** A client's id: the 16 bytes of a UUID. */
export const CLIENT_ID_BYTES = 16;
/** The most members of a cluster, learners and a replacement included. */
export const MAX_MEMBERS = 16;
/** The longest reason in an explanation. */
export const MAX_REASON_BYTES = 256;
