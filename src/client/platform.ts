/**
 * What the client library needs of the world: time, chance and connections. Tests bring their own.
 *
 * @module
 */

import { offerNativeCrc32 } from "../../packraft/mod.ts";

/** Where a node serves clients. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** A connection: `Deno.Conn` is one. */
export interface ByteStream {
  /** Fills the beginning of `buffer`. Resolves to the number of bytes, or to null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes the beginning of `bytes`. Resolves to how much that was. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

export interface ClientPlatform {
  /** Milliseconds that never go back. */
  now(): number;
  /** Evenly in [0, 1). */
  random(): number;
  /** Calls `run` once, `delayMs` from now, unless the function returned is called before. */
  after(delayMs: number, run: () => void): () => void;
  connect(address: ServerAddress, signal: AbortSignal): Promise<ByteStream>;
  /** Called when there have been many requests: now is the time for what takes long to load and makes each cheaper. */
  expectMany?(): void;
}

/** The clock, the chance and the TCP sockets of Deno. */
export function denoPlatform(): ClientPlatform {
  return {
    now: () => performance.now(),
    random: Math.random,
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    async connect({ host, port }, signal) {
      const connection = await Deno.connect({ hostname: host, port, signal });
      connection.setNoDelay(true);
      return connection;
    },
    // It takes 40 ms to load: too long for the one request of a command, nothing for those who make thousands.
    expectMany: () => void import("node:zlib").then(({ crc32 }) => offerNativeCrc32(crc32)),
  };
}

/** `host:port`, an IPv6 address in brackets: names a server in messages and in maps. */
export function nameOf({ host, port }: ServerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
