import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bool,
  ByteReader,
  bytes,
  ByteWriter,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  type Family,
  fixedBytes,
  list,
  oneOf,
  PackraftError,
  type PackraftErrorCode,
  PEER_MESSAGES,
  record,
  type Schema,
  text,
  varint,
  varintUpTo,
} from "../../packraft/mod.ts";

Deno.test("no field is called `type`, which names the message", () => {
  for (const family of [PEER_MESSAGES, CLIENT_REQUESTS, CLIENT_RESPONSES]) {
    for (const [message, { schema }] of Object.entries<Family[string]>(family)) {
      assert(!("type" in schema.shape.fields), message);
    }
  }
});

/** What a schema takes and refuses, each way. */
interface Case {
  readonly name: string;
  readonly schema: Schema<unknown>;
  readonly accepted: readonly (readonly [value: unknown, hex: string])[];
  readonly unwritable: readonly (readonly [value: unknown, code: PackraftErrorCode, message: string])[];
  readonly unreadable: readonly (readonly [hex: string, code: PackraftErrorCode, message: string])[];
}

const PAIR = record({ a: varint, b: list(record({ c: bool }), { max: 2 }) });

const CASES: readonly Case[] = [
  {
    name: "varint",
    schema: varint as Schema<unknown>,
    accepted: [
      [0, "00"],
      [127, "7f"],
      [128, "8001"],
      [2 ** 31 - 1, "ffffffff07"],
      [2 ** 31, "8080808008"],
      [2 ** 31 + 1, "8180808008"],
      [2 ** 32, "8080808010"],
      [2 ** 49 - 1, "ffffffffffff7f"],
      [2 ** 49, "8080808080808001"],
      [2 ** 53 - 1, "ffffffffffffff0f"],
    ],
    unwritable: [
      [2 ** 53, "integerOutOfRange", "9007199254740992 is not a whole number from 0 to 9007199254740991"],
      [-1, "integerOutOfRange", "-1 is not a whole number from 0 to 9007199254740991"],
      [0.5, "integerOutOfRange", "0.5 is not a whole number from 0 to 9007199254740991"],
    ],
    unreadable: [
      ["", "truncated", "1 B wanted, 0 B left"],
      ["80", "truncated", "1 B wanted, 0 B left"],
      ["8000", "nonCanonicalVarint", "varint of 2 B ends in a zero byte"],
      ["ff00", "nonCanonicalVarint", "varint of 2 B ends in a zero byte"],
      ["8080808080808000", "nonCanonicalVarint", "varint of 8 B ends in a zero byte"],
      ["8080808080808010", "integerOutOfRange", "varint exceeds 9007199254740991"],
      ["ffffffffffffffffff01", "integerOutOfRange", "varint exceeds 9007199254740991"],
      ["808080808080808000", "integerOutOfRange", "varint exceeds 9007199254740991"],
    ],
  },
  {
    name: "varintUpTo()",
    schema: varintUpTo(300) as Schema<unknown>,
    accepted: [[0, "00"], [300, "ac02"]],
    unwritable: [[301, "integerOutOfRange", "301 exceeds 300"]],
    unreadable: [["ad02", "integerOutOfRange", "301 exceeds 300"]],
  },
  {
    name: "bool",
    schema: bool as Schema<unknown>,
    accepted: [[false, "00"], [true, "01"]],
    unwritable: [],
    unreadable: [["02", "invalidValue", "bool is 2, not 0 or 1"], ["", "truncated", "1 B wanted, 0 B left"]],
  },
  {
    name: "bytes()",
    schema: bytes({ min: 1, max: 3 }) as Schema<unknown>,
    accepted: [[new Uint8Array([7]), "0107"], [new Uint8Array([7, 8, 9]), "03070809"]],
    unwritable: [
      [new Uint8Array(), "limitExceeded", "byte string of 0 B is under 1"],
      [new Uint8Array(4), "limitExceeded", "byte string of 4 B exceeds 3"],
    ],
    unreadable: [
      ["00", "limitExceeded", "byte string of 0 B is under 1"],
      ["0401020304", "limitExceeded", "byte string of 4 B exceeds 3"],
      ["ffffffffffffff0f", "limitExceeded", "byte string of 9007199254740991 B exceeds 3"],
      ["030102", "truncated", "3 B wanted, 2 B left"],
    ],
  },
  {
    name: "fixedBytes()",
    schema: fixedBytes(2) as Schema<unknown>,
    accepted: [[new Uint8Array([7, 8]), "0708"]],
    unwritable: [[new Uint8Array(3), "invalidValue", "3 B where exactly 2 B are needed"]],
    unreadable: [["07", "truncated", "2 B wanted, 1 B left"]],
  },
  {
    name: "text()",
    schema: text({ max: 4 }) as Schema<unknown>,
    accepted: [
      ["", "00"],
      ["abcd", "0461626364"],
      ["é", "02c3a9"],
      ["aé", "0361c3a9"],
      ["😀", "04f09f9880"],
      ["\ufeff", "03efbbbf"],
      ["\0", "0100"],
    ],
    unwritable: [
      ["abcde", "limitExceeded", "text of 5 B exceeds 4"],
      ["éée", "limitExceeded", "text of 5 B exceeds 4"],
      ["\ud800", "invalidText", "text holds a lone surrogate"],
    ],
    unreadable: [
      ["056162636465", "limitExceeded", "text of 5 B exceeds 4"],
      ["01ff", "invalidText", "text is not valid UTF-8"],
      ["02c080", "invalidText", "text is not valid UTF-8"],
      ["03eda080", "invalidText", "text is not valid UTF-8"],
      ["01c3", "invalidText", "text is not valid UTF-8"],
      ["0361", "truncated", "3 B wanted, 1 B left"],
    ],
  },
  {
    name: "text() that is longer than a length of one byte",
    schema: text({ max: 200 }) as Schema<unknown>,
    accepted: [
      ["x".repeat(127), `7f${"78".repeat(127)}`],
      ["x".repeat(128), `8001${"78".repeat(128)}`],
      ["é".repeat(64), `8001${"c3a9".repeat(64)}`],
    ],
    unwritable: [["x".repeat(201), "limitExceeded", "text of 201 B exceeds 200"]],
    unreadable: [],
  },
  {
    name: "oneOf()",
    schema: oneOf("red", "green") as Schema<unknown>,
    accepted: [["red", "00"], ["green", "01"]],
    unwritable: [["blue", "invalidValue", '"blue" is none of red, green']],
    unreadable: [["02", "invalidValue", "tag 2 is not below 2 (red, green)"]],
  },
  {
    name: "list()",
    schema: list(fixedBytes(2), { max: 2 }) as Schema<unknown>,
    accepted: [[[], "00"], [[new Uint8Array([1, 2]), new Uint8Array([3, 4])], "0201020304"]],
    unwritable: [[[1, 2, 3].map(() => new Uint8Array(2)), "limitExceeded", "list of 3 exceeds 2"]],
    unreadable: [
      ["03010203040506", "limitExceeded", "list of 3 exceeds 2"],
      ["02010203", "limitExceeded", "list of 2 does not fit into 3 B"],
    ],
  },
  {
    name: "record()",
    schema: PAIR as Schema<unknown>,
    accepted: [[{ a: 300, b: [{ c: true }, { c: false }] }, "ac02020100"]],
    unwritable: [
      [{ a: -1, b: [] }, "integerOutOfRange", "a: -1 is not a whole number from 0 to 9007199254740991"],
    ],
    unreadable: [["000105", "invalidValue", "b: c: bool is 5, not 0 or 1"]],
  },
];

