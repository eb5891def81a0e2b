/**
 * Packets out of a stream of bytes, in whatever pieces they come.
 *
 * A frame that lies whole in one piece is decoded where it is. A frame that does not is gathered in a buffer
 * that grows with what has come, never with what a header merely announces: sixteen bytes must not cost 4 MiB.
 *
 * @module
 */
import { PackraftError } from "./errors.ts";
import { checkHeaderStart, decodeFrame, FRAME_HEADER_BYTES, frameBytes } from "./frame.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import type { Packet } from "./messages.ts";

export interface PacketReaderOptions {
  /** The longest frame to accept, header included; by default the protocol's limit. */
  readonly maxFrameBytes?: number;
  /** The families of messages that this end accepts; by default all. */
  readonly families?: readonly Packet["family"][];
}

const ALL_FAMILIES = ["peer", "request", "response"] as const;
const NO_BYTES = new Uint8Array(0);

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
  /** Pieces that came. Those before `#first` are used up, and so is that one up to `#offset`. */
  #pieces: Uint8Array[] = [];
  #first = 0;
  #offset = 0;
  #unreadBytes = 0;
  /** The beginning of a frame whose rest has not come. */
  #partial = NO_BYTES;
  #partialBytes = 0;
  /** The length of the frame in `#partial`; 0 until its header is whole and has been checked. */
  #wholeBytes = 0;
  #failure: PackraftError | undefined;

  constructor(options: PacketReaderOptions = {}) {
    this.#maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES;
    this.#families = options.families ?? ALL_FAMILIES;
  }

  /** How many bytes have come that belong to no packet yet; 0 after an error. */
  get pendingBytes(): number {
    return this.#partialBytes + this.#unreadBytes;
  }

  /** Takes the next bytes. They must not be written to afterwards: packets may share their memory. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#failure !== undefined) return;
    this.#pieces.push(bytes);
    this.#unreadBytes += bytes.length;
  }

  /**
   * The next packet, or undefined until more bytes have come. Throws {@linkcode PackraftError} for bytes that
   * are no packet, and the same again from then on: after an error nobody knows where the next frame begins.
   */
  next(): Packet | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      for (let piece = this.#pieces[this.#first]; piece !== undefined; piece = this.#pieces[this.#first]) {
        const packet = (this.#partialBytes === 0 ? this.#readWhole(piece) : undefined) ?? this.#gather(piece);
        if (packet !== undefined) return packet;
      }
      return undefined;
    } catch (error) {
      if (error instanceof PackraftError) this.#die(error);
      throw error;
    }
  }

  /** Says that no more bytes will come, once `next` has given all packets. Throws `truncated` if some are left. */
  end(): void {
    if (this.pendingBytes === 0) return;
    const wanted = this.#wholeBytes === 0 ? `at least ${FRAME_HEADER_BYTES}` : this.#wholeBytes;
    const error = new PackraftError("truncated", `incomplete frame: ${this.pendingBytes} of ${wanted} B`);
    this.#die(error);
    throw error;
  }

  /** The packet whose frame begins at the start of what is unread, if that lies whole in the piece. */
  #readWhole(piece: Uint8Array): Packet | undefined {
    const start = this.#offset;
    if (piece.length - start < FRAME_HEADER_BYTES) return undefined;
    const end = start + frameBytes(piece, start, this.#maxFrameBytes, this.#families);
    if (end > piece.length) return undefined;
    this.#use(piece, end - start);
    return decodeFrame(piece, start, end);
  }

  /** Adds what the piece has of the partial frame: first the header, then the rest. Decodes it once it is whole. */
  #gather(piece: Uint8Array): Packet | undefined {
    const upTo = this.#wholeBytes || FRAME_HEADER_BYTES;
    const count = Math.min(upTo - this.#partialBytes, piece.length - this.#offset);
    this.#reserve(this.#partialBytes + count, upTo);
    this.#partial.set(piece.subarray(this.#offset, this.#offset + count), this.#partialBytes);
    this.#partialBytes += count;
    this.#use(piece, count);
    if (this.#wholeBytes === 0) {
      if (this.#partialBytes < FRAME_HEADER_BYTES) checkHeaderStart(this.#partial, this.#partialBytes);
      else this.#wholeBytes = frameBytes(this.#partial, 0, this.#maxFrameBytes, this.#families);
    }
    // A body has at least one byte, so a header alone is never a whole frame.
    if (this.#partialBytes !== this.#wholeBytes) return undefined;
    const [frame, end] = [this.#partial, this.#wholeBytes];
    this.#forgetPartial(); // the packet shares its memory
    return decodeFrame(frame, 0, end);
  }

  /** Counts bytes of the first unread piece as read. */
  #use(piece: Uint8Array, count: number): void {
    this.#offset += count;
    this.#unreadBytes -= count;
    if (this.#offset < piece.length) return;
    this.#offset = 0;
    // Taking each piece off the front would move all others each time: a million pieces would take minutes.
    this.#pieces[this.#first++] = NO_BYTES;
    if (this.#first * 2 < this.#pieces.length) return;
    this.#pieces.splice(0, this.#first);
    this.#first = 0;
  }

  /**
   * Makes room for `bytes` of at most `upTo`: at least twice as much as before, so that copying adds up to no
   * more than twice the frame however small the pieces are.
   */
  #reserve(bytes: number, upTo: number): void {
    if (bytes <= this.#partial.length) return;
    const grown = new Uint8Array(Math.min(Math.max(bytes, this.#partial.length * 2), upTo));
    grown.set(this.#partial);
    this.#partial = grown;
  }

  #forgetPartial(): void {
    this.#partial = NO_BYTES;
    this.#partialBytes = 0;
    this.#wholeBytes = 0;
  }

  #die(error: PackraftError): void {
    this.#failure = error;
    this.#pieces = [];
    this.#first = 0;
    this.#offset = 0;
    this.#unreadBytes = 0;
    this.#forgetPartial();
  }
}
