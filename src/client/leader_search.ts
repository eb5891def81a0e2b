/**
 * Who leads, as far as a client knows. While nobody is known to, one request at a time goes looking and the others
 * wait for what it finds: hundreds that all look for themselves would take the processors from the election.
 *
 * @module
 */
import type { ClientPlatform, ServerAddress } from "./platform.ts";
import { nameOf } from "./platform.ts";

export class LeaderSearch {
  readonly #platform: ClientPlatform;
  readonly #wakers = new Set<() => void>();
  #leader: ServerAddress | undefined;
  /** The request that looks for the leader. */
  #scout: object | undefined;

  constructor(platform: ClientPlatform) {
    this.#platform = platform;
  }

  get leader(): ServerAddress | undefined {
    return this.#leader;
  }

  /** A server answered as only a leader does. */
  found(server: ServerAddress): void {
    if (this.#leader !== undefined && nameOf(this.#leader) === nameOf(server)) return;
    this.#leader = server;
    this.#wakeAll();
  }

  /** A server did not answer as a leader does. */
  lost(server: ServerAddress): void {
    if (this.#leader !== undefined && nameOf(this.#leader) === nameOf(server)) this.#leader = undefined;
  }

  /** Whether a new request had better wait: the leader is not known and another request looks for it. */
  get isUnderWay(): boolean {
    return this.#leader === undefined && this.#scout !== undefined;
  }

  /**
   * Lets `request` wait for `pauseMs`; but where the leader is not known and another request looks for it, until
   * something was found or that one gave up. Never longer than `maxMs`.
   */
  pause(request: object, pauseMs: number, maxMs: number): Promise<void> {
    if (this.#leader === undefined) this.#scout ??= request;
    const isLookedFor = this.isUnderWay && this.#scout !== request;
    return this.sleep(isLookedFor ? maxMs : Math.min(pauseMs, maxMs));
  }

  /** Waits, but not longer than until a leader was found or the search ends. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#wakers.delete(wake);
        resolve();
      };
      // Timers count whole milliseconds: one that is a fraction early would find some time left, and use it.
      const cancel = this.#platform.after(Math.ceil(Math.max(0, ms)), wake);
      this.#wakers.add(wake);
    });
  }

  /** `request` is over; if it was looking, another takes its place. */
  ended(request: object): void {
    if (this.#scout !== request) return;
    this.#scout = undefined;
    this.#wakeAll();
  }

  /** The client closes. */
  stop(): void {
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of [...this.#wakers]) wake();
  }
}