for (const { name, schema, accepted, unwritable, unreadable } of CASES) {
  Deno.test(`${name} is written and read as specified`, () => {
    for (const [value, hex] of accepted) {
      const writer = new ByteWriter(1);
      schema.write(writer, value);
      assertEquals(writer.finish().toHex(), hex);
      const reader = new ByteReader(Uint8Array.fromHex(hex));
      assertEquals(schema.read(reader), value);
      assertEquals(reader.remaining, 0);
      assert(hex.length / 2 >= schema.minBytes, `${hex} is shorter than minBytes`);
    }
  });

  Deno.test(`${name} refuses what is not allowed, and says why`, () => {
    for (const [value, code, message] of unwritable) {
      const error = assertThrows(() => schema.write(new ByteWriter(), value), PackraftError);
      assertEquals([error.code, error.message], [code, message]);
    }
    for (const [hex, code, message] of unreadable) {
      const reader = new ByteReader(Uint8Array.fromHex(hex));
      const error = assertThrows(() => schema.read(reader), PackraftError);
      assertEquals([error.code, error.message], [code, message], hex);
    }
  });
}

Deno.test("ByteWriter takes as many bytes as it may hold, and not one more", () => {
  const writer = new ByteWriter(1, 10);
  writer.raw(new Uint8Array(8));
  writer.varint(128);
  assertEquals(writer.length, 10);
  const error = assertThrows(() => writer.u8(0), PackraftError);
  assertEquals([error.code, error.message], ["limitExceeded", "11 B or more exceed 10"]);
  writer.reset();
  writer.u32(1);
  assertEquals(writer.finish().toHex(), "00000001");
});
