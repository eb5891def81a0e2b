/**
 * Takes primitive values off a piece of bytes, checking every length against what is left before it
 * allocates anything. The mirror of {@linkcode ByteWriter}.
 *
 * @module
 */
import { PackraftError } from "./errors.ts";

// ignoreBOM keeps a leading U+FEFF: without it, decoding would drop it and a round trip would differ.
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A cursor over bytes that it does not own. Byte strings that it returns share that memory. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes have been taken. */
  get offset(): number {
    return this.#offset;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    this.#need(1);
    return this.#view.getUint8(this.#offset++);
  }

  u16(): number {
    this.#need(2);
    const value = this.#view.getUint16(this.#offset);
    this.#offset += 2;
    return value;
  }

  u32(): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#offset);
    this.#offset += 4;
    return value;
  }

  /** A varint of at most 8 bytes and at most 2^53-1, in its shortest form: anything else is an error. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= 8; count++) {
      this.#need(1);
      const byte = this.#view.getUint8(this.#offset++);
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) {
        if (byte === 0 && count > 1) {
          throw new PackraftError("nonCanonicalVarint", `varint of ${count} B ends in a zero byte`);
        }
        return value;
      }
      scale *= 128;
    }
    throw new PackraftError("integerOutOfRange", `varint exceeds ${Number.MAX_SAFE_INTEGER}`);
  }

  /** `count` bytes, shared with the source. */
  raw(count: number): Uint8Array {
    this.#need(count);
    const start = this.#offset;
    this.#offset += count;
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Bytes with their length in front, shared with the source. */
  bytes(maxBytes: number): Uint8Array {
    return this.raw(this.#length(maxBytes, "byte string"));
  }

  /** UTF-8 text with its length in front. */
  text(maxBytes: number): string {
    const bytes = this.raw(this.#length(maxBytes, "text"));
    try {
      return textDecoder.decode(bytes);
    } catch {
      throw new PackraftError("invalidText", "text is not valid UTF-8");
    }
  }

  #length(maxBytes: number, what: string): number {
    const length = this.varint();
    if (length > maxBytes) {
      throw new PackraftError("limitExceeded", `${what} of ${length} B exceeds ${maxBytes}`);
    }
    return length;
  }

  #need(count: number): void {
    if (count > this.remaining) {
      throw new PackraftError("truncated", `${count} B wanted, ${this.remaining} B left`);
    }
  }
}
