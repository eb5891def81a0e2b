/**
 * Parts of sentences about nodes.
 *
 * @module
 */
import type { RoleName, VoteRefusal } from "../../packraft/mod.ts";

/** "node 2", "nodes 2 and 3", "no node". */
export function nodeList(nodes: readonly number[]): string {
  if (nodes.length === 0) return "no node";
  return `${nodes.length === 1 ? "node" : "nodes"} ${listOf(nodes)}`;
}

/** "a", "a and b", "a, b and c". */
export function listOf(items: readonly (string | number)[]): string {
  const last = items[items.length - 1];
  if (last === undefined) return "nothing";
  return items.length === 1 ? `${last}` : `${items.slice(0, -1).join(", ")} and ${last}`;
}

/** As a sentence begins. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** The form of a verb or a noun that goes with so many. */
export function forCount(count: number, one: string, several: string): string {
  return count === 1 ? one : several;
}

/** "1 write", "3 writes", "2 entries". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${forCount(count, noun, plural)}`;
}

/** "310 ms", "4.2 s", "38 s", "12 min", "5 h", "3 days". */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`;
  const hours = ms / 3_600_000;
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}

/** Why a node has its role, as the end of a sentence. */
export function reasonText({ role, roleReason }: { role: RoleName; roleReason: string }): string {
  if (role === "leader" && roleReason === "1 of 1 votes") return "it has the only vote";
  if (role === "leader" && /^\d+ of \d+ votes$/.test(roleReason)) return `it got ${roleReason}`;
  if (roleReason === "it has just started") return "that is how a node begins";
  if (roleReason === "election timeout") return "it heard from no leader within its election timeout";
  return /^(heard from|was removed)/.test(roleReason) ? `it ${roleReason}` : roleReason;
}

/** Why a vote was refused, to be put after "node 3 refuses: ". */
export const REFUSALS: Readonly<Record<VoteRefusal, string>> = {
  none: "it gives no reason",
  staleTerm: "that term is over",
  alreadyVoted: "it has voted for another node in this term",
  logBehind: "the candidate's log lacks entries",
  leaderAlive: "it hears from a leader",
  memoryLost: "it may not vote itself",
  removed: "the candidate is no member any more",
};
