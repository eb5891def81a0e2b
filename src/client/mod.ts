/**
 * The client library.
 *
 * @module
 */
export { DraftyClient, type DraftyClientOptions, type StaleRead } from "./client.ts";
export type { ClusterMember, ClusterMembers, MemberPlace } from "./members.ts";
export {
  ClientClosedError,
  ClientError,
  NoAnswerError,
  NoLeaderError,
  NoSpaceError,
  OutcomeUnknownError,
  RequestError,
  SessionLostError,
  TransferFailedError,
  UnreachableError,
} from "./errors.ts";
export {
  type ByteStream,
  type ClientPlatform,
  denoPlatform,
  nameOf,
  type ServerAddress,
} from "./platform.ts";
