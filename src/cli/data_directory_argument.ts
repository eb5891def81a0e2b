/**
 * The argument of commands that look into a data directory.
 *
 * @module
 */
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./errors.ts";

/** The one argument of `drafty COMMAND DIR`, without a slash at its end. */
export function directoryOf(command: string, given: Arguments): string {
  const [directory, extra] = given.positionals;
  if (directory === undefined || directory === "") {
    throw new UsageError(`${command} needs a node's data directory: drafty ${command} data/1`);
  }
  if (extra !== undefined) {
    throw new UsageError(
      `${command} takes one directory; "${extra}" is one too many: drafty ${command} data/1`,
    );
  }
  return directory.length > 1 ? directory.replace(/\/+$/, "") || "/" : directory;
}
