/**
 * What the reports of several nodes, taken together, say of a cluster: who the members are, and who leads.
 *
 * @module
 */
import type { Configuration, FollowerReport, Member } from "../../packraft/mod.ts";
import { nameOf } from "../client/mod.ts";
import { type ClusterReports, newestConfiguration, type NodeReport } from "./cluster_reports.ts";

/** That a node leads a term, as some nodes have it: itself, or those that follow it. */
export interface Claim {
  readonly leader: number;
  readonly term: number;
  readonly by: readonly NodeReport[];
}

/** Heartbeats come many times in this time; who says nothing for so long has something the matter with it. */
const LONG_MS = 1_000;

export class ClusterView {
  readonly reports: readonly NodeReport[];
  readonly configured: readonly number[];
  readonly configuration: Configuration;
  readonly voters: readonly number[];
  readonly quorum: number;
  /** That of the highest term, however old the nodes' knowledge is. */
  readonly claim: Claim | undefined;
  /** What the leader says, if it says itself that it leads the highest term that anybody has a leader of. */
  readonly leader: NodeReport | undefined;
  readonly #addresses: ReadonlyMap<number, string>;

  constructor({ reports, unreachable, configured }: ClusterReports) {
    this.reports = reports;
    this.configured = configured;
    this.configuration = newestConfiguration(reports) ?? { index: 0, term: 0, members: [] };
    this.voters = this.configuration.members.filter(({ role }) => role === "voter").map(({ id }) => id);
    this.quorum = Math.floor(this.voters.length / 2) + 1;
    this.claim = newestClaim(reports);
    this.leader = this.claim?.by.find(({ node, role }) => role === "leader" && node === this.claim?.leader);
    this.#addresses = new Map(
      unreachable.map(({ node, address }) => [node ?? 0, nameOf(address)]),
    );
  }

  reportOf(node: number): NodeReport | undefined {
    return this.reports.find((report) => report.node === node);
  }

  memberOf(node: number): Member | undefined {
    return this.configuration.members.find(({ id }) => id === node);
  }

  isMember(node: number): boolean {
    return this.memberOf(node) !== undefined;
  }

  isVoter(node: number): boolean {
    return this.voters.includes(node);
  }

  /** Where a node that does not answer was looked for; undefined for one that answers. */
  missingAt(node: number): string | undefined {
    return this.#addresses.get(node);
  }

  /** Members that do not answer. */
  get missing(): number[] {
    return this.configuration.members.map(({ id }) => id).filter((id) => this.#addresses.has(id));
  }
}

export function isSilent({ silentMs }: Pick<FollowerReport, "silentMs">): boolean {
  return isLong(silentMs);
}

/** Whether many messages should have come and gone in this time. */
export function isLong(ms: number): boolean {
  return ms >= LONG_MS;
}

function newestClaim(reports: readonly NodeReport[]): Claim | undefined {
  const claiming = reports.filter(({ leader, role }) => leader !== 0 || role === "leader");
  const term = Math.max(...claiming.map((report) => report.term));
  const by = claiming.filter((report) => report.term === term);
  const [first] = by;
  return first && { leader: leaderOf(first), term, by };
}

function leaderOf({ role, node, leader }: NodeReport): number {
  return role === "leader" ? node : leader;
}
