import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  encodePacket,
  type Packet,
  PacketReader,
  PackraftError,
  PEER_MESSAGES,
  type Shape,
} from "../../packraft/mod.ts";
import { decodeCommand, encodeCommand } from "../../src/kv/command.ts";
import { PageCheck } from "../../src/storage/page_check.ts";
import { COMMAND_VECTORS, INVALID_VECTORS, VALID_VECTORS } from "./vectors.ts";

const ERROR_CODES = [
  "badMagic",
  "unsupportedVersion",
  "unknownFlags",
  "unknownType",
  "badFrameLength",
  "badChecksum",
  "truncated",
  "trailingBytes",
  "nonCanonicalVarint",
  "integerOutOfRange",
  "limitExceeded",
  "invalidText",
  "invalidValue",
];

/** What a reader gives for these pieces, the connection's end included. */
function readAll(pieces: Iterable<Uint8Array>): Packet[] {
  const reader = new PacketReader();
  const packets: Packet[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let packet = reader.next(); packet !== undefined; packet = reader.next()) packets.push(packet);
  }
  reader.end();
  return packets;
}

function* inPiecesOf(bytes: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

Deno.test("the vectors hold every message, and every error code", () => {
  const types = new Set(VALID_VECTORS.map(({ packet }) => packet.message.type));
  const defined = [PEER_MESSAGES, CLIENT_REQUESTS, CLIENT_RESPONSES].flatMap((family) => Object.keys(family));
  assertEquals([...types].sort(), defined.sort());
  assertEquals([...new Set(INVALID_VECTORS.map(({ error }) => error))].sort(), [...ERROR_CODES].sort());
});

/** The enumerations in a shape, each with the names of the fields on the way to it: `.followers.role`. */
function* enumerationsOf(shape: Shape, path = ""): Generator<[path: string, names: readonly string[]]> {
  if (shape.kind === "oneOf") yield [path, shape.names];
  if (shape.kind === "list") yield* enumerationsOf(shape.item, path);
  if (shape.kind !== "record") return;
  for (const [name, field] of Object.entries(shape.fields)) yield* enumerationsOf(field, `${path}.${name}`);
}

/** What a value has at such a path: more than one thing where there are lists on the way. */
function valuesAt(value: unknown, path: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path));
  const [, name, rest = ""] = /^\.(\w+)(.*)$/.exec(path) ?? [];
  if (name === undefined) return [value];
  const field = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return valuesAt(field, rest);
}

Deno.test("the vectors hold every tag of every enumeration", () => {
  const schemas = { ...PEER_MESSAGES, ...CLIENT_REQUESTS, ...CLIENT_RESPONSES };
  // An enumeration that several messages have counts once; two that only look alike count as two.
  const written = new Map<readonly string[], { readonly paths: string[]; readonly tags: Set<unknown> }>();
  for (const [type, { schema }] of Object.entries(schemas)) {
    const messages = VALID_VECTORS.map(({ packet }) => packet.message).filter((message) =>
      message.type === type
    );
    for (const [path, names] of enumerationsOf(schema.shape)) {
      const { paths, tags } = written.get(names) ?? { paths: [], tags: new Set() };
      paths.push(`${type}${path}`);
      for (const tag of valuesAt(messages, path)) tags.add(tag);
      written.set(names, { paths, tags });
    }
  }
  for (const [names, { paths, tags }] of written) {
    assertEquals([...tags].sort(), [...names].sort(), `${paths}`);
  }
  assert(written.size >= 12, `only ${written.size} enumerations were found`);
});

Deno.test("the vector that carries a whole snapshot carries one that a follower takes", () => {
  const whole = VALID_VECTORS.find(({ name }) => name.includes("a whole snapshot in one piece"));
  assert(whole?.packet.message.type === "InstallSnapshotRequest");
  const { data, totalBytes, checksum } = whole.packet.message;
  const check = new PageCheck();
  check.push(data);
  assertEquals(
    { isComplete: check.isComplete, totalBytes: check.totalBytes, checksum: check.checksum },
    { isComplete: true, totalBytes, checksum },
  );
});

for (const { name, packet, frame } of VALID_VECTORS) {
  Deno.test(`encodePacket() and PacketReader agree with the vector, in any pieces: ${name}`, () => {
    assertEquals(encodePacket(packet).toHex(), frame.toHex());
    assertEquals(readAll([frame]), [packet]);
    for (let pieceBytes = 1; pieceBytes < frame.length; pieceBytes++) {
      assertEquals(readAll(inPiecesOf(frame, pieceBytes)), [packet], `pieces of ${pieceBytes} B`);
    }
    const twice = new Uint8Array(2 * frame.length);
    twice.set(frame);
    twice.set(frame, frame.length);
    assertEquals(readAll([twice]), [packet, packet]);
    for (let cut = 1; cut < twice.length; cut++) {
      assertEquals(readAll([twice.subarray(0, cut), twice.subarray(cut)]), [packet, packet], `cut at ${cut}`);
    }
  });
}

for (const { name, bytes, error } of INVALID_VECTORS) {
  Deno.test(`PacketReader refuses the vector as ${error}, whole and byte by byte: ${name}`, () => {
    assertEquals(assertThrows(() => readAll([bytes]), PackraftError).code, error);
    assertEquals(assertThrows(() => readAll(inPiecesOf(bytes, 1)), PackraftError).code, error);
  });
}

Deno.test("no changed byte of a valid frame goes unnoticed, whichever and to whatever", () => {
  VALID_VECTORS.forEach(({ name, frame }, number) => {
    // Every flip of one bit and of all eight; for some frames every other value too, which takes longer.
    const masks = number % 10 === 0
      ? Array.from({ length: 255 }, (_, i) => i + 1)
      : [1, 2, 4, 8, 16, 32, 64, 128, 255];
    const changed = frame.slice();
    for (const [at, original] of frame.entries()) {
      for (const mask of masks) {
        changed[at] = original ^ mask;
        try {
          readAll([changed]);
        } catch (error) {
          if (error instanceof PackraftError) continue;
          throw error;
        }
        assert(false, `${name}: byte ${at} xor ${mask} was taken`);
      }
      changed[at] = original;
    }
  });
});

for (const { name, command, bytes } of COMMAND_VECTORS) {
  Deno.test(`encodeCommand() and decodeCommand() agree with the vector: ${name}`, () => {
    const decoded = decodeCommand(bytes);
    assertEquals<unknown>(decoded, command);
    assertEquals(encodeCommand(decoded).toHex(), bytes.toHex());
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    assertEquals(assertThrows(() => decodeCommand(longer), PackraftError).code, "trailingBytes");
    for (let length = 0; length < bytes.length; length++) {
      const shorter = bytes.subarray(0, length);
      assertEquals(assertThrows(() => decodeCommand(shorter), PackraftError).code, "truncated");
    }
  });
}

Deno.test("a command with a kind that is not defined is invalid, and says which field", () => {
  const bytes = COMMAND_VECTORS[0]?.bytes.slice() ?? new Uint8Array();
  bytes[0] = 2;
  const error = assertThrows(() => decodeCommand(bytes), PackraftError);
  assertEquals(error.code, "invalidValue");
  assertStringIncludes(error.message, "kind: tag 2 is not below 2");
});
