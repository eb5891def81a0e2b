/**
 * The application that the log is replicated for: a key-value store whose writes take effect once.
 *
 * @module
 */
export { ByteArena } from "./byte_arena.ts";
export {
  type Command,
  CommandEncoder,
  commandOf,
  decodeCommand,
  encodeCommand,
  type LoggedCommand,
} from "./command.ts";
export {
  MAX_CLIENTS,
  MAX_RESULTS_PER_CLIENT,
  type SessionLimits,
  Sessions,
  type WriteResult,
} from "./sessions.ts";
export { Store } from "./store.ts";
