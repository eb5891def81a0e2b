/**
 * Breaks frames for as long as one likes, and watches time and memory:
 *
 *     deno run --v8-flags=--expose-gc tests/packraft/fuzz.ts 10000000 [SEED]
 *
 * (The process also grows when V8 enlarges its space for young objects; `--max-semi-space-size=1` prevents that.)
 *
 * Half of them are broken streams, half are broken bodies with a right checksum. It ends with what came out, the
 * slowest frame, and the most memory that reading one frame took; with exit code 1 at the first frame that crashes
 * the reader, is read in two ways, takes too long or too much memory. Should it hang, the last line that it printed
 * says from which seed on.
 *
 * @module
 */
import {
  assertSameWhole,
  assertWritesTheSame,
  type Broken,
  brokenBody,
  brokenStream,
  type Reading,
  readInPieces,
} from "./broken_frames.ts";

/** Far more than the reading of a hundred bytes takes, also while the machine is busy with other things. */
const MAX_READING_MS = 2000;
/** What is read is under a kilobyte. A header may announce 4 MiB: who believes it is noticed. */
const MAX_READING_BYTES = 64 * 1024;
const MIB = 1024 * 1024;
const KINDS = [
  { breakFrame: brokenStream, check: assertSameWhole },
  { breakFrame: brokenBody, check: assertWritesTheSame },
] as const;

const count = wholeNumber("COUNT", Deno.args[0] ?? "1000000");
const firstSeed = wholeNumber("SEED", Deno.args[1] ?? "1");
const outcomes = new Map<string, number>();
let packetCount = 0;
let slowest = { ms: 0, seed: 0 };
/** Memory of byte arrays that reading took, beside the bytes that were read. Counted exactly, as V8 does. */
let largest = { bytes: 0, seed: 0 };

const startMs = performance.now();
let warmRssBytes = 0;
let maxRssBytes = 0;
const reportEach = Math.max(1, Math.ceil(count / 20));
for (let i = 0; i < count; i++) {
  const seed = firstSeed + i;
  const { breakFrame, check } = KINDS[i % 2 === 0 ? 0 : 1];
  const broken = breakFrame(seed);
  try {
    check(broken, measured(seed, broken));
  } catch (error) {
    console.error(`seed ${seed}, ${breakFrame.name}: ${broken.bytes.toHex()}`);
    throw error;
  }
  if ((i + 1) % reportEach === 0 || i + 1 === count) report(i + 1);
}
console.log(`outcomes: ${JSON.stringify(Object.fromEntries([...outcomes].sort((a, b) => b[1] - a[1])))}`);
console.log(`${packetCount} packets were read`);
console.log(`slowest: ${slowest.ms.toFixed(1)} ms (seed ${slowest.seed})`);
console.log(`most memory for one reading: ${largest.bytes} B (seed ${largest.seed})`);
console.log(
  `process: ${(warmRssBytes / MIB).toFixed(1)} MiB after the first twentieth, at most ` +
    `${(maxRssBytes / MIB).toFixed(1)} MiB afterwards`,
);

/** Reads, and throws if that took too long or too much. */
function measured(seed: number, broken: Broken): Reading {
  const externalBytes = Deno.memoryUsage().external;
  const beganMs = performance.now();
  const reading = readInPieces(broken);
  const ms = performance.now() - beganMs;
  const bytes = Deno.memoryUsage().external - externalBytes;
  if (ms > slowest.ms) slowest = { ms, seed };
  if (bytes > largest.bytes) largest = { bytes, seed };
  if (ms > MAX_READING_MS) throw new Error(`reading took ${ms} ms`);
  if (bytes > MAX_READING_BYTES) {
    throw new Error(`reading ${broken.bytes.length} B took ${bytes} B of memory`);
  }
  outcomes.set(reading.error || "valid", (outcomes.get(reading.error || "valid") ?? 0) + 1);
  packetCount += reading.packets.length;
  return reading;
}

function report(doneCount: number): void {
  // Without it, what is not collected yet would be taken for what is kept.
  const collectGarbage: unknown = Reflect.get(globalThis, "gc");
  if (typeof collectGarbage === "function") collectGarbage();
  const { rss, heapUsed, external } = Deno.memoryUsage();
  if (warmRssBytes === 0) warmRssBytes = rss;
  maxRssBytes = Math.max(maxRssBytes, rss);
  const seconds = (performance.now() - startMs) / 1000;
  console.log(
    `${doneCount} frames, up to seed ${firstSeed + doneCount - 1}, in ${seconds.toFixed(0)} s; process ` +
      `${(rss / MIB).toFixed(1)} MiB, heap ${(heapUsed / MIB).toFixed(1)} MiB, ` +
      `byte arrays ${(external / MIB).toFixed(1)} MiB`,
  );
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`${name} is "${text}", and has to be a whole number`);
  Deno.exit(2);
}
