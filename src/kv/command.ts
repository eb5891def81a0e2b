/**
 * What a log entry of kind `command` carries: a write of a client, with the session fields that make it take
 * effect once. The byte format is in `docs/protocol.md`, for it is what disks and wires hold for the life of a
 * cluster.
 *
 * Every write is encoded once and decoded on every node, so both are written out here, where packraft's schema would
 * make an array for each field; {@linkcode COMMAND} is that schema, and a test holds the two together. What follows
 * `answeredUpTo` is a PAIR of packraft: the store keeps it as it is.
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
import { ByteArena } from "./byte_arena.ts";
import { digestOfPair, mixed } from "./digests.ts";

const KINDS = ["put", "delete"] as const;

/** The format of a command. */
export const COMMAND = record({
  kind: oneOf(...KINDS),
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
  return new CommandEncoder().encode(command);
}

/** Encodes many commands, most of them into shared buffers: an array for each would cost more than the encoding. */
export class CommandEncoder {
  readonly #writer = new ByteWriter(512);
  readonly #arena = new ByteArena();

  /** The bytes of a command, which nobody writes to any more. */
  encode(command: Command): Uint8Array {
    const writer = this.#writer;
    writer.reset();
    COMMAND.write(writer, command);
    return this.#arena.copy(writer.view());
  }
}

/** A command in an entry of the log: its fields are views of the entry's data, made when they are asked for. */
export class LoggedCommand implements Command {
  readonly kind: Command["kind"];
  readonly sequence: number;
  readonly answeredUpTo: number;
  readonly #data: Uint8Array;
  readonly #pairStart: number;
  readonly #keyStart: number;
  readonly #valueLengthStart: number;
  readonly #valueStart: number;
  #pair: Uint8Array | undefined;
  #pairDigest = 0;

  /** @throws PackraftError if the bytes are not those of a command */
  constructor(data: Uint8Array) {
    const reader = new ByteReader(data);
    const kind = KINDS[data[0] ?? KINDS.length];
    if (kind === undefined || data.length < 1 + CLIENT_ID_BYTES) throw errorIn(data);
    this.kind = kind;
    this.#data = data;
    try {
      reader.raw(1 + CLIENT_ID_BYTES);
      this.sequence = reader.varint();
      this.answeredUpTo = reader.varint();
      this.#pairStart = reader.offset;
      const keyBytes = reader.skipBytes(MAX_KEY_BYTES);
      if (keyBytes < MIN_KEY_BYTES) throw errorIn(data);
      this.#valueLengthStart = reader.offset;
      this.#keyStart = reader.offset - keyBytes;
      const valueBytes = reader.skipBytes(MAX_VALUE_BYTES);
      this.#valueStart = reader.offset - valueBytes;
    } catch (error) {
      throw error instanceof PackraftError ? errorIn(data) : error;
    }
    if (reader.remaining > 0) {
      throw new PackraftError("trailingBytes", `command is followed by ${reader.remaining} B`);
    }
  }

  get clientId(): Uint8Array {
    return this.#data.subarray(1, 1 + CLIENT_ID_BYTES);
  }

  get key(): Uint8Array {
    return this.#data.subarray(this.#keyStart, this.#valueLengthStart);
  }

  get value(): Uint8Array {
    return this.#data.subarray(this.#valueStart);
  }

  /** Key and value as packraft's PAIR. */
  get pair(): Uint8Array {
    return this.#pair ??= this.#data.subarray(this.#pairStart);
  }

  /** Never 0. */
  get pairDigest(): number {
    return this.#pairDigest ||= digestOfPair(this.pair);
  }

  /** The digest of a history that goes on with this command: all fields are in it, and the bytes are read once. */
  digestAfter(history: number): number {
    const data = this.#data;
    let digest = mixed(mixed(mixed(history, this.pairDigest), this.sequence), this.answeredUpTo);
    for (let i = 1; i <= CLIENT_ID_BYTES; i += 4) {
      const [a, b, c, d] = [data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0, data[i + 3] ?? 0];
      digest = mixed(digest, ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
    }
    return mixed(digest, KINDS.indexOf(this.kind));
  }
}

/** Reads a command, or throws {@linkcode PackraftError}. Byte strings share memory with `data`. */
export function decodeCommand(data: Uint8Array): Command {
  const { kind, clientId, sequence, answeredUpTo, key, value } = new LoggedCommand(data);
  return { kind, clientId, sequence, answeredUpTo, key, value };
}

/** What the schema says of bytes that are no command. */
function errorIn(data: Uint8Array): PackraftError {
  try {
    COMMAND.read(new ByteReader(data));
  } catch (error) {
    if (error instanceof PackraftError) return error;
    throw error;
  }
  return new PackraftError("invalidValue", "not a command");
}
