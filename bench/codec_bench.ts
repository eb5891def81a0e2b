/**
 * How fast packraft encodes and decodes the messages that every write and read goes through:
 * `deno bench bench/codec_bench.ts`.
 *
 * `encode` makes a frame with memory of its own, `append` one behind the other in a buffer that is used again, `decode`
 * reads them from pieces of 64 KiB, as a busy socket gives them. The checksum is the platform's own, as in a node.
 *
 * @module
 */
import { crc32 as zlibCrc32 } from "node:zlib";
import {
  appendPacket,
  ByteWriter,
  crc32,
  encodePacket,
  type Entry,
  offerNativeCrc32,
  type Packet,
  PacketReader,
  type PeerMessage,
} from "../packraft/mod.ts";

const PIECE_BYTES = 64 * 1024;
const ENTRY_DATA_BYTES = 330;
const KEY = new TextEncoder().encode("customer/000123");
const VALUE = new Uint8Array(256).fill(7);

function request(message: Extract<Packet, { family: "request" }>["message"]): Packet {
  return { family: "request", envelope: { transactionId: "2n9c" }, message };
}

function response(message: Extract<Packet, { family: "response" }>["message"]): Packet {
  return { family: "response", envelope: { transactionId: "2n9c" }, message };
}

function peer(message: PeerMessage): Packet {
  const luid = "peer-message-123456";
  const address = { host: "127.0.0.1", peerPort: 8001, addressIndex: 0 };
  return { family: "peer", envelope: { clusterId: "drafty", from: 1, to: 2, luid, ...address }, message };
}

function appendEntries(entries: readonly Entry[]): Packet {
  const before = { term: 7, prevLogIndex: 1_000_000, prevLogTerm: 7, leaderCommit: 1_000_000 };
  const checks = { readRound: 12_345, hashIndex: 0, divergesAt: 0 };
  return peer({ type: "AppendEntriesRequest", ...before, ...checks, entries });
}

function makeEntries(count: number): Entry[] {
  return Array.from({ length: count }, (_, i): Entry => ({
    index: 1_000_001 + i,
    term: 7,
    kind: "command",
    data: new Uint8Array(ENTRY_DATA_BYTES).fill(i),
  }));
}

const CASES: Readonly<Record<string, Packet>> = {
  "PutRequest of 256 B": request({
    type: "PutRequest",
    clientId: new Uint8Array(16).fill(9),
    sequence: 123_456,
    answeredUpTo: 123_450,
    key: KEY,
    value: VALUE,
  }),
  "PutResponse": response({ type: "PutResponse", index: 1_000_001 }),
  "GetRequest": request({ type: "GetRequest", key: KEY, mode: "leader" }),
  "GetResponse of 256 B": response({
    type: "GetResponse",
    found: true,
    value: VALUE,
    appliedIndex: 1_000_001,
    isAgeKnown: true,
    ageMs: 0,
  }),
  "AppendEntriesRequest, 1 entry": appendEntries(makeEntries(1)),
  "AppendEntriesRequest, 16 entries": appendEntries(makeEntries(16)),
  "AppendEntriesRequest, 200 entries": appendEntries(makeEntries(200)),
  "AppendEntriesResponse": peer({
    type: "AppendEntriesResponse",
    term: 7,
    requestTerm: 7,
    success: true,
    matchIndex: 1_000_200,
    prevLogIndex: 1_000_000,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: 12_345,
    hashIndex: 0,
    stateHash: 0,
  }),
};

offerNativeCrc32(zlibCrc32);
const writer = new ByteWriter(PIECE_BYTES);

function appendOne(packet: Packet): void {
  if (writer.length > PIECE_BYTES) writer.reset();
  appendPacket(writer, packet);
}

// What one message alone has made the compiler believe does not hold in life: all of them come first.
for (let round = 0; round < 500; round++) {
  const reader = new PacketReader();
  for (const packet of Object.values(CASES)) {
    appendOne(packet);
    reader.push(encodePacket(packet));
    if (reader.next() === undefined) throw new Error("no packet in a whole frame");
  }
}

for (const [name, packet] of Object.entries(CASES)) {
  const frame = encodePacket(packet);
  Deno.bench({ name: `encode ${name}`, group: "encode", fn: () => void encodePacket(packet) });
  Deno.bench({ name: `append ${name}`, group: "append", fn: () => appendOne(packet) });

  const count = Math.max(1, Math.floor(PIECE_BYTES / frame.length));
  const piece = new Uint8Array(frame.length * count);
  for (let i = 0; i < count; i++) piece.set(frame, i * frame.length);
  const reader = new PacketReader();
  let left = 0;
  Deno.bench({
    name: `decode ${name}`,
    group: "decode",
    fn() {
      if (left === 0) {
        reader.push(piece);
        left = count;
      }
      if (reader.next() === undefined) throw new Error("no packet in a whole frame");
      left--;
    },
  });
}

const ENTRIES = makeEntries(200);
Deno.bench({
  name: "append the same 200 entries for two followers",
  group: "two followers",
  fn() {
    const entries = [...ENTRIES];
    for (let follower = 0; follower < 2; follower++) appendOne(appendEntries(entries));
  },
});
Deno.bench({
  name: "append the same 200 entries, frozen, for two followers",
  group: "two followers",
  fn() {
    const entries = Object.freeze([...ENTRIES]);
    for (let follower = 0; follower < 2; follower++) appendOne(appendEntries(entries));
  },
});

for (const sizeBytes of [16, 48, 64, 256, 64 * 1024, 1024 * 1024]) {
  const bytes = new Uint8Array(sizeBytes).fill(5);
  Deno.bench({ name: `crc32 of ${sizeBytes} B`, group: "crc32", fn: () => void crc32(bytes) });
}
