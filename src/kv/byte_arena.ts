/**
 * Short pieces of bytes that share large buffers: an array of its own costs more than half a microsecond. A buffer
 * lives as long as any of its pieces, so this is for what does not live long, or goes in the order in which it came.
 *
 * @module
 */

const BUFFER_BYTES = 64 * 1024;
/** A longer piece gets a buffer of its own, so that little of a buffer stays unused. */
const MAX_SHARED_BYTES = BUFFER_BYTES / 8;

export class ByteArena {
  /** None until it is needed: there are many stores that are never asked. */
  #buffer = new Uint8Array();
  #used = 0;

  /** A copy of bytes. */
  copy(bytes: Uint8Array): Uint8Array {
    const copy = this.take(bytes.length);
    copy.set(bytes);
    return copy;
  }

  /** Room for `sizeBytes`, which is nobody else's; zeroed. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > MAX_SHARED_BYTES) return new Uint8Array(sizeBytes);
    if (this.#used + sizeBytes > this.#buffer.length) {
      this.#buffer = new Uint8Array(BUFFER_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += sizeBytes;
    return this.#buffer.subarray(start, this.#used);
  }
}
