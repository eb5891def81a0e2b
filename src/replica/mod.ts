/**
 * One node without its platform.
 *
 * @module
 */
export {
  type ClientAddress,
  type DurableLog,
  Replica,
  type ReplicaOptions,
  type ReplicaOutput,
} from "./replica.ts";
export {
  sentenceOfEvent,
  sentenceOfPeerMessage,
  sentenceOfRequest,
  sentenceOfResponse,
} from "./sentences.ts";
