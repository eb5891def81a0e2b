/**
 * The time of the shortest call: `drafty --version`, the whole process.
 *
 * @module
 */
import { medianOf } from "../../src/bench/mod.ts";
import { build } from "../../tools/build.ts";
import type { Context, Figure } from "./figures.ts";

const RUNS = 21;

/** A program and its arguments. */
export type Call = readonly [program: string, ...args: string[]];

/** The medians of the times of some processes, which take turns. */
export async function callMs(calls: readonly Call[]): Promise<number[]> {
  const timesMs = calls.map((): number[] => []);
  for (let run = 0; run <= RUNS; run++) {
    for (const [at, [program, ...args]] of calls.entries()) {
      const command = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" });
      const beganMs = performance.now();
      const { success } = await command.output();
      const tookMs = performance.now() - beganMs;
      if (!success) throw new Error(`${[program, ...args].join(" ")} failed`);
      // The first finds its files on the disk.
      if (run > 0) timesMs[at]?.push(tookMs);
    }
  }
  return timesMs.map(medianOf);
}

/** Calls `use` with the executable, built for it. */
export async function withExecutable<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
  const folder = await Deno.makeTempDir({ prefix: "drafty-bench-" });
  try {
    await build(`${folder}/drafty`);
    return await use(`${folder}/drafty`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export async function measureVersion({ say }: Context): Promise<Figure[]> {
  say("building the executable");
  return await withExecutable(async (path) => {
    const [ms = NaN] = await callMs([[path, "--version"]]);
    return [{ name: "drafty --version, the whole process", value: ms, unit: "ms" }];
  });
}
