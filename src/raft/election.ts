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
import { memberOf } from "./configurations.ts";
import { noteRemoved } from "./membership.ts";
import { mayVote } from "./rejoin.ts";
import type { ServerState } from "./state.ts";
import type { Candidate, PreCandidate } from "./role.ts";
import { failTransfers } from "./transfer.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./transitions.ts";
import type { LogEnd } from "./rules.ts";
import type { NodeId, VoteRefusal } from "./types.ts";

/** Stands for election when the timeout has passed without a leader. */
export function maybeStartElection(state: ServerState): void {
  if (state.nowMs < state.electionDeadlineMs) return;
  if (!mayStand(state)) return giveUpLeader(state);
  if (state.rules.asksBeforeStanding()) becomePreCandidate(state, "election timeout");
  else becomeCandidate(state, "election timeout");
  maybeWin(state);
}

/**
 * Voters stand. So does a server that is no member by its newest configuration, as long as it does not know that to be
 * committed: it may be the only one that has this entry and could win with it (thesis, 4.2.2); it does not count its
 * own vote. If it cannot, it hears that it was removed.
 */
function mayStand(state: ServerState): boolean {
  if (!mayVote(state) || state.isRemoved) return false;
  const { newest } = state.configurations;
  return state.isVoter || (newest.index > 0 && memberOf(newest, state.id) === undefined);
}

/** A server that may not stand has no leader any more either: its clients have to ask elsewhere. */
function giveUpLeader(state: ServerState): void {
  const hasLeader = state.role.name === "follower" && state.role.leader !== 0;
  if (hasLeader) {
    becomeFollower(state, state.currentTerm, 0, "has not heard from its leader, and may not stand");
  }
  failTransfers(state);
  state.resetElectionTimer();
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
  const refusal = orRemoved(state, from, refusalOfPreVote(state, request));
  tellRefusal(state, from, request.term, refusal, true);
  state.outbox.promise({
    to: from,
    message: {
      type: "PreVoteResponse",
      term: state.currentTerm,
      requestTerm: request.term,
      voteGranted: refusal === "none",
      refusal,
      configurationIndex: state.committedConfiguration.index,
    },
  });
  if (refusal === "none") maybeYield(state, from, request);
}

/**
 * Two that stand at the same time would both be told that they can win, and then split the votes: nobody leads for
 * another election timeout. So the one that comes second stops when it hears of the other. That is in vain where the
 * other cannot win, because it reaches too few; so nobody yields twice in a row, or those who cannot win
 * could keep the one that can from leading for as long as they ask.
 */
function maybeYield(state: ServerState, other: NodeId, { lastLogIndex, lastLogTerm }: LogEnd): void {
  if (state.role.name !== "preCandidate") return;
  const own = state.logEnd;
  const isEqual = lastLogTerm === own.lastLogTerm && lastLogIndex === own.lastLogIndex;
  if (isEqual && state.id < other) return;
  state.hasYielded = !state.hasYielded;
  if (!state.hasYielded) return;
  becomeFollower(state, state.currentTerm, 0, `node ${other} stands too, and comes first`);
}

/** Gives its vote, or says why not. */
export function handleRequestVoteRequest(
  state: ServerState,
  from: NodeId,
  request: RequestVoteRequest,
): void {
  const refusal = orRemoved(state, from, refusalOfVote(state, from, request));
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
      configurationIndex: state.committedConfiguration.index,
    },
  });
}

export function handlePreVoteResponse(state: ServerState, from: NodeId, response: PreVoteResponse): void {
  if (state.role.name !== "preCandidate" || response.requestTerm !== state.currentTerm + 1) return;
  takeVote(state, state.role, from, response);
}

export function handleRequestVoteResponse(
  state: ServerState,
  from: NodeId,
  response: RequestVoteResponse,
): void {
  if (state.role.name !== "candidate") return;
  if (state.rules.countsForTerm(response.requestTerm, state.currentTerm)) {
    takeVote(state, state.role, from, response);
  }
}

function takeVote(
  state: ServerState,
  role: PreCandidate | Candidate,
  from: NodeId,
  { voteGranted, refusal, configurationIndex }: PreVoteResponse | RequestVoteResponse,
): void {
  if (voteGranted) {
    role.granted.push(from);
    return maybeWin(state);
  }
  role.refused.set(from, refusal);
  // Not if it is the voter that has not heard yet of a configuration with this server in it.
  const { newest } = state.configurations;
  const isNews = configurationIndex > newest.index ||
    (configurationIndex === newest.index && memberOf(newest, state.id) === undefined);
  if (refusal !== "removed" || !isNews) return;
  noteRemoved(state, configurationIndex);
  becomeFollower(
    state,
    state.currentTerm,
    0,
    `node ${from} says that it was removed by entry ${configurationIndex}`,
  );
}

/** Goes on as soon as a quorum is in favour. */
function maybeWin(state: ServerState): void {
  if (state.role.name !== "preCandidate" && state.role.name !== "candidate") return;
  const votes = state.rules.votesOf(state.role.granted.filter((node) => state.isCounted(node)));
  if (votes < state.quorum) return;
  const count = `${votes} of ${state.voters.length} votes`;
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

/** A candidate that is no member any more has to know that, whatever else would keep it from winning. */
function orRemoved(state: ServerState, from: NodeId, refusal: VoteRefusal): VoteRefusal {
  if (refusal === "none" || memberOf(state.committedConfiguration, from) !== undefined) return refusal;
  return "removed";
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
