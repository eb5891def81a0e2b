/**
 * What waits in a cluster, and for whom.
 *
 * @module
 */
import type { NodeReport } from "./cluster_reports.ts";
import { type ClusterView, isSilent } from "./cluster_view.ts";
import { counted, duration, forCount, nodeList } from "./phrases.ts";

/** Why the writes of a leader wait; nothing if none does. */
export function explainWrites(view: ClusterView, leader: NodeReport): string[] {
  const { waitingWrites, oldestWriteIndex, oldestWriteMs, commitIndex, lastLogIndex, isDiskFull } = leader;
  if (waitingWrites > 0 && oldestWriteIndex > 0) {
    const what = waitingWrites === 1
      ? "1 write waits,"
      : `${counted(waitingWrites, "write")} wait, the oldest of them,`;
    return [
      `${what} entry ${oldestWriteIndex}, for ${duration(oldestWriteMs)}: ` +
      whyEntryWaits(view, leader, oldestWriteIndex),
    ];
  }
  if (commitIndex >= lastLogIndex || isDiskFull) return [];
  return [`entry ${commitIndex + 1} is not committed yet: ${whyEntryWaits(view, leader, commitIndex + 1)}`];
}

function whyEntryWaits(view: ClusterView, leader: NodeReport, index: number): string {
  const { commitIndex, lastApplied } = leader;
  if (commitIndex >= index) {
    return `it is committed, and waits to be applied (entry ${lastApplied} was the last)`;
  }
  const holders = view.voters.filter((voter) => durableAt(leader, voter) >= index);
  const lacking = view.voters.filter((voter) => !holders.includes(voter));
  const missing = view.quorum - holders.length;
  if (missing <= 0) {
    return `${nodeList(holders)} have it on disk, which is enough: it is about to be committed`;
  }
  const have = holders.length === 0
    ? "no voter has it on disk yet"
    : `${nodeList(holders)} ${forCount(holders.length, "has", "have")} it on disk`;
  const whom = lacking.length === missing
    ? nodeList(lacking)
    : `${missing}${holders.length === 0 ? "" : " more"} of ${nodeList(lacking)}`;
  return `${have}, and ${whom} must have it too${whyLacking(leader, lacking)}`;
}

/** The last entry that a voter is known to have on its disk. */
function durableAt(leader: NodeReport, voter: number): number {
  if (voter === leader.node) return leader.durableIndex;
  return leader.followers.find(({ id }) => id === voter)?.matchIndex ?? 0;
}

function whyLacking(leader: NodeReport, lacking: readonly number[]): string {
  const followers = leader.followers.filter(({ id }) => lacking.includes(id));
  const silent = followers.filter(isSilent).map(({ id }) => id);
  const lagging = followers.filter((follower) => !isSilent(follower)).map(({ id }) => id);
  const parts: string[] = [];
  if (lacking.includes(leader.node)) {
    const why = leader.isDiskFull ? "is full" : `has entries up to ${leader.durableIndex} only`;
    parts.push(`the disk of node ${leader.node} itself ${why}`);
  }
  if (silent.length > 0) parts.push(`nothing is heard from ${nodeList(silent)}`);
  if (lagging.length > 0) parts.push(`${nodeList(lagging)} ${forCount(lagging.length, "is", "are")} behind`);
  return parts.length === 0 ? "" : ` (${parts.join("; ")})`;
}

/** Why the reads at a node wait; nothing if none does. */
export function explainReads(
  { node, role, readsUnconfirmed, readsUnapplied, lastApplied }: NodeReport,
): string[] {
  const waiting = (count: number) =>
    `${counted(count, "read")} at node ${node} ${forCount(count, "waits", "wait")}`;
  const confirming = role === "leader"
    ? "for a majority to confirm that it still leads"
    : "for the leader to say from which entry on a read is current";
  return [
    ...readsUnconfirmed > 0 ? [`${waiting(readsUnconfirmed)} ${confirming}`] : [],
    ...readsUnapplied > 0
      ? [`${waiting(readsUnapplied)} for entries to be applied (entry ${lastApplied} was the last)`]
      : [],
  ];
}
