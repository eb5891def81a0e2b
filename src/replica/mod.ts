/**
 * One node without its platform.
 *
 * @module
 */
export { type ClientAddress, Replica, type ReplicaOptions, type ReplicaOutput } from "./replica.ts";
export { MembersError } from "./errors.ts";
export type { ReplicaEvent } from "./events.ts";
export {
  sentenceOfEvent,
  sentenceOfPeerMessage,
  sentenceOfRequest,
  sentenceOfResponse,
} from "./sentences.ts";
