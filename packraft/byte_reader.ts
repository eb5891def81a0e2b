/**
 * Takes primitive values off a piece of bytes, checking every length against what is left before it
 * allocates anything. The mirror of {@linkcode ByteWriter}.
 *
 * @module
 */
import { PackraftError } from "./errors.ts";

// ignoreBOM keeps a leading U+FEFF: without it, decoding would drop it and a round trip would differ.
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** A call of the decoder costs several times as much as a loop over so few: ids and hosts are shorter, and ASCII. */
const SHORT_TEXT_BYTES = 64;

/** A cursor over bytes that it does not own. Byte strings that it returns share that memory. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  /** Reads `bytes` from `start` (inclusive) to `end` (exclusive); by default all of them. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  /** Where in the bytes the next value stands. */
  get offset(): number {
    return this.#offset;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Goes back to an `offset` that the reader was at before. */
  rewind(offset: number): void {
    this.#offset = offset;
  }

  u8(): number {
    return this.#byteAt(this.#offset++);
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A varint of at most 8 bytes and at most 2^53-1, in its shortest form: anything else is an error. */
  varint(): number {
    // Four bytes make a number that bit operators can hold. What is longer, or wrong, is for the other loop.
    if (this.#end - this.#offset >= 4) {
      const bytes = this.#bytes;
      let at = this.#offset;
      let byte = bytes[at++] ?? 0;
      let value = byte & 0x7f;
      for (let shift = 7; byte > 0x7f && shift < 28; shift += 7) {
        byte = bytes[at++] ?? 0;
        value |= (byte & 0x7f) << shift;
        if (byte === 0) return this.#longVarint();
      }
      if (byte < 0x80) {
        this.#offset = at;
        return value;
      }
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= 8; count++) {
      const byte = this.u8();
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
    const length = this.#length(maxBytes, "text");
    this.#need(length);
    const short = length <= SHORT_TEXT_BYTES ? this.#shortAscii(length) : undefined;
    if (short !== undefined) return short;
    try {
      return textDecoder.decode(this.raw(length));
    } catch {
      throw new PackraftError("invalidText", "text is not valid UTF-8");
    }
  }

  /** The next `length` bytes as text, or undefined if they are not all ASCII. */
  #shortAscii(length: number): string | undefined {
    const units = new Array<number>(length);
    for (let i = 0; i < length; i++) {
      const byte = this.#bytes[this.#offset + i] ?? 0xff;
      if (byte > 0x7f) return undefined;
      units[i] = byte;
    }
    this.#offset += length;
    return String.fromCharCode.apply(null, units);
  }

  #byteAt(offset: number): number {
    const byte = offset < this.#end ? this.#bytes[offset] : undefined;
    if (byte === undefined) throw truncated(1, 0);
    return byte;
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
