/**
 * Short names for members and their changes in the tests of the Raft core.
 *
 * @module
 */
import { assert } from "@std/assert";
import { encodeMembers, type Entry, type Member } from "../../packraft/mod.ts";
import type { Configuration, MemberAddress, MemberChange, NodeId } from "../../src/raft/mod.ts";
import { membersOf } from "./harness.ts";

/** Where {@linkcode membersOf} has a node. */
export function placeOf(id: NodeId): MemberAddress {
  const [member] = membersOf([id]).members;
  assert(member !== undefined);
  const { host, peerPort, clientPort } = member;
  return { host, peerPort, clientPort };
}

export function register(id: NodeId, address = placeOf(id)): MemberChange {
  return { kind: "register", id, address };
}

export function deregister(id: NodeId): MemberChange {
  return { kind: "deregister", id };
}

export function move(id: NodeId, address: MemberAddress): MemberChange {
  return { kind: "move", id, address };
}

/** The members of an entry, with `change` made to some. */
export function membersEntry(
  index: number,
  term: number,
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
  change: (member: Member) => Member = (member) => member,
): Entry {
  const members = membersOf(voters, learners).members.map(change);
  return { index, term, kind: "configuration", data: encodeMembers(members) };
}

/** The members as that entry makes them. */
export function membersAt(
  index: number,
  term: number,
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
): Configuration {
  return { ...membersOf(voters, learners), index, term };
}

/** The ids of all members, learners with a question mark: `1 2 3 4?`. */
export function shown({ members }: Pick<Configuration, "members">): string {
  return members.map(({ id, role }) => role === "voter" ? `${id}` : `${id}?`).join(" ");
}
