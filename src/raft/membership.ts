/**
 * Changes of the members (section 6; Ongaro's thesis, chapter 4): one server at a time.
 *
 * If two configurations differ by one voter, any majority of the one and any majority of the other share a server. So
 * a change is an entry like any other, and each server uses it as soon as it is in its log. What keeps it safe is that
 * the next change begins only when this one is committed, and that a leader begins none before it has committed an
 * entry of its own term (the correction of 2015: without it, two leaders that do not know of each other's uncommitted
 * changes could end with majorities that do not meet).
 *
 * A server comes as a learner. It gets everything and counts for nothing. The leader makes it a voter when it has
 * caught up; so the cluster never waits for one that has the whole log still to load.
 *
 * A server goes by an entry too. While it is in its last moments a leader may remove itself: it leads on, without
 * counting itself, until that is committed. Those who have left are sent a little more, so that they learn of it.
 *
 * @module
 */
import { isNewer, memberOf, votersOf } from "./configurations.ts";
import { newProgress, type Progress } from "./progress.ts";
import type { Leader } from "./role.ts";
import type { ServerState } from "./state.ts";
import { handOverAndLeave } from "./transfer.ts";
import type { Configuration, Member, MemberAddress, MemberChange, NodeId } from "./types.ts";

/** Seven, and one that takes the place of another. Each more makes every write wait for more of them. */
export const MAX_CLUSTER_MEMBERS = 8;
/** How long one that has left is told so, in election timeouts. */
const FAREWELL_TIMEOUTS = 10;

// ------------------------------------------------------------------------------------------ changes

/** An operator wants other members. */
export function handleChangeMembers(state: ServerState, token: number, change: MemberChange): void {
  const { role } = state;
  if (role.name !== "leader") return state.outbox.refuse({ token, reason: "notLeader" });
  if (role.transfer !== undefined) return state.outbox.refuse({ token, reason: "handingOver" });
  // First: what is not committed may be rolled back, and nobody is to be refused for good because of it.
  const notNow = whyNotNow(state, role);
  if (notNow !== undefined) return state.outbox.refuse({ token, reason: "notNow", detail: notNow });
  const { members } = state.configuration;
  const problem = problemOf(members, change) ?? whyTooFew(state, role, change);
  if (problem !== undefined) return state.outbox.refuse({ token, reason: "badChange", detail: problem });
  appendMembers(state, role, changed(members, change));
  state.outbox.accept({ token, index: state.log.lastIndex, term: state.currentTerm });
}

/** What is wrong with a change, whatever the state of the cluster. */
function problemOf(members: readonly Member[], change: MemberChange): string | undefined {
  const member = members.find(({ id }) => id === change.id);
  const ids = members.map(({ id }) => id).join(", ");
  switch (change.kind) {
    case "register":
      if (member !== undefined) {
        return `node ${change.id} is a member already, at ${shownAddress(member)}; ` +
          `give another id, or move it to another address: client move ${change.id} HOST:PEER:CLIENT`;
      }
      if (members.length >= MAX_CLUSTER_MEMBERS) {
        return `the cluster has ${members.length} members, and at most ${MAX_CLUSTER_MEMBERS} are possible; ` +
          "deregister one first";
      }
      return problemOfAddress(members, change.id, change.address);
    case "deregister": {
      if (member === undefined) return `node ${change.id} is not a member; the members are ${ids}`;
      const isLast = member.role === "voter" && votersOf({ members }).length === 1;
      return isLast ? `node ${change.id} is the last voter; a cluster cannot do without one` : undefined;
    }
    case "move":
      if (member === undefined) return `node ${change.id} is not a member; the members are ${ids}`;
      if (isSameAddress(member, change.address)) {
        return `node ${change.id} is at ${shownAddress(member)} already`;
      }
      return problemOfAddress(members, change.id, change.address);
  }
}

function problemOfAddress(
  members: readonly Member[],
  node: NodeId,
  address: MemberAddress,
): string | undefined {
  const { host, peerPort, clientPort } = address;
  if (node < 1) return `${node} is not an id; give a whole number from 1`;
  if (host === "" || peerPort === 0 || clientPort === 0 || peerPort === clientPort) {
    return `${shownAddress(address)} is not an address; give HOST:PEER:CLIENT with two different ports`;
  }
  const ports = [peerPort, clientPort];
  const other = members.find((member) =>
    member.id !== node && member.host === host &&
    (ports.includes(member.peerPort) || ports.includes(member.clientPort))
  );
  return other === undefined
    ? undefined
    : `${shownAddress(address)} is taken: node ${other.id} is at ${shownAddress(other)}; give other ports`;
}

