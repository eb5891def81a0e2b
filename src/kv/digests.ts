/**
 * Numbers that tell states and histories apart: equal on nodes that have done the same, and different, but for a chance
 * of one in four billion, on nodes that have not. Against mishaps, not against malice.
 *
 * @module
 */
import { crc32 } from "../../packraft/mod.ts";

/** Of a pair's bytes, PAIR of packraft. Never 0, which stands for a digest that has not been computed. */
export function digestOfPair(pair: Uint8Array): number {
  return scrambled(crc32(pair)) || 1;
}

/** A CRC is linear: two that cover the same bytes cancel each other out. This, the finalizer of MurmurHash3, is not. */
export function scrambled(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A digest of `digest` and then `number`, a whole one up to 2^53-1: rounds of MurmurHash3. */
export function mixed(digest: number, number: number): number {
  const low = round(digest, number | 0);
  return number <= 0xffffffff ? low : round(low, Math.floor(number / 2 ** 32));
}

function round(hash: number, word: number): number {
  const first = Math.imul(word, 0xcc9e2d51);
  const next = hash ^ Math.imul((first << 15) | (first >>> 17), 0x1b873593);
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0;
}
