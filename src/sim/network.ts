/**
 * The simulated network: it loses, repeats, delays and reorders, and links between nodes can be cut in one
 * direction or both, or clogged. Clients reach nodes through it as well.
 *
 * @module
 */
import type { EventQueue } from "./event_queue.ts";
import type { Random } from "./random.ts";

/** What the network does to each message; probabilities from 0 to 1. */
export interface NetworkDials {
  readonly minDelayMs: number;
  readonly meanDelayMs: number;
  readonly loss: number;
  /** The message arrives a second time. */
  readonly duplicate: number;
  /** The second time is late by up to `replayUpToMs`: long after the sender has gone on. */
  readonly replayUpToMs: number;
  /** The message is held up by up to `straggleUpToMs`, so that later ones overtake it. */
  readonly straggle: number;
  readonly straggleUpToMs: number;
}

export const CALM_NETWORK: NetworkDials = {
  minDelayMs: 0.2,
  meanDelayMs: 0.5,
  loss: 0,
  duplicate: 0,
  replayUpToMs: 0,
  straggle: 0,
  straggleUpToMs: 0,
};

/** How often each thing happened to a message. */
export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  straggled: number;
  cut: number;
  clogged: number;
}

/** An end of a link: a node's id, or 0 for the clients. */
export type End = number;

export class Network {
  dials: NetworkDials;
  readonly counts: NetworkCounts = {
    sent: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    straggled: 0,
    cut: 0,
    clogged: 0,
  };
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #cuts = new Set<number>();
  readonly #clogs = new Map<number, number>();

  constructor(queue: EventQueue, random: Random, dials: NetworkDials) {
    this.#queue = queue;
    this.#random = random;
    this.dials = dials;
  }

  /** Lets nothing through from `from` to `to`. */
  cut(from: End, to: End): void {
    this.#cuts.add(linkOf(from, to));
  }

  mend(from: End, to: End): void {
    this.#cuts.delete(linkOf(from, to));
  }

  isCut(from: End, to: End): boolean {
    return this.#cuts.has(linkOf(from, to));
  }

  /** Holds back all that goes from `from` to `to` until `untilMs`. */
  clog(from: End, to: End, untilMs: number): void {
    this.#clogs.set(linkOf(from, to), untilMs);
  }

  /** Mends every link. */
  heal(): void {
    this.#cuts.clear();
    this.#clogs.clear();
  }

  /**
   * Sends something that leaves at `departMs`: `deliver` runs when it arrives, which may be never or twice;
   * `onLost` runs each time when it is lost.
   */
  send(
    from: End,
    to: End,
    departMs: number,
    deliver: () => void,
    onLost?: (why: "lost" | "cut") => void,
  ): void {
    const { dials, counts } = this;
    counts.sent++;
    if (this.#random.chance(dials.loss)) {
      counts.lost++;
      onLost?.("lost");
    } else {
      this.#deliverAt(from, to, departMs + this.#delayMs(), deliver, onLost);
    }
    if (this.#random.chance(dials.duplicate)) {
      counts.duplicated++;
      const late = this.#random.next() * dials.replayUpToMs;
      this.#deliverAt(from, to, departMs + this.#delayMs() + late, deliver, onLost);
    }
  }

  #deliverAt(
    from: End,
    to: End,
    atMs: number,
    deliver: () => void,
    onLost: ((why: "lost" | "cut") => void) | undefined,
  ): void {
    const clogUntilMs = this.#clogs.size === 0 ? undefined : this.#clogs.get(linkOf(from, to));
    if (clogUntilMs !== undefined && clogUntilMs > atMs) {
      this.counts.clogged++;
      atMs = clogUntilMs + this.#delayMs();
    }
    this.#queue.at(atMs, () => {
      if (this.isCut(from, to)) {
        this.counts.cut++;
        onLost?.("cut");
      } else {
        this.counts.delivered++;
        deliver();
      }
    });
  }

  #delayMs(): number {
    const { minDelayMs, meanDelayMs, straggle, straggleUpToMs } = this.dials;
    const delayMs = minDelayMs - Math.log(1 - this.#random.next()) * meanDelayMs;
    if (!this.#random.chance(straggle)) return delayMs;
    this.counts.straggled++;
    return delayMs + this.#random.next() * straggleUpToMs;
  }
}

function linkOf(from: End, to: End): number {
  return from * 1024 + to;
}
