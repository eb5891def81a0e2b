/**
 * What stopped nodes have on disk: their logs, read by the code with which they would start again, compared with
 * each other and with what clients were told.
 *
 * @module
 */
import { equals } from "@std/bytes";
import type { Entry } from "../../packraft/mod.ts";
import { DenoFileSystem } from "../../src/driver/deno_file_system.ts";
import { type Command, decodeCommand, Store } from "../../src/kv/mod.ts";
import { DataDirectory } from "../../src/storage/data_directory.ts";
import type { TestCluster } from "./cluster.ts";

/** A write that a client was told is done. */
export interface Acknowledged {
  readonly kind: Command["kind"];
  readonly key: string;
  /** Empty for a delete. */
  readonly value: string;
  /** The index of the entry that did it. */
  readonly index: number;
}

const ANY_DIRECTORY_ID = new Uint8Array(16);
const decoder = new TextDecoder();

/** The entries that each node of a cluster has on disk, by node. No node may be running. */
export function storedLogs(cluster: TestCluster): Map<number, readonly Entry[]> {
  const fileSystem = new DenoFileSystem();
  return new Map(cluster.nodes.map(({ id }) => {
    const identity = { clusterId: cluster.clusterId, node: id, directoryId: ANY_DIRECTORY_ID };
    const directory = DataDirectory.open(fileSystem, `${cluster.dataDirectory}/${id}`, identity);
    try {
      return [id, directory.log.recovered.entries];
    } finally {
      directory.close();
    }
  }));
}

/**
 * What is wrong with the logs, a sentence each; none if all is well. Every log must hold the same entries up to
 * `committedUpTo`, byte for byte, and behind it two entries of one index and term must be the same. Every
 * acknowledged write must be in every log, where its client was told. The stores that follow must be equal.
 */
export function problemsOf(
  logs: ReadonlyMap<number, readonly Entry[]>,
  committedUpTo: number,
  acknowledged: readonly Acknowledged[],
): string[] {
  const problems: string[] = [];
  const [first, ...others] = [...logs];
  if (first === undefined) return ["there are no logs"];
  for (const [id, log] of logs) {
    if (log.length < committedUpTo) {
      problems.push(`node ${id} has ${log.length} entries, ${committedUpTo} are committed`);
    }
    problems.push(...missingOf(id, log, acknowledged));
  }
  for (const other of others) problems.push(...differencesOf(first, other, committedUpTo));
  const digests = new Set([...logs.values()].map((log) => storeOf(log.slice(0, committedUpTo)).digest));
  if (digests.size > 1) problems.push("the logs lead to different stores");
  return problems;
}

/** The store after these entries. */
export function storeOf(entries: readonly Entry[]): Store {
  const store = new Store();
  for (const entry of entries) store.apply(entry);
  return store;
}

function differencesOf(
  [idA, logA]: [number, readonly Entry[]],
  [idB, logB]: [number, readonly Entry[]],
  committedUpTo: number,
): string[] {
  for (const [at, a] of logA.entries()) {
    const b = logB[at];
    if (b === undefined) break;
    const isSameSlot = a.index === b.index && a.term === b.term;
    if (isSameSlot && a.kind === b.kind && equals(a.data, b.data)) continue;
    if (!isSameSlot && a.index > committedUpTo) break;
    return [`entry ${a.index} of node ${idA} (term ${a.term}) is not that of node ${idB} (term ${b.term})`];
  }
  return [];
}

function missingOf(id: number, log: readonly Entry[], acknowledged: readonly Acknowledged[]): string[] {
  const missing = acknowledged.filter((write) => !holds(log[write.index - 1], write));
  return missing.slice(0, 3).map(({ kind, key, value, index }) =>
    `node ${id} does not have the acknowledged ${kind} of ${key} = "${value}" as entry ${index} ` +
    `(${missing.length} missing in all)`
  );
}

function holds(entry: Entry | undefined, write: Acknowledged): boolean {
  if (entry === undefined || entry.kind !== "command") return false;
  const command = decodeCommand(entry.data);
  return command.kind === write.kind && decoder.decode(command.key) === write.key &&
    decoder.decode(command.value) === write.value;
}
