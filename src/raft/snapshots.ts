/**
 * Snapshots (section 7): they take the place of the beginning of the log, here and on a follower that lacks what the
 * leader's log no longer holds.
 *
 * The bytes of a snapshot never come through here. A leader says which piece a follower wants next
 * (`Ready.chunksToSend`) and the driver reads it; a follower says that a piece is to be kept (`Ready.chunksToStore`)
 * and is told when it is. A response says how much the follower has, so a transfer goes on where it was, also
 * after a lost message, a duplicate, or under another leader with the same snapshot.
 *
 * While a follower is sent a snapshot it hears heartbeats as all others do: empty AppendEntries after the place
 * before the first entry, where all logs agree.
 *
 * @module
 */
import type { InstallSnapshotRequest, InstallSnapshotResponse } from "../../packraft/mod.ts";
import {
  becomeProbe,
  becomeSnapshot,
  maybeAdvance,
  type Progress,
  type SnapshotTransfer,
} from "./progress.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";
import { becomeFollower, noteLeader } from "./transitions.ts";
import type { Configuration, LogPosition, NodeId } from "./types.ts";

/** A snapshot of the state after `index` is durable: the log need not go back further, but for slow followers. */
export function handleSnapshotTaken(state: ServerState, index: number): void {
  const term = state.log.termAt(index);
  if (term === undefined || index > state.lastApplied || index <= state.snapshot.index) return;
  state.snapshot = { index, term };
  state.log.compact(Math.min(
    state.log.indexKeeping(state.options.keptLogBytes, index),
    oldestTransfer(state),
  ));
  state.configurations.compact(state.log.base.index);
}

/** A follower that is being sent a snapshot will want what follows that one; but not if it gets no further with it. */
function oldestTransfer(state: ServerState): number {
  if (state.role.name !== "leader") return Infinity;
  const indexes = [...state.role.progress.values()].map(({ transfer }) =>
    transfer === undefined || isStalled(state, transfer) ? Infinity : transfer.index
  );
  return Math.min(...indexes, Infinity);
}

/** Whether a transfer has made no progress for so long that nothing is kept for it any more. */
function isStalled(state: ServerState, transfer: SnapshotTransfer): boolean {
  return state.nowMs - transfer.progressMs > STALLED_AFTER_TIMEOUTS * state.options.electionTimeoutMs.max;
}

/** In election timeouts: long enough for a slow link, short enough for memory. */
const STALLED_AFTER_TIMEOUTS = 20;
/** The longest wait for the answer to a piece, in election timeouts. */
const LONGEST_WAIT_TIMEOUTS = 10;

// --------------------------------------------------------------------------------------- the leader

/** Sends the snapshot to those who lack what the log no longer holds, one piece at a time. */
export function flushSnapshots(state: ServerState): void {
  if (state.role.name !== "leader") return;
  for (const [to, progress] of state.role.progress) {
    maybeBeginTransfer(state, to, progress);
    const { transfer } = progress;
    if (transfer === undefined || transfer.sentMs !== undefined) continue;
    transfer.sentMs = state.nowMs;
    const { index, offset } = transfer;
    state.outbox.sendChunk({ to, term: state.currentTerm, index, offset });
  }
}

function maybeBeginTransfer(state: ServerState, to: NodeId, progress: Progress): void {
  if (!state.rules.needsSnapshot(progress.nextIndex, state.log.base.index)) return;
  // One that is under way goes on as long as the log still has what follows it, unless it stalls and there is another.
  const { transfer } = progress;
  const isUseful = transfer !== undefined && transfer.index >= state.log.base.index &&
    (transfer.index === state.snapshot.index || !isStalled(state, transfer));
  if (isUseful) return;
  becomeSnapshot(progress, state.snapshot.index, state.nowMs, state.options.electionTimeoutMs.min);
  state.outbox.tell({ kind: "sendsSnapshot", to, index: state.snapshot.index });
}

/** Sends pieces again that were not answered in time. Called with each heartbeat. */
export function resendChunks(state: ServerState, leader: Leader): void {
  const longestMs = LONGEST_WAIT_TIMEOUTS * state.options.electionTimeoutMs.max;
  for (const { transfer, heardMs } of leader.progress.values()) {
    if (transfer?.sentMs === undefined || state.nowMs - transfer.sentMs < transfer.waitMs) continue;
    if (heardMs < transfer.sentMs) continue; // it is dead, or cut off: it will be heard when it is back
    transfer.sentMs = undefined;
    transfer.waitMs = Math.min(transfer.waitMs * 2, longestMs);
  }
}

