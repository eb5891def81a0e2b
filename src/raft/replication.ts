/**
 * Log replication (section 5.3) and commitment (5.3, 5.4.2): both sides of AppendEntries.
 *
 * A leader does not send when it is told something; it notes it, and {@linkcode flushAppends} sends what each
 * follower lacks when the driver asks what is to be done. So all that arrived together travels together.
 *
 * @module
 */
import type { AppendEntriesRequest, AppendEntriesResponse } from "../../packraft/mod.ts";
import {
  compareStates,
  hashAnswer,
  hashIndexFor,
  moveHashIndex,
  noteDivergence,
  noteVerdictSent,
} from "./divergence.ts";
import { followMembers, maybeLeave, maybeNoteRemoved, maybePromote } from "./membership.ts";
import { becomeProbe, maybeAdvance, maySendEntries, noteSent, type Progress } from "./progress.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";
import { becomeFollower, noteLeader } from "./transitions.ts";
import type { Entry, NodeId, Proposal, RaftEvent } from "./types.ts";

/** The most entries in one request; the wire allows no more. */
const MAX_ENTRIES = 16_384;

// --------------------------------------------------------------------------------------- the leader

/** Appends clients' commands to the leader's log; any other server refuses them. */
export function handlePropose(state: ServerState, proposals: readonly Proposal[]): void {
  for (const { token, data } of proposals) {
    if (state.role.name !== "leader") {
      state.outbox.refuse({ token, reason: "notLeader" });
      continue;
    }
    if (state.role.transfer !== undefined) {
      state.outbox.refuse({ token, reason: "handingOver" });
      continue;
    }
    const index = state.log.lastIndex + 1;
    const term = state.currentTerm;
    state.appendEntry({ index, term, kind: "command", data });
    state.outbox.accept({ token, index, term });
  }
}

/** Sends every follower what it lacks, as far as its window allows. */
export function flushAppends(state: ServerState): void {
  if (state.role.name !== "leader") return;
  const batches = new Batches(state);
  for (const [to, progress] of state.role.progress) {
    while (
      progress.nextIndex <= state.log.lastIndex &&
      maySendEntries(progress, state.options)
    ) {
      sendAppend(state, state.role, to, progress, batches);
    }
  }
}

/** Sends every follower a request now, empty if there is nothing to send: it says that this leader lives. */
export function broadcastHeartbeat(state: ServerState, leader: Leader): void {
  leader.heartbeatDueMs = state.nowMs + state.options.heartbeatMs;
  moveHashIndex(state, leader);
  followMembers(state, leader);
  const batches = new Batches(state);
  for (const [to, progress] of leader.progress) {
    sendAppend(state, leader, to, progress, maySendEntries(progress, state.options) ? batches : undefined);
  }
}

/** Steps down when no quorum has been heard from: its clients are better served elsewhere (thesis, 6.2). */
export function checkQuorum(state: ServerState, leader: Leader): void {
  const since = state.nowMs - state.options.electionTimeoutMs.max;
  let heard = state.isVoter ? 1 : 0;
  for (const [node, { heardMs }] of leader.progress) if (heardMs >= since && state.isCounted(node)) heard++;
  if (heard < state.quorum) {
    becomeFollower(
      state,
      state.currentTerm,
      0,
      `heard from ${heard} of ${state.voters.length} voters`,
    );
  }
}

export function handleAppendEntriesResponse(
  state: ServerState,
  from: NodeId,
  response: AppendEntriesResponse,
): void {
  if (state.role.name !== "leader" || !state.rules.countsForTerm(response.requestTerm, state.currentTerm)) {
    return;
  }
  const progress = state.role.progress.get(from);
  if (progress === undefined) return;
  if (Math.max(response.matchIndex, response.prevLogIndex) > state.log.lastIndex) {
    tellIgnored(state, from, "AppendEntriesResponse", "answers entries that were never sent");
    return;
  }
  if (response.readRound > state.role.reads.round) {
    tellIgnored(state, from, "AppendEntriesResponse", "answers a round that was never begun");
    return;
  }
  if (!state.rules.isOfThisLife(response.readRound, progress.sinceRound)) return;
  progress.heardMs = state.nowMs;
  progress.readRound = Math.max(progress.readRound, response.readRound);
  compareStates(state, state.role, from, response);
  if (state.rules.acknowledges(response.success)) {
    if (maybeAdvance(progress, response.matchIndex)) maybeCommit(state);
    if (state.role.name === "leader") maybePromote(state, state.role, from, progress);
  } else {
    maybeBackUp(state, progress, response);
  }
}

