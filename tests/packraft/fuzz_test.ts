/**
 * Valid frames, broken at random: whatever comes out, it comes out as a packet or as a PackraftError, and soon.
 *
 * `DRAFTY_FUZZ_COUNT` sets how many mutations (20,000 by default), `DRAFTY_FUZZ_SEED` where they start.
 */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { encodePacket, type Packet, PacketReader, PackraftError } from "../../packraft/mod.ts";
import { Random } from "../../src/sim/random.ts";
import { framed } from "./framed.ts";
import { VALID_VECTORS } from "./vectors.ts";

const COUNT = numberFrom("DRAFTY_FUZZ_COUNT", 20_000);
const SEED = numberFrom("DRAFTY_FUZZ_SEED", 1);

function numberFrom(name: string, fallback: number): number {
  const granted = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
  const value = Number((granted && Deno.env.get(name)) || fallback);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is no whole number`);
  return value;
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

/** What the reader makes of the bytes in pieces of some size: packets, and the error that ended them. */
function readInPieces(bytes: Uint8Array, pieceBytes: number): { packets: Packet[]; error: string } {
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

Deno.test(`of ${COUNT} broken streams, each gives packets and at most a PackraftError, the same in any pieces`, () => {
  const seen = new Map<string, number>();
  for (let i = 0; i < COUNT; i++) {
    const mutator = new Mutator(SEED + i);
    let bytes: Uint8Array = concat([mutator.frame(), mutator.frame()]);
    for (let count = 1 + mutator.below(3); count > 0; count--) bytes = mutator.mutate(bytes);
    const context = `DRAFTY_FUZZ_SEED=${SEED + i} DRAFTY_FUZZ_COUNT=1: ${bytes.toHex()}`;
    try {
      const whole = readInPieces(bytes, bytes.length || 1);
      assertEquals(readInPieces(bytes, 1 + mutator.below(20)), whole);
      seen.set(whole.error, (seen.get(whole.error) ?? 0) + 1);
    } catch (error) {
      throw new Error(context, { cause: error });
    }
  }
  if (COUNT >= 20_000) {
    for (
      const code of ["badMagic", "badChecksum", "truncated", "unknownType", "unknownFlags", "badFrameLength"]
    ) {
      assert(seen.has(code), `no stream was ${code}: ${JSON.stringify([...seen])}`);
    }
  }
});

Deno.test(`of ${COUNT} broken bodies with a right checksum, each is a packet that writes the same, or refused`, () => {
  const seen = new Map<string, number>();
  for (let i = 0; i < COUNT; i++) {
    const mutator = new Mutator(SEED + i);
    const original = mutator.frame();
    let body: Uint8Array = original.slice(16);
    for (let count = 1 + mutator.below(3); count > 0; count--) body = mutator.mutate(body);
    const frame = framed(original[5] ?? 0, body);
    try {
      const { packets: [packet], error } = readInPieces(frame, frame.length);
      seen.set(error, (seen.get(error) ?? 0) + 1);
      if (packet !== undefined) assertEquals(encodePacket(packet), frame);
    } catch (error) {
      const context = `DRAFTY_FUZZ_SEED=${SEED + i} DRAFTY_FUZZ_COUNT=1: ${frame.toHex()}`;
      throw new Error(context, { cause: error });
    }
  }
  if (COUNT >= 20_000) {
    const codes = [
      "",
      "truncated",
      "trailingBytes",
      "nonCanonicalVarint",
      "integerOutOfRange",
      "limitExceeded",
    ];
    for (const code of [...codes, "invalidText", "invalidValue"]) {
      assert(seen.has(code), `no body was ${code || "valid"}: ${JSON.stringify([...seen])}`);
    }
  }
});
