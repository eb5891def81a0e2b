/**
 * From the text of a `cluster.toml` to a {@linkcode ClusterConfig}, or to an error that says what to change.
 *
 * @module
 */
import { parse } from "@std/toml";
import type { ClusterConfig, NodeAddress } from "./cluster_config.ts";
import { ConfigError } from "./errors.ts";
import { Table } from "./fields.ts";
import { type TomlLines, tomlLines } from "./toml_lines.ts";

/** The most nodes of a cluster: each more makes every write wait for more of them. */
export const MAX_NODES = 7;
/** The largest id of a node. */
export const MAX_NODE_ID = 65_535;
/** A lost heartbeat or two must not start an election (the same rule as etcd's). */
const MIN_HEARTBEATS_PER_ELECTION_TIMEOUT = 5;
/** What fits into an envelope, and into a redirect: the limits of packraft, to which a test holds them. */
export const MAX_CLUSTER_ID_BYTES = 64;
export const MAX_HOST_BYTES = 255;
const MAX_HEARTBEAT_MS = 10_000;
/** By measurement: `docs/decisions/0006-the-linger-is-five-milliseconds.md`. */
const DEFAULT_LINGER_MS = 20;
const MAX_ELECTION_TIMEOUT_MS = 600_000;
const MAX_DIRECTORY_BYTES = 4_096;
/** The TOML parser quotes what it stumbled over, however long. */
const MAX_PROBLEM_CHARACTERS = 200;

const MIB = 1024 * 1024;
const DEFAULT_SEGMENT_BYTES = 64 * MIB;
const DEFAULT_SNAPSHOT_AFTER_BYTES = 64 * MIB;
/** Smaller files would be many; a larger one is freed late. */
const SEGMENT_BYTES = { min: 4_096, max: 1024 * MIB, what: "a whole number of bytes" };
const SNAPSHOT_AFTER_BYTES = { min: 4_096, max: 1024 * 1024 * MIB, what: "a whole number of bytes" };
const PORT = { min: 1, max: 65_535, what: "a port" };

/**
 * Reads a configuration.
 *
 * @param source what errors call it: the path of the file
 * @throws {ConfigError} for whatever is wrong, with its line
 */
export function parseClusterConfig(text: string, source: string): ClusterConfig {
  const lines = tomlLines(text);
  refuseRepetition(lines, source);
  const root = new Table("", parsed(text, source), source, lines);
  root.allowOnly(["cluster", "storage", "nodes"]);

  const cluster = root.table("cluster");
  cluster.allowOnly(["id", "heartbeat_ms", "election_timeout_ms", "linger_ms", "read_from"]);
  const storage = root.table("storage");
  storage.allowOnly(["directory", "segment_bytes", "snapshot_after_bytes"]);
  const heartbeatMs = cluster.has("heartbeat_ms")
    ? cluster.wholeNumber("heartbeat_ms", {
      min: 1,
      max: MAX_HEARTBEAT_MS,
      what: "a whole number of milliseconds",
    })
    : 30;
  return {
    source,
    clusterId: cluster.has("id") ? cluster.text("id", MAX_CLUSTER_ID_BYTES) : "drafty",
    heartbeatMs,
    electionTimeoutMs: electionTimeoutOf(cluster, heartbeatMs),
    lingerMs: lingerOf(cluster, heartbeatMs),
    readFrom: cluster.has("read_from") ? cluster.oneOf("read_from", ["leader", "any"]) : "leader",
    storageDirectory: storage.has("directory") ? storage.text("directory", MAX_DIRECTORY_BYTES) : "data",
    segmentBytes: storage.has("segment_bytes")
      ? storage.wholeNumber("segment_bytes", SEGMENT_BYTES)
      : DEFAULT_SEGMENT_BYTES,
    snapshotAfterBytes: storage.has("snapshot_after_bytes")
      ? storage.wholeNumber("snapshot_after_bytes", SNAPSHOT_AFTER_BYTES)
      : DEFAULT_SNAPSHOT_AFTER_BYTES,
    nodes: nodesOf(root, source),
  };
}

function parsed(text: string, source: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ConfigError(`${source}:${placeOf(error)} not valid TOML: ${problemOf(error)}`);
  }
}

