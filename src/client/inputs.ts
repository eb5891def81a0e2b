/**
 * Keys and values as callers give them, checked against the limits of the wire.
 *
 * @module
 */
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, MIN_KEY_BYTES } from "../../packraft/mod.ts";
import { RequestError } from "./errors.ts";
import { Slab } from "./slab.ts";

export function checkedKey(key: Uint8Array | string): Uint8Array {
  const bytes = bytesOf(key, "key");
  if (bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    throw new RequestError(`key has ${bytes.length} B; give ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES}`);
  }
  return bytes;
}

export function checkedValue(value: Uint8Array | string): Uint8Array {
  const bytes = bytesOf(value, "value");
  if (bytes.length > MAX_VALUE_BYTES) {
    throw new RequestError(`value has ${bytes.length} B; give at most ${MAX_VALUE_BYTES}`);
  }
  return bytes;
}

const encoder = new TextEncoder();
/** Up to so many characters, a loop is faster than the encoder. */
const SHORT_TEXT = 128;
const slab = new Slab();

function bytesOf(data: Uint8Array | string, what: string): Uint8Array {
  if (typeof data !== "string") return data;
  // Encoding would put U+FFFD in its place without a word.
  if (!data.isWellFormed()) {
    throw new RequestError(`${what} holds a lone surrogate; give text that UTF-8 can carry`);
  }
  return shortAscii(data) ?? encoder.encode(data);
}

/** The bytes of a short text, if each is a character of its own. */
function shortAscii(text: string): Uint8Array | undefined {
  if (text.length > SHORT_TEXT) return undefined;
  const bytes = slab.take(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return undefined;
    bytes[i] = unit;
  }
  return bytes;
}
