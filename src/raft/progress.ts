/**
 * What a leader knows of one follower (Figure 2, "volatile state on leaders"), and how it feeds it.
 *
 * A follower starts in `probe`: the leader does not know where the logs agree, and sends one request at a time
 * until one fits. Then it is in `replicate`: new entries are sent at once, without waiting for the answers of
 * those before, up to a window. A refusal, which says that something was lost or overtaken, goes back to
 * `probe`. Heartbeats carry the consistency check too, so a loss is found within one heartbeat.
 *
 * A follower that lacks entries which the leader's log no longer holds is in `snapshot`: it is sent the leader's
 * snapshot piece by piece, the next one when it has answered the last, and is probed again when it has it all.
 *
 * @module
 */

/** A leader's view of one follower. */
export interface Progress {
  /** The index of the next entry to send. */
  nextIndex: number;
  /** The highest index known to be on the follower, and durable there. */
  matchIndex: number;
  mode: "probe" | "replicate" | "snapshot";
  /**
   * In `probe`: whether a request with entries is under way. If it is lost, the next heartbeat, which is empty,
   * gets the answer that sets things going again; so a dead follower is sent its backlog once, not every time.
   */
  probeSent: boolean;
  /** In `replicate`: the last index of each unanswered request, oldest first. */
  inflight: number[];
  /** In `snapshot`: the one that is being sent. */
  transfer: SnapshotTransfer | undefined;
  /** The newest round of leadership checks that the follower has answered. */
  readRound: number;
  /** When the follower was last heard from. */
  heardMs: number;
}

/** A snapshot on its way to a follower. */
export interface SnapshotTransfer {
  /** The snapshot stands for the entries up to this one. */
  readonly index: number;
  /** How much of it the follower has. */
  offset: number;
  /** When the piece at `offset` was sent, or undefined if it is to be. */
  sentMs: number | undefined;
  /** How long its answer is waited for: longer each time, for the link may just be slow. */
  waitMs: number;
  /** When the follower last had more of it than before. */
  progressMs: number;
}

/** The progress of a follower that a new leader knows nothing of (Figure 2). */
export function newProgress(lastLogIndex: number, nowMs: number): Progress {
  return {
    nextIndex: lastLogIndex + 1,
    matchIndex: 0,
    mode: "probe",
    probeSent: false,
    inflight: [],
    transfer: undefined,
    readRound: 0,
    heardMs: nowMs,
  };
}

/** Notes that the follower has everything up to `matchIndex`. Returns whether that was news. */
export function maybeAdvance(progress: Progress, matchIndex: number): boolean {
  progress.inflight = progress.inflight.filter((lastIndex) => lastIndex > matchIndex);
  const isNews = matchIndex > progress.matchIndex;
  if (isNews) progress.matchIndex = matchIndex;
  progress.nextIndex = Math.max(progress.nextIndex, progress.matchIndex + 1);
  // A success that is older than the probe says nothing about it: taken for its answer, it would open the window
  // again with each one that straggles in, and all of it would be sent again each time.
  const answersProbe = matchIndex >= progress.nextIndex - 1;
  if (progress.mode === "probe" && answersProbe) progress.mode = "replicate";
  return isNews;
}

/** Goes back to probing from `nextIndex`. What was in flight is forgotten: it may be lost. */
export function becomeProbe(progress: Progress, nextIndex: number): void {
  progress.mode = "probe";
  progress.nextIndex = Math.max(nextIndex, progress.matchIndex + 1);
  progress.probeSent = false;
  progress.inflight = [];
  progress.transfer = undefined;
}

/** Begins to send the snapshot that ends at `index`, and to wait `waitMs` for the answer to its first piece. */
export function becomeSnapshot(progress: Progress, index: number, nowMs: number, waitMs: number): void {
  progress.mode = "snapshot";
  progress.inflight = [];
  progress.transfer = { index, offset: 0, sentMs: undefined, waitMs, progressMs: nowMs };
}

/** Whether entries may be sent to the follower now. */
export function maySendEntries(progress: Progress, maxInflightAppends: number): boolean {
  switch (progress.mode) {
    case "probe":
      return !progress.probeSent;
    case "replicate":
      return progress.inflight.length < maxInflightAppends;
    case "snapshot":
      return false;
  }
}

/** Notes that entries up to `lastIndex` have been sent. */
export function noteSent(progress: Progress, lastIndex: number): void {
  if (progress.mode === "probe") {
    progress.probeSent = true;
  } else {
    progress.inflight.push(lastIndex);
    progress.nextIndex = lastIndex + 1;
  }
}
