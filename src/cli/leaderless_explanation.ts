/**
 * Why nobody leads; and what nodes do that do not follow whoever does.
 *
 * @module
 */
import type { VoteReport } from "../../packraft/mod.ts";
import type { NodeReport } from "./cluster_reports.ts";
import { type Claim, type ClusterView, isLong } from "./cluster_view.ts";
import { counted, duration, forCount, listOf, nodeList, reasonText, REFUSALS } from "./phrases.ts";

/** What is known of a cluster in which no node says that it leads. */
export function explainNoLeader(view: ClusterView): string[] {
  const { claim, missing } = view;
  const members = view.reports.filter(({ node }) => view.isMember(node));
  const standing = members.filter(isStanding);
  const tooFew = whyTooFew(view);
  // Named by others, and not to be asked: it may be there, or be gone and not be missed yet.
  const isUncertain = claim !== undefined && view.reportOf(claim.leader) === undefined;
  const headline = claim === undefined ? [`nobody leads: ${tooFew ?? whyNobodyWon(standing)}`] : [
    ...isUncertain ? explainLost(view, claim) : explainDeposed(view, claim),
    ...tooFew === undefined ? [] : [tooFew],
  ];
  const away = missing.filter((node) => !isUncertain || node !== claim.leader);
  return [
    ...headline,
    ...explainMissing(view, away),
    ...standing.map((report) => explainStanding(view, report)),
    ...members.filter((report) => !isStanding(report) && !claim?.by.includes(report))
      .flatMap((report) => explainOther(view, report)),
    ...isUncertain ? [] : ["writes and linearizable reads wait for a leader; reads with --stale are served"],
  ];
}

function explainMissing(view: ClusterView, missing: readonly number[]): string[] {
  if (missing.length === 0) return [];
  const places = listOf(missing.map((node) => view.missingAt(node) ?? ""));
  return [`${nodeList(missing)} ${forCount(missing.length, "does", "do")} not answer at ${places}`];
}

/** Nodes that name a leader which does not answer. */
function explainLost(view: ClusterView, { leader, term, by }: Claim): string[] {
  const silentMs = Math.min(...by.map(({ leaderSilentMs }) => leaderSilentMs));
  return [
    `node ${leader} led term ${term} when ${nodeList(by.map(({ node }) => node))} last heard from it, ` +
    `${duration(silentMs)} ago, but does not answer at ${
      view.missingAt(leader) ?? "any address that is known"
    }`,
    `if node ${leader} is gone, there is an election when it has been silent for an election timeout`,
  ];
}

/** Nodes that name a leader which says itself that it does not lead: they have not noticed yet. */
function explainDeposed(view: ClusterView, { leader, term, by }: Claim): string[] {
  const named = view.reportOf(leader);
  const reason = named === undefined ? "" : ` (${reasonText(named)})`;
  return [
    `nobody leads: ${nodeList(by.map(({ node }) => node))} still ${forCount(by.length, "names", "name")} ` +
    `node ${leader}, which does not lead term ${term} any more${reason}`,
  ];
}

/** Why the voters that answer cannot elect anybody, if that is so. */
function whyTooFew(view: ClusterView): string | undefined {
  const { voters, quorum } = view;
  const answering = voters.filter((voter) => view.reportOf(voter) !== undefined);
  const able = view.reports.filter(({ node, role, mayVote }) => (
    view.isVoter(node) && role !== "rejoining" && mayVote
  )).map(({ node }) => node);
  const only = (nodes: readonly number[]) => nodes.length === 0 ? "none" : `only ${nodeList(nodes)}`;
  if (answering.length < quorum) {
    const verb = forCount(answering.length, "answers", "answer");
    return `${quorum} of ${counted(voters.length, "voter")} have to reach each other, and ${
      only(answering)
    } ${answering.length === 0 ? "answers" : verb}`;
  }
  if (able.length >= quorum) return undefined;
  return `${quorum} of ${counted(voters.length, "voter")} have to vote, and ${only(able)} may`;
}

function whyNobodyWon(standing: readonly NodeReport[]): string {
  return standing.length > 0
    ? "an election is under way"
    : "no node stands for election yet; one does when it has heard from no leader for an election timeout";
}

function isStanding({ role }: NodeReport): boolean {
  return role === "candidate" || role === "preCandidate";
}

