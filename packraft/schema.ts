/**
 * The vocabulary that message schemas are written in. A schema is a value; the TypeScript type, the encoder
 * and the decoder of a message all follow from it, so that none of the three can disagree with another.
 *
 * ```ts
 * import { bytes, record, type TypeOf, varint } from "./schema.ts";
 * import { ByteReader } from "./byte_reader.ts";
 * import { ByteWriter } from "./byte_writer.ts";
 *
 * const PAIR = record({ key: bytes({ max: 1024 }), version: varint });
 * type Pair = TypeOf<typeof PAIR>; // { readonly key: Uint8Array; readonly version: number }
 *
 * const writer = new ByteWriter();
 * PAIR.write(writer, { key: new Uint8Array([7]), version: 300 });
 * const pair: Pair = PAIR.read(new ByteReader(writer.finish()));
 * if (pair.version !== 300) throw new Error("unreachable");
 * ```
 *
 * @module
 */
import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { PackraftError } from "./errors.ts";

/** What a schema allows, as data: the documentation and the tests are held against it. */
export type Shape =
  | { readonly kind: "varint"; readonly max: number }
  | { readonly kind: "bool" }
  /** Of `min` to `max` bytes. */
  | { readonly kind: "bytes"; readonly min: number; readonly max: number }
  | { readonly kind: "fixedBytes"; readonly count: number }
  /** Of at most `max` bytes. */
  | { readonly kind: "text"; readonly max: number }
  | { readonly kind: "oneOf"; readonly names: readonly string[] }
  /** Of at most `max` items. */
  | { readonly kind: "list"; readonly item: Shape; readonly max: number }
  | { readonly kind: "record"; readonly fields: Readonly<Record<string, Shape>> };

/** How a value of type `T` is written to and read from bytes. */
export interface Codec<T> {
  write(writer: ByteWriter, value: T): void;
  read(reader: ByteReader): T;
}

/** A codec that says what it allows. */
export interface Schema<T> extends Codec<T> {
  readonly shape: Shape;
  /** The fewest bytes that a value takes: a count is checked against it before a list is allocated. */
  readonly minBytes: number;
}

/** The TypeScript type of the values of a schema. */
export type TypeOf<S> = S extends Schema<infer T> ? T : never;

/** A whole number from 0 to 2^53-1 in 1 to 8 bytes. */
export const varint: Schema<number> = {
  shape: { kind: "varint", max: Number.MAX_SAFE_INTEGER },
  minBytes: 1,
  write: (writer, value) => writer.varint(value),
  read: (reader) => reader.varint(),
};

/** A varint of at most `max`. */
export function varintUpTo(max: number): Schema<number> {
  const checked = (value: number) => {
    if (value > max) throw new PackraftError("integerOutOfRange", `${value} exceeds ${max}`);
    return value;
  };
  return {
    shape: { kind: "varint", max },
    minBytes: 1,
    write: (writer, value) => writer.varint(checked(value)),
    read: (reader) => checked(reader.varint()),
  };
}

/** One byte: 0 is false, 1 is true, and nothing else is allowed. */
export const bool: Schema<boolean> = {
  shape: { kind: "bool" },
  minBytes: 1,
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const byte = reader.u8();
    if (byte > 1) throw new PackraftError("invalidValue", `bool is ${byte}, not 0 or 1`);
    return byte === 1;
  },
};

/** A byte string with its length in front, of `min` to `max` bytes. */
export function bytes(limits: { min?: number; max: number }): Schema<Uint8Array> {
  const min = limits.min ?? 0;
  const check = (length: number) => {
    if (length > limits.max) {
      throw new PackraftError("limitExceeded", `byte string of ${length} B exceeds ${limits.max}`);
    }
    if (length < min) {
      throw new PackraftError("limitExceeded", `byte string of ${length} B is under ${min}`);
    }
  };
  return {
    shape: { kind: "bytes", min, max: limits.max },
    minBytes: 1 + min,
    write(writer, value) {
      check(value.length);
      writer.bytes(value);
    },
    read(reader) {
      const value = reader.bytes(limits.max);
      check(value.length);
      return value;
    },
  };
}

/** Exactly `count` bytes, without a length. */
export function fixedBytes(count: number): Schema<Uint8Array> {
  return {
    shape: { kind: "fixedBytes", count },
    minBytes: count,
    write(writer, value) {
      if (value.length !== count) {
        throw new PackraftError("invalidValue", `${value.length} B where exactly ${count} B are needed`);
      }
      writer.raw(value);
    },
    read: (reader) => reader.raw(count),
  };
}

