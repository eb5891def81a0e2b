/**
 * What `drafty bench` is asked to do, read from its arguments.
 *
 * @module
 */
import { MAX_VALUE_BYTES } from "../../packraft/mod.ts";
import {
  connectionsFor,
  leastConnectionsFor,
  MAX_KEYS,
  type Work,
  WORKS,
  WRITES_PER_CLIENT,
} from "../bench/mod.ts";
import type { ServerAddress } from "../client/mod.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./errors.ts";
import { serverAddress, wholeNumber } from "./values.ts";

const DEFAULT_WORKS: readonly Work[] = ["put", "get"];
const DEFAULT_INFLIGHT: readonly number[] = [1, 16, 64, 256];
const DEFAULT_VALUE_BYTES = 256;
const DEFAULT_KEYS = 10_000;
const DEFAULT_SECONDS = 3;
const MAX_INFLIGHT = 16_384;
const MAX_CONNECTIONS = 1_024;
const MIN_SECONDS = 0.1;
const MAX_SECONDS = 86_400;

/** One load of several. */
export interface Workload {
  readonly work: Work;
  readonly inflight: number;
  readonly connections: number;
}

export interface BenchOptions {
  /** In the order in which they run. */
  readonly workloads: readonly Workload[];
  readonly valueBytes: number;
  readonly keys: number;
  readonly seconds: number;
  readonly isOneShot: boolean;
  /** The cluster to load; undefined for one that is started for it. */
  readonly servers: readonly ServerAddress[] | undefined;
  readonly isJson: boolean;
}

export function benchOptionsOf(given: Arguments): BenchOptions {
  const [extra] = given.positionals;
  if (extra !== undefined) throw new UsageError(`unexpected "${extra}"; bench takes options only`);
  const asked = WORKS.filter((work) => given.flags.has(work));
  const works = asked.length === 0 ? DEFAULT_WORKS : asked;
  const inflights = inflightOf(given.values.get("inflight"));
  const connections = numberOf(given, "connections", 1, MAX_CONNECTIONS);
  const workloads = works.flatMap((work) =>
    inflights.map((inflight) => ({
      work,
      inflight,
      connections: connectionsOf(connections, work, inflight),
    }))
  );
  return {
    workloads,
    valueBytes: numberOf(given, "value-bytes", 0, MAX_VALUE_BYTES) ?? DEFAULT_VALUE_BYTES,
    keys: numberOf(given, "keys", 1, MAX_KEYS) ?? DEFAULT_KEYS,
    seconds: secondsOf(given.values.get("seconds")),
    isOneShot: given.flags.has("one-shot"),
    servers: given.values.get("server")?.split(",").map((text) => serverAddress("server", text)),
    isJson: given.flags.has("json"),
  };
}

function inflightOf(text: string | undefined): readonly number[] {
  return text?.split(",").map((part) => wholeNumber("inflight", part, 1, MAX_INFLIGHT)) ?? DEFAULT_INFLIGHT;
}

function connectionsOf(asked: number | undefined, work: Work, inflight: number): number {
  const connections = asked ?? connectionsFor(inflight);
  const least = leastConnectionsFor(inflight);
  if (work !== "get" && connections < least) {
    throw new UsageError(
      `--connections ${connections} is too few for ${inflight} writes in flight, of which one carries ` +
        `${WRITES_PER_CLIENT}; give at least ${least}`,
    );
  }
  return Math.min(connections, inflight);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  if (seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return seconds;
  throw new UsageError(
    `--seconds ${text} is not a number of seconds from ${MIN_SECONDS} to ${MAX_SECONDS}; give one such as 5 or 0.5`,
  );
}

function numberOf(given: Arguments, option: string, min: number, max: number): number | undefined {
  const text = given.values.get(option);
  return text === undefined ? undefined : wholeNumber(option, text, min, max);
}
