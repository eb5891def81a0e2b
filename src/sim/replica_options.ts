/**
 * What a simulated machine gives its replica.
 *
 * @module
 */
import type { Store } from "../kv/mod.ts";
import { type Configuration, type NodeId, RAFT_RULES } from "../raft/mod.ts";
import type { ReplicaOptions } from "../replica/mod.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import { MEMBERS_CODEC } from "./beginnings.ts";
import type { MachineWorld } from "./machine_world.ts";

const MAX_PENDING_REQUESTS = 1_000;

export function replicaOptions(
  id: NodeId,
  { settings, mutant }: MachineWorld,
  parts: {
    readonly storage: DurableStorage;
    readonly store: Store;
    readonly configuration: Configuration;
    readonly random: () => number;
  },
): ReplicaOptions {
  const { storage, store, configuration, random } = parts;
  return {
    raft: {
      id,
      configuration,
      codec: MEMBERS_CODEC,
      heartbeatMs: settings.heartbeatMs,
      electionTimeoutMs: settings.electionTimeoutMs,
      maxAppendBytes: settings.maxAppendBytes,
      keptLogBytes: settings.keptLogBytes,
      maxInflightAppends: settings.maxInflightAppends,
      maxInflightBytes: settings.maxAppendBytes * 4,
      random,
      ...(mutant?.rules === undefined ? {} : { rules: { ...RAFT_RULES, ...mutant.rules } }),
    },
    clusterId: "sim",
    storage,
    store,
    maxPendingRequests: MAX_PENDING_REQUESTS,
    maxUncommittedBatches: 2,
    snapshotAfterBytes: settings.snapshotAfterBytes,
    snapshotChunkBytes: settings.snapshotChunkBytes,
  };
}
