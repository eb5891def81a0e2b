/**
 * The way to one peer: connect, send, close. While messages follow each other the connection stays; when there has
 * been nothing to send for a short linger it is closed, so that an idle cluster is purely one-shot while a busy one
 * does not use up a port for each message.
 *
 * A message on an open connection is handed to the socket before `send` returns: the peer works on it while this node
 * does what comes next in its turn, which may be to wait for its disk.
 *
 * A link never makes anyone wait. What cannot be delivered is dropped, which Raft allows; a peer that is
 * dead, stalled or slow has its own queue, with a bound.
 *
 * @module
 */
import { concat } from "@std/bytes";
import { closeQuietly, writeAll } from "./sockets.ts";

/** Bounds and pauses of a link. */
export interface PeerLinkOptions {
  readonly host: string;
  readonly port: number;
  /** How long an open connection waits for another message; 0 is strictly one-shot. */
  readonly lingerMs: number;
  /** How long connecting may take, or the peer take nothing, before the connection is given up. */
  readonly stallMs: number;
  readonly maxQueuedBytes: number;
  /** Told when messages are lost, why, and at most how many: some of a write that fails may have arrived. */
  readonly onLoss: (reason: string, messageCount: number) => void;
}

export class PeerLink {
  readonly #options: PeerLinkOptions;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isClosed = false;
  #connection: Deno.TcpConn | undefined;
  /** Gives up connecting; undefined while that is not under way. */
  #endConnecting: (() => void) | undefined;
  #isConnecting = false;
  /** How many messages are being written. */
  #inWrite = 0;
  /** When the last write ended, or the peer took something of the present one. */
  #activeMs = 0;
  #isStalled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
  }

  /** Sends a frame, or drops it: it is not known which, and not known when. The frame must not be changed afterwards. */
  send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#queuedBytes + frame.length > this.#options.maxQueuedBytes) {
      this.#options.onLoss(`${this.#queuedBytes} B wait to be sent already`, 1);
      return;
    }
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    if (this.#connection !== undefined) {
      if (this.#inWrite === 0) void this.#drain(this.#connection);
    } else if (!this.#isConnecting) {
      void this.#open();
    }
  }

  /** Drops what is queued and closes the connection, or gives up connecting. */
  close(): void {
    this.#isClosed = true;
    this.#takeQueue();
    this.#endConnecting?.();
    this.#disconnect();
  }

  async #open(): Promise<void> {
    this.#isConnecting = true;
    try {
      const connection = await this.#connect();
      if (this.#isClosed) return closeQuietly(connection);
      this.#connection = connection;
    } catch (error) {
      return this.#lose(error);
    } finally {
      this.#isConnecting = false;
    }
    await this.#drain(this.#connection);
  }

  /** Writes what is queued, and what comes meanwhile; then the connection lingers. */
  async #drain(connection: Deno.TcpConn): Promise<void> {
    try {
      this.#activeMs = performance.now();
      this.#isStalled = false;
      this.#watch();
      while (this.#queue.length > 0) {
        const frames = this.#takeQueue();
        this.#inWrite = frames.length;
        const [first] = frames;
        const bytes = frames.length === 1 && first !== undefined ? first : concat(frames);
        await writeAll(connection, bytes, () => this.#activeMs = performance.now());
      }
      this.#inWrite = 0;
      if (this.#options.lingerMs === 0) this.#disconnect();
    } catch (error) {
      this.#lose(this.#isStalled ? new Error(`took no bytes for ${this.#options.stallMs} ms`) : error);
    }
  }

  /** The connection is of no use any more, and what was to go over it has been lost. */
  #lose(error: unknown): void {
    const lostCount = this.#takeQueue().length + this.#inWrite;
    this.#inWrite = 0;
    this.#disconnect();
    if (!this.#isClosed) {
      this.#options.onLoss(error instanceof Error ? error.message : String(error), lostCount);
    }
  }

  #disconnect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#connection !== undefined) closeQuietly(this.#connection);
    this.#connection = undefined;
  }

  /**
   * Looks after the end of the linger and stalls, with one timer that goes on by itself: to set one for each message
   * would cost as much as sending it.
   */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const { lingerMs, stallMs } = this.#options;
    const quietMs = performance.now() - this.#activeMs;
    const leftMs = this.#inWrite > 0 || lingerMs === 0 ? stallMs - quietMs : lingerMs - quietMs;
    // No later than a linger that begins when the present write ends.
    const delayMs = lingerMs === 0 ? leftMs : Math.min(leftMs, lingerMs);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#connection === undefined) return;
      const nowQuietMs = performance.now() - this.#activeMs;
      if (this.#inWrite > 0 && nowQuietMs >= stallMs) {
        this.#isStalled = true;
        closeQuietly(this.#connection); // the write throws
      } else if (this.#inWrite === 0 && nowQuietMs >= lingerMs) {
        this.#disconnect();
      } else {
        this.#watch();
      }
    }, Math.max(1, delayMs));
  }

  async #connect(): Promise<Deno.TcpConn> {
    const { host, port, stallMs } = this.#options;
    const attempt = new AbortController();
    const giveUp = () => attempt.abort(new Error(`no connection within ${stallMs} ms`));
    const timer = setTimeout(giveUp, stallMs);
    this.#endConnecting = giveUp;
    try {
      const connection = await Deno.connect({ hostname: host, port, signal: attempt.signal });
      connection.setNoDelay(true);
      return connection;
    } finally {
      clearTimeout(timer);
      this.#endConnecting = undefined;
    }
  }

  #takeQueue(): Uint8Array[] {
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return queue;
  }
}
