/**
 * How long a cluster acknowledges no write while its leadership is handed over: the longest time between two successive
 * acknowledgements, from the request to another node's leading, under a steady load. Three nodes on loopback, default
 * settings, the default client.
 *
 *     deno run -A bench/transfer.ts [--runs 50] [--clients 4] [--in-flight 4] [--json]
 *
 * `--in-flight` is for each client: by default 16 writes are under way at any time. Beside the gaps stand those of spans
 * of the same length in which nothing happened: a machine that is busy with other things has gaps of its own.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import Table from "cli-table3";
import type { DraftyClient } from "../src/client/mod.ts";
import { TestCluster } from "../tests/chaos/cluster.ts";
import type { Acknowledged } from "../tests/chaos/stored_logs.ts";
import { sleep } from "../tests/chaos/waiting.ts";

const DEFAULT_RUNS = 50;
const DEFAULT_CLIENTS = 4;
const DEFAULT_IN_FLIGHT = 4;
/** What runs first runs unoptimised, in the clients as in the nodes. */
const WARM_UP_MS = 2_000;
/** Between two transfers: the writes flow again. */
const CALM_MS = 300;
/** A write that was refused in a transfer is acknowledged by then, or the gap goes on and is seen all the same. */
const AFTERMATH_MS = 200;

/** A write that a client was told is done. */
interface TimedWrite {
  readonly beganMs: number;
  readonly ackMs: number;
}

/** Clients that put one value after the other, each loop under a key of its own, until they are stopped. */
export class SteadyWriters implements AsyncDisposable {
  /** In the order in which clients were told. */
  readonly acknowledged: Acknowledged[] = [];
  /** The same, and when. */
  readonly times: TimedWrite[] = [];
  /** Writes that were not acknowledged, a sentence each. There must be none. */
  readonly failures: string[] = [];

  readonly #clients: readonly DraftyClient[];
  readonly #loops: Promise<unknown>;
  #isStopped = false;

  constructor(cluster: TestCluster, clientCount: number, inFlightPerClient = 1) {
    this.#clients = Array.from({ length: clientCount }, () => cluster.client());
    this.#loops = Promise.all(
      this.#clients.flatMap((client, at) =>
        Array.from({ length: inFlightPerClient }, (_, loop) => this.#run(client, `writer-${at}-${loop}`))
      ),
    );
  }

  /** Of what was acknowledged in the time given, by default in all of it. */
  slowestMs(fromMs = -Infinity, toMs = Infinity): number {
    const within = this.times.filter(({ ackMs }) => ackMs >= fromMs && ackMs <= toMs);
    return within.reduce((slowest, { beganMs, ackMs }) => Math.max(slowest, ackMs - beganMs), 0);
  }

  /** The longest time without an acknowledgement, counted from `fromMs` on, that begins up to `toMs`. */
  longestGapMs(fromMs: number, toMs: number): number {
    let longestMs = 0;
    for (const [at, { ackMs }] of this.times.entries()) {
      const beforeMs = this.times[at - 1]?.ackMs ?? ackMs;
      if (ackMs < fromMs || beforeMs > toMs) continue;
      longestMs = Math.max(longestMs, ackMs - Math.max(beforeMs, fromMs));
    }
    return longestMs;
  }

  /** What each key must hold: what was acknowledged last. */
  lastValues(): Map<string, string> {
    return new Map(this.acknowledged.map(({ key, value }) => [key, value]));
  }

  /** Lets each write that is under way end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loops;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const client of this.#clients) client.close();
  }

  async #run(client: DraftyClient, key: string): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const beganMs = performance.now();
      const value = `${count}`;
      try {
        const { index } = await client.put(key, value);
        this.times.push({ beganMs, ackMs: performance.now() });
        this.acknowledged.push({ kind: "put", key, value, index });
      } catch (error) {
        const tookMs = Math.round(performance.now() - beganMs);
        this.failures.push(`${key} = ${value} failed after ${tookMs} ms: ${error}`);
        await sleep(CALM_MS);
      }
    }
  }
}

interface Measured {
  /** The longest time without an acknowledgement, for each transfer. */
  readonly gapsMs: number[];
  /** The same for spans without one. */
  readonly calmGapsMs: number[];
  /** From the request to the answer that another node leads. */
  readonly answersMs: number[];
  readonly slowestWriteMs: number;
  readonly writesPerSecond: number;
}

