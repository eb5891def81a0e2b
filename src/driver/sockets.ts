/**
 * Reading and writing connections: the few loops that the listeners and the peer transport share.
 *
 * @module
 */
import { type Packet, PacketReader } from "../../packraft/mod.ts";

/** What a connection reads into at first, and at most: one that has filled its buffer gets one of twice the size. */
const FIRST_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;

/**
 * Writes all of `bytes`: one write may take less. `progressed` is called whenever the other side has taken some:
 * a slow reader is not a stalled one.
 */
export async function writeAll(
  connection: Deno.Conn,
  bytes: Uint8Array,
  progressed: () => void,
): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await connection.write(offset === 0 ? bytes : bytes.subarray(offset));
    progressed();
  }
}

/**
 * Reads packets until the other side closes. What packets carry shares the memory that `keep` gives back for what was
 * read: a copy that is theirs, or the same, which the next read overwrites when all of them have been taken. Throws
 * `PackraftError` for what is no packet, and socket errors.
 */
export async function readPackets(
  connection: Deno.Conn,
  reader: PacketReader,
  take: (packet: Packet) => Promise<void> | void,
  progress: ReadProgress,
  keep: (bytes: Uint8Array) => Uint8Array,
): Promise<void> {
  let buffer = new Uint8Array(FIRST_READ_BYTES);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    reader.push(keep(buffer.subarray(0, count)));
    if (count === buffer.length && count < MAX_READ_BYTES) buffer = new Uint8Array(count * 2);
    let isWhole = false;
    for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
      isWhole = true;
      const wait = take(packet);
      if (wait !== undefined) await wait;
    }
    progress.heard(isWhole, reader.pendingBytes);
  }
  reader.end();
}

/** Is told what came: whether a frame was completed, and how many bytes of an incomplete one wait. */
export interface ReadProgress {
  heard(isWhole: boolean, pendingBytes: number): void;
}

/** Closes a connection that may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It was closed by its other user: which of the two came first does not matter.
  }
}

/**
 * Whether the other side, a sweep or the network ended the connection: nothing that anyone here did wrong. What the
 * system reports has its name for it as `code`; a list of those would lack one some day (EHOSTUNREACH comes when a
 * router says so), and that one would end the process.
 */
export function isSocketError(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.UnexpectedEof ||
    (error instanceof Error && "code" in error && typeof error.code === "string" &&
      /^E[A-Z0-9]+$/.test(error.code));
}
