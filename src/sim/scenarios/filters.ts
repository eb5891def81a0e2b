/**
 * Kinds of messages, for scenarios to drop or hold.
 *
 * @module
 */
import type { PeerMessage } from "../../../packraft/mod.ts";

/** A request that carries entries. */
export function hasEntries(message: PeerMessage): boolean {
  return message.type === "AppendEntriesRequest" && message.entries.length > 0;
}

/** A request that carries none. */
export function isHeartbeat(message: PeerMessage): boolean {
  return message.type === "AppendEntriesRequest" && message.entries.length === 0;
}
