/**
 * One node without its platform.
 *
 * @module
 */
export { Replica, type ReplicaOptions, type ReplicaOutput } from "./replica.ts";
export { DivergedError, MembersError } from "./errors.ts";
export type { ReplicaEvent } from "./events.ts";
export {
  sentenceOfEvent,
  sentenceOfPeerMessage,
  sentenceOfRequest,
  sentenceOfResponse,
} from "./sentences.ts";
