/**
 * What the client library costs its process for one request, with a server that costs nothing:
 *
 *     deno run -A bench/client_bench.ts [--work put|get] [--inflight 256] [--seconds 3] [--loopback]
 *
 * The server is a stream in memory that answers each request at once; what it costs is measured alone and taken off.
 * With `--loopback` it is another process behind a socket instead. What is counted is the processor time of this process,
 * system calls and garbage collection included, and the loop that makes the requests.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { cpuUsage } from "node:process";
import { crc32, encodePacket, FRAME_HEADER_BYTES } from "../packraft/mod.ts";
import { type ByteStream, type ClientPlatform, denoPlatform, DraftyClient } from "../src/client/mod.ts";

const VALUE = new Uint8Array(256).fill(0x78);
const KEYS = 100_000;
const PUT_REQUEST = 0x44;
const TYPE_OFFSET = 5;
const BODY_BYTES_OFFSET = 8;
const CRC_OFFSET = 12;

/** Answers with ready-made frames, into which it puts the id of the request and the checksum. */
class Answers {
  readonly #put = bodyAndHeaderOf({ type: "PutResponse", index: 1_000_000 });
  readonly #get = bodyAndHeaderOf({
    type: "GetResponse",
    found: true,
    value: VALUE,
    appliedIndex: 1_000_000,
    isAgeKnown: true,
    ageMs: 0,
  });
  #out = new Uint8Array(1 << 20);
  #outView = new DataView(this.#out.buffer);
  #length = 0;
  #partial = new Uint8Array(0);

  get length(): number {
    return this.#length;
  }

  /** Takes bytes of requests in any pieces. */
  take(bytes: Uint8Array): void {
    const all = this.#partial.length === 0 ? bytes : joined(this.#partial, bytes);
    const view = new DataView(all.buffer, all.byteOffset, all.length);
    let at = 0;
    while (all.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + view.getUint32(at + BODY_BYTES_OFFSET);
      if (end > all.length) break;
      this.#answer(all, at, all[at + TYPE_OFFSET] === PUT_REQUEST ? this.#put : this.#get);
      at = end;
    }
    this.#partial = all.slice(at);
  }

  /** Moves as much as fits into `buffer`. */
  giveTo(buffer: Uint8Array): number {
    const count = Math.min(buffer.length, this.#length);
    buffer.set(this.#out.subarray(0, count));
    this.#out.copyWithin(0, count, this.#length);
    this.#length -= count;
    return count;
  }

  #answer(request: Uint8Array, at: number, { header, body }: { header: Uint8Array; body: Uint8Array }): void {
    const idBytes = 1 + (request[at + FRAME_HEADER_BYTES] ?? 0);
    const wholeBytes = header.length + idBytes + body.length;
    if (this.#length + wholeBytes > this.#out.length) {
      this.#out = joined(this.#out, new Uint8Array(this.#out.length));
      this.#outView = new DataView(this.#out.buffer);
    }
    const start = this.#length;
    const bodyStart = start + header.length;
    const out = this.#out;
    out.set(header, start);
    for (let i = 0; i < idBytes; i++) out[bodyStart + i] = request[at + FRAME_HEADER_BYTES + i] ?? 0;
    out.set(body, bodyStart + idBytes);
    this.#length += wholeBytes;
    this.#outView.setUint32(start + BODY_BYTES_OFFSET, idBytes + body.length);
    const headerCrc = crc32(out, 0, start + 4, start + CRC_OFFSET);
    this.#outView.setUint32(start + CRC_OFFSET, crc32(out, headerCrc, bodyStart, this.#length));
  }
}

/** The two as one connection in memory. */
class AnsweringStream implements ByteStream {
  readonly #answers = new Answers();
  #waiting: { readonly buffer: Uint8Array; readonly resolve: (count: number | null) => void } | undefined;

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#answers.length > 0) return Promise.resolve(this.#answers.giveTo(buffer));
    return new Promise((resolve) => this.#waiting = { buffer, resolve });
  }

  write(bytes: Uint8Array): Promise<number> {
    this.#answers.take(bytes);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(this.#answers.giveTo(waiting.buffer));
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.#waiting?.resolve(null);
  }
}

