import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import {
  appendPacket,
  ByteWriter,
  crc32,
  encodePacket,
  type Entry,
  MAX_FRAME_BYTES,
  MAX_VALUE_BYTES,
  type Packet,
  PacketReader,
  PackraftError,
} from "../../packraft/mod.ts";
import { ANY_PACKET } from "./arbitraries.ts";

const ENVELOPE = {
  clusterId: "drafty",
  from: 1,
  to: 2,
  luid: "n1-1",
  host: "127.0.0.1",
  peerPort: 7001,
  addressIndex: 0,
};

function append(entries: readonly Entry[]): Packet {
  const before = { term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, readRound: 0 };
  const rest = { ...before, hashIndex: 0, divergesAt: 0 };
  return { family: "peer", envelope: ENVELOPE, message: { type: "AppendEntriesRequest", ...rest, entries } };
}

function entry(index: number, data = new Uint8Array(3)): Entry {
  return { index, term: 1, kind: "command", data };
}

Deno.test("appendPacket() puts frames one behind the other, each as encodePacket() makes it", () => {
  fc.assert(fc.property(fc.array(ANY_PACKET, { maxLength: 6 }), fc.nat(40), (packets, lead) => {
    const writer = new ByteWriter(16);
    writer.zeros(lead);
    for (const packet of packets) appendPacket(writer, packet);
    const frames = packets.map((packet) => encodePacket(packet));
    assertEquals(writer.finish(), concat([new Uint8Array(lead), ...frames]));
  }));
});

Deno.test("appendPacket() that is refused leaves the writer as it was", () => {
  const writer = new ByteWriter(16);
  const good = append([entry(1)]);
  appendPacket(writer, good);
  const refused: readonly Packet[] = [
    append([entry(1), entry(2), entry(-1)]),
    append([entry(1, new Uint8Array(MAX_VALUE_BYTES * 2))]),
    append(new Array(5).fill(entry(1, new Uint8Array(MAX_VALUE_BYTES)))),
    { family: "request", envelope: { transactionId: "\ud800" }, message: { type: "PingRequest" } },
    {
      family: "request",
      envelope: { transactionId: "" },
      message: { type: "Nonsense" },
    } as unknown as Packet,
  ];
  for (const packet of refused) {
    const error = assertThrows(() => appendPacket(writer, packet), PackraftError);
    const alone = assertThrows(() => encodePacket(packet), PackraftError);
    assertEquals([error.code, error.message.replace(/^.*\d B or/, "")], [
      alone.code,
      alone.message.replace(/^.*\d B or/, ""),
    ]);
    assertEquals(writer.finish(), encodePacket(good));
  }
  appendPacket(writer, good);
  assertEquals(writer.length, 2 * encodePacket(good).length);
});

Deno.test("appendPacket() holds each frame to the limit, not the buffer, however large that is", () => {
  const big = new Uint8Array(MAX_VALUE_BYTES);
  const withLast = (bytes: number) =>
    append([...[1, 2, 3].map((i) => entry(i, big)), entry(4, new Uint8Array(bytes))]);
  const overhead = encodePacket(withLast(1_000_000)).length - 1_000_000;
  for (const initialBytes of [1, 3 * MAX_FRAME_BYTES]) {
    const writer = new ByteWriter(initialBytes);
    writer.u8(1);
    appendPacket(writer, withLast(MAX_FRAME_BYTES - overhead));
    appendPacket(writer, withLast(MAX_FRAME_BYTES - overhead));
    assertEquals(writer.length, 1 + 2 * MAX_FRAME_BYTES);
    const error = assertThrows(
      () => appendPacket(writer, withLast(MAX_FRAME_BYTES - overhead + 1)),
      PackraftError,
    );
    assertEquals(error.message, `entries: data: ${MAX_FRAME_BYTES + 1} B or more exceed ${MAX_FRAME_BYTES}`);
    assertEquals(writer.length, 1 + 2 * MAX_FRAME_BYTES);
    writer.zeros(1);
  }
});

