/**
 * The client library.
 *
 * @module
 */
export { DraftyClient, type DraftyClientOptions } from "./client.ts";
export {
  ClientClosedError,
  ClientError,
  NoAnswerError,
  NoLeaderError,
  NoSpaceError,
  OutcomeUnknownError,
  RequestError,
  SessionLostError,
  UnreachableError,
} from "./errors.ts";
export {
  type ByteStream,
  type ClientPlatform,
  denoPlatform,
  nameOf,
  type ServerAddress,
} from "./platform.ts";
