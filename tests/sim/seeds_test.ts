/**
 * The gate: many seeds with all faults, on all processors, and nothing may break. `DRAFTY_SEEDS` says how many.
 */
import { assert, assertEquals } from "@std/assert";
import { permitted } from "../cli/capture.ts";

const { isAllowed, named } = await permitted("run", "read");
const MOD_PATH = new URL("../../mod.ts", import.meta.url).pathname;
const DEFAULT_SEEDS = 300;
const FIRST_SEED = 1;

/** What must have happened at least once, or the run proves nothing. */
const FAULT_KINDS = [
  "partition",
  "cut",
  "clog",
  "kill",
  "powerCut",
  "cutInOperation",
  "pause",
  "clockStep",
  "clockDrift",
  "diskStall",
  "diskError",
  "diskFull",
  "bitFlip",
  "wipe",
  "addMember",
  "removeMember",
  "moveMember",
  "transfer",
  "lost",
  "duplicated",
  "straggled",
  "disk loseSector",
  "disk loseTail",
  "disk shortWrite",
];

interface Report {
  readonly seeds: number;
  readonly failures: readonly { readonly seed: number; readonly invariant: string }[];
  readonly simulated_ms: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly operations: number;
}

const seeds = await seedCount();

Deno.test({
  name: named(`drafty sim holds all promises on ${seeds} seeds`),
  ignore: !isAllowed,
  fn: async () => {
    const startMs = performance.now();
    const shares = sharesOf(seeds, Math.min(2, navigator.hardwareConcurrency));
    const reports = await Promise.all(shares.map(({ first, count }) => reportOf(first, count)));
    const seconds = (performance.now() - startMs) / 1_000;
    const faults: Record<string, number> = {};
    for (const report of reports) {
      for (const [kind, count] of Object.entries(report.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    }
    const sum = (count: (report: Report) => number) =>
      reports.reduce((total, each) => total + count(each), 0);
    const simulatedSeconds = sum((report) => report.simulated_ms) / 1_000;
    console.log(
      `${seeds} seeds in ${seconds.toFixed(1)} s: ${(seeds / seconds).toFixed(1)} seeds/s, ` +
        `${(simulatedSeconds / 3_600).toFixed(1)} h simulated, ` +
        `${Math.round(simulatedSeconds / seconds)} times real time, ${
          sum((report) => report.operations)
        } operations`,
    );
    console.log(
      Object.entries(faults).filter(([, count]) => count > 0).map(([kind, n]) => `${kind} ${n}`).join(", "),
    );

    const failures = reports.flatMap((report) => report.failures);
    const told = failures.map(({ seed, invariant }) => `${invariant}: drafty sim --seed ${seed}`);
    assertEquals(told, []);
    assertEquals(sum((report) => report.seeds), seeds);
    if (seeds >= DEFAULT_SEEDS) assertEquals(FAULT_KINDS.filter((kind) => !faults[kind]), []);
    assert(sum((report) => report.operations) > seeds);
  },
});

async function seedCount(): Promise<number> {
  const state = (await Deno.permissions.query({ name: "env", variable: "DRAFTY_SEEDS" })).state;
  const given = state === "granted" ? Deno.env.get("DRAFTY_SEEDS") : undefined;
  const count = Number(given ?? DEFAULT_SEEDS);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`DRAFTY_SEEDS=${given} is not a number of seeds`);
  }
  return count;
}

function sharesOf(total: number, parts: number): { first: number; count: number }[] {
  const size = Math.ceil(total / parts);
  return Array.from({ length: parts }, (_, i) => (
    { first: FIRST_SEED + i * size, count: Math.min(size, total - i * size) }
  )).filter(({ count }) => count > 0);
}

async function reportOf(first: number, count: number): Promise<Report> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-all",
      MOD_PATH,
      "sim",
      "--seed",
      `${first}`,
      "--seeds",
      `${count}`,
      "--json",
    ],
  }).output();
  const decoder = new TextDecoder();
  assert(code <= 1, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout)) as Report;
}
