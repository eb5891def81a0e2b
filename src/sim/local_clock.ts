/**
 * A machine's own clock: it may run too fast or too slow, and jump.
 *
 * @module
 */
import type { EventQueue } from "./event_queue.ts";

export class LocalClock {
  readonly #queue: EventQueue;
  /** It showed `#localAnchorMs` at the true time `#anchorMs`, and has run at `#rate` since. */
  #anchorMs = 0;
  #localAnchorMs = 0;
  #rate = 1;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  get rate(): number {
    return this.#rate;
  }

  /** What it shows now. */
  get nowMs(): number {
    return this.#localAnchorMs + (this.#queue.nowMs - this.#anchorMs) * this.#rate;
  }

  /** The true time at which it will show `localMs`. */
  trueMs(localMs: number): number {
    return this.#anchorMs + (localMs - this.#localAnchorMs) / this.#rate;
  }

  /** It shows `localMs` now and runs at `rate` from now on. */
  set(localMs: number, rate: number): void {
    this.#anchorMs = this.#queue.nowMs;
    this.#localAnchorMs = localMs;
    this.#rate = rate;
  }
}
