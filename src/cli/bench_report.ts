/**
 * What `drafty bench` prints: for programs an object a workload, for people pictures and a table.
 *
 * @module
 */
import Table from "cli-table3";
import { limitMsOf, type LoadFigures, type MachineLimits } from "../bench/mod.ts";
import type { BenchOptions, Workload } from "./bench_options.ts";
import { counted } from "./phrases.ts";

const BAR_CHARACTERS = 40;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** Where the rows of a histogram begin, in every decade. */
const STEPS = [1, 1.5, 2, 3, 5, 7];
/** Beyond so many rows, every second step is left out. */
const MAX_ROWS = 16;

/** One line of `--json`. What cannot be said, because nothing was answered, is null. */
export function jsonOfFigures(figures: LoadFigures, limits: MachineLimits): string {
  const { work, inflight, perSecond, latencies, errors } = figures;
  const limitMs = limitMsOf(limits);
  const p50Ms = latencies.percentileMs(0.5);
  return JSON.stringify({
    workload: work,
    inflight,
    per_s: rounded(perSecond, 1),
    p50_ms: rounded(p50Ms, 3),
    p99_ms: rounded(latencies.percentileMs(0.99), 3),
    max_ms: rounded(latencies.maxMs, 3),
    errors,
    limit_ms: rounded(limitMs, 4),
    ratio_to_limit: rounded(p50Ms / limitMs, 2),
  }) + "\n";
}

/** What the machine can do, and what is about to be done. */
export function headOf(options: BenchOptions, limits: MachineLimits, where: string): string {
  const { syncMs, exchangeMs } = limits;
  const { valueBytes, keys, seconds, isOneShot } = options;
  const values = `${whole(valueBytes)}-byte values, ${counted(keys, "key").replace(`${keys}`, whole(keys))}`;
  return `${where}: ${values}, ${seconds} s each${isOneShot ? ", a connection for each request" : ""}\n` +
    `this machine: append and fdatasync ${inMs(syncMs)}, exchange over loopback ${inMs(exchangeMs)}; ` +
    `no acknowledged write takes less than their sum, ${inMs(limitMsOf(limits))}\n\n`;
}

/** One workload, with a picture of its latencies. */
export function blockOf(figures: LoadFigures, { connections }: Workload, limits: MachineLimits): string {
  const { work, inflight, perSecond, latencies, errors, firstError } = figures;
  const head = `${work}, ${inflight} in flight over ${counted(connections, "connection")}\n`;
  const parts = [
    `${whole(perSecond)}/s`,
    `p50 ${inMs(latencies.percentileMs(0.5))}`,
    `p90 ${inMs(latencies.percentileMs(0.9))}`,
    `p99 ${inMs(latencies.percentileMs(0.99))}`,
    `max ${inMs(latencies.maxMs)}`,
    counted(errors, "error"),
  ];
  const ratio = `p50 is ${ratioOf(figures, limits)} times the machine's limit`;
  const error = firstError === undefined ? "" : `  the first error: ${firstError}\n`;
  return `${head}  ${parts.join("   ")}\n  ${ratio}\n${error}${pictureOf(figures)}\n`;
}

/** All workloads in a table. */
export function tableOf(
  rows: readonly { readonly figures: LoadFigures; readonly workload: Workload }[],
  limits: MachineLimits,
  isColourful: boolean,
): string {
  const head = [
    "workload",
    "in flight",
    "conns",
    "per s",
    "p50",
    "p90",
    "p99",
    "max",
    "errors",
    "p50 / limit",
  ];
  const table = new Table({
    head,
    colAligns: ["left", ...head.slice(1).map((): "right" => "right")],
    style: isColourful ? {} : { head: [], border: [] },
  });
  for (const { figures, workload } of rows) {
    const { latencies } = figures;
    table.push([
      figures.work,
      whole(figures.inflight),
      whole(workload.connections),
      whole(figures.perSecond),
      ...[0.5, 0.9, 0.99, 1].map((share) => inMs(latencies.percentileMs(share))),
      whole(figures.errors),
      ratioOf(figures, limits),
    ]);
  }
  return table.toString() + "\n";
}

/** A row for each range of latencies, with a bar as long as their share. */
function pictureOf({ latencies }: LoadFigures): string {
  if (latencies.count === 0) return "";
  const boundsMs = boundsOf(latencies.minMs, latencies.maxMs);
  const counts = latencies.countsFrom(boundsMs);
  const most = Math.max(...counts);
  const width = Math.max(...boundsMs.map((ms) => inMs(ms).length));
  return boundsMs.map((ms, at) => {
    const count = counts[at] ?? 0;
    const share = (count / latencies.count * 100).toFixed(count === latencies.count ? 0 : 1);
    return `  ${inMs(ms).padStart(width)} │${barOf(count / most)} ${count === 0 ? "" : `${share} %`}`
      .trimEnd();
  }).join("\n") + "\n";
}

/** Round times, rising, the first not above `minMs`, the last not above `maxMs`. */
function boundsOf(minMs: number, maxMs: number): number[] {
  const boundsMs: number[] = [];
  for (let decade = Math.floor(Math.log10(minMs)); 10 ** decade <= maxMs; decade++) {
    boundsMs.push(...STEPS.map((step) => step * 10 ** decade));
  }
  const first = Math.max(0, boundsMs.findLastIndex((ms) => ms <= minMs));
  let within = boundsMs.slice(first).filter((ms, at) => at === 0 || ms <= maxMs);
  while (within.length > MAX_ROWS) within = within.filter((_, at) => at % 2 === 0);
  return within;
}

function barOf(share: number): string {
  const eighths = Math.ceil(share * BAR_CHARACTERS * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}

function ratioOf({ latencies }: LoadFigures, limits: MachineLimits): string {
  return latencies.count === 0 ? "–" : (latencies.percentileMs(0.5) / limitMsOf(limits)).toFixed(1);
}

/** Three digits tell enough. */
function inMs(ms: number): string {
  if (Number.isNaN(ms)) return "–";
  return `${ms.toFixed(ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
