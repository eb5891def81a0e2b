/**
 * What happens in a replica that a person may want to know: what its server decides, and what it does with its disk.
 *
 * @module
 */
import type { NodeId, RaftEvent } from "../raft/mod.ts";

export type ReplicaEvent =
  | RaftEvent
  | { readonly kind: "snapshotTaken"; readonly index: number; readonly totalBytes: number }
  | { readonly kind: "snapshotFailed"; readonly reason: string }
  /** A snapshot that was not what its sender had announced, or for which there is no room. */
  | { readonly kind: "snapshotRefused"; readonly from: NodeId; readonly reason: string }
  /** The disk is full, and why it is thought so; or, without that, has room again. */
  | { readonly kind: "diskFull"; readonly detail: string | undefined };
