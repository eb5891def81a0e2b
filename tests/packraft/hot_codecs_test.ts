/**
 * What is written out by hand for speed does the same as the schemas: on all values, all bytes, and with all errors.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DIRECT_CLIENT_ENVELOPE, DIRECT_MESSAGES, DIRECT_PEER_ENVELOPE } from "../../packraft/hot_codecs.ts";
import {
  bool,
  ByteReader,
  bytes,
  ByteWriter,
  CLIENT_ENVELOPE,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  type Codec,
  encodePacket,
  ENTRY,
  type Entry,
  type Family,
  fixedBytes,
  list,
  oneOf,
  type Packet,
  PacketReader,
  PackraftError,
  PEER_ENVELOPE,
  PEER_MESSAGES,
  record,
  type Schema,
  type Shape,
  text,
  varint,
  varintUpTo,
  writtenOut,
} from "../../packraft/mod.ts";
import { valuesOf } from "./arbitraries.ts";
import { framed } from "./framed.ts";

/** The schema of a shape, from the general ones alone. */
function generalOf(shape: Shape): Schema<unknown> {
  switch (shape.kind) {
    case "varint":
      return (shape.max === Number.MAX_SAFE_INTEGER ? varint : varintUpTo(shape.max)) as Schema<unknown>;
    case "bool":
      return bool as Schema<unknown>;
    case "bytes":
      return bytes(shape) as Schema<unknown>;
    case "fixedBytes":
      return fixedBytes(shape.count) as Schema<unknown>;
    case "text":
      return text(shape) as Schema<unknown>;
    case "oneOf":
      return oneOf(...shape.names) as Schema<unknown>;
    case "list":
      return list(generalOf(shape.item), shape) as Schema<unknown>;
    case "record": {
      const fields = Object.entries(shape.fields).map(([name, field]) => [name, generalOf(field)]);
      return record(Object.fromEntries(fields)) as Schema<unknown>;
    }
  }
}

interface Kind {
  readonly family: string;
  readonly type: string;
  readonly number: number;
  readonly envelope: Schema<unknown>;
  readonly fields: Schema<unknown>;
}

const KINDS: readonly Kind[] = [
  ...kindsOf("peer", PEER_ENVELOPE, PEER_MESSAGES),
  ...kindsOf("request", CLIENT_ENVELOPE, CLIENT_REQUESTS),
  ...kindsOf("response", CLIENT_ENVELOPE, CLIENT_RESPONSES),
];

function kindsOf(family: string, envelope: Schema<unknown>, messages: Family): Kind[] {
  return Object.entries(messages).map(([type, { number, schema }]) => ({
    family,
    type,
    number,
    envelope: generalOf(envelope.shape),
    fields: generalOf(schema.shape),
  }));
}

/** What comes of it: a value, or the code and the text of the error. */
function outcomeOf<T>(
  run: () => T,
): { readonly value: T } | { readonly code: string; readonly message: string } {
  try {
    return { value: run() };
  } catch (error) {
    if (!(error instanceof PackraftError)) throw error;
    return { code: error.code, message: error.message };
  }
}

function encodeGenerally({ number, envelope, fields }: Kind, packet: Packet): Uint8Array {
  const writer = new ByteWriter();
  envelope.write(writer, packet.envelope);
  fields.write(writer, packet.message);
  return framed(number, writer.finish());
}

function decodeGenerally({ family, type, envelope, fields }: Kind, body: Uint8Array): unknown {
  const reader = new ByteReader(body);
  const packet = {
    family,
    envelope: envelope.read(reader),
    message: { type, ...fields.read(reader) as object },
  };
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `${type} is followed by ${reader.remaining} B`);
  }
  return packet;
}

function packetsOf({ family, type, envelope, fields }: Kind): fc.Arbitrary<Packet> {
  return fc.tuple(valuesOf(envelope.shape), valuesOf(fields.shape)).map(([envelope, fields]) =>
    ({ family, envelope, message: { type, ...fields as object } }) as Packet
  );
}

