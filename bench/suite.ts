/**
 * `deno task bench`: everything that is measured, in one run.
 *
 *     deno task bench [--only NAME[,NAME]] [--seconds 3] [--rounds 1] [--etcd] [--out FILE.json]
 *                     [--entries 1000000] [--kills 50] [--seeds 200] [--list]
 *
 * The results go to `bench/results/DATE.json` and, as tables, to a Markdown file beside it; the tables are printed too.
 * What is under way goes to stderr. `docs/benchmarks.md` says what each figure means.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import type { Context, Figure, Part } from "./suite/figures.ts";
import { ETCD_PART, PARTS } from "./suite/parts.ts";
import { fileNameOf, machineOf, markdownOf, type PartResult, partResultOf } from "./suite/results.ts";
import { countOf } from "./transfer.ts";

const RESULTS = new URL("results/", import.meta.url).pathname;
const NUMBERS = { seconds: 3, rounds: 1, entries: 1_000_000, kills: 50, seeds: 200 } as const;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

type Settings = Readonly<Record<keyof typeof NUMBERS, number>> & {
  readonly parts: readonly Part[];
  readonly outPath: string;
  readonly isList: boolean;
};

class UsageError extends Error {}

function settingsOf(args: readonly string[]): Settings {
  const given = parseArgs([...args], {
    string: ["only", "out", ...Object.keys(NUMBERS)],
    boolean: ["etcd", "list"],
    unknown: (argument: string) => {
      throw new UsageError(`unknown argument ${argument}; see the head of bench/suite.ts`);
    },
  });
  const known = [...PARTS, ETCD_PART];
  const names = typeof given.only === "string" ? given.only.split(",") : PARTS.map(({ name }) => name);
  const unknown = names.find((name) => !known.some((part) => part.name === name));
  if (unknown !== undefined) {
    throw new UsageError(
      `--only ${unknown} is no part; give some of ${known.map(({ name }) => name).join(", ")}`,
    );
  }
  const isWanted = ({ name }: Part) =>
    names.includes(name) || (name === ETCD_PART.name && given.etcd === true);
  const numbers = Object.entries(NUMBERS).map(([name, usual]) => [name, countOf(name, given[name], usual)]);
  const out = typeof given.out === "string" ? given.out : RESULTS + fileNameOf(new Date());
  if (!out.endsWith(".json")) throw new UsageError(`--out ${out}: give the name of a .json file`);
  return {
    ...Object.fromEntries(numbers) as Record<keyof typeof NUMBERS, number>,
    parts: known.filter(isWanted),
    outPath: out,
    isList: given.list === true,
  };
}

/** Round after round, each with all parts: what disturbs the machine for a while then disturbs all of them. */
async function runAll(settings: Settings, say: (text: string) => void): Promise<PartResult[]> {
  const { parts, rounds } = settings;
  const figures = new Map<Part, Figure[][]>(parts.map((part) => [part, []]));
  const problems = new Map<Part, string>();
  for (const part of parts) {
    const problem = await part.problem?.();
    if (problem === undefined) continue;
    problems.set(part, `skipped: ${problem}`);
    say(`${part.name}: skipped, ${problem}`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const part of parts) {
      if (problems.has(part) || (part.isOnce === true && round > 0)) continue;
      const where = `${rounds > 1 ? `round ${round + 1} of ${rounds}, ` : ""}${part.name}`;
      const context: Context = { ...settings, round, say: (text) => say(`${where}: ${text}`) };
      try {
        figures.get(part)?.push(await part.run(context));
      } catch (error) {
        // The others are worth having all the same.
        const reason = error instanceof Error ? error.message : String(error);
        problems.set(part, `failed: ${reason.split("\n")[0]}`);
        say(`${where} failed: ${reason}`);
      }
    }
  }
  return parts.map((part) => partResultOf(part, figures.get(part) ?? [], problems.get(part)));
}

/** As the formatter of the project wants it. */
async function format(paths: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", ...paths],
    stdin: "null",
  }).output();
  if (!success) console.error(new TextDecoder().decode(stderr));
}

async function main(): Promise<number> {
  const settings = settingsOf(Deno.args);
  const { parts, seconds, rounds, entries, outPath, isList } = settings;
  if (isList) {
    for (const { name, says } of [...PARTS, ETCD_PART]) console.log(`${name.padEnd(14)} ${says}`);
    return 0;
  }
  const say = (text: string) =>
    console.error(`${(performance.now() / 1_000).toFixed(1).padStart(7)} s  ${text}`);
  say(`${parts.map(({ name }) => name).join(", ")}; ${rounds} × ${seconds} s a load`);
  const before = Deno.loadavg()[0] ?? NaN;
  const date = new Date().toISOString();
  const partResults = await runAll(settings, say);
  const loadAverage = [before, Deno.loadavg()[0] ?? NaN] as const;
  const results = { date, machine: machineOf(), seconds, rounds, entries, loadAverage, parts: partResults };
  const markdown = markdownOf(results);
  const markdownPath = outPath.replace(/\.json$/, ".md");
  if (outPath.startsWith(RESULTS)) await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(outPath, JSON.stringify(results, null, 2) + "\n");
  await Deno.writeTextFile(markdownPath, markdown);
  await format([outPath, markdownPath]);
  console.log(markdown);
  say(`written to ${outPath} and ${markdownPath}`);
  return partResults.some(({ problem }) => problem?.startsWith("failed")) ? EXIT_FAILED : 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof RangeError)) throw error;
    console.error(error.message);
    Deno.exit(EXIT_USAGE);
  }
}
