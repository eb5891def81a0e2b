/**
 * Tests over real connections of this machine to itself. Where there is no permission for that they are ignored,
 * and the reason is printed.
 *
 * @module
 */

export const HOST = "127.0.0.1";

const NEEDED = ["net", "read", "write"] as const;
const problem = await missingPermissions();

/** `Deno.test` for a test that needs the loopback interface, or a directory of its own. */
export function testOnLoopback(name: string, run: () => Promise<void>): void {
  if (problem !== undefined) console.warn(`ignored: ${name}: ${problem}`);
  Deno.test({ name, ignore: problem !== undefined, fn: run });
}

/** The two ends of one connection. */
export class SocketPair implements Disposable {
  readonly near: Deno.TcpConn;
  readonly far: Deno.TcpConn;

  private constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.near = near;
    this.far = far;
  }

  static async open(): Promise<SocketPair> {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const [near, far] = await Promise.all([
      listener.accept(),
      Deno.connect({ hostname: HOST, port: listener.addr.port }),
    ]);
    return new SocketPair(near, far);
  }

  [Symbol.dispose](): void {
    for (const end of [this.near, this.far]) closeIfOpen(end);
  }
}

export function closeIfOpen(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // What is tested may have closed it.
  }
}

/** All that comes until the other side closes, or breaks, the connection. */
export async function readToEnd(connection: Deno.Conn): Promise<Uint8Array> {
  const pieces: number[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await readSome(connection, buffer);
    if (count === 0) return new Uint8Array(pieces);
    for (const byte of buffer.subarray(0, count)) pieces.push(byte);
  }
}

/** Reads until the connection ends and counts; for more bytes than one would keep. */
export async function countToEnd(connection: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(256 * 1024);
  let total = 0;
  for (;;) {
    const count = await readSome(connection, buffer);
    if (count === 0) return total;
    total += count;
  }
}

async function readSome(connection: Deno.Conn, buffer: Uint8Array): Promise<number> {
  try {
    return await connection.read(buffer) ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return 0;
    throw error;
  }
}

/** Waits until `isSo`, or fails. Returns as soon as it is, so the limit can be generous. */
export async function until(isSo: () => boolean, what: string, limitMs = 5_000): Promise<void> {
  const startMs = performance.now();
  while (!isSo()) {
    if (performance.now() - startMs > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function missingPermissions(): Promise<string | undefined> {
  const states = await Promise.all(NEEDED.map((name) => Deno.permissions.query({ name })));
  const missing = NEEDED.filter((_, at) => states[at]?.state !== "granted");
  return missing.length === 0 ? undefined : `needs --allow-${missing.join(" --allow-")}`;
}