/** What has become of a node's attempt to be elected. */
export function explainStanding(view: ClusterView, report: NodeReport): string {
  const { node, role, roleReason, term, roleMs } = report;
  const isAsking = role === "preCandidate";
  // That no leader was heard from is why nodes stand; only another reason is worth telling.
  const why = /hands over/.test(roleReason) ? `, as ${roleReason}` : "";
  const what = isAsking
    ? `asks who would vote for it in term ${term + 1}`
    : `stands for election in term ${term}`;
  const answers = answersTo(
    view,
    report,
    isAsking ? ["would vote", "would vote"] : ["has voted", "have voted"],
  );
  return `node ${node} ${what}, for ${duration(roleMs)}${why}; it needs ${view.quorum} of ` +
    `${counted(view.voters.length, "vote")}, and has its own${
      answers.map((answer) => `; ${answer}`).join("")
    }`;
}

function answersTo(
  view: ClusterView,
  { votes, roleMs }: NodeReport,
  [votesForIt, voteForIt]: readonly [string, string],
): string[] {
  const idsOf = (wanted: VoteReport["answer"]) =>
    votes.filter(({ answer }) => answer === wanted).map(({ id }) => id);
  const [granted, unanswered] = [idsOf("granted"), idsOf("none")];
  const here = unanswered.filter((id) => view.reportOf(id) !== undefined);
  const who = here.length === unanswered.length
    ? forCount(here.length, "it answers", "they answer")
    : `${nodeList(here)} ${forCount(here.length, "answers", "answer")}`;
  const though = isLong(roleMs) && here.length > 0
    ? `, though ${who} here: look at the network between the nodes`
    : "";
  return [
    ...granted.length === 0
      ? []
      : [`${nodeList(granted)} ${forCount(granted.length, votesForIt, voteForIt)} for it`],
    ...votes.filter(({ answer }) => answer === "refused").map(({ id, refusal }) =>
      `node ${id} refuses, as ${REFUSALS[refusal]}`
    ),
    ...unanswered.length === 0
      ? []
      : [`${nodeList(unanswered)} ${forCount(unanswered.length, "has", "have")} not answered it${though}`],
  ];
}

/** What a node does that is not the leader in force; nothing if it follows it, and may vote. */
export function explainOther(view: ClusterView, report: NodeReport): string[] {
  switch (report.role) {
    case "preCandidate":
    case "candidate":
      return [explainStanding(view, report)];
    case "rejoining":
      return [explainRejoining(view, report)];
    case "leader":
      return explainOldLeader(view, report);
    case "follower":
      return [...explainFollowing(view, report), ...explainVoting(view, report)];
  }
}

function explainFollowing({ leader: inForce }: ClusterView, report: NodeReport): string[] {
  const { node, leader, leaderSilentMs, term, roleMs } = report;
  if (inForce !== undefined && leader === inForce.node && term === inForce.term) return [];
  return leader === 0
    ? [`node ${node} follows nobody in term ${term}, for ${duration(roleMs)}: ${reasonText(report)}`]
    : [
      `node ${node} still follows node ${leader} in term ${term}, and heard from it ${
        duration(leaderSilentMs)
      } ago`,
    ];
}

/** Says so if a node may not vote. */
export function explainVoting(view: ClusterView, { node, mayVote }: NodeReport): string[] {
  if (mayVote || !view.isVoter(node)) return [];
  return [
    `node ${node} may not vote yet: its disk had lost a part of its past, and a leader has to give it back what it ` +
    "may have acknowledged",
  ];
}

/** A node without its memory needs all others: any of them may be the one that knows what it promised. */
function explainRejoining(view: ClusterView, report: NodeReport): string {
  const { node } = report;
  const silent = view.voters.filter((voter) => voter !== node && view.reportOf(voter) === undefined);
  const wait = !view.isVoter(node)
    ? "it waits for a leader that takes it in"
    : silent.length === 0
    ? "it asks all other voters what it may have promised"
    : `it needs an answer of every other voter, and ${nodeList(silent)} ${
      forCount(silent.length, "does", "do")
    } not answer here`;
  return `node ${node} takes no part yet, since ${reasonText(report)}; ${wait}`;
}

function explainOldLeader({ claim }: ClusterView, { node, term, waitingWrites }: NodeReport): string[] {
  const waiting = waitingWrites === 0
    ? ""
    : `; ${counted(waitingWrites, "write")} ${forCount(waitingWrites, "waits", "wait")} there in vain`;
  return [
    `node ${node} believes that it still leads term ${term}, but has not heard of term ${
      claim?.term ?? term
    } and ` +
    `can commit nothing${waiting}`,
  ];
}
