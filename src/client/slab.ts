/**
 * Small pieces of memory out of larger ones. An array with memory of its own costs about two microseconds, as much as
 * all the rest of a small request.
 *
 * A piece keeps the slab that it was cut from: so slabs are small, and what is long gets memory of its own.
 *
 * @module
 */

const SLAB_BYTES = 8 * 1024;
/** The longest piece that is cut from a slab: what is left of one that is full is at most an eighth. */
const MAX_PIECE_BYTES = 1024;

export class Slab {
  #bytes = new Uint8Array(0);
  #usedBytes = 0;

  /** `count` bytes that nobody else has. */
  take(count: number): Uint8Array<ArrayBuffer> {
    if (count > MAX_PIECE_BYTES) return new Uint8Array(count);
    // The length is looked at each time: it is 0 once someone has transferred a piece's buffer to another thread.
    if (this.#usedBytes + count > this.#bytes.length) {
      this.#bytes = new Uint8Array(SLAB_BYTES);
      this.#usedBytes = 0;
    }
    const start = this.#usedBytes;
    this.#usedBytes += count;
    return this.#bytes.subarray(start, this.#usedBytes);
  }

  /** A copy of `bytes`. */
  copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const piece = this.take(bytes.length);
    piece.set(bytes);
    return piece;
  }
}
