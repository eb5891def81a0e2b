/**
 * The codec and the abstracted server alone, as `deno bench` measures them.
 *
 * @module
 */
import type { Context, Figure } from "./figures.ts";

const FILES = ["codec_bench.ts", "server_bench.ts"];

/** What `deno bench --json` gives, as far as it is used here. */
interface BenchReport {
  readonly benches: readonly {
    readonly name: string;
    readonly results: readonly { readonly ok?: { readonly avg: number } }[];
  }[];
}

export async function measureMicro({ say }: Context): Promise<Figure[]> {
  say(FILES.join(", "));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "--quiet", "--no-check", "--allow-all", "--json", ...FILES.map(pathOf)],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(`deno bench failed: ${new TextDecoder().decode(stderr)}`);
  const { benches } = JSON.parse(new TextDecoder().decode(stdout)) as BenchReport;
  return benches.flatMap(({ name, results }) => {
    const ok = results[0]?.ok;
    if (ok === undefined) throw new Error(`${name} failed`);
    return [{ name, value: ok.avg / 1_000, unit: "µs" as const }];
  });
}

function pathOf(file: string): string {
  return new URL(`../${file}`, import.meta.url).pathname;
}
