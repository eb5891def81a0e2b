/**
 * Latencies, counted as they come: adding one is a few instructions and no allocation, however many there are, so that
 * measuring costs the measured nothing.
 *
 * A bucket is what the first bits of a 64-bit float tell apart: its exponent and seven bits of its mantissa, 128 buckets
 * for each doubling. So a percentile is within 0.4 % of the truth; the least, the greatest and the count are exact.
 *
 * @module
 */

const SIGNIFICANT_BITS = 7;
const BUCKETS_PER_DOUBLING = 2 ** SIGNIFICANT_BITS;
/** How many bits of the upper half of a float are dropped: 20 are of the mantissa. */
const DROPPED_BITS = 20 - SIGNIFICANT_BITS;
/** From about a microsecond to about an hour, in milliseconds. What lies outside counts as the nearest bucket. */
const LEAST_MS = 2 ** -10;
const DOUBLINGS = 32;
const BUCKETS = DOUBLINGS * BUCKETS_PER_DOUBLING;

const scratch = new DataView(new ArrayBuffer(8));

function prefixOf(ms: number): number {
  scratch.setFloat64(0, ms);
  return scratch.getUint32(0) >>> DROPPED_BITS;
}

const FIRST_PREFIX = prefixOf(LEAST_MS);

/** The least time of a bucket. */
function lowerMs(bucket: number): number {
  scratch.setFloat64(0, 0);
  scratch.setUint32(0, (bucket + FIRST_PREFIX) << DROPPED_BITS);
  return scratch.getFloat64(0);
}

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #min = Infinity;
  #max = -Infinity;

  get count(): number {
    return this.#count;
  }

  /** NaN if there is none, as are all that follow. */
  get minMs(): number {
    return this.#count === 0 ? NaN : this.#min;
  }

  get maxMs(): number {
    return this.#count === 0 ? NaN : this.#max;
  }

  /** @param ms not negative */
  add(ms: number): void {
    const bucket = prefixOf(ms) - FIRST_PREFIX;
    const at = bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : bucket;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count++;
    if (ms < this.#min) this.#min = ms;
    if (ms > this.#max) this.#max = ms;
  }

  /** The smallest latency that is not exceeded by `share` of them, in (0, 1]. */
  percentileMs(share: number): number {
    if (this.#count === 0) return NaN;
    const rank = Math.max(1, Math.ceil(this.#count * share));
    if (rank === this.#count) return this.#max;
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) {
        const middleMs = (lowerMs(bucket) + lowerMs(bucket + 1)) / 2;
        return Math.min(this.#max, Math.max(this.#min, middleMs));
      }
    }
    return this.#max;
  }

  /** How many are in each of the ranges that begin at `boundsMs`, which rise; the first takes what is below it too. */
  countsFrom(boundsMs: readonly number[]): number[] {
    const counts = boundsMs.map(() => 0);
    let range = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      if (count === 0) continue;
      const middleMs = (lowerMs(bucket) + lowerMs(bucket + 1)) / 2;
      while (range + 1 < boundsMs.length && middleMs >= (boundsMs[range + 1] ?? Infinity)) range++;
      counts[range] = (counts[range] ?? 0) + count;
    }
    return counts;
  }
}

/** The middle one of some figures, the lower of two. NaN if there is none. */
export function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN;
}