/** "3:5:", or nothing where the parser does not say. Its column 0 is the end of the line before. */
function placeOf(error: Error): string {
  const [, line, column] = /line (\d+), column (\d+)/.exec(error.message) ?? [];
  if (line === undefined) return "";
  return column === "0" ? `${Math.max(1, Number(line) - 1)}:` : `${line}:${column}:`;
}

function problemOf(error: Error): string {
  const problem = error.message.replaceAll(/Parse error on line \d+, column \d+: /g, "");
  return problem.replaceAll(/\s*\n\s*/g, " ").slice(0, MAX_PROBLEM_CHARACTERS);
}

/** TOML forbids it; the parser silently takes the last, which need not be the one that was meant. */
function refuseRepetition({ repeated }: TomlLines, source: string): void {
  if (repeated === undefined) return;
  throw new ConfigError(
    `${source}:${repeated.line}: ${repeated.path} stands on line ${repeated.firstLine} already; remove one of the two`,
  );
}

function electionTimeoutOf(cluster: Table, heartbeatMs: number): ClusterConfig["electionTimeoutMs"] {
  const key = "election_timeout_ms";
  const least = heartbeatMs * MIN_HEARTBEATS_PER_ELECTION_TIMEOUT;
  // Left out, it follows the heartbeat: with its default of 30 ms that is [180, 360].
  if (!cluster.has(key)) return { min: heartbeatMs * 6, max: heartbeatMs * 12 };
  const [min, max] = cluster.pair(key, {
    min: 1,
    max: MAX_ELECTION_TIMEOUT_MS,
    what: "a whole number of milliseconds",
  });
  if (min < least) {
    throw cluster.wrong(
      key,
      `starts below ${MIN_HEARTBEATS_PER_ELECTION_TIMEOUT} × heartbeat_ms; give a minimum of ${least} or more`,
    );
  }
  if (max <= min) {
    throw cluster.wrong(key, "leaves no room for chance; give a maximum above the minimum, best twice it");
  }
  return { min, max };
}

/** A linger as long as the heartbeat would never close a connection. */
function lingerOf(cluster: Table, heartbeatMs: number): number {
  const key = "linger_ms";
  if (!cluster.has(key)) return Math.min(DEFAULT_LINGER_MS, heartbeatMs - 1);
  return cluster.wholeNumber(key, {
    min: 0,
    max: heartbeatMs - 1,
    what: "a whole number of milliseconds below heartbeat_ms",
  });
}

function nodesOf(root: Table, source: string): NodeAddress[] {
  const tables = root.tables("nodes");
  if (tables.length === 0) {
    throw new ConfigError(`${source}: there are no nodes; give at least one [[nodes]] table`);
  }
  if (tables.length > MAX_NODES) {
    throw new ConfigError(`${source}: there are ${tables.length} nodes; give at most ${MAX_NODES}`);
  }
  const users = new Map<string, string>();
  const ids = new Map<number, string>();
  return tables.map((table) => {
    const node = nodeOf(table);
    const sameId = ids.get(node.id);
    if (sameId !== undefined) throw table.wrong("id", `is the id of ${sameId} too; give each node its own`);
    ids.set(node.id, table.path);
    for (const [key, port] of [["peer_port", node.peerPort], ["client_port", node.clientPort]] as const) {
      const address = `${node.host.toLowerCase()} ${port}`;
      const user = users.get(address);
      if (user !== undefined) {
        throw table.wrong(key, `on ${node.host} is ${user} too; give each its own port`);
      }
      users.set(address, `${table.path}.${key}`);
    }
    return node;
  });
}

function nodeOf(table: Table): NodeAddress {
  table.allowOnly(["id", "host", "peer_port", "client_port"]);
  return {
    id: table.wholeNumber("id", { min: 1, max: MAX_NODE_ID, what: "a node id" }),
    host: hostOf(table),
    peerPort: table.wholeNumber("peer_port", PORT),
    clientPort: table.wholeNumber("client_port", PORT),
  };
}

function hostOf(table: Table): string {
  const host = table.text("host", MAX_HOST_BYTES);
  if (/^[^:]+:\d+$/.test(host)) {
    throw table.wrong(
      "host",
      "has a port in it; give the host alone and the ports as peer_port and client_port",
    );
  }
  const isName = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(host);
  const isIpv6 = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(host);
  if (!isName && !isIpv6) {
    throw table.wrong(
      "host",
      'is no host name or IP address; give one such as "127.0.0.1" or "node1.example"',
    );
  }
  return host;
}
