/**
 * How fast packraft encodes and decodes: `deno bench bench/codec_bench.ts`.
 *
 * Two sizes that matter: a full batch from a leader to a follower, and one write of a client.
 *
 * @module
 */
import { crc32, encodePacket, type Entry, type Packet, PacketReader } from "../packraft/mod.ts";

const APPEND_ENTRIES: Packet = {
  family: "peer",
  envelope: {
    clusterId: "drafty",
    from: 1,
    to: 2,
    luid: "n1-peer-123456",
    host: "127.0.0.1",
    peerPort: 8001,
    addressIndex: 0,
  },
  message: {
    type: "AppendEntriesRequest",
    term: 7,
    prevLogIndex: 1_000_000,
    prevLogTerm: 7,
    leaderCommit: 1_000_000,
    readRound: 12_345,
    hashIndex: 0,
    divergesAt: 0,
    entries: Array.from({ length: 256 }, (_, i): Entry => ({
      index: 1_000_001 + i,
      term: 7,
      kind: "command",
      data: new Uint8Array(300).fill(i),
    })),
  },
};

const PUT: Packet = {
  family: "request",
  envelope: { transactionId: "t123456" },
  message: {
    type: "PutRequest",
    clientId: new Uint8Array(16).fill(9),
    sequence: 123_456,
    answeredUpTo: 123_450,
    key: new TextEncoder().encode("customer/000123"),
    value: new Uint8Array(256).fill(7),
  },
};

const CASES = { "AppendEntriesRequest, 256 entries of 300 B": APPEND_ENTRIES, "PutRequest of 256 B": PUT };

for (const [name, packet] of Object.entries(CASES)) {
  const frame = encodePacket(packet);
  Deno.bench({ name: `encode ${name}`, group: "encode", fn: () => void encodePacket(packet) });

  const reader = new PacketReader();
  Deno.bench({
    name: `decode ${name}`,
    group: "decode",
    fn() {
      reader.push(frame);
      if (reader.next() === undefined) throw new Error("no packet in a whole frame");
    },
  });
}

const PUT_FRAME = encodePacket(PUT);
const MANY = 200;
const chunk = new Uint8Array(PUT_FRAME.length * MANY);
for (let i = 0; i < MANY; i++) chunk.set(PUT_FRAME, i * PUT_FRAME.length);
const pipelined = new PacketReader();
Deno.bench({
  name: `decode ${MANY} PutRequests in one chunk`,
  group: "decode",
  fn() {
    pipelined.push(chunk);
    let count = 0;
    while (pipelined.next() !== undefined) count++;
    if (count !== MANY) throw new Error(`${count} packets`);
  },
});

for (const sizeBytes of [256, 64 * 1024, 1024 * 1024]) {
  const bytes = new Uint8Array(sizeBytes).fill(5);
  Deno.bench({ name: `crc32 of ${sizeBytes} B`, group: "crc32", fn: () => void crc32(bytes) });
}
