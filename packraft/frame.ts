/**
 * The frame: what a message looks like on a connection.
 *
 * ```text
 *   0  magic      4 bytes  70 6b 72 66 ("pkrf")
 *   4  version    u8       1
 *   5  type       u8       the number of the message (see messages.ts)
 *   6  flags      u16 BE   0; other bits are not defined in version 1
 *   8  bodyBytes  u32 BE   1 to maxFrameBytes - 16
 *  12  crc32      u32 BE   over bytes 4 to 11 of the header, then the body
 *  16  body               the envelope of the message's family, then the message; nothing after it
 * ```
 *
 * A frame is valid if and only if each of these holds. Everything in the header but the checksum is checked before
 * anything is allocated for the body. The checksum covers the header because a flipped type would otherwise turn one
 * valid message into another.
 *
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { crc32 } from "./crc32.ts";
import { PackraftError } from "./errors.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import {
  CLIENT_ENVELOPE,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  type Family,
  type Packet,
  PEER_ENVELOPE,
  PEER_MESSAGES,
} from "./messages.ts";
import type { Schema } from "./schema.ts";

/** The version of the protocol that this build speaks. */
export const PROTOCOL_VERSION = 1;
/** The bytes in front of the body. */
export const FRAME_HEADER_BYTES = 16;

const MAGIC = [0x70, 0x6b, 0x72, 0x66] as const;
const CRC_START = 4;
const CRC_OFFSET = 12;

interface Kind {
  readonly family: Packet["family"];
  readonly name: string;
  readonly number: number;
  readonly envelope: Schema<unknown>;
  readonly schema: Schema<unknown>;
}

const KINDS: readonly Kind[] = [
  ...kindsOf("peer", PEER_ENVELOPE, PEER_MESSAGES),
  ...kindsOf("request", CLIENT_ENVELOPE, CLIENT_REQUESTS),
  ...kindsOf("response", CLIENT_ENVELOPE, CLIENT_RESPONSES),
];
const KIND_BY_NAME = new Map(KINDS.map((kind) => [kind.name, kind]));
const KIND_BY_NUMBER = new Map(KINDS.map((kind) => [kind.number, kind]));

/**
 * The frame of a packet. Throws {@linkcode PackraftError} for a value that its schema does not allow.
 *
 * @param writer is used in place of a new one, and reset first
 */
export function encodePacket(packet: Packet, writer: ByteWriter = new ByteWriter()): Uint8Array<ArrayBuffer> {
  const kind = KIND_BY_NAME.get(packet.message.type);
  if (kind === undefined || kind.family !== packet.family) {
    throw new PackraftError("unknownType", `"${packet.message.type}" is no ${packet.family} message`);
  }
  writer.reset();
  for (const byte of MAGIC) writer.u8(byte);
  writer.u8(PROTOCOL_VERSION);
  writer.u8(kind.number);
  writer.u16(0);
  writer.u32(0); // bodyBytes, known below
  writer.u32(0); // crc32, known below
  kind.envelope.write(writer, packet.envelope);
  kind.schema.write(writer, packet.message);
  if (writer.length > MAX_FRAME_BYTES) {
    throw new PackraftError("badFrameLength", `frame ${writer.length} B exceeds ${MAX_FRAME_BYTES}`);
  }
  writer.patchU32(8, writer.length - FRAME_HEADER_BYTES);
  writer.patchU32(CRC_OFFSET, frameCrc(writer.view()));
  return writer.finish();
}

/** Checks as much of a header as is there: another protocol is recognised by its first byte. */
export function checkHeaderStart(bytes: Uint8Array): void {
  for (let i = 0; i < MAGIC.length && i < bytes.length; i++) {
    if (bytes[i] !== MAGIC[i]) {
      throw new PackraftError("badMagic", `not packraft (got ${hexOf(bytes)}${guessAt(bytes)})`);
    }
  }
  const version = bytes[4];
  if (version !== undefined && version !== PROTOCOL_VERSION) {
    throw new PackraftError("unsupportedVersion", `version ${version}, supported 1..${PROTOCOL_VERSION}`);
  }
}

/** How long the frame is that begins with this header (16 bytes or more), if the header is valid. */
export function frameBytes(bytes: Uint8Array, maxFrameBytes: number): number {
  checkHeaderStart(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  const number = view.getUint8(5);
  if (!KIND_BY_NUMBER.has(number)) {
    throw new PackraftError("unknownType", `message type ${number} is not known`);
  }
  const flags = view.getUint16(6);
  if (flags !== 0) throw new PackraftError("unknownFlags", `flags 0x${flags.toString(16)} are not known`);
  const bodyBytes = view.getUint32(8);
  if (bodyBytes === 0) throw new PackraftError("badFrameLength", "frame length 0: a body has at least 1 B");
  if (bodyBytes + FRAME_HEADER_BYTES > maxFrameBytes) {
    throw new PackraftError(
      "badFrameLength",
      `frame ${bodyBytes} B exceeds ${maxFrameBytes - FRAME_HEADER_BYTES}`,
    );
  }
  return FRAME_HEADER_BYTES + bodyBytes;
}

/** The packet in a whole frame. Its byte strings share the frame's memory. */
export function decodeFrame(frame: Uint8Array, families: readonly Packet["family"][]): Packet {
  const header = new ByteReader(frame.subarray(CRC_OFFSET, FRAME_HEADER_BYTES));
  const expected = header.u32();
  const actual = frameCrc(frame);
  if (expected !== actual) {
    throw new PackraftError(
      "badChecksum",
      `checksum ${actual.toString(16)}, the frame says ${expected.toString(16)}`,
    );
  }
  const kind = KIND_BY_NUMBER.get(frame[5] ?? 0);
  if (kind === undefined || !families.includes(kind.family)) {
    const name = kind === undefined ? "unknown" : kind.name;
    throw new PackraftError(
      "unknownType",
      `${name} is not accepted here: only ${families.join(" and ")} messages are`,
    );
  }
  const reader = new ByteReader(frame.subarray(FRAME_HEADER_BYTES));
  const envelope = kind.envelope.read(reader);
  const fields = kind.schema.read(reader) as object;
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `${kind.name} is followed by ${reader.remaining} B`);
  }
  return { family: kind.family, envelope, message: { type: kind.name, ...fields } } as Packet;
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** What else might be speaking. */
function guessAt(bytes: Uint8Array): string {
  if (bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 0x03)) return "; TLS?";
  const start = String.fromCharCode(...bytes.subarray(0, 4));
  const isHttp = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN"].includes(start);
  return isHttp ? "; HTTP?" : "";
}

function frameCrc(frame: Uint8Array): number {
  return crc32(frame.subarray(FRAME_HEADER_BYTES), crc32(frame.subarray(CRC_START, CRC_OFFSET)));
}

function kindsOf(family: Packet["family"], envelope: Schema<unknown>, messages: Family): Kind[] {
  return Object.entries(messages).map(([name, { number, schema }]) => ({
    family,
    name,
    number,
    envelope,
    schema,
  }));
}
