/**
 * A client's platform whose clock goes when it is told to.
 */
import type { ByteStream, ClientPlatform, ServerAddress } from "../../src/client/mod.ts";

/** A clock that goes when it is told to. */
export class FakeTime implements ClientPlatform {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  now = () => this.#nowMs;
  random = () => 0;

  /** No network, unless a test brings one. */
  connect(_address: ServerAddress): Promise<ByteStream> {
    return Promise.reject(new Error("no network"));
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#timers.delete(timer);
      timer.run();
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
}
