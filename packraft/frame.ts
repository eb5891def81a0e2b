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
import { DIRECT_CLIENT_ENVELOPE, DIRECT_MESSAGES, DIRECT_PEER_ENVELOPE } from "./hot_codecs.ts";
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
import { type Codec, type Schema, writtenOut } from "./schema.ts";

/** The version of the protocol that this build speaks. */
export const PROTOCOL_VERSION = 1;
/** The bytes in front of the body. */
export const FRAME_HEADER_BYTES = 16;

const MAGIC = [0x70, 0x6b, 0x72, 0x66] as const;
const MAGIC_NUMBER = 0x706b7266;
const VERSION_OFFSET = 4;
const TYPE_OFFSET = 5;
const BODY_BYTES_OFFSET = 8;
const CRC_OFFSET = 12;

/** How requests and responses of HTTP begin. */
const HTTP_STARTS = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ", "HTTP"];

interface Kind {
  readonly family: Packet["family"];
  readonly name: string;
  readonly number: number;
  readonly envelope: Codec<Packet["envelope"]>;
  readonly message: Codec<Packet["message"]>;
}

const KINDS: readonly Kind[] = [
  ...kindsOf("peer", PEER_ENVELOPE, DIRECT_PEER_ENVELOPE, PEER_MESSAGES),
  ...kindsOf("request", CLIENT_ENVELOPE, DIRECT_CLIENT_ENVELOPE, CLIENT_REQUESTS),
  ...kindsOf("response", CLIENT_ENVELOPE, DIRECT_CLIENT_ENVELOPE, CLIENT_RESPONSES),
];
const KIND_BY_NAME = new Map(KINDS.map((kind) => [kind.name, kind]));
const KIND_BY_NUMBER: (Kind | undefined)[] = new Array(256).fill(undefined);
for (const kind of KINDS) KIND_BY_NUMBER[kind.number] = kind;

// Frames are put together in one buffer and copied out of it: one that grows anew for each is copied each time.
const sharedWriter = new ByteWriter(64 * 1024, MAX_FRAME_BYTES);

/**
 * The frame of a packet, in memory of its own. Throws {@linkcode PackraftError} for a value that its schema does not
 * allow, and for a packet that does not fit into a frame.
 */
export function encodePacket(packet: Packet): Uint8Array<ArrayBuffer> {
  sharedWriter.reset();
  writeFrame(sharedWriter, packet);
  return sharedWriter.finish();
}

/**
 * Puts the frame of a packet behind what the writer holds: many frames become one buffer, without memory of their own
 * for each. Throws as {@linkcode encodePacket} does: then the writer holds what it held before.
 */
export function appendPacket(writer: ByteWriter, packet: Packet): void {
  writer.atMost(MAX_FRAME_BYTES, writeFrame, packet);
}

function writeFrame(writer: ByteWriter, packet: Packet): void {
  const kind = KIND_BY_NAME.get(packet.message.type);
  if (kind === undefined || kind.family !== packet.family) {
    throw new PackraftError("unknownType", `"${packet.message.type}" is no ${packet.family} message`);
  }
  const start = writer.length;
  writer.u32(MAGIC_NUMBER);
  writer.u32(PROTOCOL_VERSION * 0x1000000 + kind.number * 0x10000); // flags: none
  writer.u32(0); // bodyBytes, known below
  writer.u32(0); // crc32, known below
  kind.envelope.write(writer, packet.envelope);
  kind.message.write(writer, packet.message);
  const end = writer.length;
  const body = start + FRAME_HEADER_BYTES;
  writer.patchU32(start + BODY_BYTES_OFFSET, end - body);
  const headerCrc = writer.crc32(start + VERSION_OFFSET, start + CRC_OFFSET, 0);
  writer.patchU32(start + CRC_OFFSET, writer.crc32(body, end, headerCrc));
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
  if (wordAt(bytes, start) !== MAGIC_NUMBER) checkHeaderStart(bytes.subarray(start), FRAME_HEADER_BYTES);
  checkVersion(bytes[start + VERSION_OFFSET]);
  const number = bytes[start + TYPE_OFFSET] ?? 0;
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
  const flags = wordAt(bytes, start + VERSION_OFFSET) & 0xffff;
  if (flags !== 0) throw new PackraftError("unknownFlags", `flags 0x${flags.toString(16)} are not known`);
  const bodyBytes = wordAt(bytes, start + BODY_BYTES_OFFSET);
  if (bodyBytes === 0) throw new PackraftError("badFrameLength", "frame length 0: a body has at least 1 B");
  const wholeBytes = FRAME_HEADER_BYTES + bodyBytes;
  if (wholeBytes > maxFrameBytes) {
    throw new PackraftError("badFrameLength", `frame ${wholeBytes} B exceeds ${maxFrameBytes}`);
  }
  return wholeBytes;
}

/**
 * The packet in the whole frame, with a valid header, that `bytes` holds from `start` (inclusive) to `end`
 * (exclusive). Its byte strings share that memory.
 */
export function decodeFrame(bytes: Uint8Array, start: number, end: number): Packet {
  const kind = KIND_BY_NUMBER[bytes[start + TYPE_OFFSET] ?? 0];
  if (kind === undefined) throw new PackraftError("unknownType", "message type is not known");
  const expected = wordAt(bytes, start + CRC_OFFSET);
  const body = start + FRAME_HEADER_BYTES;
  const actual = crc32(bytes, crc32(bytes, 0, start + VERSION_OFFSET, start + CRC_OFFSET), body, end);
  if (expected !== actual) {
    throw new PackraftError(
      "badChecksum",
      `checksum is 0x${wordHex(actual)}, the frame says 0x${wordHex(expected)}`,
    );
  }
  const reader = new ByteReader(bytes, body, end);
  const envelope = kind.envelope.read(reader);
  const message = kind.message.read(reader);
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `${kind.name} is followed by ${reader.remaining} B`);
  }
  // The family, the envelope and the message of one kind belong together, which its type cannot say.
  return { family: kind.family, envelope, message } as Packet;
}

/** Four bytes, big-endian. Not through a DataView: making one would cost more than a small message. */
function wordAt(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0);
  return (high << 16 | (bytes[at + 2] ?? 0) << 8 | (bytes[at + 3] ?? 0)) >>> 0;
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

function kindsOf<Envelope extends Packet["envelope"]>(
  family: Packet["family"],
  envelope: Codec<Envelope>,
  directEnvelope: Codec<Envelope>,
  messages: Family,
): Kind[] {
  return Object.entries(messages).map(([name, { number, schema }]) => ({
    family,
    name,
    number,
    envelope: writtenOut(envelope, directEnvelope) as unknown as Kind["envelope"],
    message: messageCodec(name, schema),
  }));
}

/** The fields of a message as its schema has them, and its name. */
function messageCodec(name: string, schema: Schema<object>): Kind["message"] {
  const general = {
    write: schema.write,
    read: (reader: ByteReader) => ({ type: name, ...schema.read(reader) }) as Packet["message"],
  };
  const direct = DIRECT_MESSAGES.get(name);
  return direct === undefined ? general : writtenOut(general, direct);
}
