/**
 * `drafty explain`: asks all nodes what they know, and says in sentences what that means.
 *
 * @module
 */
import { nameOf } from "../client/mod.ts";
import type { Arguments } from "./arguments.ts";
import { targetsOf } from "./client_command.ts";
import { type ClusterReports, clusterReports, EXIT_NO_ANSWER, MAX_WAIT_MS } from "./cluster_reports.ts";
import { UsageError } from "./errors.ts";
import { explainCluster, explainNode } from "./explanation.ts";
import type { CliIo } from "./io.ts";
import { durationMs, nodeNumber } from "./values.ts";

export async function runExplain(given: Arguments, io: CliIo): Promise<number> {
  const [extra] = given.positionals;
  if (extra !== undefined) {
    throw new UsageError(`unexpected "${extra}"; explain takes no arguments, a node is --node ${extra}`);
  }
  const named = given.values.get("node");
  const node = named === undefined ? undefined : nodeNumber("node", named);
  const timeout = given.values.get("timeout");
  const timeoutMs = timeout === undefined ? MAX_WAIT_MS : durationMs("timeout", timeout);
  // All nodes are asked, for it takes the leader to explain what another one does. Only one of them is named where the
  // configuration is not read at all, which is refused.
  const { targets } = targetsOf(given, given.values.has("server") ? node : undefined);
  const cluster = await clusterReports(targets, timeoutMs);
  if (node !== undefined) requireKnown(cluster, node);

  const sentences = node === undefined ? explainCluster(cluster) : explainNode(cluster, node);
  const hasAnswer = cluster.reports.length > 0;
  if (given.flags.has("json")) io.out(JSON.stringify({ sentences, nodes: nodesJson(cluster) }) + "\n");
  else if (hasAnswer) io.out(sentences.map((sentence) => `${sentence}\n`).join(""));
  if (hasAnswer) return 0;
  io.err(`drafty: ${sentences.join(" ")}\n`);
  return EXIT_NO_ANSWER;
}

/** A node that neither the configuration nor any member knows cannot be meant. */
function requireKnown({ reports, unreachable, configured }: ClusterReports, node: number): void {
  const found = [...reports, ...unreachable].flatMap((one) => one.node ?? []);
  const known = [...new Set([...configured, ...found])].sort((a, b) => a - b);
  if (!known.includes(node)) {
    throw new UsageError(`--node ${node} is not known; give one of ${known.join(", ")}`);
  }
}

/** Every node with what it has reported, the smallest number first. */
function nodesJson({ reports, unreachable }: ClusterReports): unknown[] {
  const answered = reports.map(({ type: _type, ...report }) => {
    const { node, ...rest } = report;
    return { node, reachable: true, ...rest };
  });
  const silent = unreachable.map(({ node, address }) => (
    { node: node ?? null, reachable: false, address: nameOf(address) }
  ));
  return [...answered, ...silent].sort((a, b) => (a.node ?? 0) - (b.node ?? 0)).map(inSnakeCase);
}

/** The same with the names of all members as JSON of this program has them: `lastApplied` as `last_applied`. */
function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      inSnakeCase(member),
    ]),
  );
}