function whyNotNow(state: ServerState, leader: Leader): string | undefined {
  const { commitIndex, rules, configurations } = state;
  if (rules.mayChangeMembers(commitIndex, leader.termStartIndex, configurations.newest.index)) {
    return undefined;
  }
  return commitIndex < leader.termStartIndex
    ? "this leader is new and has committed nothing yet"
    : `the change of entry ${configurations.newest.index} is not committed yet`;
}

/** A change that could not be committed, for want of voters that answer, would leave the cluster without a way back. */
function whyTooFew(state: ServerState, leader: Leader, change: MemberChange): string | undefined {
  if (change.kind !== "deregister") return undefined;
  const voters = votersOf({ members: changed(state.configuration.members, change) });
  const silent = voters.filter((voter) => voter !== state.id && !isOfUse(state, leader, voter));
  if (voters.length - silent.length >= state.rules.quorum(voters.length)) return undefined;
  return `without node ${change.id} there would be no majority that answers: ` +
    `of nodes ${voters.join(", ")} nothing is heard from ${silent.join(", ")}`;
}

/** Whether a voter answers, and has what it takes to vote: an entry of this term. */
function isOfUse(state: ServerState, leader: Leader, voter: NodeId): boolean {
  const matchIndex = leader.progress.get(voter)?.matchIndex ?? 0;
  return isHeard(state, leader, voter) && matchIndex >= leader.termStartIndex;
}

/** Whether a member was heard from within the last election timeout. */
export function isHeard(state: ServerState, leader: Leader, node: NodeId): boolean {
  const heardMs = leader.progress.get(node)?.heardMs ?? -Infinity;
  return state.nowMs - heardMs <= state.options.electionTimeoutMs.max;
}

function changed(members: readonly Member[], change: MemberChange): Member[] {
  const others = members.filter(({ id }) => id !== change.id);
  switch (change.kind) {
    case "register":
      return sorted([...members, { id: change.id, ...change.address, role: "learner", admission: 0 }]);
    case "deregister":
      return others;
    case "move":
      return members.map((member) => member.id === change.id ? { ...member, ...change.address } : member);
  }
}

function sorted(members: readonly Member[]): Member[] {
  return [...members].sort((a, b) => a.id - b.id);
}

/** Puts a configuration into the leader's log, and feeds its members from now on. */
function appendMembers(state: ServerState, leader: Leader, members: readonly Member[]): void {
  const index = state.log.lastIndex + 1;
  const data = state.options.codec.encode(members);
  state.appendEntry({ index, term: state.currentTerm, kind: "configuration", data });
  followMembers(state, leader);
}

/** Gives each member a progress, and lets those who have left go after a while. */
export function followMembers(state: ServerState, leader: Leader): void {
  const { members } = state.configuration;
  for (const { id } of members) {
    if (id === state.id) continue;
    const progress = leader.progress.get(id);
    if (progress === undefined || progress.leavesMs !== undefined) beginAnew(state, leader, id);
  }
  for (const [id, progress] of leader.progress) {
    if (memberOf(state.configuration, id) !== undefined) continue;
    progress.leavesMs ??= state.nowMs + FAREWELL_TIMEOUTS * state.options.electionTimeoutMs.max;
    if (state.nowMs >= progress.leavesMs) leader.progress.delete(id);
  }
}

/** Knows nothing of a follower, and believes no answer to an earlier request. */
function beginAnew(state: ServerState, leader: Leader, node: NodeId): void {
  const { reads } = leader;
  // The next heartbeat begins the round, and carries it: an answer of before has a lower number.
  reads.round++;
  leader.progress.set(node, newProgress(state.log.lastIndex, state.nowMs, reads.round));
}

// ----------------------------------------------------------------------------------------- learners