Deno.test("appendPacket() respects the limit of its writer where that is lower", () => {
  const frame = encodePacket(append([entry(1)]));
  const writer = new ByteWriter(1, frame.length * 2 - 1);
  appendPacket(writer, append([entry(1)]));
  assertThrows(() => appendPacket(writer, append([entry(1)])), PackraftError, "or more exceed");
  assertEquals(writer.finish(), frame);
});

Deno.test("frozen entries that go to several followers are the same bytes for each", () => {
  const entries = Object.freeze([entry(1), entry(2, new Uint8Array(300).fill(7))]);
  const others = Object.freeze([entry(3)]);
  for (const list of [entries, entries, others, entries, [...entries]]) {
    assertEquals(encodePacket(append(list)), encodePacket(append([...list])));
  }
  const wrong = Object.freeze([entry(1), entry(-1)]);
  for (let round = 0; round < 2; round++) {
    assertThrows(() => encodePacket(append(wrong)), PackraftError, "entries: index: -1 is not");
  }
  assertEquals(encodePacket(append(entries)), encodePacket(append([...entries])));
});

Deno.test("entries in an array that can change are encoded as they are each time", () => {
  const entries = [entry(1)];
  const before = encodePacket(append(entries));
  entries.push(entry(2));
  const reader = new PacketReader();
  reader.push(encodePacket(append(entries)));
  assertEquals(reader.next(), append([entry(1), entry(2)]));
  assertEquals(encodePacket(append([entry(1)])), before);
});

Deno.test("ByteWriter.take() hands over memory that is not written to until it is given back", () => {
  const writer = new ByteWriter(8);
  writer.u32(1);
  const first = writer.take();
  assertEquals(writer.length, 0);
  writer.u32(2);
  writer.u32(3);
  writer.u32(4);
  const second = writer.take();
  assertEquals([first.toHex(), second.toHex()], ["00000001", "000000020000000300000004"]);
  assert(first.buffer !== second.buffer);
  writer.giveBack(second);
  writer.giveBack(first); // smaller than what it has
  writer.u32(5);
  const third = writer.take();
  assertStrictEquals(third.buffer, second.buffer);
  assertEquals([first.toHex(), third.toHex()], ["00000001", "00000005"]);
});

Deno.test("ByteWriter.giveBack() refuses memory in use, and keeps none that a burst made large", () => {
  const writer = new ByteWriter(8);
  writer.u8(1);
  const taken = writer.take();
  writer.giveBack(taken);
  writer.u8(2);
  assertThrows(() => writer.giveBack(taken), Error, "given back before");
  writer.zeros(3_000_000);
  const large = writer.take();
  writer.giveBack(large);
  writer.u8(3);
  assert(writer.take().buffer !== large.buffer);
});

Deno.test("ByteWriter grows, with or without memory that was given back, and loses nothing", () => {
  const part = fc.uint8Array({ maxLength: 120 });
  fc.assert(fc.property(fc.array(fc.array(part), { maxLength: 8 }), fc.nat(64), (rounds, initialBytes) => {
    const writer = new ByteWriter(initialBytes);
    for (const parts of rounds) {
      for (const bytes of parts) writer.raw(bytes);
      const taken = writer.take();
      assertEquals(taken.slice(), concat(parts));
      if (taken.length % 3 > 0) writer.giveBack(taken);
    }
  }));
});

Deno.test("ByteWriter.truncate() forgets the end; zeros() overwrites what was there; crc32() is that of the bytes", () => {
  const writer = new ByteWriter(200);
  writer.raw(new Uint8Array(150).fill(9));
  writer.truncate(200);
  assertEquals(writer.length, 150);
  writer.truncate(2);
  writer.zeros(3);
  writer.zeros(100);
  const bytes = writer.finish();
  assertEquals(bytes, concat([Uint8Array.of(9, 9), new Uint8Array(103)]));
  for (const [start, end] of [[0, 2], [1, 9], [0, 105], [3, 3]] as const) {
    assertEquals(writer.crc32(start, end, 77), crc32(bytes.subarray(start, end), 77));
  }
});
