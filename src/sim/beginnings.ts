/**
 * Where simulated nodes are found, and the members that a simulated cluster begins with.
 *
 * @module
 */
import { decodeMembers, encodeMembers } from "../../packraft/mod.ts";
import type { Configuration, Member, MemberAddress, MembersCodec, NodeId } from "../raft/mod.ts";

export const MEMBERS_CODEC: MembersCodec = { encode: encodeMembers, decode: decodeMembers };

/** A machine is found at its port; it gets another when it moves. */
export function addressAt(port: number): MemberAddress {
  return { host: "sim", peerPort: port, clientPort: port + 30_000 };
}

/** Where a machine is before it ever moves. */
export function firstPort(node: NodeId): number {
  return 1_000 * node;
}

/** The members of a new cluster: nodes 1 to `count`, all voters. */
export function beginningOf(count: number): Configuration {
  const members = Array.from({ length: count }, (_, i): Member => (
    { id: i + 1, ...addressAt(firstPort(i + 1)), role: "voter", admission: 0 }
  ));
  return { index: 0, term: 0, members };
}
