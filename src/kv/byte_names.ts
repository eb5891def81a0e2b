/**
 * Bytes as strings of one character per byte: a map can be keyed by them.
 *
 * @module
 */

/** To be filled again and again: `apply` takes an array of small numbers several times as fast as bytes. */
const codes: number[] = [];

/** The name of up to some ten thousand bytes. */
export function nameOfBytes(bytes: Uint8Array): string {
  codes.length = bytes.length;
  for (let i = 0; i < bytes.length; i++) codes[i] = bytes[i] ?? 0;
  return String.fromCharCode.apply(null, codes);
}

export function bytesOfName(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}

/** Whether a name is that of these bytes. */
export function isNameOf(name: string, bytes: Uint8Array): boolean {
  if (name.length !== bytes.length) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== bytes[i]) return false;
  return true;
}
