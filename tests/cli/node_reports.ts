/**
 * What nodes report of themselves, as a test wants it: node N is found at 127.0.0.1:900N.
 */
import type { Configuration, FollowerReport, Member } from "../../packraft/mod.ts";
import type { ClusterReports, NodeReport, Target } from "../../src/cli/cluster_reports.ts";

export function member(id: number, fields: Partial<Member> = {}): Member {
  const ports = { peerPort: 8000 + id, clientPort: 9000 + id };
  return { id, host: "127.0.0.1", ...ports, role: "voter", admission: 0, ...fields };
}

export function voters(count: number): Configuration {
  return { index: 0, term: 0, members: Array.from({ length: count }, (_, at) => member(at + 1)) };
}

/** A follower of node 1 in a healthy cluster of three, in term 3 with 57 entries. */
export function report(node: number, fields: Partial<NodeReport> = {}): NodeReport {
  return {
    type: "ExplainResponse",
    node,
    role: "follower",
    roleReason: "node 1 leads term 3",
    roleMs: 120_000,
    term: 3,
    leader: 1,
    leaderSilentMs: 12,
    lastLogIndex: 57,
    durableIndex: 57,
    commitIndex: 57,
    lastApplied: 57,
    isDiskFull: false,
    mayVote: true,
    configuration: voters(3),
    isConfigurationCommitted: true,
    oldestWriteIndex: 0,
    oldestWriteMs: 0,
    waitingWrites: 0,
    readsUnconfirmed: 0,
    readsUnapplied: 0,
    followers: [],
    transferTo: 0,
    votes: [],
    ...fields,
  };
}

export function follower(id: number, fields: Partial<FollowerReport> = {}): FollowerReport {
  return { id, role: "voter", mode: "replicate", matchIndex: 57, silentMs: 12, ...fields };
}

/** Node 1, which leads term 3. */
export function leader(fields: Partial<NodeReport> = {}): NodeReport {
  return report(1, {
    role: "leader",
    roleReason: "2 of 3 votes",
    leaderSilentMs: 0,
    followers: [follower(2), follower(3)],
    ...fields,
  });
}

export function target(node: number): Target {
  return { node, address: { host: "127.0.0.1", port: 9000 + node } };
}

/** These reports, where nodes 1 to 3 were asked: those of them without a report do not answer. */
export function cluster(
  reports: readonly NodeReport[],
  configured: readonly number[] = [1, 2, 3],
): ClusterReports {
  const ids = [
    ...configured,
    ...reports.flatMap(({ configuration }) => configuration.members.map(({ id }) => id)),
  ];
  const missing = [...new Set(ids)].filter((id) => !reports.some(({ node }) => node === id));
  return { reports, unreachable: missing.map(target), configured };
}

/** A node that has asked who would vote for it. */
export const ASKING = {
  role: "preCandidate",
  roleReason: "election timeout",
  leader: 0,
  leaderSilentMs: 0,
} as const;
export const UNANSWERED = { answer: "none", refusal: "none" } as const;
