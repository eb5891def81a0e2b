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

const counts = { passed: 0, failed: 0, ignored: 0 };
let isGood = true;
for (const { name, args } of STAGES) {
  console.log(`\n== ${name}`);
  const success = await runStage(args);
  isGood &&= success;
}
// A stage can fail without a failed test: a file that does not compile, say.
if (!isGood && counts.failed === 0) counts.failed = 1;
if (counts.ignored > 0) console.log(`\n${counts.ignored} skipped; each says why above`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
Deno.exit(isGood ? 0 : 1);

/** Runs one `deno test`, shows what it prints, and adds up what it counts. */
async function runStage(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-prompt", ...args],
    env: { DRAFTY_SEEDS: Deno.env.get("DRAFTY_SEEDS") ?? "2000", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  const summary = /(\d+) passed[^|]*\| (\d+) failed(?:[^|]*\| (\d+) ignored)?/.exec(text);
  counts.passed += Number(summary?.[1] ?? 0);
  counts.failed += Number(summary?.[2] ?? 0);
  counts.ignored += Number(summary?.[3] ?? 0);
  return (await child.status).success;
}

function foldersOf(parent: string, without: readonly string[]): string[] {
  return [...Deno.readDirSync(parent)]
    .filter((entry) => !without.includes(entry.name))
    .map((entry) => `${parent}/${entry.name}`).sort();
}
