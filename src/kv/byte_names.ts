/**
 * Bytes as strings of one character per byte: a map can be keyed by them, and comparing two compares the bytes.
 *
 * @module
 */

export function nameOfBytes(bytes: Uint8Array): string {
  let name = "";
  for (let i = 0; i < bytes.length; i++) name += String.fromCharCode(bytes[i] ?? 0);
  return name;
}

export function bytesOfName(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}
