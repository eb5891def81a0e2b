/**
 * Valid frames, broken at random, and what must hold of each. All follows from one seed: the same seed breaks the
 * same frames in the same way.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { encodePacket, type Packet, PacketReader, PackraftError } from "../../packraft/mod.ts";
import { Random } from "../../src/sim/random.ts";
import { framed } from "./framed.ts";
import { VALID_VECTORS } from "./vectors.ts";

/** Bytes to read, and in pieces of which size. */
export interface Broken {
  readonly bytes: Uint8Array;
  readonly pieceBytes: number;
}

/** Two frames one behind the other, changed in up to three places: their checksums are wrong, and more than that. */
export function brokenStream(seed: number): Broken {
  const mutator = new Mutator(seed);
  let bytes: Uint8Array = concat([mutator.frame(), mutator.frame()]);
  for (let count = 1 + mutator.below(3); count > 0; count--) bytes = mutator.mutate(bytes);
  return { bytes, pieceBytes: 1 + mutator.below(20) };
}

/** A frame whose body was changed in up to three places before its checksum was made: the reader has to look inside. */
export function brokenBody(seed: number): Broken {
  const mutator = new Mutator(seed);
  const original = mutator.frame();
  let body: Uint8Array = original.slice(16);
  for (let count = 1 + mutator.below(3); count > 0; count--) body = mutator.mutate(body);
  const bytes = framed(original[5] ?? 0, body);
  return { bytes, pieceBytes: bytes.length };
}

/** What a reader makes of the bytes: packets, and the code of the error that ended them, or "". */
export interface Reading {
  readonly packets: readonly Packet[];
  readonly error: string;
}

/** Reads to the end. Only a {@linkcode PackraftError} may come of it: any other is thrown. */
export function readInPieces({ bytes, pieceBytes }: Broken): Reading {
  const reader = new PacketReader();
  const packets: Packet[] = [];
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      reader.push(bytes.subarray(at, at + pieceBytes));
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) packets.push(packet);
    }
    reader.end();
  } catch (error) {
    if (!(error instanceof PackraftError)) throw error;
    return { packets, error: error.code };
  }
  return { packets, error: "" };
}

/** Throws unless the stream reads the same whole as in pieces. */
export function assertSameWhole({ bytes }: Broken, inPieces: Reading): void {
  assertEquals(inPieces, readInPieces({ bytes, pieceBytes: bytes.length || 1 }));
}

/** Throws unless what was read, if anything was, is written in the bytes that it was read from. */
export function assertWritesTheSame({ bytes }: Broken, { packets: [packet] }: Reading): void {
  if (packet !== undefined) assertEquals(encodePacket(packet), bytes);
}

class Mutator {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed, "fuzz");
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  frame(): Uint8Array {
    return this.#random.pick(VALID_VECTORS).frame;
  }

  /** The bytes, changed in one place. */
  mutate(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0) return Uint8Array.of(this.below(256));
    const at = this.below(bytes.length);
    const to = Math.min(bytes.length, at + 1 + this.below(8));
    const [head, piece, tail] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
    switch (this.below(7)) {
      case 0: // one bit
        return concat([head, Uint8Array.of((bytes[at] ?? 0) ^ 1 << this.below(8)), bytes.subarray(at + 1)]);
      case 1: // one byte: often one at which something changes
        return concat([head, Uint8Array.of(this.#edgeByte()), bytes.subarray(at + 1)]);
      case 2: // more bytes
        return concat([head, Uint8Array.from(piece, () => this.#edgeByte()), bytes.subarray(at)]);
      case 3: // fewer
        return concat([head, tail]);
      case 4: // some twice
        return concat([head, piece, piece, tail]);
      case 5: // an early end
        return head;
      default: // something of another frame
        return concat([head, this.frame().subarray(this.below(16)), tail]);
    }
  }

  #edgeByte(): number {
    return this.#random.pick([0, 1, 0x7f, 0x80, 0xff, this.below(256)]);
  }
}
