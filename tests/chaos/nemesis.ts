/**
 * The nemesis: does one fault after the other to a cluster, drawn from a seed, until it is stopped; then it undoes
 * what it did. One hand strikes at processes, another at links, so that a leader may be killed while a follower
 * is cut off, but no node is paused and killed by two at once.
 *
 * The seed fixes what is drawn. What it meets is the real world, so a run with the same seed is like another,
 * not equal to it.
 *
 * @module
 */
import { Random } from "../../src/sim/random.ts";
import type { TestCluster } from "./cluster.ts";
import type { Fault } from "./faults.ts";
import { sleep } from "./waiting.ts";

export interface NemesisOptions {
  readonly cluster: TestCluster;
  readonly seed: number;
  /** For each hand, what it can do. */
  readonly hands: Readonly<Record<string, readonly Fault[]>>;
}

/** How long a hand rests between two faults. */
const REST_MS = { min: 100, max: 1_500 };

export class Nemesis {
  /** How often each fault was done. */
  readonly counts = new Map<string, number>();
  readonly #options: NemesisOptions;
  readonly #stop = new AbortController();
  readonly #hands: Promise<void>[];

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#hands = Object.entries(options.hands).filter(([, faults]) => faults.length > 0)
      .map(([name, faults]) => this.#run(faults, new Random(options.seed, `nemesis ${name}`)));
    // Looked at in stop(); until then a failure must not end the program.
    for (const hand of this.#hands) hand.catch(() => {});
  }

  /** Undoes what it did. Rejects if something could not be done or undone, such as a node that does not start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#hands);
  }

  async #run(faults: readonly Fault[], random: Random): Promise<void> {
    const wait = (ms: number) => sleep(ms, this.#stop.signal);
    const weighted = faults.flatMap((fault) => Array<Fault>(fault.weight).fill(fault));
    for (;;) {
      await wait(random.between(REST_MS.min, REST_MS.max));
      if (this.#stop.signal.aborted) return;
      const { name, strike } = random.pick(weighted);
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      await strike(this.#options.cluster, random, wait);
    }
  }
}
