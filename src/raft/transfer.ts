/**
 * Handing over the leadership (thesis, 3.10): before a node stops, or because an operator wants it.
 *
 * The leader takes nothing new, waits until the other has all that it has, and tells it to stand at once. The other
 * stands without asking first, and its request says that the leader wishes it, so that nobody refuses because a leader
 * is alive. If it does not lead within an election timeout, the leader goes on.
 *
 * @module
 */
import type { TimeoutNowRequest } from "../../packraft/mod.ts";
import { memberOf } from "./configurations.ts";
import { isHeard } from "./membership.ts";
import { mayVote } from "./rejoin.ts";
import { broadcastHeartbeat } from "./replication.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";
import { becomeCandidate, becomeFollower } from "./transitions.ts";
import type { NodeId } from "./types.ts";

/** Another node is to lead; 0 for whichever is best. */
export function handleTransfer(state: ServerState, token: number, to: NodeId): void {
  const { role } = state;
  if (role.name !== "leader") return state.outbox.refuse({ token, reason: "notLeader" });
  const fail = (detail: string) => state.outbox.refuse({ token, reason: "transferFailed", detail });
  if (to === state.id) return state.outbox.transferred({ token, leader: to });
  const target = to === 0 ? role.transfer?.to ?? bestSuccessor(state, role) : to;
  if (target === 0) return fail("no other voter has been heard from");
  const member = memberOf(state.configuration, target);
  if (member === undefined) {
    const members = state.configuration.members.map(({ id }) => id).join(", ");
    return fail(`node ${target} is not a member; the members are ${members}`);
  }
  if (member.role !== "voter") return fail(`node ${target} is a learner, which cannot lead`);
  if (!isHeard(state, role, target)) return fail(`node ${target} has not been heard from lately`);
  if (role.transfer !== undefined && role.transfer.to !== target) {
    return fail(`it is being handed over to node ${role.transfer.to} already`);
  }
  role.transfer?.tokens.push(token);
  role.transfer ??= {
    to: target,
    deadlineMs: state.nowMs + state.options.electionTimeoutMs.max,
    tokens: [token],
    sentMs: -Infinity,
  };
  state.outbox.tell({ kind: "transferBegun", to: target });
}

/** Tells the successor to stand as soon as it has everything; again with each heartbeat, for messages get lost. */
export function flushTransfer(state: ServerState): void {
  if (state.role.name !== "leader" || state.role.transfer === undefined) return;
  const { transfer, progress } = state.role;
  if (state.nowMs - transfer.sentMs < state.options.heartbeatMs) return;
  const { lastIndex } = state.log;
  // With less than the leader has it could not win. And all of it is committed: then nobody who waits for a write has to
  // ask the successor what became of it.
  if (progress.get(transfer.to)?.matchIndex !== lastIndex || state.commitIndex !== lastIndex) return;
  transfer.sentMs = state.nowMs;
  state.outbox.send({ to: transfer.to, message: { type: "TimeoutNowRequest", term: state.currentTerm } });
}

/** Gives up a transfer that takes too long: the leader goes on. */
export function maybeEndTransfer(state: ServerState, leader: Leader): void {
  const { transfer } = leader;
  if (transfer === undefined || state.nowMs < transfer.deadlineMs) return;
  leader.transfer = undefined;
  const reason = transfer.sentMs === -Infinity
    ? `node ${transfer.to} did not catch up in time`
    : `node ${transfer.to} was told to stand, and was not elected in time`;
  state.outbox.tell({ kind: "transferFailed", to: transfer.to, reason });
  for (const token of transfer.tokens) {
    state.outbox.refuse({ token, reason: "transferFailed", detail: reason });
  }
}

/** Nobody leads after a transfer, as far as this server hears. */
export function failTransfers(state: ServerState): void {
  for (const token of state.transferTokens) {
    const detail = "it leads no more, and has not heard of another leader since";
    state.outbox.refuse({ token, reason: "transferFailed", detail });
  }
  state.transferTokens = [];
}

/** The leader asks this server to stand. The term is currentTerm or past. */
export function handleTimeoutNow(state: ServerState, from: NodeId, request: TimeoutNowRequest): void {
  const isFromLeader = state.role.name === "follower" && request.term === state.currentTerm;
  if (!isFromLeader || !state.isVoter || !mayVote(state)) {
    const reason = isFromLeader ? "may not stand" : "that term is over, or its leader is another";
    return state.outbox.tell({ kind: "ignored", from, type: request.type, reason });
  }
  becomeCandidate(state, `node ${from} hands over`, true);
}

/** Steps down at once, for good, and lets the best successor stand without waiting for a timeout. */
export function handOverAndLeave(state: ServerState, leader: Leader, reason: string): void {
  broadcastHeartbeat(state, leader); // the others learn that it is committed
  const to = bestSuccessor(state, leader);
  if (to !== 0) state.outbox.send({ to, message: { type: "TimeoutNowRequest", term: state.currentTerm } });
  becomeFollower(state, state.currentTerm, 0, reason);
}

/** The voter with the most of the log among those that answer, or 0. */
function bestSuccessor(state: ServerState, leader: Leader): NodeId {
  let best = 0;
  let bestMatch = -1;
  for (const [node, { matchIndex }] of leader.progress) {
    if (!state.isCounted(node) || !isHeard(state, leader, node) || matchIndex <= bestMatch) continue;
    best = node;
    bestMatch = matchIndex;
  }
  return best;
}
