/**
 * Bytes as strings of one character per byte: a map can be keyed by them, and comparing two compares the bytes.
 *
 * @module
 */

/** Longer names are rare, and not worth an array each. */
const MAX_KEPT_LENGTH = 64;
/** One array for each length, to be filled: `apply` takes an array of small numbers several times as fast as bytes. */
const CODES: readonly number[][] = Array.from(
  { length: MAX_KEPT_LENGTH + 1 },
  (_, length) => Array(length).fill(0),
);

export function nameOfBytes(bytes: Uint8Array): string {
  return nameIn(bytes, 0, bytes.length);
}

/** The name of `length` bytes of `bytes`, from `start` on; up to some ten thousand of them. */
export function nameIn(bytes: Uint8Array, start: number, length: number): string {
  const codes = CODES[length] ?? Array<number>(length);
  for (let i = 0; i < length; i++) codes[i] = bytes[start + i] ?? 0;
  return String.fromCharCode.apply(null, codes);
}

export function bytesOfName(name: string): Uint8Array {
  return writeName(name, new Uint8Array(name.length));
}

/** The bytes of a name, put into the beginning of `into`, which must have room for them. */
export function writeName(name: string, into: Uint8Array): Uint8Array {
  for (let i = 0; i < name.length; i++) into[i] = name.charCodeAt(i);
  return into.subarray(0, name.length);
}
