/**
 * The client library.
 *
 * @module
 */
export {
  type ClusterMember,
  type ClusterMembers,
  DraftyClient,
  type DraftyClientOptions,
  type MemberPlace,
  type StaleRead,
} from "./client.ts";
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