if (Deno.args[0] === "--serve") await serve();
else await main();

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, { boolean: ["loopback"], string: ["work", "inflight", "seconds"] });
  const inFlight = Number(flags.inflight ?? 256);
  const seconds = Number(flags.seconds ?? 3);
  const server = flags.loopback ? await startServer() : undefined;
  const platform: ClientPlatform = server === undefined
    ? { ...denoPlatform(), connect: () => Promise.resolve(new AnsweringStream()) }
    : denoPlatform();
  try {
    using client = new DraftyClient({
      servers: [{ host: "127.0.0.1", port: server?.port ?? 1 }],
      platform,
    });
    const works = [
      ["put", () => client.put(`key-${Math.floor(Math.random() * KEYS)}`, VALUE)],
      ["get", () => client.get(`key-${Math.floor(Math.random() * KEYS)}`)],
    ] as const;
    for (const [name, run] of works) {
      if (flags.work !== undefined && flags.work !== name) continue;
      await load(run, inFlight, 1); // what runs first runs unoptimised
      const { count, cpuUs, wallUs } = await load(run, inFlight, seconds);
      const fakeUs = server === undefined ? costOfAnswers(name, inFlight) : 0;
      const oneUs = cpuUs / count;
      const note = `${(wallUs / count).toFixed(2)} by the clock` +
        (server === undefined ? `; the server in memory, ${fakeUs.toFixed(2)}, is taken off` : "");
      console.log(`${name}, ${inFlight} in flight: ${(oneUs - fakeUs).toFixed(2)} µs each (${note})`);
    }
  } finally {
    server?.process.kill();
  }
}

async function load(
  run: () => Promise<unknown>,
  inFlight: number,
  seconds: number,
): Promise<{ count: number; cpuUs: number; wallUs: number }> {
  let count = 0;
  const before = cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  let isOver = false;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (!isOver) {
      await run();
      // The clock is part of what is measured here: looked at now and then only.
      if (++count % 1_024 === 0) isOver = performance.now() >= endMs;
    }
  }));
  const { user, system } = cpuUsage(before);
  return { count, cpuUs: user + system, wallUs: (performance.now() - startMs) * 1_000 };
}

/** µs for one request that comes with `inFlight` others: taken, answered and read. */
function costOfAnswers(work: "put" | "get", inFlight: number): number {
  const key = new TextEncoder().encode("key-12345");
  const session = { clientId: new Uint8Array(16), sequence: 100_000, answeredUpTo: 99_900 };
  const frame = encodePacket({
    family: "request",
    envelope: { transactionId: "abcd" },
    message: work === "put"
      ? { type: "PutRequest", ...session, key, value: VALUE }
      : { type: "GetRequest", mode: "leader", key },
  });
  const requests = new Uint8Array(frame.length * inFlight);
  for (let i = 0; i < inFlight; i++) requests.set(frame, i * frame.length);
  const answers = new Answers();
  const buffer = new Uint8Array(64 * 1024);
  let before = cpuUsage();
  for (let round = -1_000; round < 4_000; round++) {
    if (round === 0) before = cpuUsage();
    answers.take(requests);
    while (answers.length > 0) answers.giveTo(buffer);
  }
  const { user, system } = cpuUsage(before);
  return (user + system) / 4_000 / inFlight;
}

function bodyAndHeaderOf(
  message: Parameters<typeof encodePacket>[0]["message"],
): { header: Uint8Array; body: Uint8Array } {
  const frame = encodePacket({ family: "response", envelope: { transactionId: "" }, message } as never);
  return { header: frame.slice(0, FRAME_HEADER_BYTES), body: frame.slice(FRAME_HEADER_BYTES + 1) };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

// ------------------------------------------------------------------------------- the other process

async function startServer(): Promise<{ port: number; process: Deno.ChildProcess }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename ?? "", "--serve"],
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  await process.stdout.cancel();
  return { port: Number(new TextDecoder().decode(value)), process };
}

async function serve(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  for await (const connection of listener) void answer(connection);
}

async function answer(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const answers = new Answers();
  const buffer = new Uint8Array(256 * 1024);
  const out = new Uint8Array(256 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    answers.take(buffer.subarray(0, count));
    while (answers.length > 0) {
      const bytes = out.subarray(0, answers.giveTo(out));
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    }
  }
}
