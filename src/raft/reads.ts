/**
 * Linearizable reads without a log entry (ReadIndex; section 8, thesis 6.4).
 *
 * A leader may have been deposed and not know it; what it would answer could be old. So it notes its
 * commitIndex, asks its followers in a numbered round (any AppendEntries carries the number) whether they still
 * follow it, and answers once a quorum has and the state machine has come to the noted index. Reads that arrive
 * while a round is under way wait for the next: a round begun before a read arrived proves nothing about it.
 *
 * @module
 */
import { broadcastHeartbeat } from "./replication.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";

export function handleRead(state: ServerState, token: number): void {
  if (state.role.name === "leader") state.role.reads.waiting.push(token);
  else state.outbox.refuse({ token, reason: "notLeader" });
}

/** Moves reads on as far as they can go. */
export function flushReads(state: ServerState): void {
  if (state.role.name !== "leader") return;
  maybeFinishRound(state, state.role);
  maybeStartRound(state, state.role);
  answerConfirmed(state, state.role);
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
  const answers =
    [...leader.progress.values()].filter((progress) => progress.readRound >= reads.round).length;
  if (!state.rules.readConfirmed(answers + 1, state.quorum)) return;
  for (const token of reads.inRound) reads.confirmed.push({ token, readIndex: reads.roundReadIndex });
  reads.inRound = [];
}

function answerConfirmed(state: ServerState, leader: Leader): void {
  const { reads } = leader;
  if (reads.confirmed.length === 0) return;
  const isReady = (read: { readonly readIndex: number }) =>
    state.rules.mayAnswerRead(state.lastApplied, read.readIndex);
  for (const read of reads.confirmed) if (isReady(read)) state.outbox.answerRead(read.token);
  reads.confirmed = reads.confirmed.filter((read) => !isReady(read));
}
