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

const decoder = new TextDecoder();

/** What a stopped node has on its disk. */
export interface StoredLog {
  /** The entries after `after`, which a snapshot stands for. */
  readonly after: number;
  readonly entries: readonly Entry[];
  /** The store as the snapshot has it. */
  readonly store: Store;
}

/** What each node of a cluster has on disk, by node. No node may be running. */
export function storedLogs(cluster: TestCluster): Map<number, StoredLog> {
  return new Map(cluster.nodes.map(({ id }) => {
    const store = new Store();
    const directory = DataDirectory.open(
      new DenoFileSystem(),
      `${cluster.dataDirectory}/${id}`,
      { clusterId: cluster.clusterId, node: id },
      { drawId: () => new Uint8Array(16) },
      store,
    );
    try {
      const { memory, base, entries } = directory.recovered;
      if (memory === "lost") throw new Error(`node ${id} does not remember everything`);
      return [id, { after: base.index, entries, store }];
    } finally {
      directory.close();
    }
  }));
}

/**
 * What is wrong with the logs, a sentence each; none if all is well. Every log must hold the same entries up to
 * `committedUpTo`, byte for byte, and behind it two entries of one index and term must be the same. Every
 * acknowledged write must be in every log, where its client was told, or under its snapshot. The stores must be equal.
 */
export function problemsOf(
  logs: ReadonlyMap<number, StoredLog>,
  committedUpTo: number,
  acknowledged: readonly Acknowledged[],
): string[] {
  const problems: string[] = [];
  const [first, ...others] = [...logs];
  if (first === undefined) return ["there are no logs"];
  for (const [id, log] of logs) {
    const lastIndex = log.after + log.entries.length;
    if (lastIndex < committedUpTo) {
      problems.push(`node ${id} has ${lastIndex} entries, ${committedUpTo} are committed`);
    }
    problems.push(...missingOf(id, log, acknowledged));
  }
  for (const other of others) problems.push(...differencesOf(first, other, committedUpTo));
  // A snapshot may stand for entries that nobody has been told of.
  const upTo = Math.max(committedUpTo, ...[...logs.values()].map(({ store }) => store.lastApplied));
  const digests = new Set([...logs.values()].map((log) => storeOf(log, upTo).digest));
  if (digests.size > 1) problems.push("the logs lead to different stores");
  return problems;
}

/** The store after all entries up to `upTo`. */
export function storeOf({ entries, store }: StoredLog, upTo: number): Store {
  for (const entry of entries) {
    if (entry.index > store.lastApplied && entry.index <= upTo) store.apply(entry);
  }
  return store;
}

function entryAt({ after, entries }: StoredLog, index: number): Entry | undefined {
  return entries[index - 1 - after];
}

function differencesOf(
  [idA, logA]: [number, StoredLog],
  [idB, logB]: [number, StoredLog],
  committedUpTo: number,
): string[] {
  for (const a of logA.entries) {
    if (a.index <= logB.after) continue;
    const b = entryAt(logB, a.index);
    if (b === undefined) break;
    const isSameSlot = a.index === b.index && a.term === b.term;
    if (isSameSlot && a.kind === b.kind && equals(a.data, b.data)) continue;
    if (!isSameSlot && a.index > committedUpTo) break;
    return [`entry ${a.index} of node ${idA} (term ${a.term}) is not that of node ${idB} (term ${b.term})`];
  }
  return [];
}

function missingOf(id: number, log: StoredLog, acknowledged: readonly Acknowledged[]): string[] {
  const missing = acknowledged.filter((write) =>
    write.index > log.after && !holds(entryAt(log, write.index), write)
  );
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
