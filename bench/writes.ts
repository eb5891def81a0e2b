/**
 * Many puts at once, and how long each of them took.
 *
 * @module
 */
import type { DraftyClient } from "../src/client/mod.ts";
import type { TestCluster } from "../tests/chaos/cluster.ts";

const VALUE = new Uint8Array(256).fill(0x78);
/** A prime: steps of it reach every key before one comes twice, and not in order. */
const STRIDE = 611_953;
const CLIENTS = 4;
const IN_FLIGHT_PER_CLIENT = 256;
const TIMEOUT_MS = 60_000;

export function keyOf(number: number): string {
  return `key-${`${number}`.padStart(8, "0")}`;
}

/** The key of the `count`-th write of some that go over `keys` keys, each once before one comes twice. */
function keyOfWrite(count: number, keys: number, isInOrder: boolean): string {
  return keyOf(count * (isInOrder ? 1 : STRIDE) % keys);
}

export interface FillOptions {
  readonly count: number;
  readonly keys: number;
  /** Whether keys come in order. By default they are scattered, which is the harder case for a tree. */
  readonly isInOrder?: boolean;
  /** Ends it before all is written. */
  readonly limitMs?: number;
  readonly onProgress?: (written: number) => void;
}

/** Writes as fast as it can, with several clients. Resolves to how many writes were acknowledged. */
export async function fill(cluster: TestCluster, options: FillOptions): Promise<number> {
  const { count, keys, isInOrder = false, limitMs = Infinity, onProgress } = options;
  const endMs = performance.now() + limitMs;
  let begun = 0;
  let written = 0;
  const clients = Array.from({ length: CLIENTS }, () => cluster.client({ timeoutMs: TIMEOUT_MS }));
  const loop = async (client: DraftyClient) => {
    while (begun < count && performance.now() < endMs) {
      await client.put(keyOfWrite(begun++, keys, isInOrder), VALUE);
      if (++written % 100_000 === 0) onProgress?.(written);
    }
  };
  try {
    await Promise.all(
      clients.flatMap((client) => Array.from({ length: IN_FLIGHT_PER_CLIENT }, () => loop(client))),
    );
  } finally {
    for (const client of clients) client.close();
  }
  return written;
}

export interface Latencies {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Puts that go on, `inFlight` at a time, until it is disposed of. */
export class SteadyWrites implements AsyncDisposable {
  readonly #client: DraftyClient;
  readonly #keys: number;
  readonly #done: Promise<unknown>;
  #isStopped = false;
  #count = 0;
  #beganMs = performance.now();
  #latenciesMs: number[] = [];

  constructor(cluster: TestCluster, keys: number, inFlight: number) {
    this.#client = cluster.client({ timeoutMs: TIMEOUT_MS });
    this.#keys = keys;
    this.#done = Promise.all(Array.from({ length: inFlight }, () => this.#loop()));
    // Noticed by whoever disposes of it; until then it must not end the program.
    this.#done.catch(() => {});
  }

  /** What was acknowledged since the last call. */
  lap(): Latencies {
    const nowMs = performance.now();
    const seconds = (nowMs - this.#beganMs) / 1000;
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    this.#latenciesMs = [];
    this.#beganMs = nowMs;
    const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
    return {
      count: sorted.length,
      perSecond: sorted.length / seconds,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    try {
      await this.#done;
    } finally {
      this.#client.close();
    }
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      const beganMs = performance.now();
      await this.#client.put(keyOfWrite(this.#count++, this.#keys, false), VALUE);
      this.#latenciesMs.push(performance.now() - beganMs);
    }
  }
}