/** Hands the leadership over `runs` times, to whichever node the leader picks. */
export async function measureTransfers(
  runs: number,
  clientCount: number,
  inFlightPerClient: number,
): Promise<Measured> {
  await using cluster = await TestCluster.start();
  using operator = cluster.client();
  await using writers = new SteadyWriters(cluster, clientCount, inFlightPerClient);
  await sleep(WARM_UP_MS);
  const spans: { readonly fromMs: number; readonly toMs: number }[] = [];
  const calmSpans: typeof spans = [];
  const answersMs: number[] = [];
  const startMs = performance.now();
  for (let run = 0; run < runs; run++) {
    await sleep(CALM_MS);
    const fromMs = performance.now();
    await operator.transfer();
    const answeredMs = performance.now();
    await sleep(AFTERMATH_MS);
    spans.push({ fromMs, toMs: performance.now() });
    answersMs.push(answeredMs - fromMs);
    await sleep(CALM_MS);
    const calmMs = performance.now();
    await sleep(AFTERMATH_MS + answeredMs - fromMs);
    calmSpans.push({ fromMs: calmMs, toMs: performance.now() });
  }
  const endMs = performance.now();
  await writers.stop();
  if (writers.failures.length > 0) throw new Error(writers.failures.join("\n"));
  if (cluster.surprises.length > 0) throw new Error(cluster.surprises.join("\n"));
  const gapOf = ({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) =>
    writers.longestGapMs(fromMs, toMs);
  const count = writers.times.filter(({ ackMs }) => ackMs >= startMs && ackMs <= endMs).length;
  return {
    gapsMs: spans.map(gapOf),
    calmGapsMs: calmSpans.map(gapOf),
    answersMs,
    slowestWriteMs: writers.slowestMs(startMs, endMs),
    writesPerSecond: count / (endMs - startMs) * 1_000,
  };
}

interface Spread {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Each is the smallest value that is not exceeded by that share of them. */
export function spreadOf(valuesMs: readonly number[]): Spread {
  const sorted = [...valuesMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
  return { medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** The number that an option gives. */
export function countOf(name: string, given: unknown, usual: number): number {
  const count = Number(given ?? usual);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`--${name} ${given}: give a count, a whole number from 1`);
  }
  return count;
}

async function main(): Promise<void> {
  const given = parseArgs(Deno.args, { string: ["runs", "clients", "in-flight"], boolean: ["json"] });
  const runs = countOf("runs", given.runs, DEFAULT_RUNS);
  const clients = countOf("clients", given.clients, DEFAULT_CLIENTS);
  const inFlight = countOf("in-flight", given["in-flight"], DEFAULT_IN_FLIGHT);
  const measured = await measureTransfers(runs, clients, inFlight);
  const loadAverage = Deno.loadavg()[0] ?? NaN;
  const { gapsMs, calmGapsMs, answersMs, slowestWriteMs, writesPerSecond } = measured;
  if (!given.json) {
    const table = new Table({
      head: [`${runs} transfers`, "median", "p99", "max"],
      style: { head: [], border: [] },
    });
    const rows = { "no write acknowledged": gapsMs, "the same in calm": calmGapsMs, "answered": answersMs };
    for (const [name, valuesMs] of Object.entries(rows)) {
      const { medianMs, p99Ms, maxMs } = spreadOf(valuesMs);
      table.push([name, ...[medianMs, p99Ms, maxMs].map((ms) => `${ms.toFixed(0)} ms`)]);
    }
    console.log(table.toString());
    console.log(
      `${
        Math.round(writesPerSecond)
      } writes/s by ${clients} clients with ${inFlight} in flight each, the slowest ` +
        `${slowestWriteMs.toFixed(0)} ms; load average ${loadAverage.toFixed(1)}`,
    );
  }
  console.log(JSON.stringify({ runs, clients, inFlight, loadAverage, ...spreadOf(gapsMs), ...measured }));
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}
