/**
 * Registers tests that start processes. Where a permission or a program is missing the test is ignored, and the
 * reason is printed.
 *
 * @module
 */
import { straceProblem } from "./strace.ts";

const NEEDED = ["run", "net", "read", "write"] as const;

/** Why no processes can be started here, or undefined where they can. */
export const processProblem: string | undefined = await missingPermissions();

/** `Deno.test` for a test that needs real processes; `problem` says what is missing, if anything is. */
export function testOnProcesses(
  name: string,
  run: () => Promise<void>,
  problem: string | undefined = processProblem,
): void {
  if (problem !== undefined) console.warn(`ignored: ${name}: ${problem}`);
  Deno.test({ name, ignore: problem !== undefined, fn: run });
}

/** The same for a test that needs strace too. Resolves when it is known whether that works here. */
export async function testWithStrace(name: string, run: () => Promise<void>): Promise<void> {
  testOnProcesses(name, run, processProblem ?? await (straceAnswer ??= straceProblem()));
}

let straceAnswer: Promise<string | undefined> | undefined;

/**
 * A number from the environment: how often or how long a test repeats what is done once in the usual run. Without
 * the permission to look, the usual run it is.
 */
export async function countFromEnvironment(name: string, usual: number): Promise<number> {
  const { state } = await Deno.permissions.query({ name: "env", variable: name });
  const text = state === "granted" ? Deno.env.get(name) : undefined;
  if (text === undefined) return usual;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`${name}=${text} is not a count; give a whole number from 1`);
  }
  return count;
}

async function missingPermissions(): Promise<string | undefined> {
  const states = await Promise.all(NEEDED.map((name) => Deno.permissions.query({ name })));
  const missing = NEEDED.filter((_, at) => states[at]?.state !== "granted");
  return missing.length === 0 ? undefined : `needs --allow-${missing.join(" --allow-")}`;
}
