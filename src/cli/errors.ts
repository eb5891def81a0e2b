/**
 * How the command line says that something went wrong: one line, and an exit code.
 *
 * | code | means |
 * | --- | --- |
 * | 0 | done |
 * | 1 | no such key, or a condition that is not met |
 * | 2 | usage |
 * | 3 | configuration |
 * | 4 | data directory |
 * | 5 | corruption |
 * | 6 | I/O |
 * | 7 | identity |
 * | 8 | no leader, or no answer in time |
 * | 70 | a mistake in drafty itself |
 *
 * @module
 */

/** The command line makes no sense. The message says what would. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly exitCode = 2;
}

/** What must not happen: sysexits' "internal software error". */
const EXIT_INTERNAL = 70;

/** One line about an error, and the exit code that it asks for. Never a stack trace. */
export function endOfError(error: unknown): { readonly exitCode: number; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replaceAll(/\s*\n\s*/g, " ");
  if (error instanceof Error && "exitCode" in error && typeof error.exitCode === "number") {
    return { exitCode: error.exitCode, message: line };
  }
  if (error instanceof Deno.errors.NotCapable) {
    return { exitCode: EXIT_INTERNAL, message: `a permission is missing: ${line}` };
  }
  return { exitCode: EXIT_INTERNAL, message: `internal error, please report it: ${line}` };
}

/** "; did you mean status?", or nothing where no known name is near. */
export async function suggestion(name: string, known: readonly string[]): Promise<string> {
  // Only mistakes need it: a correct command line starts without it.
  const { closest, distance } = await import("fastest-levenshtein");
  if (known.length === 0) return "";
  const near = closest(name, known);
  return distance(name, near) <= Math.max(2, Math.floor(name.length / 2)) ? `; did you mean ${near}?` : "";
}
