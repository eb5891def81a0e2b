/**
 * CRC-32 as in IEEE 802.3, zip and zlib: reflected, polynomial 0xedb88320.
 *
 * @module
 */

// Eight tables let the loop take eight bytes a round: about four times as fast as one byte a round.
const TABLES = makeTables();

/**
 * The checksum of `bytes`, as an unsigned 32-bit number.
 *
 * @param seed the checksum of what stands before `bytes`, to go on from it
 */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const t = TABLES;
  const end = bytes.length;
  const roundsEnd = end - (end % 8);
  let crc = ~seed;
  let at = 0;
  // The masks keep every index inside the tables, which the type checker cannot see.
  const b = bytes as unknown as { readonly [index: number]: number };
  while (at < roundsEnd) {
    const low = crc ^ (b[at]! | b[at + 1]! << 8 | b[at + 2]! << 16 | b[at + 3]! << 24);
    crc = t[1792 + (low & 0xff)]! ^ t[1536 + (low >>> 8 & 0xff)]! ^ t[1280 + (low >>> 16 & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^ t[768 + b[at + 4]!]! ^ t[512 + b[at + 5]!]! ^ t[256 + b[at + 6]!]! ^
      t[b[at + 7]!]!;
    at += 8;
  }
  for (; at < end; at++) crc = t[(crc ^ b[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    tables[n] = crc;
  }
  for (let n = 256; n < 2048; n++) {
    const previous = tables[n - 256]!;
    tables[n] = tables[previous & 0xff]! ^ (previous >>> 8);
  }
  return tables;
}
