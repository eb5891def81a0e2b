/**
 * The time, looked up once for all that is done in one go: when a read has brought the answers to hundreds of requests,
 * the hundreds that follow them begin at the same time.
 *
 * @module
 */
import type { ClientPlatform } from "./platform.ts";

export class TurnClock {
  readonly #platform: ClientPlatform;
  #turnMs: number | undefined;

  constructor(platform: ClientPlatform) {
    this.#platform = platform;
  }

  /** Milliseconds that never go back. */
  now(): number {
    if (this.#turnMs === undefined) {
      this.#turnMs = this.#platform.now();
      queueMicrotask(() => this.#turnMs = undefined);
    }
    return this.#turnMs;
  }
}
