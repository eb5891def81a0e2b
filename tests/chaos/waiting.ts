/**
 * Waiting for real processes: for a time, or for something to become so.
 *
 * @module
 */

const PROBE_INTERVAL_MS = 20;

/** Sleeps, but not longer than until `signal` is aborted. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener("abort", finish);
  });
}

/**
 * Asks `probe` again and again until it gives something other than undefined or false. The limit is there to end
 * a test that will not succeed, not to measure: it is far above what a slow machine needs.
 *
 * @param what completes "waited in vain for ..."
 */
export async function eventually<T>(
  what: string,
  limitMs: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const startMs = performance.now();
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (performance.now() - startMs > limitMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await sleep(PROBE_INTERVAL_MS);
  }
}
