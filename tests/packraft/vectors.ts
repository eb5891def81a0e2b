/**
 * The test vectors, with their `{"hex": …}` turned into bytes.
 *
 * @module
 */
import { type Member, type Packet, type PackraftErrorCode } from "../../packraft/mod.ts";
import vectors from "../../packraft/vectors.json" with { type: "json" };

/** A frame that is valid, and what it says. */
export interface ValidVector {
  readonly name: string;
  readonly packet: Packet;
  readonly frame: Uint8Array;
}

/** Bytes that are no frame, and what a reader calls the reason. */
export interface InvalidVector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly error: PackraftErrorCode;
}

export const VALID_VECTORS: readonly ValidVector[] = vectors.valid.map((
  { name, family, envelope, message, hex },
) => ({
  name: `${message.type}: ${name}`,
  packet: { family, envelope, message: withBytes(message) } as Packet,
  frame: Uint8Array.fromHex(hex),
}));

export const INVALID_VECTORS: readonly InvalidVector[] = vectors.invalid.map(({ name, error, hex }) => ({
  name,
  error: error as PackraftErrorCode,
  bytes: Uint8Array.fromHex(hex),
}));

export const COMMAND_VECTORS: readonly { name: string; command: unknown; bytes: Uint8Array }[] = vectors
  .commands.map(({ name, command, hex }) => ({
    name,
    command: withBytes(command),
    bytes: Uint8Array.fromHex(hex),
  }));

/** The data of configuration entries. */
export const MEMBERS_VECTORS: readonly { name: string; members: readonly Member[]; bytes: Uint8Array }[] =
  vectors
    .members.map(({ name, members, hex }) => ({
      name,
      members: members as readonly Member[],
      bytes: Uint8Array.fromHex(hex),
    }));

function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (typeof value !== "object" || value === null) return value;
  if ("hex" in value && typeof value.hex === "string") return Uint8Array.fromHex(value.hex);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withBytes(field)]));
}