export function handleInstallSnapshotResponse(
  state: ServerState,
  from: NodeId,
  response: InstallSnapshotResponse,
): void {
  if (state.role.name !== "leader" || !state.rules.countsForTerm(response.requestTerm, state.currentTerm)) {
    return;
  }
  const progress = state.role.progress.get(from);
  if (progress === undefined || !state.rules.isOfThisLife(response.readRound, progress.sinceRound)) return;
  if (response.lastIncludedIndex > state.snapshot.index) {
    const reason = "answers a snapshot that was never sent";
    state.outbox.tell({ kind: "ignored", from, type: response.type, reason });
    return;
  }
  progress.heardMs = state.nowMs;
  const { transfer } = progress;
  if (response.installed) {
    maybeAdvance(progress, response.lastIncludedIndex);
    if (transfer !== undefined && transfer.index <= progress.matchIndex) {
      becomeProbe(progress, progress.matchIndex + 1);
    }
  } else if (transfer?.index === response.lastIncludedIndex) {
    noteOffset(state, transfer, response.nextOffset);
  }
}

/** The follower says which piece it wants. */
function noteOffset(state: ServerState, transfer: SnapshotTransfer, offset: number): void {
  if (offset === transfer.offset && transfer.sentMs !== undefined) {
    // The answer to a copy: that very piece is on its way. To send it once more for each such answer would keep all
    // copies alive, and fill a slow link with them.
    transfer.sentMs = state.nowMs;
    return;
  }
  if (offset > transfer.offset) {
    transfer.progressMs = state.nowMs;
    transfer.waitMs = state.options.electionTimeoutMs.min;
  }
  transfer.offset = offset;
  transfer.sentMs = undefined;
}

// ------------------------------------------------------------------------------------- the follower

/** Takes a piece of a snapshot from a leader. The term is currentTerm or past. */
export function handleInstallSnapshotRequest(
  state: ServerState,
  from: NodeId,
  request: InstallSnapshotRequest,
): void {
  if (request.term < state.currentTerm) {
    return respond(state, from, request.term, request.lastIncludedIndex, 0, false);
  }
  if (state.role.name === "leader") {
    const reason = "two leaders in one term";
    return state.outbox.tell({ kind: "ignored", from, type: request.type, reason });
  }
  if (state.rules.yieldsToLeader(state.role.name)) {
    becomeFollower(state, request.term, from, `node ${from} leads term ${request.term}`);
  }
  noteLeader(state, from);
  if (request.lastIncludedIndex <= state.lastApplied) {
    // All of it is here already: the log up to there is committed, so it is the leader's.
    return respond(state, from, request.term, request.lastIncludedIndex, request.totalBytes, true);
  }
  state.outbox.storeChunk({ from, request });
}

/** A piece has been kept, or was overtaken by entries that make it superfluous. */
export function handleChunkStored(
  state: ServerState,
  from: NodeId,
  lastIncludedIndex: number,
  nextOffset: number,
): void {
  const isHere = lastIncludedIndex <= state.lastApplied;
  respond(state, from, state.currentTerm, lastIncludedIndex, nextOffset, isHere);
}

/** The whole of it is durable, and the state machine was restored from it. */
export function handleSnapshotInstalled(
  state: ServerState,
  from: NodeId,
  position: LogPosition,
  configuration: Configuration,
): void {
  if (position.index <= state.lastApplied) return;
  state.installSnapshot(position, configuration);
  state.outbox.tell({ kind: "snapshotInstalled", from, index: position.index });
  respond(state, from, state.currentTerm, position.index, 0, true);
}

function respond(
  state: ServerState,
  to: NodeId,
  requestTerm: number,
  lastIncludedIndex: number,
  nextOffset: number,
  installed: boolean,
): void {
  state.outbox.promise({
    to,
    message: {
      type: "InstallSnapshotResponse",
      term: state.currentTerm,
      requestTerm,
      lastIncludedIndex,
      nextOffset,
      installed,
      readRound: state.heardRound,
    },
  });
}
