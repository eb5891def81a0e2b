/**
 * One seed, one run: byte for byte, in one process and in two.
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import { runSeed } from "../../src/sim/run.ts";
import { runScenario, SCENARIOS } from "../../src/sim/scenarios/mod.ts";
import { permitted } from "../cli/capture.ts";

const { isAllowed, named } = await permitted("run", "read", "write");
const MOD_PATH = new URL("../../mod.ts", import.meta.url).pathname;

Deno.test("runSeed() gives the same trace on two runs", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const [first, second] = [runSeed({ seed }), runSeed({ seed })];
    assertEquals(second.traceHash, first.traceHash, `drafty sim --seed ${seed}`);
    assertEquals(second, first);
  }
});

Deno.test("runSeed() gives the same trace whether it is written down or not, down to the sentences", () => {
  const silent = runSeed({ seed: 3 });
  const [first, second] = [runSeed({ seed: 3, records: true }), runSeed({ seed: 3, records: true })];
  assertEquals(first.traceHash, silent.traceHash);
  assertEquals(second.lines, first.lines);
});

Deno.test("runSeed() gives another trace for another seed", () => {
  const hashes = Array.from(
    { length: 12 },
    (_, seed) => runSeed({ seed, override: { safetyMs: 3_000 } }).traceHash,
  );
  assertEquals(new Set(hashes).size, hashes.length);
});

Deno.test("runSeed() gives another trace when one fault is left out", () => {
  const whole = runSeed({ seed: 2 });
  const { settings: override, plan } = whole;
  assertEquals(runSeed({ seed: 2, override, plan }).traceHash, whole.traceHash);
  // Not an operator's wish, which may be one that nobody can fulfil.
  const cut = plan.findIndex(({ fault }) => fault.kind === "powerCut");
  const without = plan.filter((_, at) => at !== cut);
  assertNotEquals(runSeed({ seed: 2, override, plan: without }).traceHash, whole.traceHash);
});

Deno.test("runScenario() gives the same trace on two runs", () => {
  for (const scenario of SCENARIOS) {
    assertEquals(runScenario(scenario, 7).traceHash, runScenario(scenario, 7).traceHash, scenario.name);
  }
});

Deno.test({
  name: named("drafty sim --trace writes the same bytes in two processes"),
  ignore: !isAllowed,
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      // Two processes differ in their hash seeds, their addresses and their time of day.
      const traces = await Promise.all([1, 2].map((i) => traceOf(8, `${directory}/${i}.txt`)));
      assertEquals(traces[1], traces[0]);
      const { traceHash } = runSeed({ seed: 8 });
      assertEquals(traces[0]?.trimEnd().split("\n").at(-1), `trace hash ${traceHash}`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function traceOf(seed: number, path: string): Promise<string> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-all",
      MOD_PATH,
      "sim",
      "--seed",
      `${seed}`,
      "--trace",
      path,
      "--json",
    ],
    stdout: "null",
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  return await Deno.readTextFile(path);
}
