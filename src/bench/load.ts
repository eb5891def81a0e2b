/**
 * The load of the benchmarks: so many loops, each of which sends its next request when it has the answer to the last.
 *
 * What the loops do between two requests is time that the cluster has nothing to do in, so it is next to nothing: the
 * value is made once, each loop has one key whose digits it overwrites, and a latency is counted in place.
 *
 * @module
 */
import { ClientError, DraftyClient, type ServerAddress } from "../client/mod.ts";
import { LatencyHistogram } from "./latencies.ts";

/** Mixed is a put and a get in turns. */
export const WORKS = ["put", "get", "mixed"] as const;
export type Work = typeof WORKS[number];

/** The most writes that one client keeps under way; more of them would wait in it. */
export const WRITES_PER_CLIENT = 1_024;
/**
 * From here on, several connections. A client puts all that it has into one write; with 16 or 64 in flight over four
 * connections, the same requests come in four times as many pieces, and that costs a third of the throughput. With
 * hundreds over one connection, the client would have nothing to do while the node works, and the other way round.
 */
const FEW_IN_FLIGHT = 128;
const CONNECTIONS = 4;
const PRELOADS_PER_CLIENT = 64;
const TIMEOUT_MS = 10_000;
const TICK_MS = 100;
/** What no other program would call its keys. */
const KEY_PREFIX = "bench-";
const KEY_DIGITS = 8;
/** So many keys have different names. */
export const MAX_KEYS = 10 ** KEY_DIGITS;
const ZERO = "0".charCodeAt(0);

/** How many connections a load has where nobody says it. */
export function connectionsFor(inflight: number): number {
  const usual = inflight < FEW_IN_FLIGHT ? 1 : CONNECTIONS;
  return Math.max(usual, leastConnectionsFor(inflight));
}

/** With fewer, writes would wait in the clients, and not in the cluster. */
export function leastConnectionsFor(inflight: number): number {
  return Math.ceil(inflight / WRITES_PER_CLIENT);
}

/** The clients of a load. Each has a connection, or with `isOneShot` one for each of its requests. */
export class LoadClients implements Disposable {
  readonly all: readonly DraftyClient[];

  constructor(servers: readonly ServerAddress[], count: number, isOneShot = false) {
    this.all = Array.from(
      { length: count },
      () => new DraftyClient({ servers, timeoutMs: TIMEOUT_MS, isOneShot }),
    );
  }

  [Symbol.dispose](): void {
    for (const client of this.all) client.close();
  }
}

/** A key whose number can be changed. */
class Key {
  readonly bytes = new TextEncoder().encode(KEY_PREFIX + "0".repeat(KEY_DIGITS));

  set(number: number): void {
    let rest = number;
    for (let at = this.bytes.length - 1; at >= KEY_PREFIX.length; at--) {
      const next = Math.floor(rest / 10);
      this.bytes[at] = ZERO + rest - next * 10;
      rest = next;
    }
  }
}

/** A key of the benchmarks, as they write it. */
export function benchKey(number: number): Uint8Array {
  const key = new Key();
  key.set(number);
  return key.bytes;
}

/** A value of so many bytes. */
export function benchValue(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill("x".charCodeAt(0));
}

export interface LoadOptions {
  readonly work: Work;
  /** How many requests are under way at any time. */
  readonly inflight: number;
  /** What is measured; warming up comes before it. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly keys: number;
  readonly value: Uint8Array;
  /** Told now and then what has been answered, warming up included, since the beginning. */
  readonly onTick?: (answered: number, elapsedMs: number) => void;
}

export interface LoadFigures {
  readonly work: Work;
  readonly inflight: number;
  /** Answered within the time that is measured. */
  readonly perSecond: number;
  /** Of the requests that were begun in it. */
  readonly latencies: LatencyHistogram;
  readonly errors: number;
  /** What the first of them said. */
  readonly firstError: string | undefined;
}

/** Loads the cluster. What fails is counted, and the load goes on. */
export async function runLoad({ all }: LoadClients, options: LoadOptions): Promise<LoadFigures> {
  const { work, inflight, seconds, warmUpSeconds, keys, value, onTick } = options;
  const latencies = new LatencyHistogram();
  let [answered, answeredWithin, errors] = [0, 0, 0];
  let firstError: string | undefined;
  const startMs = performance.now();
  const fromMs = startMs + warmUpSeconds * 1_000;
  const endMs = fromMs + seconds * 1_000;

  async function loop(client: DraftyClient, number: number): Promise<void> {
    const key = new Key();
    let isPut = work === "put" || (work === "mixed" && number % 2 === 0);
    for (let beganMs = performance.now(); beganMs < endMs;) {
      key.set(Math.floor(Math.random() * keys));
      let isAnswered = true;
      try {
        if (isPut) await client.put(key.bytes, value);
        else await client.get(key.bytes);
      } catch (error) {
        isAnswered = false;
        // Anything else is a mistake of this program, which must not be counted away.
        if (!(error instanceof ClientError)) throw error;
        if (beganMs >= fromMs) {
          errors++;
          firstError ??= error.message;
        }
      }
      const nowMs = performance.now();
      if (isAnswered) {
        answered++;
        if (nowMs >= fromMs && nowMs <= endMs) answeredWithin++;
        if (beganMs >= fromMs) latencies.add(nowMs - beganMs);
      }
      beganMs = nowMs;
      if (work === "mixed") isPut = !isPut;
    }
  }

  const ticks = onTick && setInterval(() => onTick(answered, performance.now() - startMs), TICK_MS);
  try {
    await Promise.all(Array.from({ length: inflight }, (_, number) => {
      const client = all[number % all.length];
      if (client === undefined) throw new RangeError("a load needs a client");
      return loop(client, number);
    }));
  } finally {
    clearInterval(ticks);
  }
  return { work, inflight, perSecond: answeredWithin / seconds, latencies, errors, firstError };
}

/** Writes each key once. Rejects as soon as a write fails. */
export async function preload(
  { all }: LoadClients,
  keys: number,
  value: Uint8Array,
  onTick?: (written: number) => void,
): Promise<void> {
  let [begun, written] = [0, 0];
  let isOver = false;
  const ticks = onTick && setInterval(() => onTick(written), TICK_MS);
  const loop = async (client: DraftyClient) => {
    const key = new Key();
    while (begun < keys && !isOver) {
      key.set(begun++);
      await client.put(key.bytes, value);
      written++;
    }
  };
  try {
    const loops = all.flatMap((client) => Array.from({ length: PRELOADS_PER_CLIENT }, () => loop(client)));
    await Promise.all(loops);
  } finally {
    isOver = true;
    clearInterval(ticks);
  }
}