for (const kind of KINDS) {
  Deno.test(`a ${kind.type} is encoded as its schema alone would encode it, and read as it would read it`, () => {
    fc.assert(
      fc.property(packetsOf(kind), (packet) => {
        const frame = encodePacket(packet);
        assertEquals(frame, encodeGenerally(kind, packet));
        assertEquals(decodeGenerally(kind, frame.subarray(16)), packet);
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("a changed body gives the packet or the error, to the letter, that the schema alone gives", () => {
  const change = fc.record({ at: fc.nat(), byte: fc.oneof(fc.nat(3), fc.nat(255)), cut: fc.nat(20) });
  const errors = new Set<string>();
  for (const kind of KINDS) {
    fc.assert(
      fc.property(packetsOf(kind), fc.array(change, { minLength: 1, maxLength: 3 }), (packet, changes) => {
        let body = encodePacket(packet).slice(16);
        for (const { at, byte, cut } of changes) {
          // Early bytes are lengths and counts more often than later ones.
          body[at % (at % 2 === 0 ? body.length : Math.min(40, body.length))] = byte;
          if (cut === 0 && body.length > 1) body = body.slice(0, 1 + at % (body.length - 1));
        }
        const reader = new PacketReader();
        reader.push(framed(kind.number, body));
        const got = outcomeOf(() => reader.next());
        assertEquals(got, outcomeOf(() => decodeGenerally(kind, body) as Packet));
        if ("code" in got) errors.add(got.code);
      }),
      { numRuns: 150 },
    );
  }
  for (const code of ["truncated", "trailingBytes", "limitExceeded", "invalidValue", "invalidText"]) {
    assert(errors.has(code), `none was ${code}`);
  }
});

Deno.test("a value that is not allowed gives the error, to the letter, that the schema alone gives", () => {
  const wrong = fc.constantFrom<unknown>(
    -1,
    0.5,
    2 ** 53,
    2 ** 40,
    "\ud800",
    "x".repeat(300),
    new Uint8Array(1025),
  );
  let refusedCount = 0;
  for (const kind of KINDS.filter(({ type }) => DIRECT_MESSAGES.has(type))) {
    fc.assert(
      fc.property(packetsOf(kind), fc.nat(), wrong, (packet, at, wrong) => {
        const broken = structuredClone(packet);
        const place = at % 3 === 0 ? broken.envelope : broken.message;
        const names = Object.keys(place).filter((name) => name !== "type");
        const name = names[at % names.length] ?? "";
        const current: unknown = Reflect.get(place, name);
        const isSameKind = typeof current === typeof wrong && Array.isArray(current) === Array.isArray(wrong);
        if (!isSameKind) return;
        Reflect.set(place, name, wrong);
        const got = outcomeOf(() => encodePacket(broken));
        assertEquals(got, outcomeOf(() => encodeGenerally(kind, broken)));
        if ("code" in got) refusedCount++;
      }),
      { numRuns: 300 },
    );
  }
  assert(refusedCount > 100, `only ${refusedCount} were refused`);
});

Deno.test("ENTRY, which lists are made of, is written out too, and names its fields where one is wrong", () => {
  const general = generalOf(ENTRY.shape);
  fc.assert(fc.property(valuesOf(ENTRY.shape), fc.nat(20), (value, cut) => {
    const [writer, expected] = [new ByteWriter(), new ByteWriter()];
    ENTRY.write(writer, value as Entry);
    general.write(expected, value);
    assertEquals(writer.view(), expected.view());
    const bytes = writer.finish().subarray(0, writer.length - cut);
    assertEquals(
      outcomeOf<unknown>(() => ENTRY.read(new ByteReader(bytes))),
      outcomeOf(() => general.read(new ByteReader(bytes))),
    );
  }));
  const wrong = { index: 1, term: 1, kind: "other", data: new Uint8Array() } as unknown as Entry;
  const error = assertThrows(() => ENTRY.write(new ByteWriter(), wrong), PackraftError);
  assertEquals(error.message, 'kind: "other" is none of noop, command, configuration');
});

/** Each direct codec by itself: that it does the work, and does not leave it to the general one. */
const DIRECT: readonly (readonly [name: string, codec: Codec<unknown>, shape: Shape])[] = [
  ["PeerEnvelope", DIRECT_PEER_ENVELOPE as Codec<unknown>, PEER_ENVELOPE.shape],
  ["ClientEnvelope", DIRECT_CLIENT_ENVELOPE as Codec<unknown>, CLIENT_ENVELOPE.shape],
  ...KINDS.flatMap(({ type, fields }) => {
    const direct = DIRECT_MESSAGES.get(type);
    return direct === undefined ? [] : [[type, direct, fields.shape] as const];
  }),
];

Deno.test("each direct codec belongs to a message", () => {
  assertEquals(DIRECT.length, 2 + DIRECT_MESSAGES.size);
});

for (const [name, codec, shape] of DIRECT) {
  Deno.test(`the direct codec of ${name} takes every value, and reads it back`, () => {
    fc.assert(
      fc.property(valuesOf(shape), (value) => {
        const writer = new ByteWriter();
        codec.write(writer, value);
        const reader = new ByteReader(writer.finish());
        const message = DIRECT_MESSAGES.has(name) ? { type: name, ...value as object } : value;
        assertEquals(codec.read(reader), message);
        assertEquals(reader.remaining, 0);
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("writtenOut() does again from the start what the direct codec refuses, in the words of the general one", () => {
  const direct: Codec<{ a: number; b: number }> = {
    write(writer, { a, b }) {
      writer.varint(a);
      if (b === 7) throw new Error("not this one");
      writer.varint(b);
    },
    read(reader) {
      const a = reader.varint();
      if (a === 9) throw new Error("not this one");
      return { a, b: reader.varint() };
    },
  };
  const codec = writtenOut(record({ a: varint, b: varint }), direct);
  for (const value of [{ a: 1, b: 2 }, { a: 9, b: 7 }]) {
    const writer = new ByteWriter();
    writer.u8(5);
    codec.write(writer, value);
    assertEquals([...writer.view()], [5, value.a, value.b]);
    const reader = new ByteReader(writer.finish());
    reader.u8();
    assertEquals(codec.read(reader), value);
  }
  assertThrows(() => codec.write(new ByteWriter(), { a: 1, b: -1 }), PackraftError, "b: -1 is not");
  assertThrows(() => codec.read(new ByteReader(Uint8Array.of(1))), PackraftError, "b: 1 B wanted");
});
