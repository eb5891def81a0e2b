/**
 * Bytes as strings of one character per byte: a map can be keyed by them, and comparing two compares the bytes.
 *
 * @module
 */

/** Keys and ids have at most 1,024 bytes; so many arguments fit into one call. */
const BYTES_AT_ONCE = 4_096;

export function nameOfBytes(bytes: Uint8Array): string {
  if (bytes.length <= BYTES_AT_ONCE) return fromCharCodes(bytes);
  let name = "";
  for (let at = 0; at < bytes.length; at += BYTES_AT_ONCE) {
    name += fromCharCodes(bytes.subarray(at, at + BYTES_AT_ONCE));
  }
  return name;
}

/** `apply` takes anything like an array, whatever its type says, and is several times as fast as a spread. */
function fromCharCodes(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

export function bytesOfName(name: string): Uint8Array {
  return writeName(name, new Uint8Array(name.length));
}

/** The bytes of a name, put into the beginning of `into`, which must have room for them. */
export function writeName(name: string, into: Uint8Array): Uint8Array {
  for (let i = 0; i < name.length; i++) into[i] = name.charCodeAt(i);
  return into.subarray(0, name.length);
}
