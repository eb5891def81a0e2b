/**
 * Packets out of a stream of bytes, in whatever pieces they come.
 *
 * Bytes of frames that lie whole in one piece are decoded where they are; an incomplete frame is gathered in a
 * buffer that grows with what has come, never with what a header merely announces.
 *
 * @module
 */
import { PackraftError } from "./errors.ts";
import { checkHeaderStart, decodeFrame, FRAME_HEADER_BYTES, frameBytes } from "./frame.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import type { Packet } from "./messages.ts";

export interface PacketReaderOptions {
  /** The longest frame to accept; by default the protocol's limit. */
  readonly maxFrameBytes?: number;
  /** The families of messages that this end accepts; by default all. */
  readonly families?: readonly Packet["family"][];
}

/**
 * Reads packets incrementally.
 *
 * ```ts
 * import { encodePacket } from "./frame.ts";
 * import { PacketReader } from "./packet_reader.ts";
 *
 * const reader = new PacketReader({ families: ["request"] });
 * const message = { type: "PingRequest" } as const;
 * reader.push(encodePacket({ family: "request", envelope: { transactionId: "t-1" }, message }));
 * const packet = reader.next();
 * if (packet?.message.type !== "PingRequest") throw new Error("unreachable");
 * ```
 */
export class PacketReader {
  readonly #maxFrameBytes: number;
  readonly #families: readonly Packet["family"][];
  /** Pieces that have not been looked at, and how much of the first one has. */
  #pieces: Uint8Array[] = [];
  #offset = 0;
  #unreadBytes = 0;
  /** The beginning of a frame whose rest has not come. */
  #partial = new Uint8Array(0);
  #partialBytes = 0;
  #failure: PackraftError | undefined;

  constructor(options: PacketReaderOptions = {}) {
    this.#maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES;
    this.#families = options.families ?? ["peer", "request", "response"];
  }

  /** How many bytes have come that belong to no packet yet. */
  get pendingBytes(): number {
    return this.#partialBytes + this.#unreadBytes;
  }

  /** Takes the next bytes. They must not be written to afterwards: packets may share their memory. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#unreadBytes += bytes.length;
  }

  /**
   * The next packet, or undefined until more bytes have come. Throws {@linkcode PackraftError} for bytes that are no
   * packet, and the same again from then on: after an error nobody knows where the next frame begins.
   */
  next(): Packet | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      if (error instanceof PackraftError) this.#failure = error;
      this.#pieces = [];
      this.#partial = new Uint8Array(0);
      throw error;
    }
  }

  /** Says that no more bytes will come. Throws if some are left over. */
  end(): void {
    if (this.#failure !== undefined || this.pendingBytes === 0) return;
    const wanted = this.#partialBytes < FRAME_HEADER_BYTES
      ? `at least ${FRAME_HEADER_BYTES}`
      : `${frameBytes(this.#partial, this.#maxFrameBytes)}`;
    throw new PackraftError("truncated", `incomplete frame: ${this.pendingBytes} of ${wanted} B`);
  }

  #next(): Packet | undefined {
    for (;;) {
      const piece = this.#pieces[0];
      if (piece === undefined) return undefined;
      const frame = this.#partialBytes === 0 ? this.#wholeFrame(piece) : this.#gather(piece);
      if (frame !== undefined) return decodeFrame(frame, this.#families);
    }
  }

  /** A frame that lies whole in the piece; else what there is of one is put aside. */
  #wholeFrame(piece: Uint8Array): Uint8Array | undefined {
    const available = piece.length - this.#offset;
    if (available >= FRAME_HEADER_BYTES) {
      const rest = this.#offset === 0 ? piece : piece.subarray(this.#offset);
      const bytes = frameBytes(rest, this.#maxFrameBytes);
      if (available >= bytes) {
        this.#take(piece, bytes);
        return rest.subarray(0, bytes);
      }
    }
    return this.#gather(piece);
  }

  /** Adds to the partial frame what the piece has of it. Returns the frame once it is whole. */
  #gather(piece: Uint8Array): Uint8Array | undefined {
    const hasHeader = this.#partialBytes >= FRAME_HEADER_BYTES;
    const wholeBytes = hasHeader ? frameBytes(this.#partial, this.#maxFrameBytes) : FRAME_HEADER_BYTES;
    const count = Math.min(wholeBytes - this.#partialBytes, piece.length - this.#offset);
    this.#reserve(this.#partialBytes + count, wholeBytes);
    this.#partial.set(piece.subarray(this.#offset, this.#offset + count), this.#partialBytes);
    this.#partialBytes += count;
    this.#take(piece, count);
    if (!hasHeader) {
      checkHeaderStart(this.#partial.subarray(0, this.#partialBytes));
      return undefined;
    }
    if (this.#partialBytes < wholeBytes) return undefined;
    const frame = this.#partial.subarray(0, wholeBytes);
    this.#partial = new Uint8Array(0); // the packet shares its memory
    this.#partialBytes = 0;
    return frame;
  }

  #take(piece: Uint8Array, count: number): void {
    this.#offset += count;
    this.#unreadBytes -= count;
    if (this.#offset < piece.length) return;
    this.#pieces.shift();
    this.#offset = 0;
  }

  /** Makes room for `bytes` of a frame of `wholeBytes`: at least twice as much as before, so that copying adds up to no more than
   * twice the frame however small the pieces are. */
  #reserve(bytes: number, wholeBytes: number): void {
    if (bytes <= this.#partial.length) return;
    const capacity = Math.min(
      Math.max(bytes, this.#partial.length * 2),
      Math.max(wholeBytes, FRAME_HEADER_BYTES),
    );
    const grown = new Uint8Array(capacity);
    grown.set(this.#partial.subarray(0, this.#partialBytes));
    this.#partial = grown;
  }
}
