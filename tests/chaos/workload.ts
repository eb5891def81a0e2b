/**
 * Concurrent clients that read, write, delete and scan a few keys, and record what they called and were told.
 *
 * @module
 */
import { ClientError, DraftyClient, OutcomeUnknownError, type ServerAddress } from "../../src/client/mod.ts";
import type { HistoryRecorder } from "../../src/sim/history.ts";
import { Random } from "../../src/sim/random.ts";
import type { Acknowledged } from "./stored_logs.ts";
import { sleep } from "./waiting.ts";

export interface WorkloadOptions {
  readonly servers: readonly ServerAddress[];
  /** The keys, used by nobody before. */
  readonly keys: readonly string[];
  readonly clientCount: number;
  readonly seed: number;
  /** A client pauses for up to this long between two calls, evenly: a limit on the load. */
  readonly pauseUpToMs: number;
  readonly recorder: HistoryRecorder;
  /** Where writes that are acknowledged are noted. */
  readonly acknowledged: Acknowledged[];
}

/** How many calls ended how. */
export interface OperationCounts {
  ok: number;
  /** Writes that may have taken effect. */
  unknown: number;
  /** Calls that surely did nothing. */
  failed: number;
}

/** Short, so that a client does not sit out a fault but comes back to see the middle of it. */
const TIMEOUT_MS = 2_000;

/** Runs clients until they are stopped. */
export class Workload {
  readonly counts: OperationCounts = { ok: 0, unknown: 0, failed: 0 };
  readonly #options: WorkloadOptions;
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clientCount }, (_, index) => this.#run(index + 1));
    // Looked at in stop(); until then a failure must not end the program.
    for (const client of this.#clients) client.catch(() => {});
  }

  /** Lets each client finish its call. Rejects if one failed as no client may. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  async #run(number: number): Promise<void> {
    const { servers, seed, pauseUpToMs } = this.#options;
    const random = new Random(seed, `client ${number}`);
    using client = new DraftyClient({ servers: random.shuffled(servers), timeoutMs: TIMEOUT_MS });
    const session = new ClientSession(client, number, this.#options, random);
    while (!this.#stop.signal.aborted) {
      this.counts[await session.callOnce()]++;
      await sleep(random.between(0, pauseUpToMs), this.#stop.signal);
    }
  }
}

const decoder = new TextDecoder();

/** One client and its place in the history. */
class ClientSession {
  readonly #client: DraftyClient;
  readonly #number: number;
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  #writes = 0;

  constructor(client: DraftyClient, number: number, options: WorkloadOptions, random: Random) {
    this.#client = client;
    this.#number = number;
    this.#options = options;
    this.#random = random;
  }

  /** Makes one call, drawn at random, and says how it ended. Throws what no client may see. */
  async callOnce(): Promise<keyof OperationCounts> {
    const key = this.#random.pick(this.#options.keys);
    const dice = this.#random.next();
    if (dice < 0.4) return await this.#put(key);
    if (dice < 0.5) return await this.#delete(key);
    if (dice < 0.98) return await this.#get(key);
    return await this.#scan();
  }

  #put(key: string): Promise<keyof OperationCounts> {
    const value = `${this.#number}.${++this.#writes}`;
    const { recorder, acknowledged } = this.#options;
    const id = recorder.invoke({ client: this.#number, kind: "put", key, input: value });
    return this.#settle([id], async () => {
      const { index } = await this.#client.put(key, value);
      recorder.complete(id, undefined);
      acknowledged.push({ kind: "put", key, value, index });
    });
  }

  #delete(key: string): Promise<keyof OperationCounts> {
    const { recorder, acknowledged } = this.#options;
    const id = recorder.invoke({ client: this.#number, kind: "delete", key });
    return this.#settle([id], async () => {
      const { found, index } = await this.#client.delete(key);
      recorder.complete(id, found);
      acknowledged.push({ kind: "delete", key, value: "", index });
    });
  }

  #get(key: string): Promise<keyof OperationCounts> {
    const { recorder } = this.#options;
    const id = recorder.invoke({ client: this.#number, kind: "get", key });
    return this.#settle([id], async () => {
      const value = await this.#client.get(key);
      recorder.complete(id, value && decoder.decode(value));
    });
  }

  /** All keys at once; recorded as a read of each. */
  #scan(): Promise<keyof OperationCounts> {
    const { recorder, keys } = this.#options;
    const ids = keys.map((key) => recorder.invoke({ client: this.#number, kind: "get", key }));
    return this.#settle(ids, async () => {
      const pairs = await this.#client.data();
      const values = new Map(pairs.map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]));
      for (const [at, key] of keys.entries()) {
        const id = ids[at];
        if (id !== undefined) recorder.complete(id, values.get(key));
      }
    });
  }

  /** A write of unknown outcome stays open in the history; a call that did nothing is taken out of it. */
  async #settle(ids: readonly number[], call: () => Promise<void>): Promise<keyof OperationCounts> {
    try {
      await call();
      return "ok";
    } catch (error) {
      if (error instanceof OutcomeUnknownError) return "unknown";
      if (!(error instanceof ClientError) || error.exitCode === 2) throw error;
      for (const id of ids) this.#options.recorder.drop(id);
      return "failed";
    }
  }
}
