/**
 * The way to one peer: connect, send, close. While messages follow each other the connection stays; when there has
 * been nothing to send for a short linger it is closed, so that an idle cluster is purely one-shot while a busy one
 * does not use up a port for each message.
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
  #isRunning = false;
  #isClosed = false;
  /** How many messages are being written. */
  #inWrite = 0;
  #connection: Deno.TcpConn | undefined;
  /** Ends the linger: there is more to send, or the link closes. */
  #endLinger: (() => void) | undefined;
  /** Gives up connecting. */
  #endConnecting: (() => void) | undefined;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
  }

  /** Sends a frame, or drops it: it is not known which, and not known when. */
  send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#queuedBytes + frame.length > this.#options.maxQueuedBytes) {
      this.#options.onLoss(`${this.#queuedBytes} B wait to be sent already`, 1);
      return;
    }
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    if (!this.#isRunning) void this.#run();
    this.#endLinger?.();
  }

  /** Drops what is queued and closes the connection, or gives up connecting. */
  close(): void {
    this.#isClosed = true;
    this.#takeQueue();
    this.#endLinger?.();
    this.#endConnecting?.();
    if (this.#connection !== undefined) closeQuietly(this.#connection);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#queue.length > 0) {
      try {
        this.#connection = await this.#connect();
        await this.#sendWhileQueued(this.#connection);
      } catch (error) {
        const lostCount = this.#takeQueue().length + this.#inWrite;
        this.#inWrite = 0;
        if (!this.#isClosed) {
          this.#options.onLoss(error instanceof Error ? error.message : String(error), lostCount);
        }
      } finally {
        if (this.#connection !== undefined) closeQuietly(this.#connection);
        this.#connection = undefined;
      }
    }
    this.#isRunning = false;
  }

  async #sendWhileQueued(connection: Deno.TcpConn): Promise<void> {
    do {
      while (this.#queue.length > 0) {
        const frames = this.#takeQueue();
        this.#inWrite = frames.length;
        await this.#write(connection, concat(frames));
        this.#inWrite = 0;
      }
    } while (await this.#linger());
  }

  /** Waits for more to send. Resolves to whether there is. */
  async #linger(): Promise<boolean> {
    if (this.#options.lingerMs > 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#options.lingerMs);
        this.#endLinger = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#endLinger = undefined;
    }
    return this.#queue.length > 0;
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

  async #write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
    const { stallMs } = this.#options;
    let isStalled = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isStalled = true;
        closeQuietly(connection);
      }, stallMs);
    };
    watch();
    try {
      await writeAll(connection, bytes, watch);
    } catch (error) {
      throw isStalled ? new Error(`took no bytes for ${stallMs} ms`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #takeQueue(): Uint8Array[] {
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return queue;
  }
}
