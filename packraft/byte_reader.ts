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
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
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
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw truncated(1, 0);
    this.#offset++;
    return byte;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A varint of at most 8 bytes and at most 2^53-1, in its shortest form: anything else is an error. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= 8; count++) {
      const byte = this.#bytes[this.#offset];
      if (byte === undefined) throw truncated(1, 0);
      this.#offset++;
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

  /** Goes past what {@linkcode ByteReader.bytes} would return, with the same checks. Returns how many bytes that were. */
  skipBytes(maxBytes: number): number {
    const length = this.#length(maxBytes, "byte string");
    this.#need(length);
    this.#offset += length;
    return length;
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
    if (count > this.remaining) throw truncated(count, this.remaining);
  }
}

function truncated(wantedBytes: number, leftBytes: number): PackraftError {
  return new PackraftError("truncated", `${wantedBytes} B wanted, ${leftBytes} B left`);
}
