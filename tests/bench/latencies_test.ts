import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LatencyHistogram, medianOf } from "../../src/bench/mod.ts";

const latency = fc.double({ min: 0.002, max: 60_000, noNaN: true });

function histogramOf(latenciesMs: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const ms of latenciesMs) histogram.add(ms);
  return histogram;
}

Deno.test("LatencyHistogram.percentileMs() is within half a percent of the sorted latencies", () => {
  fc.assert(fc.property(
    fc.array(latency, { minLength: 1, maxLength: 300 }),
    fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1),
    (latenciesMs, share) => {
      const sorted = [...latenciesMs].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? NaN;
      const measured = histogramOf(latenciesMs).percentileMs(share);
      assert(Math.abs(measured - exact) <= exact * 0.005, `${measured} for ${exact}`);
    },
  ));
});

Deno.test("LatencyHistogram keeps the count, the least and the greatest exactly", () => {
  fc.assert(fc.property(fc.array(latency, { minLength: 1, maxLength: 100 }), (latenciesMs) => {
    const histogram = histogramOf(latenciesMs);
    assertEquals(
      [histogram.count, histogram.minMs, histogram.maxMs, histogram.percentileMs(1)],
      [latenciesMs.length, Math.min(...latenciesMs), Math.max(...latenciesMs), Math.max(...latenciesMs)],
    );
  }));
});

Deno.test("LatencyHistogram.countsFrom() puts every latency into one range", () => {
  fc.assert(fc.property(
    fc.array(latency, { maxLength: 100 }),
    fc.uniqueArray(latency, { minLength: 1, maxLength: 10 }),
    (latenciesMs, bounds) => {
      const counts = histogramOf(latenciesMs).countsFrom([...bounds].sort((a, b) => a - b));
      assertEquals(counts.reduce((sum, count) => sum + count, 0), latenciesMs.length);
    },
  ));
  assertEquals(histogramOf([0.5, 1.2, 1.4, 2.5, 9]).countsFrom([1, 2, 3]), [3, 1, 1]);
});

Deno.test("LatencyHistogram takes what is below or above all its buckets", () => {
  const histogram = histogramOf([0, 1e-9, 1e12]);
  assertEquals([histogram.count, histogram.minMs, histogram.maxMs], [3, 0, 1e12]);
  assertEquals(histogram.percentileMs(1), 1e12);
  assert(histogram.percentileMs(0.5) < 0.002);
});

Deno.test("LatencyHistogram has no percentile of nothing", () => {
  const histogram = new LatencyHistogram();
  assertEquals([histogram.count, histogram.minMs, histogram.maxMs, histogram.percentileMs(0.5)], [
    0,
    NaN,
    NaN,
    NaN,
  ]);
});

Deno.test("medianOf() is the middle one, the lower of two, and NaN of nothing", () => {
  assertEquals(medianOf([3, 1, 2]), 2);
  assertEquals(medianOf([4, 1, 3, 2]), 2);
  assertEquals(medianOf([]), NaN);
});
