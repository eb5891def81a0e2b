/**
 * What a log entry of kind `command` carries: a write of a client, with the session fields that make it take
 * effect once. Encoded with packraft's primitives; the byte format is in `docs/protocol.md`, for it is what
 * disks and wires hold for the life of a cluster.
 *
 * @module
 */
import {
  ByteReader,
  bytes,
  ByteWriter,
  CLIENT_ID_BYTES,
  type ClientRequestOf,
  fixedBytes,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MIN_KEY_BYTES,
  oneOf,
  PackraftError,
  record,
  type TypeOf,
  varint,
} from "../../packraft/mod.ts";

const COMMAND = record({
  kind: oneOf("put", "delete"),
  clientId: fixedBytes(CLIENT_ID_BYTES),
  sequence: varint,
  answeredUpTo: varint,
  key: bytes({ min: MIN_KEY_BYTES, max: MAX_KEY_BYTES }),
  /** Empty for a delete. */
  value: bytes({ max: MAX_VALUE_BYTES }),
});

/** A write as the log holds it. */
export type Command = TypeOf<typeof COMMAND>;

const NO_VALUE = new Uint8Array();

/** The log's form of a client's write. */
export function commandOf(
  request: ClientRequestOf<"PutRequest"> | ClientRequestOf<"DeleteRequest">,
): Command {
  const { clientId, sequence, answeredUpTo, key } = request;
  const session = { clientId, sequence, answeredUpTo, key };
  return request.type === "PutRequest"
    ? { kind: "put", ...session, value: request.value }
    : { kind: "delete", ...session, value: NO_VALUE };
}

export function encodeCommand(command: Command): Uint8Array {
  const writer = new ByteWriter(64 + command.key.length + command.value.length);
  COMMAND.write(writer, command);
  return writer.finish();
}

/** Reads a command, or throws {@linkcode PackraftError}. Byte strings share memory with `data`. */
export function decodeCommand(data: Uint8Array): Command {
  const reader = new ByteReader(data);
  const command = COMMAND.read(reader);
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `command is followed by ${reader.remaining} B`);
  }
  return command;
}
