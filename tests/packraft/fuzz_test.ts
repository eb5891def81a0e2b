/**
 * Valid frames, broken at random: whatever comes out, it comes out as a packet or as a PackraftError, and soon.
 *
 * `DRAFTY_FUZZ_COUNT` sets how many mutations (20,000 by default), `DRAFTY_FUZZ_SEED` where they start.
 * `fuzz.ts` does the same for millions of them, and watches time and memory.
 */
import { assert } from "@std/assert";
import {
  assertSameWhole,
  assertWritesTheSame,
  type Broken,
  brokenBody,
  brokenStream,
  type Reading,
  readInPieces,
} from "./broken_frames.ts";

const COUNT = numberFrom("DRAFTY_FUZZ_COUNT", 20_000);
const SEED = numberFrom("DRAFTY_FUZZ_SEED", 1);

function numberFrom(name: string, fallback: number): number {
  const granted = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  const value = Number((granted && Deno.env.get(name)) || fallback);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is no whole number`);
  return value;
}

/** Breaks frames with all seeds, checks each, and expects each of these outcomes at least once. */
function fuzz(
  breakFrame: (seed: number) => Broken,
  check: (broken: Broken, reading: Reading) => void,
  outcomes: readonly string[],
): void {
  const seen = new Set<string>();
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const broken = breakFrame(seed);
    try {
      const reading = readInPieces(broken);
      check(broken, reading);
      seen.add(reading.error);
    } catch (error) {
      const context = `DRAFTY_FUZZ_SEED=${seed} DRAFTY_FUZZ_COUNT=1: ${broken.bytes.toHex()}`;
      throw new Error(context, { cause: error });
    }
  }
  if (COUNT < 20_000) return;
  for (const outcome of outcomes) assert(seen.has(outcome), `none was ${outcome || "valid"}: ${[...seen]}`);
}

Deno.test(`of ${COUNT} broken streams, each gives packets and at most a PackraftError, the same in any pieces`, () => {
  fuzz(brokenStream, assertSameWhole, [
    "badMagic",
    "badChecksum",
    "truncated",
    "unknownType",
    "unknownFlags",
    "badFrameLength",
  ]);
});

Deno.test(`of ${COUNT} broken bodies with a right checksum, each is a packet that writes the same, or refused`, () => {
  fuzz(brokenBody, assertWritesTheSame, [
    "",
    "truncated",
    "trailingBytes",
    "nonCanonicalVarint",
    "integerOutOfRange",
    "limitExceeded",
    "invalidText",
    "invalidValue",
  ]);
});
