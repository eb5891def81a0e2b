/**
 * How far a leader's followers are, and who is a member.
 *
 * @module
 */
import type { FollowerReport } from "../../packraft/mod.ts";
import type { NodeReport } from "./cluster_reports.ts";
import { type ClusterView, isSilent } from "./cluster_view.ts";
import { counted, duration, forCount, nodeList, reasonText } from "./phrases.ts";

/** One sentence for all that are well, and one for each that is not. */
export function explainFollowers(view: ClusterView, leader: NodeReport): string[] {
  const { followers } = leader;
  if (followers.length === 0) return [`node ${leader.node} is the only member`];
  const isWell = (follower: FollowerReport) =>
    follower.role === "voter" && !isSilent(follower) && lack(leader, follower) === 0 &&
    follower.mode !== "snapshot" && view.missingAt(follower.id) === undefined;
  const well = followers.filter(isWell).map(({ id }) => id);
  const others = followers.filter((follower) => !isWell(follower));
  return [
    ...quorumTrouble(view, leader),
    ...others.map((follower) => explainFollower(view, leader, follower)),
    ...well.length === 0 ? [] : [followWell(well, leader.lastLogIndex)],
  ];
}

/** What the leader knows of one of its followers, and whether that one answers. */
export function explainFollower(view: ClusterView, leader: NodeReport, follower: FollowerReport): string {
  const { id, role, mode, silentMs } = follower;
  const place = view.missingAt(id);
  const isAway = isSilent(follower);
  const isLearning = role === "learner";
  if (isLearning && hasNotBegun(view, id) && place !== undefined) {
    return `node ${id} is a learner that has not begun yet: start it with drafty --node ${id} --join`;
  }
  const subject = isLearning ? `node ${id}, a learner,` : `node ${id}`;
  if (isAway) {
    const here = place === undefined ? ", though it answers here" : ` and does not answer at ${place}`;
    return `node ${leader.node} has heard nothing from ${subject.replace(/,$/, "")} for ${duration(silentMs)}${
      isLearning ? "," : ""
    }${here}; ${whatItHas(leader, follower)}`;
  }
  if (mode === "snapshot") {
    return `${subject} is being sent a snapshot, since the log does not go back to what it lacks${
      notHere(place, leader, silentMs)
    }; ${whatItHas(leader, follower)}`;
  }
  if (place !== undefined) {
    return `${subject} does not answer at ${place}, but node ${leader.node} heard from it ${
      duration(silentMs)
    } ago; ${whatItHas(leader, follower)}`;
  }
  if (isLearning) {
    return `${subject} ${lack(leader, follower) === 0 ? "has" : "lacks"} ${
      lack(leader, follower) === 0
        ? `everything up to entry ${follower.matchIndex}`
        : lackText(leader, follower)
    }; it becomes a voter by itself when it has caught up`;
  }
  if (lack(leader, follower) === 0) return followWell([id], leader.lastLogIndex);
  return `${subject} lags by ${lackText(leader, follower)}`;
}
