/**
 * One timer for a deadline that moves. The server says when it next wants to be woken; nothing polls.
 *
 * @module
 */

export class Alarm {
  readonly #ring: () => void;
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armedForMs = Infinity;

  /** `ring` may be called before the deadline that was set last, and must set it again. */
  constructor(ring: () => void, now: () => number) {
    this.#ring = ring;
    this.#now = now;
  }

  /**
   * Rings at `deadlineMs` at the latest. A deadline that moves away leaves the timer as it is: a follower's does so
   * with every heartbeat, and ringing early once costs less than setting a timer each time.
   */
  setBy(deadlineMs: number): void {
    if (deadlineMs >= this.#armedForMs) return;
    this.cancel();
    this.#armedForMs = deadlineMs;
    // Rounded up: a timer that rings a fraction early would ring again at once, several times.
    const delayMs = Math.max(0, Math.ceil(deadlineMs - this.#now()));
    this.#timer = setTimeout(() => {
      this.#armedForMs = Infinity;
      this.#ring();
    }, delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#armedForMs = Infinity;
  }
}
