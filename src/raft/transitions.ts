/**
 * The changes of role (Figure 4 of the paper). Each sets the whole new role at once and tells why.
 *
 * @module
 */
import { newProgress } from "./progress.ts";
import type { Role } from "./role.ts";
import { newFollower, type ServerState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** Follows in `term`, which is currentTerm or a larger one; `leader` is 0 while unknown. */
export function becomeFollower(state: ServerState, term: number, leader: NodeId, reason: string): void {
  if (term > state.currentTerm) state.setHardState(term, state.rules.votedForInNewTerm(state.votedFor));
  const wasFollower = state.role.name === "follower";
  setRole(state, newFollower(), reason);
  // A follower that only learns of a new term keeps its timer: else a stream of candidates that cannot win
  // would keep the one that can from standing (section 5.2: reset on hearing a leader or granting a vote).
  if (!wasFollower) state.resetElectionTimer();
  if (leader !== 0) noteLeader(state, leader);
}

/** Notes that the leader of currentTerm has been heard from. Only followers have a leader. */
export function noteLeader(state: ServerState, leader: NodeId): void {
  if (state.role.name !== "follower") return;
  if (state.role.leader !== leader) state.outbox.tell({ kind: "leader", term: state.currentTerm, leader });
  state.role.leader = leader;
  state.hasYielded = false;
  endTransfer(state, leader);
  state.role.heardMs = state.nowMs;
  state.resetElectionTimer();
}

/** Asks whether an election could be won before disturbing anyone with a new term (thesis, 9.6). */
export function becomePreCandidate(state: ServerState, reason: string): void {
  setRole(state, { name: "preCandidate", granted: [state.id], refused: new Map() }, reason);
  state.resetElectionTimer();
  for (const to of state.voters) {
    if (to === state.id) continue;
    const message = { type: "PreVoteRequest", term: state.currentTerm + 1, ...state.logEnd } as const;
    state.outbox.send({ to, message });
  }
}

/** Stands for election in the next term (section 5.2); with `isTransfer` because the leader wishes it. */
export function becomeCandidate(state: ServerState, reason: string, isTransfer = false): void {
  state.setHardState(state.currentTerm + 1, state.rules.voteOfCandidate(state.id));
  setRole(state, { name: "candidate", granted: [], refused: new Map() }, reason);
  state.resetElectionTimer();
  const term = state.currentTerm;
  for (const to of state.voters) {
    if (to === state.id) continue;
    // Promised, not sent: a candidate that forgot its own vote could vote again in this term.
    state.outbox.promise({ to, message: { type: "RequestVoteRequest", term, ...state.logEnd, isTransfer } });
  }
  // Its own vote is a reply like any other and counts when it is durable.
  state.outbox.promise({
    to: state.id,
    message: {
      type: "RequestVoteResponse",
      term,
      requestTerm: term,
      voteGranted: true,
      refusal: "none",
      configurationIndex: 0,
    },
  });
}

/** Leads in currentTerm, beginning with a no-op of it (section 8): it commits what came before. */
export function becomeLeader(state: ServerState, reason: string): void {
  const lastIndex = state.log.lastIndex;
  const progress = new Map(state.others.map(({ id }) => [id, newProgress(lastIndex, state.nowMs)]));
  setRole(state, {
    name: "leader",
    progress,
    termStartIndex: lastIndex + 1,
    heartbeatDueMs: state.nowMs + state.options.heartbeatMs,
    reads: { waiting: [], round: 0, inRound: [], roundReadIndex: 0, confirmed: [] },
    transfer: undefined,
    hashIndex: 0,
    nextHashIndex: 0,
  }, reason);
  endTransfer(state, state.id);
  state.outbox.tell({ kind: "leader", term: state.currentTerm, leader: state.id });
  state.appendEntry({ index: lastIndex + 1, term: state.currentTerm, kind: "noop", data: new Uint8Array() });
}

export function setRole(state: ServerState, role: Role, reason: string): void {
  const from = state.role.name;
  refuseReads(state, role.name);
  if (state.role.name === "leader" && role.name !== "leader") {
    state.transferTokens.push(...state.role.transfer?.tokens ?? []);
  }
  state.role = role;
  if (from !== role.name) {
    state.outbox.tell({ kind: "role", from, to: role.name, term: state.currentTerm, reason });
  }
}

/** Who changes its role can answer none of its reads: what it knew of the leadership is void. */
function refuseReads(state: ServerState, next: Role["name"]): void {
  const { role } = state;
  if (role.name === "follower") {
    const { waiting, asked, confirmed } = role.reads;
    for (const token of [...waiting, ...asked, ...confirmed.map((read) => read.token)]) {
      state.outbox.refuse({ token, reason: "notLeader" });
    }
  }
  if (role.name !== "leader" || next === "leader") return;
  const { waiting, inRound, confirmed } = role.reads;
  for (const read of [...waiting, ...inRound, ...confirmed]) {
    // A follower that asked for another node's clients asks again whoever leads then.
    if ("token" in read) state.outbox.refuse({ token: read.token, reason: "leadershipLost" });
  }
}

/** There is a leader after a transfer: whoever waits for it is told which. */
function endTransfer(state: ServerState, leader: NodeId): void {
  for (const token of state.transferTokens) state.outbox.transferred({ token, leader });
  state.transferTokens = [];
}
