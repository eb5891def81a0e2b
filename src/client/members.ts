/**
 * The members of a cluster, as the client library gives them.
 *
 * @module
 */
import type { ClientResponseOf, Member } from "../../packraft/mod.ts";

/** A member of a cluster. */
export type ClusterMember = Member;

/** Where a member is found. */
export type MemberPlace = Pick<Member, "host" | "peerPort" | "clientPort">;

/** The members of a cluster, since the entry at `index`. */
export type ClusterMembers = Omit<ClientResponseOf<"MembersResponse">, "type">;

/** Whether a member is found at this place. */
export function isAt(
  member: ClusterMember | undefined,
  { host, peerPort, clientPort }: MemberPlace,
): boolean {
  return member?.host === host && member.peerPort === peerPort && member.clientPort === clientPort;
}
