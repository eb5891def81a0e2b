/**
 * How a server comes back that does not remember all it promised: its disk was damaged, replaced, or copied.
 *
 * What it must not do is act on a memory with holes: vote a second time in a term, or help to elect a leader that
 * lacks an entry which this server once acknowledged. So before anything else it finds out what it must not
 * contradict:
 *
 * 1. It takes no part, and asks all other servers for their terms. Whoever may have got a vote or an
 *    acknowledgement from its forgotten life had made its own term durable before. So when *all* others have
 *    answered, no promise of that life can be of a term above the highest of them.
 * 2. It enters the term after that one, durably. In it and in all later ones it has promised nothing. Messages of
 *    earlier terms, whose leader may count on what it forgot, it refuses from now on, as every server does; so
 *    the next leader is one of a later term, elected without its help.
 * 3. Until its log holds an entry of that term or a later one it neither votes nor stands ({@linkcode mayVote}). That
 *    entry comes from a leader whose log had everything that was ever committed, and a log that matches a leader's at
 *    an entry matches it in all before. From then on its vote is as good as any.
 *
 * Others without a memory, or with one that is not whole again, may be among those who answer. They count for nothing, and at least a majority must
 * remember everything, else committed entries may be gone and nobody can tell. One of them may have led: those who
 * voted for it know its term, but only if they were asked after it had lost its memory. So a round of questions
 * decides only if those without a memory in it had none in the round before.
 *
 * A new cluster is the case in which nobody remembers anything, and all have said so.
 *
 * Compare Viewstamped Replication Revisited, 4.3, and Protocol-Aware Recovery (FAST 2018), which keeps the term and
 * the vote in two places instead; here a whole disk may be gone.
 *
 * @module
 */
import type { RejoinRequest, RejoinResponse } from "../../packraft/mod.ts";
import type { Rejoining } from "./role.ts";
import type { ServerState } from "./state.ts";
import { becomeFollower, setRole } from "./transitions.ts";
import type { Memory, NodeId, RaftEvent } from "./types.ts";

/** Starts as a server that has to ask. */
export function becomeRejoining(state: ServerState, memory: "lost" | "new"): void {
  setRole(state, {
    name: "rejoining",
    memory,
    round: 0,
    answers: new Map(),
    unsound: [],
    askDueMs: state.nowMs,
    told: "",
  }, memory === "new" ? "its disk is empty" : "its disk does not hold all that it promised");
  if (state.role.name !== "rejoining") return;
  beginRound(state, state.role, []);
  maybeRejoin(state, state.role); // alone there is nobody to ask
}

/** Whether this server's vote, its own candidacy included, rests on all that it ever acknowledged. */
export function mayVote(state: ServerState): boolean {
  return state.rules.votesAgain(state.log.termAt(state.log.durableIndex) ?? 0, state.rejoinTerm);
}

/** Asks again whoever has not answered: messages get lost, and servers are started at their own times. */
export function askAgain(state: ServerState): void {
  if (state.role.name !== "rejoining" || state.nowMs < state.role.askDueMs) return;
  const { answers, memory } = state.role;
  const silent = state.peers.filter((peer) => !answers.has(peer));
  if (silent.length > 0) tellOnce(state, state.role, { kind: "rejoinAsks", memory, silent });
  ask(state, state.role, silent);
}

/** Answers a server that has to ask. The term goes out when it is durable. */
export function handleRejoinRequest(state: ServerState, from: NodeId, request: RejoinRequest): void {
  const memory = memoryOf(state);
  const message = { type: "RejoinResponse", term: state.currentTerm, round: request.round, memory } as const;
  state.outbox.promiseTerm({ to: from, message });
}

function memoryOf(state: ServerState): Memory {
  if (state.role.name === "rejoining") return state.role.memory;
  return mayVote(state) ? "whole" : "returning";
}

export function handleRejoinResponse(state: ServerState, from: NodeId, response: RejoinResponse): void {
  if (state.role.name !== "rejoining" || response.round !== state.role.round) return;
  state.role.answers.set(from, { memory: response.memory, term: response.term });
  maybeRejoin(state, state.role);
}

function maybeRejoin(state: ServerState, role: Rejoining): void {
  if (role.answers.size < state.rules.rejoinAnswers(state.options.voters.length)) return;
  const answers = [...role.answers.values()];
  // Who remembers everything and is in term 0 has never promised anything.
  const isBlank = ({ memory, term }: { memory: Memory; term: number }) =>
    memory === "new" || (memory === "whole" && term === 0);
  if (role.memory === "new" && answers.every(isBlank)) return rejoin(state, 0, "all nodes are new");

  const unsound = [...role.answers].filter(([, { memory }]) => memory !== "whole").map(([node]) => node);
  if (unsound.some((node) => !role.unsound.includes(node))) {
    beginRound(state, role, unsound);
    return ask(state, role, state.peers);
  }
  const sound = answers.filter(({ memory }) => memory === "whole");
  if (sound.length < state.quorum) {
    // Not asked again at once: it takes others, or a person, to make a difference.
    const returning = [...role.answers].filter(([, { memory }]) => memory === "returning").map(([node]) =>
      node
    );
    tellOnce(
      state,
      role,
      returning.length > 0
        ? { kind: "rejoinAsks", memory: role.memory, silent: returning }
        : { kind: "rejoinImpossible", memory: role.memory, without: unsound },
    );
    return beginRound(state, role, unsound);
  }
  const newestTerm = Math.max(state.currentTerm, state.log.lastTerm, ...answers.map(({ term }) => term));
  rejoin(state, state.rules.rejoinTerm(newestTerm), `the others have come to term ${newestTerm}`);
}

function beginRound(state: ServerState, role: Rejoining, unsound: readonly NodeId[]): void {
  // By chance, so that an answer to an earlier life of this server is not taken for one to this.
  role.round = 1 + Math.floor(state.options.random() * 2 ** 48);
  role.answers.clear();
  role.unsound = unsound;
}

function ask(state: ServerState, role: Rejoining, peers: readonly NodeId[]): void {
  role.askDueMs = state.nowMs + state.options.heartbeatMs;
  for (const to of peers) {
    state.outbox.send({ to, message: { type: "RejoinRequest", term: state.currentTerm, round: role.round } });
  }
}

function rejoin(state: ServerState, term: number, reason: string): void {
  state.rejoin(term);
  becomeFollower(state, term, 0, reason);
  state.outbox.tell({ kind: "rejoined", term });
}

/** It asks many times a second; a person wants to know once who is missing. */
function tellOnce(state: ServerState, role: Rejoining, event: RaftEvent): void {
  const text = JSON.stringify(event);
  if (text !== role.told) state.outbox.tell(event);
  role.told = text;
}
