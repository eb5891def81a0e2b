/**
 * Appends primitive values to a buffer that grows. The primitives are specified in `docs/protocol.md`.
 *
 * A new buffer costs about a microsecond, as much as all the rest of a small frame, so buffers are used again: with
 * {@linkcode ByteWriter.reset} where the bytes are used up at once, and with {@linkcode ByteWriter.take} and
 * {@linkcode ByteWriter.giveBack} where they leave while the next ones are already being written:
 *
 * ```ts
 * import { ByteWriter } from "./byte_writer.ts";
 *
 * const sent: number[] = [];
 * const send = async (bytes: Uint8Array) => void sent.push(...bytes);
 *
 * const writer = new ByteWriter();
 * writer.u8(1);
 * const first = writer.take(); // the writer goes on in other memory
 * const sending = send(first);
 * writer.u8(2); // does not touch what is being sent
 * await sending;
 * writer.giveBack(first); // the writer will use that memory again
 * await send(writer.take());
 * if (sent.join() !== "1,2") throw new Error("unreachable");
 * ```
 *
 * @module
 */
import { crc32 } from "./crc32.ts";
import { PackraftError } from "./errors.ts";

const textEncoder = new TextEncoder();
/** The longest text whose length is a varint of one byte. */
const SHORT_TEXT = 0x7f;
/** Up to here, a loop is faster than the call that copies. */
const SHORT_BYTES = 24;
/** Memory that one burst made larger than this is not kept by {@linkcode ByteWriter.giveBack}. */
const KEPT_BYTES = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

/** A growing buffer. */
export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  /** How far may be written without looking further: to the end of the buffer, or to the limit. */
  #room: number;
  #maxBytes: number;
  /** The same for the whole: a buffer that grew to the limit of each piece only would be copied for each. */
  readonly #mostBytes: number;
  /** Where the piece began that the limit holds for. */
  #limitedFrom = 0;
  readonly #initialBytes: number;
  /** What {@linkcode ByteWriter.giveBack} brought, for the next time that a buffer is needed. */
  #spare: Uint8Array<ArrayBuffer> = NO_BYTES;

  /** @param maxBytes writing more than this is an error, so that a huge value cannot use up the memory */
  constructor(initialBytes = 256, maxBytes = Number.MAX_SAFE_INTEGER) {
    this.#initialBytes = initialBytes;
    this.#mostBytes = maxBytes;
    this.#maxBytes = maxBytes;
    this.#buffer = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
    this.#room = Math.min(initialBytes, maxBytes);
  }

  /** How many bytes have been written. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  /** Forgets what was written after the first `length` bytes. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length;
  }

  /**
   * Runs `write`; it is an error if that appends more than `maxBytes`. If it throws, the writer holds what it held
   * before, and the error is thrown on.
   */
  atMost<T>(maxBytes: number, write: (writer: ByteWriter, value: T) => void, value: T): void {
    const start = this.#length;
    const [outerMax, outerFrom] = [this.#maxBytes, this.#limitedFrom];
    if (start + maxBytes < outerMax) this.#limit(start + maxBytes, start);
    try {
      write(this, value);
    } catch (error) {
      this.#length = start;
      throw error;
    } finally {
      this.#limit(outerMax, outerFrom);
    }
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
    if (this.#length + 8 > this.#room) this.#reserve(varintBytes(value));
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
    const count = bytes.length;
    this.#reserve(count);
    if (count <= SHORT_BYTES) {
      for (let i = 0; i < count; i++) this.#buffer[this.#length + i] = bytes[i] ?? 0;
    } else {
      this.#buffer.set(bytes, this.#length);
    }
    this.#length += count;
  }

  /** `count` zero bytes. */
  zeros(count: number): void {
    this.#reserve(count);
    const end = this.#length + count;
    if (count > SHORT_BYTES) this.#buffer.fill(0, this.#length, end);
    else for (let at = this.#length; at < end; at++) this.#buffer[at] = 0;
    this.#length = end;
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

  /** The CRC-32 of the bytes from `start` to `end`, going on from `seed`. */
  crc32(start: number, end: number, seed: number): number {
    return crc32(this.#buffer, seed, start, end, this.#view);
  }

  /** The bytes from `start`, shared with this writer: valid until the next write or reset. */
  view(start = 0, end = this.#length): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(start, end);
  }

  /** A copy of all that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  /**
   * Hands over all that was written, without a copy, and is empty afterwards. The writer does not touch that memory
   * again, unless it is given back.
   */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.view();
    this.#use(this.#spare);
    this.#spare = NO_BYTES;
    return taken;
  }

  /**
   * Gives the writer memory that it handed over with {@linkcode ByteWriter.take}: nobody may read or write it any
   * more. It is kept for the next buffer that is needed; the largest one of several, up to a mebibyte.
   */
  giveBack(taken: Uint8Array<ArrayBuffer>): void {
    const { byteLength } = taken.buffer;
    if (byteLength > KEPT_BYTES || byteLength <= this.#spare.length) return;
    if (this.#buffer.buffer === taken.buffer) throw new Error("these bytes were given back before");
    this.#spare = new Uint8Array(taken.buffer);
  }

  #limit(maxBytes: number, from: number): void {
    this.#maxBytes = maxBytes;
    this.#limitedFrom = from;
    this.#room = Math.min(this.#buffer.length, maxBytes);
  }

  #use(buffer: Uint8Array<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
    this.#length = 0;
    this.#room = Math.min(buffer.length, this.#maxBytes);
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#room) this.#grow(this.#length + count);
  }

  #grow(needed: number): void {
    if (needed > this.#maxBytes) {
      const from = this.#limitedFrom;
      throw new PackraftError("limitExceeded", `${needed - from} B or more exceed ${this.#maxBytes - from}`);
    }
    const before = this.#buffer;
    const length = this.#length;
    if (needed <= this.#spare.length) {
      this.#use(this.#spare);
      this.#spare = NO_BYTES;
    } else {
      const bytes = Math.max(needed, before.length * 2, this.#initialBytes);
      this.#use(new Uint8Array(Math.min(bytes, this.#mostBytes)));
    }
    this.#buffer.set(before.subarray(0, length));
    this.#length = length;
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