/** UTF-8 text of at most `max` bytes, with its length in bytes in front. */
export function text(limits: { max: number }): Schema<string> {
  return {
    shape: { kind: "text", max: limits.max },
    minBytes: 1,
    write: (writer, value) => writer.text(value, limits.max),
    read: (reader) => reader.text(limits.max),
  };
}

/** One of a closed list of names, as one byte: the place of the name in the list. */
export function oneOf<const Names extends readonly string[]>(...names: Names): Schema<Names[number]> {
  return {
    shape: { kind: "oneOf", names },
    minBytes: 1,
    write(writer, value) {
      const tag = names.indexOf(value);
      if (tag < 0) throw new PackraftError("invalidValue", `"${value}" is none of ${names.join(", ")}`);
      writer.u8(tag);
    },
    read(reader) {
      const tag = reader.u8();
      const name = names[tag];
      if (name === undefined) {
        throw new PackraftError(
          "invalidValue",
          `tag ${tag} is not below ${names.length} (${names.join(", ")})`,
        );
      }
      return name;
    },
  };
}

/** A count, then that many items. */
export function list<T>(item: Schema<T>, limits: { max: number }): Schema<readonly T[]> {
  return {
    shape: { kind: "list", item: item.shape, max: limits.max },
    minBytes: 1,
    write(writer, values) {
      if (values.length > limits.max) {
        throw new PackraftError("limitExceeded", `list of ${values.length} exceeds ${limits.max}`);
      }
      writer.varint(values.length);
      for (const value of values) item.write(writer, value);
    },
    read(reader) {
      const count = reader.varint();
      if (count > limits.max) {
        throw new PackraftError("limitExceeded", `list of ${count} exceeds ${limits.max}`);
      }
      // A count that the rest of the bytes cannot hold is refused before the list grows.
      if (count * item.minBytes > reader.remaining) {
        throw new PackraftError("limitExceeded", `list of ${count} does not fit into ${reader.remaining} B`);
      }
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(item.read(reader));
      return values;
    },
  };
}

/** The fields of a record, by name. */
// deno-lint-ignore no-explicit-any
export type Fields = { readonly [name: string]: Schema<any> };

/** The value type of a record with these fields. */
export type RecordOf<F extends Fields> = { readonly [Name in keyof F]: TypeOf<F[Name]> };

/** Fields one after the other, in the order in which they are declared. */
export function record<F extends Fields>(fields: F): Schema<RecordOf<F>> {
  const entries = Object.entries(fields).map(([name, schema]) => ({ name, schema }));
  return {
    shape: {
      kind: "record",
      fields: Object.fromEntries(entries.map(({ name, schema }) => [name, schema.shape])),
    },
    minBytes: entries.reduce((sum, { schema }) => sum + schema.minBytes, 0),
    write(writer, value) {
      let field = "";
      try {
        for (const { name, schema } of entries) {
          field = name;
          schema.write(writer, value[name]);
        }
      } catch (error) {
        throw inField(field, error);
      }
    },
    read(reader) {
      const value: Record<string, unknown> = {};
      let field = "";
      try {
        for (const { name, schema } of entries) {
          field = name;
          value[name] = schema.read(reader);
        }
      } catch (error) {
        throw inField(field, error);
      }
      return value as RecordOf<F>;
    },
  };
}

/**
 * The same as `general`, only faster: by `direct`, which names the fields in code instead of going through a list of
 * them. That lets an engine compile accesses and calls in place, and is several times as fast; it pays for what stands
 * in every message and entry.
 *
 * `direct` may refuse anything, in any words: what it refuses is done again by `general`, which knows best what is
 * wrong. So errors need no care here, and cannot differ. What `direct` does accept, it must write and read as
 * `general` does: the tests compare the two.
 */
export function writtenOut<T>(general: Codec<T>, direct: Codec<T>): Codec<T> {
  return {
    write(writer, value) {
      const start = writer.length;
      try {
        direct.write(writer, value);
      } catch {
        writer.truncate(start);
        general.write(writer, value);
      }
    },
    read(reader) {
      const start = reader.offset;
      try {
        return direct.read(reader);
      } catch {
        reader.rewind(start);
        return general.read(reader);
      }
    },
  };
}

/** The same error, with the name of the field that it arose in put in front: `entries: data: …`. */
function inField(name: string, error: unknown): unknown {
  if (!(error instanceof PackraftError)) return error;
  return new PackraftError(error.code, `${name}: ${error.message}`);
}
