/**
 * Elections (section 5.2), the restriction on who may win them (5.4.1), and the round before them that keeps a
 * server without a chance from disturbing the others (PreVote; thesis, 9.6 and 4.2.3).
 *
 * @module
 */
import type {
  PreVoteRequest,
  PreVoteResponse,
  RequestVoteRequest,
  RequestVoteResponse,
} from "../../packraft/mod.ts";
import { mayVote } from "./rejoin.ts";
import type { ServerState } from "./state.ts";
import { becomeCandidate, becomeLeader, becomePreCandidate } from "./transitions.ts";
import type { NodeId, VoteRefusal } from "./types.ts";

/** Stands for election when the timeout has passed without a leader. */
export function maybeStartElection(state: ServerState): void {
  if (state.nowMs < state.electionDeadlineMs) return;
  if (!mayVote(state)) return state.resetElectionTimer();
  becomePreCandidate(state, "election timeout");
  maybeWin(state);
}

/** Whether this server has a leader that it has just heard from, or is one. */
export function isLeaderAlive(state: ServerState): boolean {
  switch (state.role.name) {
    case "leader":
      return true;
    case "follower":
      return state.rules.refusesWhileLeaderAlive(
        state.nowMs - state.role.heardMs,
        state.options.electionTimeoutMs.min,
      );
    case "preCandidate":
    case "candidate":
    case "rejoining":
      return false;
  }
}

/** Answers whether it would vote, and changes nothing. */
export function handlePreVoteRequest(state: ServerState, from: NodeId, request: PreVoteRequest): void {
  const refusal = refusalOfPreVote(state, request);
  tellRefusal(state, from, request.term, refusal, true);
  state.outbox.promise({
    to: from,
    message: {
      type: "PreVoteResponse",
      term: state.currentTerm,
      requestTerm: request.term,
      voteGranted: refusal === "none",
      refusal,
    },
  });
}

/** Gives its vote, or says why not. */
export function handleRequestVoteRequest(
  state: ServerState,
  from: NodeId,
  request: RequestVoteRequest,
): void {
  const refusal = refusalOfVote(state, from, request);
  tellRefusal(state, from, request.term, refusal, false);
  if (refusal === "none") {
    state.setHardState(state.currentTerm, from);
    state.resetElectionTimer();
  }
  state.outbox.promise({
    to: from,
    message: {
      type: "RequestVoteResponse",
      term: state.currentTerm,
      requestTerm: request.term,
      voteGranted: refusal === "none",
      refusal,
    },
  });
}

export function handlePreVoteResponse(state: ServerState, from: NodeId, response: PreVoteResponse): void {
  if (state.role.name !== "preCandidate" || response.requestTerm !== state.currentTerm + 1) return;
  if (!response.voteGranted) return;
  state.role.granted.push(from);
  maybeWin(state);
}

export function handleRequestVoteResponse(
  state: ServerState,
  from: NodeId,
  response: RequestVoteResponse,
): void {
  if (state.role.name !== "candidate") return;
  if (!state.rules.countsForTerm(response.requestTerm, state.currentTerm) || !response.voteGranted) return;
  state.role.granted.push(from);
  maybeWin(state);
}

/** Goes on as soon as a quorum is in favour. */
function maybeWin(state: ServerState): void {
  if (state.role.name !== "preCandidate" && state.role.name !== "candidate") return;
  const votes = state.rules.votesOf(state.role.granted);
  if (votes < state.quorum) return;
  const count = `${votes} of ${state.options.voters.length} votes`;
  if (state.role.name === "preCandidate") becomeCandidate(state, `${count} likely`);
  else becomeLeader(state, count);
}

function refusalOfPreVote(state: ServerState, request: PreVoteRequest): VoteRefusal {
  if (isLeaderAlive(state)) return "leaderAlive";
  if (request.term <= state.currentTerm) return "staleTerm";
  if (!mayVote(state)) return "memoryLost";
  return state.rules.isUpToDate(request, state.logEnd) ? "none" : "logBehind";
}

function refusalOfVote(state: ServerState, from: NodeId, request: RequestVoteRequest): VoteRefusal {
  if (request.term < state.currentTerm) return "staleTerm";
  // A request of a larger term was gated by the same question: it is here unadopted only while a leader lives.
  if (request.term > state.currentTerm) return "leaderAlive";
  if (!mayVote(state)) return "memoryLost";
  if (!state.rules.mayVoteFor(from, state.votedFor)) return "alreadyVoted";
  return state.rules.isUpToDate(request, state.logEnd) ? "none" : "logBehind";
}

function tellRefusal(
  state: ServerState,
  to: NodeId,
  term: number,
  reason: VoteRefusal,
  preVote: boolean,
): void {
  if (reason !== "none") state.outbox.tell({ kind: "voteRefused", to, term, preVote, reason });
}
