/**
 * Linearizable reads without a log entry (ReadIndex; section 8, thesis 6.4).
 *
 * A leader may have been deposed and not know it; what it would answer could be old. So it notes its
 * commitIndex, asks its followers in a numbered round (any AppendEntries carries the number) whether they still
 * follow it, and answers once a quorum has and the state machine has come to the noted index. Reads that arrive
 * while a round is under way wait for the next: a round begun before a read arrived proves nothing about it.
 *
 * A follower serves reads too: it asks its leader for the index, which takes the question for a read of its own, and
 * waits until it has applied that much. One question stands for all reads that were there when it was sent. It is
 * numbered by chance, so that an answer to an earlier one, of an earlier life or under another leader, is not taken
 * for the answer to this.
 *
 * @module
 */
import type { ReadIndexRequest, ReadIndexResponse } from "../../packraft/mod.ts";
import { broadcastHeartbeat } from "./replication.ts";
import type { ConfirmedRead, Follower, Leader, Read } from "./role.ts";
import type { ServerState } from "./state.ts";
import type { NodeId } from "./types.ts";

/** A client of this server reads; `isForAny` if it need not be the leader that serves it. */
export function handleRead(state: ServerState, token: number, isForAny: boolean): void {
  const { role } = state;
  if (role.name === "leader") role.reads.waiting.push({ token });
  else if (isForAny && role.name === "follower" && role.leader !== 0) role.reads.waiting.push(token);
  else state.outbox.refuse({ token, reason: "notLeader" });
}

/** Moves reads on as far as they can go. */
export function flushReads(state: ServerState): void {
  const { role } = state;
  if (role.name === "leader") {
    maybeFinishRound(state, role);
    maybeStartRound(state, role);
    role.reads.confirmed = answerConfirmed(state, role.reads.confirmed);
  } else if (role.name === "follower") {
    maybeAskLeader(state, role);
    role.reads.confirmed = answerConfirmed(state, role.reads.confirmed);
  }
}

// --------------------------------------------------------------------------------------- the leader

/** A follower serves reads and asks from which index on they are current. The term is currentTerm or past. */
export function handleReadIndexRequest(
  state: ServerState,
  from: NodeId,
  { term, round }: ReadIndexRequest,
): void {
  if (state.role.name === "leader" && term === state.currentTerm) {
    state.role.reads.waiting.push({ from, round });
  } else respond(state, from, term, round, undefined);
}

function maybeStartRound(state: ServerState, leader: Leader): void {
  const { reads } = leader;
  if (reads.waiting.length === 0 || reads.inRound.length > 0) return;
  if (!state.rules.mayServeReads(state.commitIndex, leader.termStartIndex)) return;
  reads.round++;
  reads.inRound = reads.waiting;
  reads.roundReadIndex = state.rules.readIndexFor(state.commitIndex);
  reads.waiting = [];
  broadcastHeartbeat(state, leader);
  maybeFinishRound(state, leader); // a cluster of one needs no answers
}

function maybeFinishRound(state: ServerState, leader: Leader): void {
  const { reads } = leader;
  if (reads.inRound.length === 0) return;
  let answers = state.isVoter ? 1 : 0;
  for (const [node, { readRound }] of leader.progress) {
    if (readRound >= reads.round && state.isCounted(node)) answers++;
  }
  if (!state.rules.readConfirmed(answers, state.quorum)) return;
  for (const read of reads.inRound) confirm(state, leader, read, reads.roundReadIndex);
  reads.inRound = [];
}

function confirm(state: ServerState, leader: Leader, read: Read, readIndex: number): void {
  if ("token" in read) leader.reads.confirmed.push({ token: read.token, readIndex });
  else respond(state, read.from, state.currentTerm, read.round, readIndex);
}

/** Without an index it says that this server cannot tell. */
function respond(
  state: ServerState,
  to: NodeId,
  requestTerm: number,
  round: number,
  readIndex: number | undefined,
): void {
  state.outbox.promiseTerm({
    to,
    message: {
      type: "ReadIndexResponse",
      term: state.currentTerm,
      requestTerm,
      round,
      confirmed: readIndex !== undefined,
      readIndex: readIndex ?? 0,
    },
  });
}

// ------------------------------------------------------------------------------------- the follower

function maybeAskLeader(state: ServerState, { leader, reads }: Follower): void {
  if (leader === 0 || (reads.waiting.length === 0 && reads.asked.length === 0)) return;
  if (reads.asked.length > 0) {
    // A message was lost: those who have come meanwhile are asked for too.
    if (state.nowMs - reads.askedMs < state.options.electionTimeoutMs.min) return;
    reads.waiting = [...reads.asked, ...reads.waiting];
  }
  reads.asked = reads.waiting;
  reads.waiting = [];
  reads.askedMs = state.nowMs;
  reads.round = 1 + Math.floor(state.options.random() * 2 ** 48);
  const { round } = reads;
  state.outbox.send({ to: leader, message: { type: "ReadIndexRequest", term: state.currentTerm, round } });
}

export function handleReadIndexResponse(state: ServerState, from: NodeId, response: ReadIndexResponse): void {
  const { role } = state;
  if (role.name !== "follower" || !state.rules.answersRound(response.round, role.reads.round)) return;
  const { reads } = role;
  if (reads.asked.length === 0) return;
  if (response.confirmed) {
    for (const token of reads.asked) reads.confirmed.push({ token, readIndex: response.readIndex });
  } else {
    const told = `node ${from} cannot tell how current a read is`;
    state.outbox.tell({ kind: "ignored", from, type: response.type, reason: told });
    for (const token of reads.asked) state.outbox.refuse({ token, reason: "notLeader" });
  }
  reads.asked = [];
}

// --------------------------------------------------------------------------------------------- both

/** Answers what can be; returns the rest. */
function answerConfirmed(state: ServerState, confirmed: ConfirmedRead[]): ConfirmedRead[] {
  if (confirmed.length === 0) return confirmed;
  const isReady = (read: ConfirmedRead) => state.rules.mayAnswerRead(state.lastApplied, read.readIndex);
  for (const read of confirmed) if (isReady(read)) state.outbox.answerRead(read.token);
  return confirmed.filter((read) => !isReady(read));
}
