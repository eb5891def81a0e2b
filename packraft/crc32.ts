/**
 * CRC-32 as in IEEE 802.3, zip and zlib: reflected, polynomial 0xedb88320.
 *
 * @module
 */

/** Computes what {@linkcode crc32} does. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number;

/** The platform's own, where a driver has offered one. */
let native: Crc32 | undefined;

/** One table of 256 words. */
const TABLE_BYTES = 1024;
/**
 * Below this, the loop of one byte a round is the fastest: neither the call of a native function nor making a
 * DataView for eight bytes a round pays. (On the machine of docs/performance.md the lines cross at 50 to 90 bytes.)
 */
const SHORT_BYTES = 64;

// Eight tables let the loop take eight bytes a round: about four times as fast as one byte a round. Data and
// tables are read through DataViews: they take two words a round from bytes at any offset, and their results
// are numbers, where an index into an array would have to be told that it lies inside.
const TABLES = makeTables();

/**
 * The checksum of `bytes` from `start` (inclusive) to `end` (exclusive), as an unsigned 32-bit number.
 *
 * @param seed the checksum of what stands before these bytes, to go on from it
 * @param view all of `bytes` as a DataView, where there is one: short pieces are done faster with it
 */
export function crc32(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length, view?: DataView): number {
  if (native === undefined || end - start < SHORT_BYTES) {
    return crc32InScript(bytes, seed, start, end, view);
  }
  const isAll = start === 0 && end === bytes.length;
  // Unsigned: zlib throws at a seed below zero, which is what an XOR of two checksums may be.
  return native(isAll ? bytes : bytes.subarray(start, end), seed >>> 0);
}

/**
 * Lets {@linkcode crc32} use the platform's own implementation from now on, if it gives the same results: on a few
 * hundred bytes it is five times as fast, on a page thirteen times. Everything works without it, in any runtime.
 */
export function offerNativeCrc32(offered: Crc32): void {
  const sample = Uint8Array.from({ length: 100 }, (_, i) => (i * 151 + 89) & 0xff);
  const isSame = (length: number, seed: number) => {
    const bytes = sample.subarray(3, 3 + length);
    return offered(bytes, seed) === crc32InScript(bytes, seed, 0, length);
  };
  if ([0, 1, 7, 64, 97].every((length) => isSame(length, 0) && isSame(length, 0xdeadbeef))) native = offered;
}

function crc32InScript(
  bytes: Uint8Array,
  seed: number,
  start: number,
  end: number,
  givenView?: DataView,
): number {
  const t = TABLES;
  let crc = ~seed;
  let at = start;
  if (givenView !== undefined || end - start >= SHORT_BYTES) {
    const view = givenView ?? new DataView(bytes.buffer, bytes.byteOffset, end);
    const roundsEnd = end - ((end - start) % 8);
    for (; at < roundsEnd; at += 8) {
      const low = crc ^ view.getInt32(at, true);
      const high = view.getInt32(at + 4, true);
      // The first byte has seven bytes behind it, so its table is the eighth.
      crc = t.getInt32(7 * TABLE_BYTES + ((low & 0xff) << 2), true) ^
        t.getInt32(6 * TABLE_BYTES + ((low >>> 8 & 0xff) << 2), true) ^
        t.getInt32(5 * TABLE_BYTES + ((low >>> 16 & 0xff) << 2), true) ^
        t.getInt32(4 * TABLE_BYTES + ((low >>> 24) << 2), true) ^
        t.getInt32(3 * TABLE_BYTES + ((high & 0xff) << 2), true) ^
        t.getInt32(2 * TABLE_BYTES + ((high >>> 8 & 0xff) << 2), true) ^
        t.getInt32(TABLE_BYTES + ((high >>> 16 & 0xff) << 2), true) ^
        t.getInt32((high >>> 24) << 2, true);
    }
  }
  for (; at < end; at++) crc = t.getInt32(((crc ^ (bytes[at] ?? 0)) & 0xff) << 2, true) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table n holds, for each byte, its contribution when n more bytes follow it in the round. */
function makeTables(): DataView {
  const tables = new DataView(new ArrayBuffer(8 * TABLE_BYTES));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    tables.setInt32(byte << 2, crc, true);
  }
  for (let offset = TABLE_BYTES; offset < 8 * TABLE_BYTES; offset += 4) {
    const previous = tables.getInt32(offset - TABLE_BYTES, true);
    tables.setInt32(offset, tables.getInt32((previous & 0xff) << 2, true) ^ (previous >>> 8), true);
  }
  return tables;
}
