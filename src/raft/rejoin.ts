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
 * Others without a memory, or with one that is not whole again, may be among those who answer. They count for nothing,
 * and if they are a majority, committed entries may be gone and nobody can tell. One of them may have led: those who
 * voted for it know its term, but only if they were asked after it had lost its memory. So a round of questions
 * decides only if those without a memory in it had none in the round before.
 *
 * A new cluster is the case in which nobody remembers anything, and all have said so.
 *
 * Who "all others" are, such a server may not know: members have come and gone since what it remembers, or since the
 * file that it was started with. So each answer says who the members are as the one who answers has it, and the voters
 * of all configurations that may be in force have to be asked, the newest that is known to be committed and what may
 * follow it. Answers of a majority of one configuration cannot all miss the next, for that was committed on a majority
 * which shares a server with theirs; so this comes to an end at the newest.
 *
 * A server that was registered as a new member has no past at all, and must not wait for all others: one that is gone
 * for good may be the reason for which it was called. Instead the leader notes in the log that this member has begun,
 * with the round of its question, and says so when that is committed (`maybeAdmit`). This can happen once for a member.
 * It begins in the leader's term as one that has voted for that leader: whatever an earlier life under the same id may
 * have promised, to candidates of earlier terms or to those that lack its removal, can elect nobody any more.
 *
 * Compare Viewstamped Replication Revisited, 4.3, and Protocol-Aware Recovery (FAST 2018), which keeps the term and
 * the vote in two places instead; here a whole disk may be gone.
 *
 * @module
 */
import type { RejoinRequest, RejoinResponse } from "../../packraft/mod.ts";
import { isNewer, memberOf, votersOf } from "./configurations.ts";
import { isAdmitted, knownConfigurations, maybeAdmit } from "./membership.ts";
import type { Rejoining } from "./role.ts";
import type { ServerState } from "./state.ts";
import { becomeFollower, setRole } from "./transitions.ts";
import type { Configuration, Memory, NodeId, PeerMessage, RaftEvent } from "./types.ts";

/** A cluster has a few members, and anyone may claim to be one. */
const MAX_HEARD = 16;

/** Starts as a server that has to ask. */
export function becomeRejoining(state: ServerState, memory: "lost" | "new"): void {
  setRole(state, {
    name: "rejoining",
    memory,
    round: 0,
    answers: new Map(),
    committed: state.committedConfiguration,
    others: [state.configurations.newest],
    heard: new Set(),
    unsound: [],
    beganMs: state.nowMs,
    askDueMs: state.nowMs,
    told: new Map(),
  }, memory === "new" ? "its disk is empty" : "its disk does not hold all that it promised");
  if (state.role.name !== "rejoining") return;
  beginRound(state, state.role, []);
}

/** Whether this server's vote, its own candidacy included, rests on all that it ever acknowledged. */
export function mayVote(state: ServerState): boolean {
  return state.rules.votesAgain(state.log.termAt(state.log.durableIndex) ?? 0, state.rejoinTerm);
}

/**
 * Asks again: messages get lost, and servers are started at their own times. Those who have answered are asked too, for
 * they may know of other members by now: one that never answers may be none any more.
 */
export function askAgain(state: ServerState): void {
  if (state.role.name !== "rejoining" || state.nowMs < state.role.askDueMs) return;
  const { answers, memory } = state.role;
  const asked = toBeAsked(state, state.role);
  const silent = asked.filter((node) => !answers.has(node));
  if (silent.length > 0) tellOnce(state, state.role, { kind: "rejoinAsks", memory, silent });
  ask(state, state.role, [...new Set([...asked, ...state.role.heard])]);
  maybeRejoin(state, state.role); // alone there is nobody whose answer would do
}

/**
 * A server that is not back yet takes no message but answers to its questions. Whoever sent one may be the leader of a
 * cluster of which it knows no member any more; so it is asked too.
 */
export function handleWhileRejoining(state: ServerState, from: NodeId, type: PeerMessage["type"]): void {
  if (state.role.name !== "rejoining") return;
  if (state.role.heard.size < MAX_HEARD) state.role.heard.add(from);
  state.outbox.tell({ kind: "ignored", from, type, reason: "does not know yet what it has promised" });
}

/** The configurations that may be in force: the newest that is known to be committed, and what may follow it. */
export function configurationsInPlay({ committed, others }: Rejoining): readonly Configuration[] {
  return [committed, ...others.filter((other) => isNewer(other, committed))];
}

/** All voters of these, without this server. */
function toBeAsked(state: ServerState, role: Rejoining): NodeId[] {
  const voters = new Set(configurationsInPlay(role).flatMap(votersOf));
  return [...voters].filter((voter) => voter !== state.id).sort((a, b) => a - b);
}

/** Answers a server that has to ask. The term goes out when it is durable. */
export function handleRejoinRequest(state: ServerState, from: NodeId, request: RejoinRequest): void {
  maybeAdmit(state, from, request.round);
  state.outbox.promiseTerm({
    to: from,
    message: {
      type: "RejoinResponse",
      term: state.currentTerm,
      round: request.round,
      memory: memoryOf(state),
      isAdmitted: isAdmitted(state, from, request.round),
      configurations: knownConfigurations(state),
    },
  });
}