/** Commits what a quorum has (section 5.3), if it is of this term (5.4.2). */
export function maybeCommit(state: ServerState): void {
  if (state.role.name !== "leader") return;
  const { role: { progress }, log } = state;
  const matchIndexes = state.voters.map((voter) =>
    voter === state.id
      ? state.rules.ownMatchIndex(log.durableIndex, log.lastIndex)
      : progress.get(voter)?.matchIndex ?? 0
  );
  const index = state.rules.quorumIndex(matchIndexes, state.quorum);
  if (!state.rules.mayCommit(state.log.termAt(index) ?? 0, state.currentTerm)) return;
  advanceCommit(state, index);
  maybeLeave(state);
}

/**
 * The entries of the requests that leave together. Followers that lack the same are sent the same array, so that the
 * driver need encode it only once.
 */
class Batches {
  readonly #state: ServerState;
  readonly #byFirst = new Map<number, Batch>();

  constructor(state: ServerState) {
    this.#state = state;
  }

  from(index: number): Batch {
    const known = this.#byFirst.get(index);
    if (known !== undefined) return known;
    const { log, options } = this.#state;
    // Frozen, so that whoever encodes it knows that it will not grow.
    const entries = Object.freeze(log.sliceOfBytes(index, options.maxAppendBytes, MAX_ENTRIES));
    const batch = { entries, bytes: entries.reduce((sum, { data }) => sum + data.length, 0) };
    this.#byFirst.set(index, batch);
    return batch;
  }
}

interface Batch {
  readonly entries: readonly Entry[];
  /** Of data. */
  readonly bytes: number;
}

const NO_BATCH: Batch = { entries: [], bytes: 0 };

/** Sends a request with the next entries, or without `batches` an empty one. */
function sendAppend(
  state: ServerState,
  leader: Leader,
  to: NodeId,
  progress: Progress,
  batches: Batches | undefined,
): void {
  // Who is sent a snapshot hears that the leader lives, in words that fit every log.
  const fits = progress.mode !== "snapshot" &&
    !state.rules.needsSnapshot(progress.nextIndex, state.log.base.index);
  const prevLogIndex = fits ? state.rules.prevLogIndexFor(progress.nextIndex) : 0;
  const { entries, bytes } = fits && batches !== undefined ? batches.from(progress.nextIndex) : NO_BATCH;
  state.outbox.send({
    to,
    message: {
      type: "AppendEntriesRequest",
      term: state.currentTerm,
      prevLogIndex,
      prevLogTerm: state.log.termAt(prevLogIndex) ?? 0,
      leaderCommit: state.commitIndex,
      readRound: leader.reads.round,
      hashIndex: hashIndexFor(leader, progress.state),
      divergesAt: progress.state.divergesAt,
      entries,
    },
  });
  noteVerdictSent(progress.state);
  if (entries.length === 0) return;
  noteSent(progress, progress.nextIndex + entries.length - 1, bytes);
}

/**
 * Tries further back after a refusal, unless it answers a request that is no longer the newest. There is no way
 * back from what the follower has acknowledged: if it refuses that, its disk has lost it, and an answer at once
 * would be refused at once, without end.
 */
function maybeBackUp(state: ServerState, progress: Progress, response: AppendEntriesResponse): void {
  if (response.prevLogIndex <= progress.matchIndex || progress.mode === "snapshot") return;
  if (progress.mode === "probe" && response.prevLogIndex !== progress.nextIndex - 1) return;
  const lastIndexOfTerm = state.log.lastIndexOfTerm(response.conflictTerm, response.prevLogIndex);
  becomeProbe(progress, state.rules.nextIndexAfter(response, lastIndexOfTerm));
}

// ------------------------------------------------------------------------------------- the follower

