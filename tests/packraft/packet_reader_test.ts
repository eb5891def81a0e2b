import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import {
  ByteWriter,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  encodePacket,
  type Entry,
  MAX_ENTRIES_PER_MESSAGE,
  MAX_FRAME_BYTES,
  MAX_SNAPSHOT_CHUNK_BYTES,
  MAX_VALUE_BYTES,
  type Packet,
  PacketReader,
  type PacketReaderOptions,
  PackraftError,
  type PackraftErrorCode,
  PEER_MESSAGES,
} from "../../packraft/mod.ts";
import { framed } from "./framed.ts";

const PING: Packet = {
  family: "request",
  envelope: { transactionId: "t1" },
  message: { type: "PingRequest" },
};
const PING_FRAME = encodePacket(PING);

function assertRefused(
  bytes: Uint8Array,
  code: PackraftErrorCode,
  message: string,
  options?: PacketReaderOptions,
): void {
  const reader = new PacketReader(options);
  reader.push(bytes);
  const error = assertThrows(() => reader.next(), PackraftError);
  assertEquals({ code: error.code, message: error.message }, { code, message });
}

/** The ping's frame with some of its header changed, and its checksum not. */
function pingWith(changes: Readonly<Record<number, number>>): Uint8Array {
  const frame = PING_FRAME.slice();
  for (const [at, byte] of Object.entries(changes)) frame[Number(at)] = byte;
  return frame;
}

function get(key: Uint8Array): Packet {
  const message = { type: "GetRequest", key, mode: "leader" } as const;
  return { family: "request", envelope: { transactionId: "" }, message };
}

function found(value: Uint8Array): Packet {
  const age = { appliedIndex: 1, isAgeKnown: true, ageMs: 0 };
  const message = { type: "GetResponse", found: true, value, ...age } as const;
  return { family: "response", envelope: { transactionId: "" }, message };
}

const PEER = {
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
  return { family: "peer", envelope: PEER, message: { type: "AppendEntriesRequest", ...rest, entries } };
}

function chunk(data: Uint8Array, checksum = 2 ** 32 - 1): Packet {
  const snapshot = { lastIncludedIndex: 1, lastIncludedTerm: 1, totalBytes: 2 ** 32, checksum };
  const message = { type: "InstallSnapshotRequest", term: 1, ...snapshot, offset: 0, data } as const;
  return { family: "peer", envelope: PEER, message };
}

Deno.test("every message has a number of its own, in the range of its family", () => {
  const ranges = [
    { messages: PEER_MESSAGES, from: 0x01, upTo: 0x3f },
    { messages: CLIENT_REQUESTS, from: 0x40, upTo: 0x7f },
    { messages: CLIENT_RESPONSES, from: 0x80, upTo: 0xbf },
  ];
  const numbers = ranges.flatMap(({ messages, from, upTo }) =>
    Object.entries(messages).map(([name, { number }]) => {
      assert(number >= from && number <= upTo, `${name} is number ${number}`);
      return number;
    })
  );
  assertEquals(new Set(numbers).size, numbers.length);
});

Deno.test("another protocol is recognised, and named where its first bytes are known", () => {
  const bytesOf = (text: string) => new TextEncoder().encode(text);
  assertRefused(bytesOf("GET / HTTP/1.1\r\n"), "badMagic", "not packraft (got 47 45 54 20; HTTP?)");
  assertRefused(bytesOf("HTTP/1.1 400 Bad Request"), "badMagic", "not packraft (got 48 54 54 50; HTTP?)");
  assertRefused(Uint8Array.of(0x16, 3, 1, 0, 0xa5), "badMagic", "not packraft (got 16 03 01 00; TLS?)");
  assertRefused(bytesOf("SSH-2.0"), "badMagic", "not packraft (got 53 53 48 2d)");
  assertRefused(bytesOf("x"), "badMagic", "not packraft (got 78)");
  assertRefused(bytesOf("pkrg"), "badMagic", "not packraft (got 70 6b 72 67)");
});

