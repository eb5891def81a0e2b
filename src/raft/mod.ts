/**
 * The abstracted server: what Raft decides, without anything that it decides it with.
 *
 * ```ts
 * import { decodeMembers, encodeMembers } from "../../packraft/mod.ts";
 * import { NOTHING_RECOVERED, RaftServer } from "./mod.ts";
 *
 * const address = { host: "127.0.0.1", peerPort: 8001, clientPort: 9001 };
 * const self = { id: 1, ...address, role: "voter", admission: 0 } as const;
 * const server = new RaftServer(
 *   {
 *     id: 1,
 *     configuration: { index: 0, term: 0, members: [self] },
 *     codec: { encode: encodeMembers, decode: decodeMembers },
 *     heartbeatMs: 30,
 *     electionTimeoutMs: { min: 180, max: 360 },
 *     maxAppendBytes: 1 << 20,
 *     keptLogBytes: 1 << 23,
 *     maxInflightAppends: 16,
 *     maxInflightBytes: 1 << 24,
 *     random: () => 0.5,
 *   },
 *   NOTHING_RECOVERED,
 *   0,
 * );
 * server.step({ kind: "time", nowMs: 1000 });
 * const { persist } = server.ready(); // its vote for itself, to be made durable
 * if (persist === undefined) throw new Error("unreachable");
 * server.step({ kind: "persisted", sequence: persist.sequence });
 * if (server.view().role !== "leader") throw new Error("unreachable");
 * ```
 *
 * @module
 */
export * from "./types.ts";
export { isSameAddress, shownAddress } from "./membership.ts";
export { type Conflict, type LogEnd, RAFT_RULES, type Rules } from "./rules.ts";
export { RaftServer, type RaftView } from "./server.ts";
