/**
 * How a benchmark starts nodes: from source, with the Deno that runs the benchmark.
 *
 * @module
 */
import { type CommandLine, commandOf } from "../src/cli/self.ts";

export function selfCommandOf(args: readonly string[]): CommandLine {
  const mainModule = new URL("../mod.ts", import.meta.url).href;
  return commandOf(args, { isCompiled: false, execPath: Deno.execPath(), mainModule });
}