/** Takes entries from a leader, or says from where on they do not fit. The term is currentTerm or past. */
export function handleAppendEntriesRequest(
  state: ServerState,
  from: NodeId,
  request: AppendEntriesRequest,
): void {
  if (request.term < state.currentTerm) {
    reject(state, from, request, "staleTerm");
    return;
  }
  if (state.role.name === "leader") {
    tellIgnored(state, from, request.type, "two leaders in one term");
    return;
  }
  if (state.rules.yieldsToLeader(state.role.name)) {
    becomeFollower(state, request.term, from, `node ${from} leads term ${request.term}`);
  }
  noteLeader(state, from);
  state.heardRound = Math.max(state.heardRound, request.readRound);

  const ownTerm = state.log.termAt(request.prevLogIndex);
  // What a snapshot stands for is committed, and so the same in every leader's log.
  const isCompacted = request.prevLogIndex < state.log.base.index;
  if (!isCompacted && !state.rules.prevMatches(ownTerm, request.prevLogTerm)) {
    reject(state, from, request, ownTerm === undefined ? "logTooShort" : "termConflict");
    return;
  }
  if (!appendNew(state, from, request.entries)) return;
  const matchIndex = state.rules.matchIndexAfter(
    request.prevLogIndex,
    request.entries.length,
    state.log.lastIndex,
  );
  advanceCommit(state, state.rules.followerCommitIndex(request.leaderCommit, matchIndex));
  maybeNoteRemoved(state, request.leaderCommit);
  noteDivergence(state, request.divergesAt);
  noteFresh(state, request.leaderCommit);
  const acknowledgement = {
    type: "AppendEntriesResponse",
    term: state.currentTerm,
    requestTerm: request.term,
    success: true,
    matchIndex,
    prevLogIndex: request.prevLogIndex,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: request.readRound,
    ...hashAnswer(state, request.hashIndex),
  } as const;
  if (request.entries.length > 0) return state.outbox.promise({ to: from, message: acknowledgement });
  // A heartbeat asks whether this server follows, and gets its answer whatever the disk does.
  const durableMatch = Math.min(matchIndex, state.log.durableIndex);
  state.outbox.promiseTerm({ to: from, message: { ...acknowledgement, matchIndex: durableMatch } });
}

/**
 * Appends the entries that the log does not have yet, after removing what conflicts with them (Figure 2,
 * AppendEntries, steps 3 and 4). False if that would remove a committed entry: then the sender is wrong, and
 * nothing is changed.
 */
function appendNew(state: ServerState, from: NodeId, entries: readonly Entry[]): boolean {
  const firstNew = entries.findIndex((entry) => {
    if (entry.index <= state.log.base.index) return false;
    const ownTerm = state.log.termAt(entry.index);
    return ownTerm === undefined || state.rules.conflicts(ownTerm, entry.term);
  });
  const first = entries[firstNew];
  if (first === undefined) return true;
  if (first.index <= state.commitIndex) {
    tellIgnored(state, from, "AppendEntriesRequest", `contradicts the committed entry ${first.index}`);
    return false;
  }
  if (first.index <= state.log.lastIndex) {
    const lastLogIndex = state.log.lastIndex;
    state.truncateAfter(first.index - 1);
    state.outbox.tell({ kind: "truncated", after: first.index - 1, lastLogIndex });
  }
  for (const entry of entries.slice(firstNew)) state.appendEntry(entry);
  return true;
}

function reject(
  state: ServerState,
  from: NodeId,
  request: AppendEntriesRequest,
  reason: Extract<RaftEvent, { kind: "entriesRejected" }>["reason"],
): void {
  const { prevLogIndex, term } = request;
  state.outbox.tell({ kind: "entriesRejected", from, term, prevLogIndex, reason });
  const isConflict = reason === "termConflict";
  // Where the logs differ is no promise: a full disk must not keep the leader from finding it out.
  state.outbox.promiseTerm({
    to: from,
    message: {
      type: "AppendEntriesResponse",
      term: state.currentTerm,
      requestTerm: term,
      success: false,
      matchIndex: 0,
      prevLogIndex,
      conflictTerm: isConflict ? state.log.termAt(prevLogIndex) ?? 0 : 0,
      conflictIndex: isConflict ? state.log.firstIndexOfTermAt(prevLogIndex) : state.log.lastIndex + 1,
      readRound: reason === "staleTerm" ? 0 : request.readRound,
      hashIndex: 0,
      stateHash: 0,
    },
  });
}

// --------------------------------------------------------------------------------------------- both

function advanceCommit(state: ServerState, index: number): void {
  const upTo = Math.min(index, state.log.lastIndex);
  if (upTo <= state.commitIndex) return;
  state.commitIndex = upTo;
  state.outbox.tell({ kind: "committed", upTo });
}

/** The leader says how much is committed: once that is applied here, the state is as old as this message. */
function noteFresh(state: ServerState, leaderCommit: number): void {
  const { fresh } = state;
  if (fresh.upTo > state.lastApplied && fresh.upTo !== Infinity && fresh.term === state.currentTerm) return;
  Object.assign(fresh, { upTo: leaderCommit, term: state.currentTerm, sinceMs: state.nowMs });
  state.maybeFreshen();
}

function tellIgnored(
  state: ServerState,
  from: NodeId,
  type: "AppendEntriesRequest" | "AppendEntriesResponse",
  reason: string,
): void {
  state.outbox.tell({ kind: "ignored", from, type, reason });
}