Deno.test("each fault of a header is refused as soon as the header is there, with the value and the limit", () => {
  const header = (changes: Readonly<Record<number, number>>) => pingWith(changes).subarray(0, 16);
  assertRefused(header({ 4: 9 }).subarray(0, 5), "unsupportedVersion", "version 9, supported 1..1");
  assertRefused(header({ 4: 0 }), "unsupportedVersion", "version 0, supported 1..1");
  assertRefused(header({ 5: 0x3f }), "unknownType", "message type 0x3f is not known");
  assertRefused(header({ 6: 0x80 }), "unknownFlags", "flags 0x8000 are not known");
  assertRefused(header({ 11: 0 }), "badFrameLength", "frame length 0: a body has at least 1 B");
  assertRefused(
    header({ 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff }),
    "badFrameLength",
    "frame 4294967311 B exceeds 4194304",
  );
  assertRefused(PING_FRAME, "badFrameLength", "frame 19 B exceeds 18", { maxFrameBytes: 18 });
});

Deno.test("a fault of a header is found however the header is cut", () => {
  const frame = pingWith({ 5: 0xff });
  for (let cut = 1; cut < 16; cut++) {
    const reader = new PacketReader();
    reader.push(frame.subarray(0, cut));
    assertEquals(reader.next(), undefined);
    reader.push(frame.subarray(cut, 16));
    assertEquals(assertThrows(() => reader.next(), PackraftError).code, "unknownType");
  }
});

Deno.test("a message of a family that is not accepted here is refused by its header alone", () => {
  const message = "PingRequest is not accepted here: only peer messages are";
  assertRefused(PING_FRAME.subarray(0, 16), "unknownType", message, { families: ["peer"] });
  const reader = new PacketReader({ families: ["request"] });
  reader.push(PING_FRAME);
  assertEquals(reader.next(), PING);
});

Deno.test("a fault of a body says which field, what and how much", () => {
  assertRefused(pingWith({ 18: 0 }), "badChecksum", checksumMessage(pingWith({ 18: 0 })));
  assertRefused(framed(0x40, Uint8Array.of(0, 1, 2)), "trailingBytes", "PingRequest is followed by 2 B");
  assertRefused(framed(0x40, Uint8Array.of(5, 65)), "truncated", "transactionId: 5 B wanted, 1 B left");
  assertRefused(framed(0x42, Uint8Array.of(0, 0)), "limitExceeded", "key: byte string of 0 B is under 1");
  assertRefused(
    framed(0x42, Uint8Array.of(0, 0x81, 8)),
    "limitExceeded",
    "key: byte string of 1025 B exceeds 1024",
  );
  assertRefused(
    framed(0x40, Uint8Array.of(65)),
    "limitExceeded",
    "transactionId: text of 65 B exceeds 64",
  );
  assertRefused(
    framed(0x83, Uint8Array.of(0, 0, 1, 1, 0, 9, 1, 1)),
    "limitExceeded",
    "pairs: list of 9 does not fit into 2 B",
  );
  assertRefused(
    framed(0x83, Uint8Array.of(0, 0, 1, 1, 0, 1, 0, 0, 0)),
    "limitExceeded",
    "pairs: key: byte string of 0 B is under 1",
  );
  assertRefused(
    framed(0x84, Uint8Array.of(0, 0x80, 0)),
    "nonCanonicalVarint",
    "index: varint of 2 B ends in a zero byte",
  );
  assertRefused(
    framed(0x84, Uint8Array.of(0, 255, 255, 255, 255, 255, 255, 255, 16)),
    "integerOutOfRange",
    "index: varint exceeds 9007199254740991",
  );
  assertRefused(
    framed(0x86, Uint8Array.of(0, 1, 0, 0x80, 0x80, 4)),
    "integerOutOfRange",
    "clientPort: 65536 exceeds 65535",
  );
  assertRefused(
    framed(0x40, Uint8Array.of(1, 0xff)),
    "invalidText",
    "transactionId: text is not valid UTF-8",
  );
  assertRefused(framed(0x85, Uint8Array.of(0, 1, 2)), "invalidValue", "found: bool is 2, not 0 or 1");
  assertRefused(
    framed(0x80, Uint8Array.of(0, 1, 5, 0)),
    "invalidValue",
    "role: tag 5 is not below 5 (follower, preCandidate, candidate, leader, rejoining)",
  );
});

