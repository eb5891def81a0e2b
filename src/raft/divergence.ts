/**
 * State machines that have applied the same entries must be equal. If one is not, by a bug or a flipped bit in memory,
 * it must be found before a client is told what it holds.
 *
 * Each state has a hash. With every request a leader asks for the hash after one entry, and compares the answer with its
 * own. When a follower's is another, the leader asks for the one halfway between that entry and the last one after
 * which both were equal, and so on: after a few heartbeats it knows the first entry after which they differ. Who is
 * wrong is for the majority to say: if it agrees with the leader, the follower is told so; if it does not, the leader
 * itself has diverged. Whoever has diverged stops.
 *
 * @module
 */
import type { AppendEntriesResponse } from "../../packraft/mod.ts";
import type { StateComparison } from "./progress.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** So many answers without a hash are no coincidence: those to earlier questions are fewer. */
const MAX_UNANSWERED = 16;

/** The entry to ask a follower about, or 0 for none. */
export function hashIndexFor(leader: Leader, { agreesUpTo, differsAt }: StateComparison): number {
  if (differsAt === 0) return leader.hashIndex;
  return differsAt - agreesUpTo > 1 ? Math.floor((agreesUpTo + differsAt) / 2) : differsAt;
}

/** With each heartbeat: what was applied here by the last one will have been applied there when this one arrives. */
export function moveHashIndex(state: ServerState, leader: Leader): void {
  leader.hashIndex = leader.nextHashIndex;
  leader.nextHashIndex = state.lastApplied;
}

/** The hash that a leader has asked for, if this server has it. */
export function hashAnswer(state: ServerState, hashIndex: number): { hashIndex: number; stateHash: number } {
  const stateHash = state.stateHashes.at(hashIndex);
  return stateHash === undefined ? { hashIndex: 0, stateHash: 0 } : { hashIndex, stateHash };
}

/** Compares a follower's answer. */
export function compareStates(
  state: ServerState,
  leader: Leader,
  from: NodeId,
  { hashIndex, stateHash }: AppendEntriesResponse,
): void {
  const compared = leader.progress.get(from)?.state;
  if (compared === undefined) return;
  if (hashIndex === 0) return noteUnanswered(leader, compared);
  const own = state.stateHashes.at(hashIndex);
  if (own === undefined) return;
  compared.unanswered = 0;
  if (own !== stateHash) {
    if (compared.differsAt === 0 || hashIndex < compared.differsAt) compared.differsAt = hashIndex;
  } else {
    // Equal where it differed: the follower has ended, and has come back with the state that it should have.
    if (hashIndex >= compared.differsAt) compared.differsAt = 0;
    compared.agreesUpTo = Math.max(compared.agreesUpTo, hashIndex);
  }
  if (compared.differsAt === 0) return;
  // What the leader itself cannot tell any more is not asked for.
  compared.agreesUpTo = Math.max(
    compared.agreesUpTo,
    Math.min(state.stateHashes.after, compared.differsAt - 1),
  );
  if (compared.differsAt - compared.agreesUpTo === 1) judge(state, leader, from, compared);
}

/** A follower that was restored from a snapshot not long ago cannot tell of what was before: the search ends there. */
function noteUnanswered(leader: Leader, compared: StateComparison): void {
  if (compared.differsAt === 0 || ++compared.unanswered < MAX_UNANSWERED) return;
  compared.unanswered = 0;
  compared.agreesUpTo = Math.min(hashIndexFor(leader, compared), compared.differsAt - 1);
}

/** Both the first difference and who is asked are known: who is wrong? */
function judge(state: ServerState, leader: Leader, from: NodeId, compared: StateComparison): void {
  const index = compared.differsAt;
  if (compared.divergesAt > 0) return;
  const voters = state.voters;
  const views = voters.filter((voter) => voter !== state.id).map((voter) =>
    leader.progress.get(voter)?.state
  );
  const own = voters.includes(state.id) ? 1 : 0;
  const agree = views.filter((view) => view?.differsAt === 0 && view.agreesUpTo >= index).length + own;
  const differ = views.filter((view) => view !== undefined && view.differsAt > 0).length;
  if (agree >= state.quorum || agree + differ === voters.length && agree >= differ) {
    compared.divergesAt = index;
    state.outbox.tell({ kind: "diverged", node: from, index });
  } else if (differ >= state.quorum) {
    state.outbox.tell({ kind: "diverged", node: state.id, index });
  }
}

/**
 * A verdict is told once. If the message is lost, the next answers lead to it again; if the follower has ended and comes
 * back with the state that it should have, it must not be ended again.
 */
export function noteVerdictSent(compared: StateComparison): void {
  if (compared.divergesAt > 0) Object.assign(compared, { differsAt: 0, divergesAt: 0 });
}

/** The leader says that this server's state is wrong. */
export function noteDivergence(state: ServerState, index: number): void {
  if (index > 0) state.outbox.tell({ kind: "diverged", node: state.id, index });
}
