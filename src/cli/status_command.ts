/**
 * `drafty client status`: asks every node by itself, since each knows only its own state.
 *
 * @module
 */
import Table from "cli-table3";
import type { Configuration } from "../../packraft/mod.ts";
import { nameOf } from "../client/mod.ts";
import {
  clusterReports,
  EXIT_NO_ANSWER,
  MAX_WAIT_MS,
  newestConfiguration,
  type NodeReport,
  reportOf,
  type Target,
} from "./cluster_reports.ts";
import type { CliIo } from "./io.ts";

/** A node's line of the table. What is not known of a node out of reach is null. */
export interface NodeStatus {
  readonly node: number | null;
  readonly reachable: boolean;
  /** What it is to the cluster; null for no member, and where nobody has said who the members are. */
  readonly member: "voter" | "learner" | null;
  readonly role: string | null;
  readonly term: number | null;
  readonly lastLogIndex: number | null;
  readonly commitIndex: number | null;
  readonly lastApplied: number | null;
  readonly leader: number | null;
}

export interface StatusOptions {
  readonly timeoutMs: number;
  readonly isJson: boolean;
  /** Whether one node was asked for: then no other is asked or shown. */
  readonly isForOne: boolean;
}

export async function runStatus(
  targets: readonly Target[],
  options: StatusOptions,
  io: CliIo,
): Promise<number> {
  const timeoutMs = Math.min(options.timeoutMs, MAX_WAIT_MS);
  const statuses = options.isForOne
    ? await Promise.all(targets.map((target) => statusOf(target, timeoutMs)))
    : await clusterStatuses(targets, timeoutMs);
  io.out(options.isJson ? JSON.stringify(statuses) + "\n" : statusTable(statuses, io.isColourful));
  if (statuses.some(({ reachable }) => reachable)) return 0;
  const addresses = targets.map(({ address }) => nameOf(address)).join(", ");
  io.err(`drafty: cannot reach ${addresses}: start the nodes, or check the addresses\n`);
  return EXIT_NO_ANSWER;
}

/** The status of one node, within a second. */
export async function statusOf(target: Target, timeoutMs = MAX_WAIT_MS): Promise<NodeStatus> {
  const report = await reportOf(target, timeoutMs);
  return report === undefined
    ? { node: target.node ?? null, ...UNREACHABLE }
    : statusOfReport(report, report.configuration);
}

/** All members, and other nodes that were asked if they answer. */
async function clusterStatuses(targets: readonly Target[], timeoutMs: number): Promise<NodeStatus[]> {
  const { reports, unreachable } = await clusterReports(targets, timeoutMs);
  const configuration = newestConfiguration(reports);
  const away = unreachable.map(({ node }) => (
    { node: node ?? null, ...UNREACHABLE, member: membership(configuration, node) }
  )).filter(({ member }) => configuration === undefined || member !== null);
  return [...reports.map((report) => statusOfReport(report, configuration)), ...away]
    .sort((a, b) => (a.node ?? 0) - (b.node ?? 0));
}

function statusOfReport(report: NodeReport, configuration: Configuration | undefined): NodeStatus {
  const { node, role, term, lastLogIndex, commitIndex, lastApplied, leader } = report;
  return {
    node,
    reachable: true,
    member: membership(configuration, node),
    role,
    term,
    lastLogIndex,
    commitIndex,
    lastApplied,
    leader: leader === 0 ? null : leader,
  };
}

function membership(
  configuration: Configuration | undefined,
  node: number | undefined,
): NodeStatus["member"] {
  return configuration?.members.find(({ id }) => id === node)?.role ?? null;
}

const UNREACHABLE: Omit<NodeStatus, "node"> = {
  reachable: false,
  member: null,
  role: null,
  term: null,
  lastLogIndex: null,
  commitIndex: null,
  lastApplied: null,
  leader: null,
};

/** The table for people. */
export function statusTable(statuses: readonly NodeStatus[], isColourful: boolean): string {
  const table = new Table({
    head: ["node", "reachable", "member", "role", "term", "last log", "commit", "applied", "leader"],
    style: { head: isColourful ? ["bold"] : [], border: isColourful ? ["gray"] : [], compact: true },
  });
  for (const { node, reachable, ...status } of statuses) {
    const { member, role, term, lastLogIndex, commitIndex, lastApplied, leader } = status;
    const cells = [member, role, term, lastLogIndex, commitIndex, lastApplied, leader];
    table.push([node ?? "?", reachable ? "yes" : "no", ...cells.map((cell) => cell ?? "-")]);
  }
  return table.toString() + "\n";
}
