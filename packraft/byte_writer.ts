/**
 * Appends primitive values to a buffer that grows. The primitives are specified in `docs/protocol.md`.
 *
 * @module
 */
import { PackraftError } from "./errors.ts";

const textEncoder = new TextEncoder();
/** The longest text whose length is a varint of one byte. */
const SHORT_TEXT = 0x7f;

/** A growing buffer. One writer may be reused for many frames with {@linkcode ByteWriter.reset}. */
export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  readonly #maxBytes: number;

  /** @param maxBytes writing more than this is an error, so that a huge value cannot use up the memory */
  constructor(initialBytes = 256, maxBytes = Number.MAX_SAFE_INTEGER) {
    this.#maxBytes = maxBytes;
    this.#buffer = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** How many bytes have been written. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  /** One byte, 0 to 255. */
  u8(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xff) throw outOfRange(value, 0xff);
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  /** Two bytes, big-endian. */
  u16(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw outOfRange(value, 0xffff);
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  /** Four bytes, big-endian. */
  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw outOfRange(value, 0xffffffff);
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** A whole number from 0 to 2^53-1 in 1 to 8 bytes: seven bits a byte, the lowest first. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(value, Number.MAX_SAFE_INTEGER);
    this.#reserve(varintBytes(value));
    // Bit operators work on 32 bits only, so what lies above is divided off first.
    while (value > 0x7fffffff) {
      this.#buffer[this.#length++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    while (value > 0x7f) {
      this.#buffer[this.#length++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.#buffer[this.#length++] = value;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A varint with the length, then that many bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** UTF-8 with its length in bytes in front; refuses a lone surrogate, which UTF-8 cannot carry. */
  text(text: string, maxBytes: number): void {
    if (text.length <= SHORT_TEXT && this.#shortAscii(text, maxBytes)) return;
    if (!text.isWellFormed()) throw new PackraftError("invalidText", "text holds a lone surrogate");
    const encoded = textEncoder.encode(text);
    if (encoded.length > maxBytes) {
      throw new PackraftError("limitExceeded", `text of ${encoded.length} B exceeds ${maxBytes}`);
    }
    this.bytes(encoded);
  }

  /** Ids are short and ASCII and stand in every frame: an encoder and its array for each would cost more. */
  #shortAscii(text: string, maxBytes: number): boolean {
    if (text.length > maxBytes) return false;
    this.#reserve(1 + text.length);
    let at = this.#length;
    this.#buffer[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false; // what was put into the buffer does not count yet
      this.#buffer[at++] = unit;
    }
    this.#length = at;
    return true;
  }

  /** Overwrites four bytes at `offset`, which must have been written before. */
  patchU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value);
  }

  /** The bytes from `start`, shared with this writer: valid until the next write or reset. */
  view(start = 0, end = this.#length): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(start, end);
  }

  /** A copy of all that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    if (needed > this.#maxBytes) {
      throw new PackraftError("limitExceeded", `${needed} B or more exceed ${this.#maxBytes}`);
    }
    const grown = new Uint8Array(Math.min(Math.max(needed, this.#buffer.length * 2), this.#maxBytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function varintBytes(value: number): number {
  let count = 1;
  for (let bound = 128; value >= bound; bound *= 128) count++;
  return count;
}

function outOfRange(value: number, max: number): PackraftError {
  return new PackraftError("integerOutOfRange", `${value} is not a whole number from 0 to ${max}`);
}
