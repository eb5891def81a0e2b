/**
 * `drafty bench` as people and programs call it.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LatencyHistogram, type LoadFigures } from "../../src/bench/mod.ts";
import { blockOf, jsonOfFigures, tableOf } from "../../src/cli/bench_report.ts";
import { commandOf } from "../../src/cli/self.ts";
import { freePorts } from "../../src/driver/free_ports.ts";
import { permitted, run } from "./capture.ts";

const { isAllowed, named } = await permitted("net", "read", "write", "run");
const MAIN_MODULE = new URL("../../mod.ts", import.meta.url).href;
const JSON_KEYS = [
  "workload",
  "inflight",
  "per_s",
  "p50_ms",
  "p99_ms",
  "max_ms",
  "errors",
  "limit_ms",
  "ratio_to_limit",
];

const MISTAKES: readonly (readonly [args: string, line: string])[] = [
  ["--putt", "unknown option --putt; did you mean --put?"],
  ["--in-flight 16", "unknown option --in-flight; did you mean --inflight?"],
  ["now", 'unexpected "now"; bench takes options only'],
  ["--inflight 0", "--inflight 0 is not a whole number from 1 to 16384"],
  ["--inflight 1,,2", "--inflight  is not a whole number from 1 to 16384"],
  ["--inflight 1e3", "--inflight 1e3 is not a whole number from 1 to 16384"],
  ["--inflight", "--inflight needs a value: --inflight N[,N...]"],
  ["--connections 0", "--connections 0 is not a whole number from 1 to 1024"],
  [
    "--put --inflight 16,4096 --connections 2",
    "--connections 2 is too few for 4096 writes in flight, of which one carries 1024; give at least 4",
  ],
  ["--value-bytes 1048577", "--value-bytes 1048577 is not a whole number from 0 to 1048576"],
  ["--keys 0", "--keys 0 is not a whole number from 1 to 100000000"],
  [
    "--seconds 0",
    "--seconds 0 is not a number of seconds from 0.1 to 86400; give one such as 5 or 0.5",
  ],
  [
    "--seconds 5s",
    "--seconds 5s is not a number of seconds from 0.1 to 86400; give one such as 5 or 0.5",
  ],
  [
    "--server 127.0.0.1:9001,nowhere",
    "--server nowhere is not an address; give HOST:PORT, such as 127.0.0.1:9001 or [::1]:9001",
  ],
  ["--put --put", "--put is given twice; give it once"],
];

for (const [args, line] of MISTAKES) {
  Deno.test(`drafty bench ${args}: exit 2 and a line that says what is wrong`, async () => {
    assertEquals(await run("bench", ...args.split(" ")), { exitCode: 2, out: "", err: `drafty: ${line}\n` });
  });
}

Deno.test({
  name: named("drafty bench with a cluster that is not there: exit 8 and a line that names the address"),
  ignore: !isAllowed,
  async fn() {
    const [port] = freePorts("127.0.0.1", 1);
    const { exitCode, out, err } = await run("bench", "--server", `127.0.0.1:${port}`, "--json");
    assertEquals([exitCode, out], [8, ""]);
    assertMatch(err, new RegExp(`^drafty: .*127\\.0\\.0\\.1:${port}.*\\n$`));
  },
});

Deno.test({
  name: named(
    "drafty bench --json prints one object for each load of a cluster of its own, and removes that",
  ),
  ignore: !isAllowed,
  async fn() {
    await inTempDirectory(async (folder) => {
      const args = ["--mixed", "--inflight", "1,32", "--keys", "50", "--seconds", "0.3", "--json"];
      const child = bench(folder, args);
      const { code, stdout, stderr } = await child.output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      const lines = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
      assertEquals(lines.map(({ workload, inflight, errors }) => [workload, inflight, errors]), [
        ["mixed", 1, 0],
        ["mixed", 32, 0],
      ]);
      for (const line of lines) {
        assertEquals(Object.keys(line), JSON_KEYS);
        assert(line.per_s > 0 && line.p50_ms > 0 && line.limit_ms > 0 && line.ratio_to_limit > 0);
        assert(line.p50_ms <= line.p99_ms && line.p99_ms <= line.max_ms);
      }
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  },
});

Deno.test({
  name: named("drafty bench that is interrupted leaves no process and no folder, exit 130"),
  ignore: !isAllowed,
  async fn() {
    await inTempDirectory(async (folder) => {
      const child = bench(folder, ["--put", "--seconds", "60"]);
      const errors = child.stderr.pipeThrough(new TextDecoderStream()).values();
      const complaints = Array.fromAsync(errors);
      let out = "";
      // The first lines are printed when the cluster serves.
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        if (out === "") child.kill("SIGINT");
        out += text;
      }
      assertEquals([(await child.status).code, (await complaints).join("")], [130, ""]);
      assertStringIncludes(out, "three nodes on this machine");
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  },
});

Deno.test("what drafty bench prints for people has the figures, a picture and the multiple of the limit", () => {
  const figures = figuresOf([0.5, 1, 1, 1, 2, 40]);
  const limits = { syncMs: 0.15, exchangeMs: 0.1 };
  const workload = { work: "put", inflight: 16, connections: 4 } as const;
  assertEquals(
    blockOf(figures, workload, limits),
    `put, 16 in flight over 4 connections
  12,346/s   p50 1.00 ms   p90 40.0 ms   p99 40.0 ms   max 40.0 ms   2 errors
  p50 is 4.0 times the machine's limit
  the first error: no answer in 10000 ms
  0.500 ms │█████████████▍ 16.7 %
  0.700 ms │
   1.00 ms │████████████████████████████████████████ 50.0 %
   1.50 ms │
   2.00 ms │█████████████▍ 16.7 %
   3.00 ms │
   5.00 ms │
   7.00 ms │
   10.0 ms │
   15.0 ms │
   20.0 ms │
   30.0 ms │█████████████▍ 16.7 %

`,
  );
  const table = tableOf([{ figures, workload }], limits, false);
  assertMatch(table, /│ put +│ +16 │ +4 │ +12,346 │ +1\.00 ms │.* 2 │ +4\.0 │/);
});

Deno.test("the --json of a load that nothing answered has null for what cannot be said", () => {
  const figures = { ...figuresOf([]), perSecond: 0 };
  assertEquals(JSON.parse(jsonOfFigures(figures, { syncMs: 0.15, exchangeMs: 0.1 })), {
    workload: "put",
    inflight: 16,
    per_s: 0,
    p50_ms: null,
    p99_ms: null,
    max_ms: null,
    errors: 2,
    limit_ms: 0.25,
    ratio_to_limit: null,
  });
});

function figuresOf(latenciesMs: readonly number[]): LoadFigures {
  const latencies = new LatencyHistogram();
  for (const ms of latenciesMs) latencies.add(ms);
  return {
    work: "put",
    inflight: 16,
    perSecond: 12_345.678,
    latencies,
    errors: 2,
    firstError: "no answer in 10000 ms",
  };
}

/** `drafty bench` as a process of its own, with its temporary files in `folder`. */
function bench(folder: string, args: readonly string[]): Deno.ChildProcess {
  const command = commandOf(["bench", ...args], {
    isCompiled: false,
    execPath: Deno.execPath(),
    mainModule: MAIN_MODULE,
  });
  return new Deno.Command(command.program, {
    // It starts nodes, which a node may not.
    args: command.args.flatMap((arg) => arg === "--allow-net" ? [arg, "--allow-run", "--allow-env"] : [arg]),
    env: { TMPDIR: folder, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function inTempDirectory(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "drafty-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
