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
  /** In `replicate`: the unanswered requests with entries, oldest first, and the bytes in all of them. */
  inflight: Inflight[];
  inflightBytes: number;
  /** In `snapshot`: the one that is being sent. */
  transfer: SnapshotTransfer | undefined;
  /** The newest round of leadership checks that the follower has answered. */
  readRound: number;
  /** When the follower was last heard from. */
  heardMs: number;
  /**
   * Answers to requests of earlier rounds do not count: they may be of another life of a follower that has begun
   * with an empty disk since.
   */
  readonly sinceRound: number;
  /** Of a learner: what it has to have for the present round of catching up, and when that began. */
  catchUp: { upTo: number; beganMs: number };
  /** Of one that is no member any more: how long it is still told so. */
  leavesMs: number | undefined;
  readonly state: StateComparison;
}

interface Inflight {
  readonly lastIndex: number;
  readonly bytes: number;
}

/** How a follower's state compares with the leader's (`divergence.ts`). */
export interface StateComparison {
  /** The highest index after which both are known to be equal, or that can no longer be told. */
  agreesUpTo: number;
  /** The lowest index after which they are known to differ, or 0. */
  differsAt: number;
  /** How many answers in a row did not have the hash that was asked for. */
  unanswered: number;
  /** Set when it is certain that it is the follower whose state is wrong, and first after which entry. */
  divergesAt: number;
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
export function newProgress(lastLogIndex: number, nowMs: number, sinceRound = 0): Progress {
  return {
    nextIndex: lastLogIndex + 1,
    matchIndex: 0,
    mode: "probe",
    probeSent: false,
    inflight: [],
    inflightBytes: 0,
    transfer: undefined,
    readRound: 0,
    heardMs: nowMs,
    sinceRound,
    catchUp: { upTo: lastLogIndex, beganMs: nowMs },
    leavesMs: undefined,
    state: { agreesUpTo: 0, differsAt: 0, unanswered: 0, divergesAt: 0 },
  };
}

/** Notes that the follower has everything up to `matchIndex`. Returns whether that was news. */
export function maybeAdvance(progress: Progress, matchIndex: number): boolean {
  progress.inflight = progress.inflight.filter(({ lastIndex }) => lastIndex > matchIndex);
  progress.inflightBytes = progress.inflight.reduce((sum, { bytes }) => sum + bytes, 0);
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
  progress.inflightBytes = 0;
  progress.transfer = undefined;
}

/** Begins to send the snapshot that ends at `index`, and to wait `waitMs` for the answer to its first piece. */
export function becomeSnapshot(progress: Progress, index: number, nowMs: number, waitMs: number): void {
  progress.mode = "snapshot";
  progress.inflight = [];
  progress.inflightBytes = 0;
  progress.transfer = { index, offset: 0, sentMs: undefined, waitMs, progressMs: nowMs };
}

/** Whether entries may be sent to the follower now. */
export function maySendEntries(
  progress: Progress,
  { maxInflightAppends, maxInflightBytes }: { maxInflightAppends: number; maxInflightBytes: number },
): boolean {
  switch (progress.mode) {
    case "probe":
      return !progress.probeSent;
    case "replicate":
      return progress.inflight.length < maxInflightAppends && progress.inflightBytes < maxInflightBytes;
    case "snapshot":
      return false;
  }
}

/** Notes that entries up to `lastIndex` have been sent, with so many bytes of data. */
export function noteSent(progress: Progress, lastIndex: number, bytes: number): void {
  if (progress.mode === "probe") {
    progress.probeSent = true;
  } else {
    progress.inflight.push({ lastIndex, bytes });
    progress.inflightBytes += bytes;
    progress.nextIndex = lastIndex + 1;
  }
}
