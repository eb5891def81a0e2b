/**
 * The client library.
 *
 * @module
 */
export { DraftyClient, type DraftyClientOptions } from "./client.ts";
export type { ServerAddress } from "./decisions.ts";
export {
  ClientError,
  NoAnswerError,
  NoLeaderError,
  OutcomeUnknownError,
  RequestError,
  UnreachableError,
} from "./errors.ts";
