/**
 * What the machine itself takes for the two things that no acknowledged write can do without: one append to a file with
 * an `fdatasync`, and one exchange of messages over loopback. Each is the median of many, measured with an idle machine
 * in mind: they are floors, and whatever else runs makes them higher.
 *
 * @module
 */
import { medianOf } from "./latencies.ts";

const HOST = "127.0.0.1";
const ANSWER_BYTES = 16;
/** The first ones run unoptimised code on cold files and sockets. */
const WARM_UP_ROUNDS = 20;
const ROUNDS = 300;
/** A slow disk must not make people wait for the floor. */
const LIMIT_MS = 1_500;

export interface MachineLimits {
  /** One append of a value, with its `fdatasync`. */
  readonly syncMs: number;
  /** One message with a value there, and a short one back. */
  readonly exchangeMs: number;
}

/** What a write takes at least. */
export function limitMsOf({ syncMs, exchangeMs }: MachineLimits): number {
  return syncMs + exchangeMs;
}

/** @param folder where to write: on the file system that is meant */
export async function measureLimits(folder: string, valueBytes: number): Promise<MachineLimits> {
  // A file cannot grow by nothing: an empty value has a key at least.
  const bytes = new Uint8Array(Math.max(1, valueBytes)).fill(0x78);
  return { syncMs: measureSync(folder, bytes), exchangeMs: await measureExchange(bytes) };
}

function measureSync(folder: string, bytes: Uint8Array): number {
  const path = `${folder}/drafty-bench-sync-${crypto.randomUUID()}`;
  const file = Deno.openSync(path, { append: true, createNew: true });
  try {
    const timesMs: number[] = [];
    const startMs = performance.now();
    for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
      const beganMs = performance.now();
      file.writeSync(bytes);
      file.syncDataSync();
      const nowMs = performance.now();
      timesMs.push(nowMs - beganMs);
      if (nowMs - startMs > LIMIT_MS) break;
    }
    return medianOf(withoutWarmUp(timesMs));
  } finally {
    file.close();
    Deno.removeSync(path);
  }
}

async function measureExchange(bytes: Uint8Array): Promise<number> {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const accepting = listener.accept();
  using near = await Deno.connect({ hostname: HOST, port: listener.addr.port });
  using far = await accepting;
  near.setNoDelay(true);
  far.setNoDelay(true);
  const answering = answer(far, bytes.length);
  const buffer = new Uint8Array(ANSWER_BYTES);
  const timesMs: number[] = [];
  const startMs = performance.now();
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const beganMs = performance.now();
    await writeAll(near, bytes);
    await readBytes(near, buffer, ANSWER_BYTES);
    const nowMs = performance.now();
    timesMs.push(nowMs - beganMs);
    if (nowMs - startMs > LIMIT_MS) break;
  }
  await near.closeWrite();
  await answering;
  return medianOf(withoutWarmUp(timesMs));
}

/** Answers each message of `sizeBytes` until there are no more. */
async function answer(connection: Deno.Conn, sizeBytes: number): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  const bytes = new Uint8Array(ANSWER_BYTES);
  while (await readBytes(connection, buffer, sizeBytes)) await writeAll(connection, bytes);
}

/** Reads so many bytes and forgets them. Resolves to whether they came. */
async function readBytes(connection: Deno.Conn, buffer: Uint8Array, sizeBytes: number): Promise<boolean> {
  for (let left = sizeBytes; left > 0;) {
    const count = await connection.read(buffer);
    if (count === null) return false;
    left -= count;
  }
  return true;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

function withoutWarmUp(timesMs: readonly number[]): readonly number[] {
  return timesMs.length > 2 * WARM_UP_ROUNDS ? timesMs.slice(WARM_UP_ROUNDS) : timesMs;
}