function checksumMessage(frame: Uint8Array): string {
  const said = frame.slice(12, 16).toHex();
  const right = framed(frame[5] ?? 0, frame.subarray(16)).slice(12, 16).toHex();
  return `checksum is 0x${right}, the frame says 0x${said}`;
}

Deno.test("what is over a limit is not encoded either; what is at it goes both ways", () => {
  for (
    const packet of [
      get(new Uint8Array(1)),
      get(new Uint8Array(1024)),
      found(new Uint8Array(MAX_VALUE_BYTES)),
      chunk(new Uint8Array(MAX_SNAPSHOT_CHUNK_BYTES)),
    ]
  ) {
    const reader = new PacketReader();
    reader.push(encodePacket(packet));
    assertEquals(reader.next(), packet);
  }
  const entry: Entry = { index: 1, term: 1, kind: "noop", data: new Uint8Array() };
  const most = append(new Array(MAX_ENTRIES_PER_MESSAGE).fill(entry));
  const reader = new PacketReader();
  reader.push(encodePacket(most));
  assertEquals(reader.next(), most);

  const refused = (packet: Packet) => assertThrows(() => encodePacket(packet), PackraftError).code;
  assertEquals(refused(get(new Uint8Array(0))), "limitExceeded");
  assertEquals(refused(get(new Uint8Array(1025))), "limitExceeded");
  assertEquals(refused(found(new Uint8Array(MAX_VALUE_BYTES + 1))), "limitExceeded");
  assertEquals(refused(chunk(new Uint8Array(MAX_SNAPSHOT_CHUNK_BYTES + 1))), "limitExceeded");
  assertEquals(refused(chunk(new Uint8Array(), 2 ** 32)), "integerOutOfRange");
  assertEquals(refused(append(new Array(MAX_ENTRIES_PER_MESSAGE + 1).fill(entry))), "limitExceeded");
  assertEquals(refused({ ...PING, envelope: { transactionId: "\ud800" } }), "invalidText");
  assertEquals(refused({ ...PING, envelope: { transactionId: "č".repeat(33) } }), "limitExceeded");
  const mismatch = { ...PING, message: { type: "PingResponse" } } as unknown as Packet;
  assertEquals(refused(mismatch), "unknownType");
});

Deno.test("a frame may be as long as the limit to the byte, and one byte more is refused by the encoder", () => {
  const big = new Uint8Array(MAX_VALUE_BYTES);
  const entriesOf = (lastBytes: number): Entry[] =>
    [...new Array(3).fill(big), new Uint8Array(lastBytes)]
      .map((data, i) => ({ index: i + 1, term: 1, kind: "command", data }));
  const overhead = encodePacket(append(entriesOf(MAX_VALUE_BYTES - 1000))).length - (MAX_VALUE_BYTES - 1000);
  const longest = append(entriesOf(MAX_FRAME_BYTES - overhead));
  const frame = encodePacket(longest);
  assertEquals(frame.length, MAX_FRAME_BYTES);
  const reader = new PacketReader();
  reader.push(frame);
  assertEquals(reader.next(), longest);
  const error = assertThrows(
    () => encodePacket(append(entriesOf(MAX_FRAME_BYTES - overhead + 1))),
    PackraftError,
  );
  assertEquals(error.code, "limitExceeded");
  assertEquals(encodePacket(PING), PING_FRAME, "the encoder works after an error");
});

