/**
 * What a `cluster.toml` says, once it has been checked.
 *
 * @module
 */
import { ConfigError } from "./errors.ts";

/** One node and where it listens. */
export interface NodeAddress {
  /** From 1; unique in the cluster. */
  readonly id: number;
  /** A host name or an IP address, without brackets. */
  readonly host: string;
  /** For messages between nodes. */
  readonly peerPort: number;
  /** For clients. */
  readonly clientPort: number;
}

export interface ClusterConfig {
  /** Where it was read from, for messages to people. */
  readonly source: string;
  readonly clusterId: string;
  readonly heartbeatMs: number;
  /** Inclusive bounds of the random time without a leader after which a node stands for election. */
  readonly electionTimeoutMs: { readonly min: number; readonly max: number };
  /** How long a connection to another node stays open after its last message; 0 is strictly one-shot. */
  readonly lingerMs: number;
  /** Who serves the reads of clients that use this file. */
  readonly readFrom: "leader" | "any";
  /** Node N keeps its data in `storageDirectory/N`; a relative path is seen from the working directory. */
  readonly storageDirectory: string;
  /** A file of the log is closed, and the next one begun, when it has this size. */
  readonly segmentBytes: number;
  /** A snapshot is taken when the log has grown by this much, and by the size of all keys and values. */
  readonly snapshotAfterBytes: number;
  /** At least one, in the order of the file. */
  readonly nodes: readonly NodeAddress[];
}

/** The node with this id. Throws {@linkcode ConfigError}, with the ids that there are, where there is none. */
export function nodeAddress(config: ClusterConfig, id: number): NodeAddress {
  const node = config.nodes.find((node) => node.id === id);
  if (node !== undefined) return node;
  const ids = config.nodes.map((node) => node.id);
  const known = ids.length === 1 ? `its only node is ${ids[0]}` : `its nodes are ${ids.join(", ")}`;
  throw new ConfigError(`${config.source}: there is no node ${id}; ${known}`);
}
