/**
 * What a node knows of itself and of the others, and why it does what it does: the answer to `drafty explain`.
 *
 * @module
 */
import {
  type ClientResponse,
  type FollowerReport,
  MAX_REASON_BYTES,
  type Member,
  type VoteReport,
} from "../../packraft/mod.ts";
import type { RaftView } from "../raft/mod.ts";

/** What the server itself does not know. */
export interface Circumstances {
  readonly roleReason: string;
  readonly roleSinceMs: number;
  readonly isDiskFull: boolean;
  /** The oldest write that waits; index 0 if none does. */
  readonly oldestWrite: { readonly index: number; readonly sinceMs: number };
  readonly waitingWrites: number;
}

export function explanationOf(view: RaftView, circumstances: Circumstances): ClientResponse {
  const { nowMs, part, configuration, committedConfiguration } = view;
  const { roleReason, roleSinceMs, isDiskFull, oldestWrite, waitingWrites } = circumstances;
  const sinceMs = (atMs: number) => Math.max(0, Math.round(nowMs - atMs));
  return {
    type: "ExplainResponse",
    node: view.id,
    role: view.role,
    roleReason: cut(roleReason),
    roleMs: sinceMs(roleSinceMs),
    term: view.currentTerm,
    leader: view.leader,
    leaderSilentMs: part.name === "follower" && part.leader !== 0 ? sinceMs(part.heardMs) : 0,
    lastLogIndex: view.lastLogIndex,
    durableIndex: view.log.durableIndex,
    commitIndex: view.commitIndex,
    lastApplied: view.lastApplied,
    isDiskFull,
    mayVote: view.mayVote,
    configuration,
    isConfigurationCommitted: configuration.index === committedConfiguration.index,
    oldestWriteIndex: oldestWrite.index,
    oldestWriteMs: oldestWrite.index === 0 ? 0 : sinceMs(oldestWrite.sinceMs),
    waitingWrites,
    ...readsOf(view),
    followers: followersOf(view),
    transferTo: part.name === "leader" ? part.transfer?.to ?? 0 : 0,
    votes: votesOf(view),
  };
}

function readsOf({ part }: RaftView): { readsUnconfirmed: number; readsUnapplied: number } {
  if (part.name === "leader") {
    const { waiting, inRound, confirmed } = part.reads;
    return { readsUnconfirmed: waiting.length + inRound.length, readsUnapplied: confirmed.length };
  }
  if (part.name !== "follower") return { readsUnconfirmed: 0, readsUnapplied: 0 };
  const { waiting, asked, confirmed } = part.reads;
  return { readsUnconfirmed: waiting.length + asked.length, readsUnapplied: confirmed.length };
}

function followersOf({ part, configuration, nowMs }: RaftView): FollowerReport[] {
  if (part.name !== "leader") return [];
  return configuration.members.flatMap(({ id, role }) => {
    const progress = part.progress.get(id);
    if (progress === undefined) return [];
    const { mode, matchIndex, heardMs } = progress;
    return [{ id, role, mode, matchIndex, silentMs: Math.max(0, Math.round(nowMs - heardMs)) }];
  });
}

function votesOf({ part, configuration, id: self }: RaftView): VoteReport[] {
  if (part.name !== "preCandidate" && part.name !== "candidate") return [];
  const { granted, refused } = part;
  return configuration.members.filter(({ id, role }) => role === "voter" && id !== self).map(
    ({ id }: Member) => {
      const refusal = refused.get(id);
      if (granted.includes(id)) return { id, answer: "granted", refusal: "none" };
      return refusal === undefined
        ? { id, answer: "none", refusal: "none" }
        : { id, answer: "refused", refusal };
    },
  );
}

/** Reasons are short; but one with a long host name in it must not make the answer fail. */
function cut(text: string): string {
  return text.length <= MAX_REASON_BYTES / 4 ? text : `${text.slice(0, MAX_REASON_BYTES / 4)}…`;
}
