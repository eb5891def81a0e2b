/**
 * Random values of whatever a schema allows, made from the schema itself: a new message is covered as soon as
 * it is defined. Edges of ranges and lengths come often, for that is where codecs break.
 *
 * @module
 */
import fc from "fast-check";
import {
  CLIENT_ENVELOPE,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  type Family,
  type Packet,
  PEER_ENVELOPE,
  PEER_MESSAGES,
  type Schema,
  type Shape,
} from "../../packraft/mod.ts";

/** Lists and long strings stay below this, so that a run stays short; the limits have tests of their own. */
const MAX_LENGTH = 300;

/** Whole numbers about the places where a varint takes another byte, or a number another representation. */
const INTEGER_EDGES = [
  0,
  1,
  127,
  128,
  16383,
  16384,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  2 ** 32,
  2 ** 49,
  2 ** 53 - 1,
];
const INTEGER = fc.oneof(fc.constantFrom(...INTEGER_EDGES), fc.nat(), fc.maxSafeNat());

/** Values that the shape allows. */
export function valuesOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "varint":
      return INTEGER.map((value) => Math.min(value, shape.max));
    case "bool":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ minLength: shape.min, maxLength: Math.min(shape.max, MAX_LENGTH), size: "max" });
    case "fixedBytes":
      return fc.uint8Array({ minLength: shape.count, maxLength: shape.count });
    case "text":
      // A unit of these strings takes at most four bytes.
      return fc.string({
        unit: "binary",
        maxLength: Math.floor(Math.min(shape.max, MAX_LENGTH) / 4),
        size: "max",
      });
    case "oneOf":
      return fc.constantFrom(...shape.names);
    case "list":
      return fc.array(valuesOf(shape.item), { maxLength: Math.min(shape.max, 8) });
    case "record":
      return fc.record(
        Object.fromEntries(Object.entries(shape.fields).map(([name, field]) => [name, valuesOf(field)])),
        { noNullPrototype: true },
      );
  }
}

interface KindOfPacket {
  readonly type: string;
  readonly packets: fc.Arbitrary<Packet>;
}

/** For each message, its packets. */
export const KINDS_OF_PACKET: readonly KindOfPacket[] = [
  ...kindsOf("peer", PEER_ENVELOPE, PEER_MESSAGES),
  ...kindsOf("request", CLIENT_ENVELOPE, CLIENT_REQUESTS),
  ...kindsOf("response", CLIENT_ENVELOPE, CLIENT_RESPONSES),
];

/** Packets of every message. */
export const ANY_PACKET: fc.Arbitrary<Packet> = fc.oneof(...KINDS_OF_PACKET.map(({ packets }) => packets));

function kindsOf(family: string, envelope: Schema<unknown>, messages: Family): KindOfPacket[] {
  return Object.entries(messages).map(([type, { schema }]) => ({
    type,
    packets: fc.record({ envelope: valuesOf(envelope.shape), fields: valuesOf(schema.shape) }, {
      noNullPrototype: true,
    })
      .map(({ envelope, fields }) =>
        ({ family, envelope, message: { type, ...fields as object } }) as Packet
      ),
  }));
}