Deno.test("after an error the reader is dead: the same error each time, and no memory for what comes", () => {
  const reader = new PacketReader();
  reader.push(concat([PING_FRAME, Uint8Array.of(0x47), PING_FRAME]));
  assertEquals(reader.next(), PING);
  const first = assertThrows(() => reader.next(), PackraftError);
  reader.push(PING_FRAME);
  assertEquals(reader.pendingBytes, 0);
  assertStrictEquals(assertThrows(() => reader.next(), PackraftError), first);
});

Deno.test("PacketReader.end() says how much of the frame is there", () => {
  const says = (length: number) => {
    const reader = new PacketReader();
    reader.push(PING_FRAME.subarray(0, length));
    assertEquals(reader.next(), undefined);
    assertEquals(reader.pendingBytes, length);
    const error = assertThrows(() => reader.end(), PackraftError);
    assertEquals(error.code, "truncated");
    return error.message;
  };
  assertEquals(says(12), "incomplete frame: 12 of at least 16 B");
  assertEquals(says(17), "incomplete frame: 17 of 19 B");
  const reader = new PacketReader();
  reader.end();
  reader.push(PING_FRAME);
  reader.next();
  reader.end();
});

Deno.test("a 1 MiB frame in single bytes takes time in proportion to its length, read at each byte or at the end", () => {
  const frame = encodePacket(found(new Uint8Array(MAX_VALUE_BYTES).fill(7)));
  for (const readsEach of [true, false]) {
    const start = performance.now();
    const reader = new PacketReader();
    let got: Packet | undefined;
    for (let at = 0; at < frame.length; at++) {
      reader.push(frame.subarray(at, at + 1));
      if (readsEach) got = reader.next();
    }
    got ??= reader.next();
    const tookMs = performance.now() - start;
    assert(got?.message.type === "GetResponse");
    assertEquals(got.message.value.length, MAX_VALUE_BYTES);
    assertEquals(got.message.value.at(-1), 7);
    // Squared, it would be many minutes. The bound leaves room for a busy machine.
    assertLess(tookMs, 20_000);
  }
});

Deno.test("bytes of packets share memory with what was pushed, and never with each other's partial frames", () => {
  const frame = encodePacket(get(Uint8Array.of(1, 2, 3)));
  const other = encodePacket(get(Uint8Array.of(7, 8, 9)));
  const reader = new PacketReader();
  reader.push(frame.subarray(0, 10));
  assertEquals(reader.next(), undefined);
  reader.push(frame.subarray(10));
  const packet = reader.next();
  reader.push(other.subarray(0, 18));
  assertEquals(reader.next(), undefined);
  reader.push(other.subarray(18));
  assertEquals(reader.next(), get(Uint8Array.of(7, 8, 9)));
  assertEquals(packet, get(Uint8Array.of(1, 2, 3)));
});

Deno.test("PacketReader reads from a piece that lies somewhere in a larger buffer", () => {
  const buffer = new Uint8Array(100).fill(0xee);
  buffer.set(PING_FRAME, 37);
  const reader = new PacketReader();
  reader.push(buffer.subarray(37, 37 + PING_FRAME.length));
  assertEquals(reader.next(), PING);
});

Deno.test("PacketReader works after 100,000 frames in pieces of 1,000 bytes", () => {
  const writer = new ByteWriter(1 << 20);
  for (let i = 0; i < 1_000; i++) writer.raw(PING_FRAME);
  const bytes = writer.finish();
  const reader = new PacketReader();
  let count = 0;
  for (let round = 0; round < 100; round++) {
    for (let at = 0; at < bytes.length; at += 1_000) {
      reader.push(bytes.subarray(at, at + 1_000));
      while (reader.next() !== undefined) count++;
    }
  }
  reader.end();
  assertEquals(count, 100_000);
});
