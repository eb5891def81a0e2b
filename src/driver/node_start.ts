/**
 * What a node starts with, its address, its members and its directory; and what its end is called.
 *
 * @module
 */
import type { Configuration } from "../../packraft/mod.ts";
import type { Store } from "../kv/mod.ts";
import type { MemberAddress } from "../raft/mod.ts";
import { DivergedError, MembersError } from "../replica/mod.ts";
import { DataDirectory } from "../storage/data_directory.ts";
import { CorruptLogError, type Damage, DataDirectoryError, StorageError } from "../storage/errors.ts";
import { DenoFileSystem } from "./deno_file_system.ts";
import type { NodeEnd, NodeOptions } from "./node.ts";

/** The exit code for what must not happen: sysexits' "internal software error". */
const EXIT_INTERNAL = 70;

/** Nothing says where a node belongs. */
export class UnknownNodeError extends Error {
  override readonly name = "UnknownNodeError";
  readonly exitCode = 3;
}

/** Where this node listens, as far as that is known before its directory is opened. */
export function knownAddress(options: NodeOptions): MemberAddress | undefined {
  const { address, config, members, node, dataDirectory } = options;
  const known = address ?? config.nodes.find((member) => member.id === node) ??
    members?.members.find((member) => member.id === node);
  // No directory is made for a node of which nobody knows anything.
  if (known === undefined && new DenoFileSystem().kindOf(dataDirectory) === "nothing") notAMember(options);
  return known;
}

export function notAMember({ node, config }: NodeOptions): never {
  const known = config.nodes.map(({ id }) => id).join(", ");
  throw new UnknownNodeError(
    `${config.source}: there is no node ${node}; its nodes are ${known}. To add it to a running cluster: ` +
      `drafty client register ${node} HOST:PEER:CLIENT, then start it with --join HOST:CLIENT of another node`,
  );
}

/** The members to begin with: what a running cluster has told, or else the configuration file's. */
export function beginningOf({ config, members }: NodeOptions): Configuration {
  if (members !== undefined) return members;
  const beginning = config.nodes.map(({ id, host, peerPort, clientPort }) => (
    { id, host, peerPort, clientPort, role: "voter", admission: 0 } as const
  ));
  return { index: 0, term: 0, members: beginning.sort((a, b) => a.id - b.id) };
}

export function openDirectory(options: NodeOptions, store: Store): DataDirectory {
  const { config: { clusterId, segmentBytes }, node, isNewCluster = false, isRejoining = false } = options;
  const drawId = () => crypto.getRandomValues(new Uint8Array(16));
  return DataDirectory.open(
    new DenoFileSystem(),
    options.dataDirectory,
    { clusterId, node },
    { drawId, segmentBytes, isNewCluster, isRejoining },
    store,
  );
}

export function endOf(error: unknown): NodeEnd {
  if (error instanceof StorageError || error instanceof MembersError || error instanceof DivergedError) {
    return { exitCode: error.exitCode, reason: error.message };
  }
  const reason = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT_INTERNAL, reason: `internal error, please report it: ${reason}` };
}

/** Why a node cannot find its way back, and what a person can do. */
export function hopeless({ node, dataDirectory }: NodeOptions, damage: Damage | undefined): Error {
  if (damage !== undefined) return new CorruptLogError(damage, dataDirectory, node);
  return new DataDirectoryError(
    `data directory ${dataDirectory} does not hold what node ${node} once promised, and too few of the other nodes ` +
      "remember enough to tell: start the others with their own directories, or, if this cluster is new, each of " +
      "them with --new-cluster",
  );
}
