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
 * A frame is valid if and only if each of these holds. Everything in the header but the checksum is checked
 * before anything is allocated for the body. The checksum covers the header because a flipped type would
 * otherwise turn one valid message into another.
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
const MAGIC_NUMBER = 0x706b7266;
const VERSION_OFFSET = 4;
const TYPE_OFFSET = 5;
const FLAGS_OFFSET = 6;
const BODY_BYTES_OFFSET = 8;
const CRC_OFFSET = 12;

/** How requests and responses of HTTP begin. */
const HTTP_STARTS = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ", "HTTP"];

interface Kind {
  readonly family: Packet["family"];
  readonly name: string;
  readonly number: number;
  readonly envelope: Schema<unknown>;
  readonly schema: Schema<object>;
}

const KINDS: readonly Kind[] = [
  ...kindsOf("peer", PEER_ENVELOPE, PEER_MESSAGES),
  ...kindsOf("request", CLIENT_ENVELOPE, CLIENT_REQUESTS),
  ...kindsOf("response", CLIENT_ENVELOPE, CLIENT_RESPONSES),
];
const KIND_BY_NAME = new Map(KINDS.map((kind) => [kind.name, kind]));
const KIND_BY_NUMBER: (Kind | undefined)[] = new Array(256).fill(undefined);
for (const kind of KINDS) KIND_BY_NUMBER[kind.number] = kind;

// Frames are put together in one buffer and copied out of it: one that grows anew for each is copied each time.
const sharedWriter = new ByteWriter(64 * 1024, MAX_FRAME_BYTES);

/**
 * The frame of a packet. Throws {@linkcode PackraftError} for a value that its schema does not allow, and for a
 * packet that does not fit into a frame.
 */
export function encodePacket(packet: Packet): Uint8Array<ArrayBuffer> {
  const kind = KIND_BY_NAME.get(packet.message.type);
  if (kind === undefined || kind.family !== packet.family) {
    throw new PackraftError("unknownType", `"${packet.message.type}" is no ${packet.family} message`);
  }
  const writer = sharedWriter;
  writer.reset();
  writer.u32(MAGIC_NUMBER);
  writer.u8(PROTOCOL_VERSION);
  writer.u8(kind.number);
  writer.u16(0);
  writer.u32(0); // bodyBytes, known below
  writer.u32(0); // crc32, known below
  kind.envelope.write(writer, packet.envelope);
  kind.schema.write(writer, packet.message);
  writer.patchU32(BODY_BYTES_OFFSET, writer.length - FRAME_HEADER_BYTES);
  writer.patchU32(CRC_OFFSET, frameCrc(writer.view()));
  return writer.finish();
}

/** Checks as much of a header as is there: another protocol is recognised by its first byte. */
export function checkHeaderStart(bytes: Uint8Array, length: number): void {
  for (let i = 0; i < MAGIC.length && i < length; i++) {
    if (bytes[i] !== MAGIC[i]) {
      const start = bytes.subarray(0, Math.min(length, MAGIC.length));
      throw new PackraftError("badMagic", `not packraft (got ${hexOf(start)}${guessAt(start)})`);
    }
  }
  if (length > VERSION_OFFSET) checkVersion(bytes[VERSION_OFFSET]);
}

/**
 * How long the frame is whose header (all 16 bytes of it) begins at `start`. Throws {@linkcode PackraftError}
 * for a header that is not valid, or of a message of another family than `families`.
 */
export function frameBytes(
  bytes: Uint8Array,
  start: number,
  maxFrameBytes: number,
  families: readonly Packet["family"][],
): number {
  const header = new DataView(bytes.buffer, bytes.byteOffset + start, FRAME_HEADER_BYTES);
  if (header.getUint32(0) !== MAGIC_NUMBER) checkHeaderStart(bytes.subarray(start), FRAME_HEADER_BYTES);
  checkVersion(header.getUint8(VERSION_OFFSET));
  const number = header.getUint8(TYPE_OFFSET);
  const kind = KIND_BY_NUMBER[number];
  if (kind === undefined) {
    throw new PackraftError("unknownType", `message type 0x${byteHex(number)} is not known`);
  }
  if (!families.includes(kind.family)) {
    throw new PackraftError(
      "unknownType",
      `${kind.name} is not accepted here: only ${families.join(" and ")} messages are`,
    );
  }
  const flags = header.getUint16(FLAGS_OFFSET);
  if (flags !== 0) throw new PackraftError("unknownFlags", `flags 0x${flags.toString(16)} are not known`);
  const bodyBytes = header.getUint32(BODY_BYTES_OFFSET);
  if (bodyBytes === 0) throw new PackraftError("badFrameLength", "frame length 0: a body has at least 1 B");
  const wholeBytes = FRAME_HEADER_BYTES + bodyBytes;
  if (wholeBytes > maxFrameBytes) {
    throw new PackraftError("badFrameLength", `frame ${wholeBytes} B exceeds ${maxFrameBytes}`);
  }
  return wholeBytes;
}

/** The packet in a whole frame with a valid header. Its byte strings share the frame's memory. */
export function decodeFrame(frame: Uint8Array): Packet {
  const reader = new ByteReader(frame);
  reader.raw(TYPE_OFFSET);
  const kind = KIND_BY_NUMBER[reader.u8()];
  if (kind === undefined) throw new PackraftError("unknownType", "message type is not known");
  reader.raw(CRC_OFFSET - FLAGS_OFFSET);
  const expected = reader.u32();
  const actual = frameCrc(frame);
  if (expected !== actual) {
    throw new PackraftError(
      "badChecksum",
      `checksum is 0x${wordHex(actual)}, the frame says 0x${wordHex(expected)}`,
    );
  }
  const envelope = kind.envelope.read(reader);
  const message = { type: kind.name, ...kind.schema.read(reader) };
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `${kind.name} is followed by ${reader.remaining} B`);
  }
  // The family, the envelope and the message of one kind belong together, which its type cannot say.
  return { family: kind.family, envelope, message } as Packet;
}

function checkVersion(version: number | undefined): void {
  if (version === PROTOCOL_VERSION) return;
  throw new PackraftError("unsupportedVersion", `version ${version}, supported 1..${PROTOCOL_VERSION}`);
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map(byteHex).join(" ");
}

function byteHex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function wordHex(word: number): string {
  return word.toString(16).padStart(8, "0");
}

/** What else might be speaking, by its first four bytes or fewer. */
function guessAt(start: Uint8Array): string {
  if (start[0] === 0x16 && (start.length < 2 || start[1] === 0x03)) return "; TLS?";
  const isHttp = HTTP_STARTS.includes(String.fromCharCode(...start));
  return isHttp ? "; HTTP?" : "";
}

function frameCrc(frame: Uint8Array): number {
  return crc32(frame.subarray(FRAME_HEADER_BYTES), crc32(frame.subarray(VERSION_OFFSET, CRC_OFFSET)));
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
