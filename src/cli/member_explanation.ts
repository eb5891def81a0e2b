/**
 * How far a leader's followers are, and who is a member.
 *
 * @module
 */
import type { FollowerReport } from "../../packraft/mod.ts";
import { nameOf } from "../client/mod.ts";
import type { NodeReport } from "./cluster_reports.ts";
import { type ClusterView, isSilent } from "./cluster_view.ts";
import { counted, duration, forCount, nodeList, reasonText } from "./phrases.ts";

/** Times that are the same to a node are told as whole milliseconds, each rounded for itself. */
const ROUNDING_MS = 1;

/** One sentence for each follower that is not well, and one for all that are. */
export function explainFollowers(view: ClusterView, leader: NodeReport): string[] {
  const { followers, lastLogIndex } = leader;
  if (followers.length === 0) return [`node ${leader.node} is the only member`];
  const isWell = (follower: FollowerReport) =>
    follower.role === "voter" && !isSilent(follower) && lackOf(leader, follower) === 0 &&
    follower.mode !== "snapshot" && view.missingAt(follower.id) === undefined;
  const well = followers.filter(isWell).map(({ id }) => id);
  const others = followers.filter((follower) => !isWell(follower));
  const verbs = forCount(well.length, "follows and has", "follow and have");
  return [
    ...explainQuorum(view, leader),
    ...others.map((follower) => explainFollower(view, leader, follower)),
    ...well.length === 0 ? [] : [`${nodeList(well)} ${verbs} everything up to entry ${lastLogIndex}`],
  ];
}

/** Says so if a leader hears from too few voters. */
function explainQuorum(view: ClusterView, leader: NodeReport): string[] {
  const heard = view.voters.filter((voter) =>
    voter === leader.node || leader.followers.some((follower) => follower.id === voter && !isSilent(follower))
  );
  if (heard.length >= view.quorum) return [];
  return [
    `node ${leader.node} hears from ${heard.length} of ${view.voters.length} voters, itself included, and needs ` +
    `${view.quorum}: it is about to step down`,
  ];
}

/** What the leader knows of one of its followers, and whether that one answers. */
export function explainFollower(view: ClusterView, leader: NodeReport, follower: FollowerReport): string {
  const { id, role } = follower;
  if (role === "voter") return `node ${id} ${stateOf(view, leader, follower)}`;
  if (view.memberOf(id)?.admission === 0 && view.missingAt(id) !== undefined) {
    return `node ${id} is a learner that has not begun yet: start it with drafty --node ${id} --join ${
      placeOf(view, leader.node)
    }`;
  }
  return `node ${id} is a learner and ${stateOf(view, leader, follower)}; ` +
    "it becomes a voter by itself when it has caught up";
}

function stateOf(view: ClusterView, leader: NodeReport, follower: FollowerReport): string {
  const place = view.missingAt(follower.id);
  const log = logOf(leader, follower, "has");
  const silence = duration(follower.silentMs);
  if (isUnheard(leader, follower)) {
    const here = place === undefined ? "answers here, but" : `does not answer at ${place}, and`;
    return `${here} node ${leader.node}, the leader, has not heard from it yet`;
  }
  if (isSilent(follower)) {
    return place === undefined
      ? `answers here, but node ${leader.node} has heard nothing from it for ${silence}; it ${log}`
      : `has been silent for ${silence} and does not answer at ${place}; it ${log}`;
  }
  if (place === undefined) {
    return logOf(leader, follower, follower.role === "voter" ? "follows and has" : "has");
  }
  return `does not answer at ${place}, but node ${leader.node} heard from it ${silence} ago; it ${log}`;
}

/** A new leader knows nothing of the others: until the first answer, the silence of one is as old as the leadership. */
function isUnheard({ roleMs }: NodeReport, { matchIndex, silentMs }: FollowerReport): boolean {
  return matchIndex === 0 && silentMs + ROUNDING_MS >= roleMs;
}

/** HOST:CLIENT of a member. */
function placeOf(view: ClusterView, node: number): string {
  const member = view.memberOf(node);
  return member === undefined ? "HOST:CLIENT" : nameOf({ host: member.host, port: member.clientPort });
}

/** How far a follower's log is, to be put after its name. `has` is said of one that lacks nothing. */
function logOf(leader: NodeReport, follower: FollowerReport, has: string): string {
  const { matchIndex, mode } = follower;
  if (mode === "snapshot") {
    return "is being sent a snapshot, since the leader's log does not go back to what it lacks";
  }
  const lack = lackOf(leader, follower);
  if (lack === 0) return `${has} everything up to entry ${leader.lastLogIndex}`;
  return matchIndex === 0
    ? "has not told yet how far its log goes"
    : `lags by ${counted(lack, "entry", "entries")}: it has everything up to entry ${matchIndex}`;
}

/** How many of the leader's entries a follower is not known to have. */
function lackOf(leader: NodeReport, { matchIndex }: FollowerReport): number {
  return Math.max(0, leader.lastLogIndex - matchIndex);
}

/** A change that is not committed; and nodes that are no members. */
export function explainMembership(view: ClusterView): string[] {
  const { configuration: { index, members }, reports } = view;
  const learners = members.filter(({ role }) => role === "learner").map(({ id }) => id);
  const learning = learners.length === 0
    ? ""
    : ` and ${nodeList(learners)} ${forCount(learners.length, "learns", "learn")}`;
  const voting = `${nodeList(view.voters)} ${forCount(view.voters.length, "votes", "vote")}`;
  const isOpen = reports.some((report) => report.configuration.index === index) &&
    !reports.some((report) => report.configuration.index === index && report.isConfigurationCommitted);
  const strangers = [...new Set([...view.configured, ...reports.map(({ node }) => node)])]
    .filter((node) => !view.isMember(node));
  return [
    ...isOpen
      ? [`the members are being changed by entry ${index}, which is not committed yet: ${voting}${learning}`]
      : [],
    ...strangers.map((node) => explainStranger(view, node)),
  ];
}

function explainStranger(view: ClusterView, node: number): string {
  const report = view.reportOf(node);
  if (report === undefined) {
    return `node ${node} is in the configuration file, but is no member of the cluster`;
  }
  return `node ${node} runs (${reasonText(report)}), but is no member of the cluster: ` +
    `drafty client register ${node} HOST:PEER:CLIENT makes it one`;
}
