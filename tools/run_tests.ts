/**
 * `deno task test`: runs all tests with all that they can use, and ends with one line that counts them:
 * `N passed, N failed`.
 *
 * @module
 */

/** Tests that only compute share the processors; those that start processes and watch clocks run one by one after them. */
const STAGES = [
  {
    name: "the parts",
    args: [
      "--parallel",
      "--doc",
      "packraft",
      "src",
      "mod.ts",
      ...foldersOf("tests", ["end_to_end", "chaos", "sim", "cli", "driver"]),
    ],
  },
  { name: "the simulator", args: ["tests/sim"] },
  { name: "real processes", args: ["tests/driver", "tests/cli", "tests/end_to_end", "tests/chaos"] },
];

/** How many characters of a stage's failures are said again. */
const MAX_REPEATED = 8_000;

const counts = { passed: 0, failed: 0, ignored: 0 };
/** What the stages said of their failures: said again at the end, where whoever has only the last lines finds it. */
const failures: string[] = [];
let isGood = true;
for (const { name, args } of STAGES) {
  console.log(`\n== ${name}`);
  const success = await runStage(args);
  isGood &&= success;
}
for (const failure of failures) console.log(`\n${failure}`);
if (counts.ignored > 0) console.log(`\n${counts.ignored} skipped; each says why above`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
Deno.exit(isGood ? 0 : 1);

/** Runs one `deno test`, shows what it prints, and adds up what it counts. */
async function runStage(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-prompt", ...args],
    env: { DRAFTY_SEEDS: Deno.env.get("DRAFTY_SEEDS") ?? "2000", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [text, errors] = await Promise.all([
    shown(child.stdout, Deno.stdout),
    shown(child.stderr, Deno.stderr),
  ]);
  const { success } = await child.status;
  const summary = /(\d+) passed[^|]*\| (\d+) failed(?:[^|]*\| (\d+) ignored)?/.exec(text);
  const failed = Number(summary?.[2] ?? 0);
  counts.passed += Number(summary?.[1] ?? 0);
  counts.ignored += Number(summary?.[3] ?? 0);
  // A stage can fail without a failed test: an example that does not compile, say. None of its tests has run then.
  counts.failed += success ? failed : Math.max(1, failed);
  const errorsAt = text.lastIndexOf("\n ERRORS \n");
  if (!success) {
    failures.push(errorsAt < 0 ? errors.slice(-MAX_REPEATED) : text.slice(errorsAt).slice(0, MAX_REPEATED));
  }
  return success;
}

/** Hands a stream on as it comes, and gives all of it at the end. */
async function shown(
  stream: ReadableStream<Uint8Array>,
  to: { write(bytes: Uint8Array): Promise<number> },
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    await to.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function foldersOf(parent: string, without: readonly string[]): string[] {
  return [...Deno.readDirSync(parent)]
    .filter((entry) => !without.includes(entry.name))
    .map((entry) => `${parent}/${entry.name}`).sort();
}
