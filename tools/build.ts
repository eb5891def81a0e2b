/**
 * `deno task build`: makes `./drafty`, one executable file.
 *
 * `deno compile` makes it where the runtime for compiled programs can be had: it comes from Deno's own server unless
 * it is in the cache or named by DENORT_BIN. Where it cannot, the file is a script that carries the bundled program
 * and starts the Deno that built it, by its absolute path, else the one on the PATH.
 *
 * @module
 */
import { VERSION } from "../src/cli/version.ts";
import { PERMISSIONS } from "./permissions.ts";

const COMPILE_LIMIT_MS = 120_000;

if (import.meta.main) await build(Deno.args[0] ?? "drafty");

/** Builds `output`. Tells on stdout what it is. */
export async function build(output: string): Promise<void> {
  // A running node keeps its old file; writing into it would change the program under its feet.
  const unfinished = `${output}.unfinished`;
  const compiled = await run(["compile", "--quiet", ...PERMISSIONS, "--output", unfinished, "mod.ts"]);
  if (compiled.ok) {
    console.log(`${output}: compiled, needs nothing else on the machine`);
  } else {
    console.log(`deno compile is not possible here: ${reasonOf(compiled.stderr)}`);
    await writeScript(unfinished);
    console.log(`${output}: one file that carries the program and is run by ${Deno.execPath()}`);
  }
  await Deno.chmod(unfinished, 0o755);
  await Deno.rename(unfinished, output);
}

/** A file that is a shell script to the shell and a program to Deno: to the latter its head is two comments. */
async function writeScript(path: string): Promise<void> {
  const bundle = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const bundled = await run(["bundle", "--quiet", "--platform", "deno", "--output", bundle, "mod.ts"]);
    if (!bundled.ok) throw new Error(`deno bundle failed: ${bundled.stderr}`);
    const deno = Deno.execPath().replaceAll("'", `'\\''`);
    const flags = ["run", "--quiet", "--no-config", "--no-lock", "--no-prompt", ...PERMISSIONS, "--ext=js"];
    // To start Deno takes longer than all else that this question costs.
    const answer = `[ "$*" = --version ] && echo 'drafty ${VERSION}' && exit`;
    const start = `D='${deno}'; [ -x "$D" ] || D=deno; exec "$D" ${flags.join(" ")} "$0" "$@"`;
    await Deno.writeTextFile(
      path,
      `#!/bin/sh\n//bin/true; ${answer}; ${start}\n${withLazyRequire(await Deno.readTextFile(bundle))}`,
    );
  } finally {
    await Deno.remove(bundle);
  }
}

/**
 * The bundler's `require` loads Deno's whole Node layer when the program starts, for a table that most calls never draw.
 * This one loads a module when it is asked for: it halves the time of `drafty --version`.
 */
function withLazyRequire(bundle: string): string {
  return bundle
    .replace(/^import \{ createRequire as __deno_internal_createRequire \} from "node:module";\n/m, "")
    .replace("__deno_internal_createRequire(import.meta.url)", "(name) => process.getBuiltinModule(name)");
}

async function run(args: string[]): Promise<{ ok: boolean; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(COMPILE_LIMIT_MS),
  });
  const { success, stderr } = await child.output();
  return { ok: success, stderr: new TextDecoder().decode(stderr) };
}

/** The most telling line of Deno's complaint. */
function reasonOf(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.find((line) => line.includes("denort")) ?? lines[0] ?? "no reason was given";
}