function memoryOf(state: ServerState): Memory {
  if (state.role.name === "rejoining") return state.role.memory;
  return mayVote(state) ? "whole" : "returning";
}

export function handleRejoinResponse(state: ServerState, from: NodeId, response: RejoinResponse): void {
  if (state.role.name !== "rejoining" || response.round !== state.role.round) return;
  learnConfigurations(state.role, response.configurations);
  if (response.isAdmitted) return begin(state, state.role, from, response.term);
  state.role.answers.set(from, { memory: response.memory, term: response.term });
  maybeRejoin(state, state.role);
}

function learnConfigurations(role: Rejoining, [committed, newest]: readonly Configuration[]): void {
  if (committed !== undefined && isNewer(committed, role.committed)) role.committed = committed;
  if (newest !== undefined) role.others.push(newest);
  const byEntry = new Map(role.others.map((other) => [`${other.term}/${other.index}`, other]));
  role.others = [...byEntry.values()].filter((other) => isNewer(other, role.committed));
}

function maybeRejoin(state: ServerState, role: Rejoining): void {
  const asked = toBeAsked(state, role);
  const given = asked.flatMap((node) => {
    const answer = role.answers.get(node);
    return answer === undefined ? [] : [{ node, ...answer }];
  });
  const inPlay = configurationsInPlay(role);
  const self = inPlay.map((one) => memberOf(one, state.id)).find((member) => member !== undefined);
  if (self === undefined) {
    const members = role.committed.members.map(({ id }) => id);
    return tellOnce(state, role, { kind: "notRegistered", members });
  }
  // The leader takes it in, and will say so.
  const isNewMember = self.admission === 0 || self.admission === role.round;
  if (self.role === "learner" && isNewMember) return;
  if (given.length < state.rules.rejoinAnswers(asked.length + 1)) return;
  // Who remembers everything and is in term 0 has never promised anything.
  const isBlank = ({ memory, term }: { memory: Memory; term: number }) =>
    memory === "new" || (memory === "whole" && term === 0);
  if (role.memory === "new" && given.every(isBlank)) {
    // Whoever began alone may have members by now, who speak to it before this time is over.
    const isAlone = asked.length === 0;
    if (
      isAlone && (role.heard.size > 0 || state.nowMs - role.beganMs < state.options.electionTimeoutMs.max)
    ) return;
    return rejoin(state, 0, "all nodes are new");
  }

  const unsound = given.filter(({ memory }) => memory !== "whole").map(({ node }) => node);
  if (unsound.some((node) => !role.unsound.includes(node))) {
    beginRound(state, role, unsound);
    return ask(state, role, asked);
  }
  const sound = given.filter(({ memory }) => memory === "whole").map(({ node }) => node);
  const isEnough = (one: Configuration) => {
    const voters = votersOf(one);
    // No majority may consist of servers alone that have forgotten what they did together.
    const forgetful = voters.filter((voter) => !sound.includes(voter));
    return forgetful.length < state.rules.quorum(voters.length);
  };
  // And somewhere a majority that remembers everything must be able to elect a leader: this server cannot help yet.
  const canElect = (one: Configuration) => {
    const voters = votersOf(one);
    return voters.filter((voter) => sound.includes(voter)).length >= state.rules.quorum(voters.length);
  };
  if (!inPlay.every(isEnough) || !(inPlay.some(canElect) || asked.length === 0)) {
    // Not asked again at once: it takes others, or a person, to make a difference.
    const returning = given.filter(({ memory }) => memory === "returning").map(({ node }) => node);
    tellOnce(
      state,
      role,
      returning.length > 0
        ? { kind: "rejoinAsks", memory: role.memory, silent: returning }
        : { kind: "rejoinImpossible", memory: role.memory, without: unsound },
    );
    return beginRound(state, role, unsound);
  }
  const newestTerm = Math.max(state.currentTerm, state.log.lastTerm, ...given.map(({ term }) => term));
  rejoin(state, state.rules.rejoinTerm(newestTerm), `the others have come to term ${newestTerm}`);
}

/** As a new member, under the leader that has taken it in. */
function begin(state: ServerState, role: Rejoining, leader: NodeId, term: number): void {
  const { committed } = role;
  state.begin(term, leader);
  if (isNewer(committed, state.configurations.newest)) state.advanceConfiguration(committed);
  becomeFollower(state, term, 0, `node ${leader} has taken it in as a new member`);
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
  const { role } = state;
  if (role.name === "rejoining" && isNewer(role.committed, state.configurations.newest)) {
    state.advanceConfiguration(role.committed);
  }
  becomeFollower(state, term, 0, reason);
  state.outbox.tell({ kind: "rejoined", term });
  // Alone there is nobody to wait for.
  if (state.isVoter && state.voters.length === 1) state.electionDeadlineMs = state.nowMs;
}

/** It asks many times a second; a person wants to know once who is missing. */
function tellOnce(state: ServerState, role: Rejoining, event: RaftEvent): void {
  const text = JSON.stringify(event);
  if (text !== role.told.get(event.kind)) state.outbox.tell(event);
  role.told.set(event.kind, text);
}
