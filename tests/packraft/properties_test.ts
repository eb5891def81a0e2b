import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  encodePacket,
  type Packet,
  PacketReader,
  PackraftError,
  varint,
} from "../../packraft/mod.ts";
import { ANY_PACKET, KINDS_OF_PACKET } from "./arbitraries.ts";
import { framed } from "./framed.ts";

for (const { type, packets } of KINDS_OF_PACKET) {
  Deno.test(`a ${type} is read as it was written, whatever it says`, () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const reader = new PacketReader({ families: [packet.family] });
        reader.push(encodePacket(packet));
        assertEquals(reader.next(), packet);
        assertEquals(reader.next(), undefined);
        reader.end();
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("PacketReader gives the same packets for any number of frames in any cuts", () => {
  const cuts = fc.array(fc.nat(2000), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(fc.array(ANY_PACKET, { maxLength: 8 }), cuts, fc.boolean(), (packets, cuts, readsEach) => {
      const bytes = concat(packets.map((packet) => encodePacket(packet)));
      const reader = new PacketReader();
      const got: Packet[] = [];
      const drain = () => {
        for (let packet = reader.next(); packet !== undefined; packet = reader.next()) got.push(packet);
      };
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const upTo = Math.min(bytes.length, at + (cuts[i % cuts.length] ?? 0) + 1);
        reader.push(bytes.slice(at, upTo));
        at = upTo;
        if (readsEach) drain();
      }
      drain();
      assertEquals(got, packets);
      assertEquals(reader.pendingBytes, 0);
      reader.end();
    }),
    { numRuns: 200 },
  );
});

Deno.test("whatever varint bytes are read, writing the value gives the same bytes: one form for each value", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (bytes) => {
      const reader = new ByteReader(bytes);
      let value: number;
      try {
        value = reader.varint();
      } catch (error) {
        assert(error instanceof PackraftError, String(error));
        return;
      }
      const writer = new ByteWriter();
      writer.varint(value);
      assertEquals(writer.finish(), bytes.slice(0, reader.offset));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("whatever body is read, writing the packet gives the same frame: one form for each message", () => {
  // Small bytes make bodies that are valid often.
  const byte = fc.oneof(fc.nat(3), fc.nat(255));
  const body = fc.array(byte, { maxLength: 40 }).map((bytes) => Uint8Array.from(bytes));
  let validCount = 0;
  for (const { type, packets } of KINDS_OF_PACKET) {
    const [sample] = fc.sample(packets, { numRuns: 1, seed: 1 });
    if (sample === undefined) throw new Error(`no ${type}`);
    const number = encodePacket(sample)[5] ?? 0;
    fc.assert(
      fc.property(body, (body) => {
        const frame = framed(number, body);
        const reader = new PacketReader();
        reader.push(frame);
        let packet: Packet | undefined;
        try {
          packet = reader.next();
        } catch (error) {
          assert(error instanceof PackraftError, String(error));
          return;
        }
        if (packet === undefined) return;
        validCount++;
        assertEquals(encodePacket(packet), frame);
      }),
      { numRuns: 500, seed: 7 },
    );
  }
  assert(validCount > 100, `only ${validCount} bodies were valid`);
});

for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53, -0.0001]) {
  Deno.test(`ByteWriter.varint() refuses ${value}`, () => {
    const error = assertThrows(() => varint.write(new ByteWriter(), value), PackraftError);
    assertEquals(error.code, "integerOutOfRange");
  });
}
