/**
 * Explains a cluster: from what its nodes report of themselves to sentences for people, the most important first.
 * Nothing here asks or waits; the same reports give the same sentences.
 *
 * The reports are of slightly different moments, and a node may be wrong about the others: one that was cut off goes
 * on naming a leader that is gone. So who leads is told as whoever says so knows it, and where nodes disagree the
 * higher term counts, as it does among them.
 *
 * @module
 */
import { nameOf } from "../client/mod.ts";
import type { ClusterReports, NodeReport } from "./cluster_reports.ts";
import { ClusterView } from "./cluster_view.ts";
import { explainNoLeader, explainOther, explainVoting } from "./leaderless_explanation.ts";
import { explainFollower, explainFollowers, explainMembership } from "./member_explanation.ts";
import { capital, duration, listOf, reasonText } from "./phrases.ts";
import { explainReads, explainWrites } from "./waiting_explanation.ts";

/** Who leads and why, or why nobody does; what waits for what; which nodes are behind. */
export function explainCluster(cluster: ClusterReports): string[] {
  const view = new ClusterView(cluster);
  if (view.reports.length === 0) return [noAnswer(cluster)];
  const { leader } = view;
  const sentences = leader === undefined
    ? [...explainNoLeader(view), ...explainDisks(view.reports), ...explainMembership(view)]
    : [
      ...explainLeader(view, leader),
      ...explainOthers(view, leader),
      ...explainMembership(view),
      ...explainQuiet(view, leader),
    ];
  return asText(sentences);
}

/** What one node does and why: what it says itself, then what the leader says of it. */
export function explainNode(cluster: ClusterReports, node: number): string[] {
  const view = new ClusterView(cluster);
  if (view.reports.length === 0) return [noAnswer(cluster)];
  const { leader } = view;
  const report = view.reportOf(node);
  if (leader !== undefined && leader === report) {
    return asText([...explainLeader(view, leader), ...explainQuiet(view, leader)]);
  }
  const own = report === undefined ? explainMissing(view, node) : explainOwn(view, report);
  if (!view.isMember(node)) return asText([...own, ...explainMembership(view)]);
  return asText([...own, ...leader === undefined ? explainNoLeader(view) : ofLeader(view, leader, report)]);
}

function noAnswer({ unreachable }: ClusterReports): string {
  const places = listOf(unreachable.map(({ address }) => nameOf(address)));
  return `No node answers at ${places}: start the nodes, or check the addresses.`;
}

/** What is told twice is told once. */
function asText(sentences: readonly string[]): string[] {
  return [...new Set(sentences.map((sentence) => `${capital(sentence)}.`))];
}

function explainLeader(view: ClusterView, leader: NodeReport): string[] {
  return [
    leads(leader),
    ...explainTransfer(leader),
    ...explainDisks(view.reports),
    ...explainWaiting(view, leader),
    ...explainFollowers(view, leader),
  ];
}

function explainWaiting(view: ClusterView, leader: NodeReport): string[] {
  return [...explainWrites(view, leader), ...view.reports.flatMap(explainReads)];
}

function explainQuiet(view: ClusterView, leader: NodeReport): string[] {
  const isQuiet = explainWaiting(view, leader).length === 0 &&
    view.reports.every(({ waitingWrites }) => waitingWrites === 0);
  return isQuiet ? ["nothing waits"] : [];
}

function leads(leader: NodeReport): string {
  const { node, term, roleMs } = leader;
  return `node ${node} leads term ${term}, for ${duration(roleMs)}: ${reasonText(leader)}`;
}

function explainTransfer({ node, transferTo }: NodeReport): string[] {
  if (transferTo === 0) return [];
  return [`node ${node} is handing over to node ${transferTo}, and takes no writes until that is done`];
}

function explainDisks(reports: readonly NodeReport[]): string[] {
  return reports.filter(({ isDiskFull }) => isDiskFull).map(({ node, role }) =>
    role === "leader"
      ? `the disk of node ${node} is full: it refuses writes until there is room, and serves reads`
      : `the disk of node ${node} is full: it takes no new entries until there is room`
  );
}

/** Nodes that do not see the leader as it sees itself. */
function explainOthers(view: ClusterView, leader: NodeReport): string[] {
  return view.reports.filter((report) => report !== leader && view.isMember(report.node))
    .flatMap((report) => explainOther(view, report));
}

function explainOwn(view: ClusterView, report: NodeReport): string[] {
  return [
    ...explainRole(view, report),
    explainLog(report),
    ...explainDisks([report]),
    ...explainReads(report),
  ];
}

function explainRole(view: ClusterView, report: NodeReport): string[] {
  const { node, role, leader, leaderSilentMs, term, roleMs } = report;
  if (role !== "follower" || leader === 0) return explainOther(view, report);
  return [
    `node ${node} follows node ${leader} in term ${term}, and heard from it ${duration(leaderSilentMs)} ago`,
    `it has been a follower for ${duration(roleMs)}: ${reasonText(report)}`,
    ...explainVoting(view, report),
  ];
}

function explainLog({ lastLogIndex, durableIndex, commitIndex, lastApplied }: NodeReport): string {
  const disk = durableIndex >= lastLogIndex ? "all of it on its disk" : `on its disk up to ${durableIndex}`;
  return `its log ends at entry ${lastLogIndex}, ${disk}; it is committed up to ${commitIndex} and ` +
    `applied up to ${lastApplied}`;
}

function explainMissing(view: ClusterView, node: number): string[] {
  const { leader } = view;
  const follower = leader?.followers.find(({ id }) => id === node);
  return leader !== undefined && follower !== undefined
    ? [explainFollower(view, leader, follower)]
    : [`node ${node} does not answer at ${view.missingAt(node) ?? "any address that is known"}`];
}

/** Who leads; and what the leader says of a node that has spoken for itself. */
function ofLeader(view: ClusterView, leader: NodeReport, report: NodeReport | undefined): string[] {
  const follower = leader.followers.find(({ id }) => id === report?.node);
  return [leads(leader), ...follower === undefined ? [] : [explainFollower(view, leader, follower)]];
}