/** Makes a learner a voter when it has caught up. Called when it has acknowledged something. */
export function maybePromote(state: ServerState, leader: Leader, node: NodeId, progress: Progress): void {
  const member = memberOf(state.configuration, node);
  // One that has begun under this leader votes when it has an entry of its term: as a voter without a vote it would make
  // majorities larger and help with none.
  if (member?.role !== "learner" || progress.matchIndex < leader.termStartIndex) return;
  const { matchIndex, catchUp: { upTo, beganMs } } = progress;
  const roundMs = state.nowMs - beganMs;
  if (matchIndex >= upTo) progress.catchUp = { upTo: state.log.lastIndex, beganMs: state.nowMs };
  if (!state.rules.isCaughtUp(matchIndex, upTo, roundMs, state.options.electionTimeoutMs.min)) return;
  if (leader.transfer !== undefined || whyNotNow(state, leader) !== undefined) return;
  const { members } = state.configuration;
  appendMembers(
    state,
    leader,
    members.map((each) => each.id === node ? { ...each, role: "voter" } : each),
  );
}

/**
 * A node without a past asks to begin. Notes in the log that it does, with the round of its question, so that it can
 * do so once only: a second empty disk under this id has forgotten something.
 */
export function maybeAdmit(state: ServerState, node: NodeId, round: number): void {
  if (state.role.name !== "leader") return;
  const member = memberOf(state.configuration, node);
  if (member?.role !== "learner" || member.admission !== 0 || whyNotNow(state, state.role) !== undefined) {
    return;
  }
  const { members } = state.configuration;
  appendMembers(
    state,
    state.role,
    members.map((each) => each.id === node ? { ...each, admission: round } : each),
  );
  beginAnew(state, state.role, node);
}

/** Whether the log has it that `node` begins with this round, and that is committed. */
export function isAdmitted(state: ServerState, node: NodeId, round: number): boolean {
  if (state.role.name !== "leader") return false;
  const member = memberOf(state.committedConfiguration, node);
  return member !== undefined && member.admission !== 0 && state.rules.mayBegin(member.admission, round);
}

// ---------------------------------------------------------------------------------------- departures

/** A leader that is no member any more, as is committed now, lets another lead. */
export function maybeLeave(state: ServerState): void {
  if (state.role.name !== "leader") return;
  const { newest } = state.configurations;
  if (newest.index > state.commitIndex || memberOf(newest, state.id) !== undefined) return;
  handOverAndLeave(state, state.role, `was removed by entry ${newest.index}`);
  noteRemoved(state, newest.index);
}

/**
 * Notes that this server is no member any more, if that is so: it has all that its leader has committed, and the
 * newest configuration is without it. (One that is catching up may see its own removal of an earlier life.)
 */
export function maybeNoteRemoved(state: ServerState, leaderCommit: number): void {
  const { newest } = state.configurations;
  if (state.commitIndex < leaderCommit || newest.index > state.commitIndex) return;
  // A new leader may not know yet of all that is committed: it does when an entry of its term is.
  if (state.log.termAt(leaderCommit) !== state.currentTerm) return;
  if (memberOf(newest, state.id) === undefined) noteRemoved(state, newest.index);
}

export function noteRemoved(state: ServerState, index: number): void {
  if (state.isRemoved) return;
  state.isRemoved = true;
  state.outbox.tell({ kind: "removed", index });
}

// ------------------------------------------------------------------------------------------- telling

/** The newest committed configuration, and the newest of all if that is another: what others are told. */
export function knownConfigurations(state: ServerState): Configuration[] {
  const committed = state.committedConfiguration;
  const { newest } = state.configurations;
  return isNewer(newest, committed) ? [committed, newest] : [committed];
}

export function shownAddress({ host, peerPort, clientPort }: MemberAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${peerPort}:${clientPort}`;
}

/** Whether whoever listens at `listensAt` hears what is sent to `address` by its peers. */
export function isHeardAt(address: MemberAddress, listensAt: MemberAddress): boolean {
  return address.peerPort === listensAt.peerPort &&
    (address.host === listensAt.host || EVERYWHERE.includes(listensAt.host));
}

/** The addresses of all interfaces. */
const EVERYWHERE: readonly string[] = ["0.0.0.0", "::"];

export function isSameAddress(a: MemberAddress, b: MemberAddress): boolean {
  return a.host === b.host && a.peerPort === b.peerPort && a.clientPort === b.clientPort;
}
