/**
 * How to run this very program once more: from source, as one bundled script, or compiled.
 *
 * @module
 */

/** What the node of a demo needs, and no more. */
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write"];

/** A program and its arguments. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** The command line that runs drafty with `args`. */
export function selfCommand(args: readonly string[]): CommandLine {
  return commandOf(args, {
    isCompiled: Deno.build.standalone,
    execPath: Deno.execPath(),
    mainModule: Deno.mainModule,
  });
}

/** The same, of a program that runs as told by `how`. */
export function commandOf(
  args: readonly string[],
  how: { readonly isCompiled: boolean; readonly execPath: string; readonly mainModule: string },
): CommandLine {
  if (how.isCompiled) return { program: how.execPath, args };
  // An executable script holds all that it needs, and has no extension that would say what language it is in.
  const isScript = !/\.[cm]?[jt]s$/.test(new URL(how.mainModule).pathname);
  const scriptFlags = isScript ? ["--no-config", "--no-lock", "--ext=js"] : [];
  const run = ["run", "--quiet", "--no-prompt", ...PERMISSIONS, ...scriptFlags, how.mainModule];
  return { program: how.execPath, args: [...run, ...args] };
}
