/**
 * The open connections of one listener, so that those that do nothing can be closed: a thousand connections that
 * send nothing, or one byte a second, must not keep those out that have something to say.
 *
 * @module
 */
import { closeQuietly, type ReadProgress } from "./sockets.ts";

/** A connection as the table sees it. */
export class TrackedConnection implements ReadProgress {
  readonly luid: string;
  readonly connection: Deno.TcpConn;
  readonly #now: () => number;
  /** When bytes came or the last answer had left, whichever was later; the time of connecting before that. */
  heardMs: number;
  /** Since when an incomplete frame has been waiting for its rest, and how much of it is there. */
  incomplete: { readonly sinceMs: number; bytes: number } | undefined;
  /** Whether a whole frame ever came: who has spoken packraft once may be silent for longer. */
  hasSpoken = false;
  /** Since when the other side has taken nothing of what is being written to it; undefined while nothing is. */
  untakenSinceMs: number | undefined;

  constructor(luid: string, connection: Deno.TcpConn, now: () => number) {
    this.luid = luid;
    this.connection = connection;
    this.#now = now;
    this.heardMs = now();
  }

  heard(isWhole: boolean, pendingBytes: number): void {
    this.heardMs = this.#now();
    if (isWhole) {
      this.hasSpoken = true;
      this.incomplete = undefined;
    }
    if (pendingBytes === 0) this.incomplete = undefined;
    else if (this.incomplete === undefined) this.incomplete = { sinceMs: this.heardMs, bytes: pendingBytes };
    else this.incomplete.bytes = pendingBytes;
  }

  /** Bytes are being written, or the other side has taken some of them. */
  offered(): void {
    this.untakenSinceMs = this.#now();
  }

  /** The other side has taken all: it is its turn now, and its silence counts from here. */
  taken(): void {
    this.untakenSinceMs = undefined;
    this.heardMs = this.#now();
  }

  /** Whether the connection is waiting for this node rather than the other way round. */
  isOwedAnAnswer(): boolean {
    return false;
  }
}

export interface ConnectionTableOptions {
  readonly maxConnections: number;
  /** How long the first frame, or the rest of any frame, may take. */
  readonly frameLimitMs: number;
  /** How long a connection that has spoken may be silent between frames, or take nothing of what it asked for. */
  readonly idleLimitMs: number;
  readonly now: () => number;
  /** `kind` is stable, `detail` is of this connection. */
  readonly onClosed: (kind: CloseKind, luid: string, detail: string) => void;
}

export type CloseKind = "idle" | "incomplete" | "crowded" | "stalled";

const SWEEP_MS = 500;

export class ConnectionTable<Connection extends TrackedConnection> {
  readonly #options: ConnectionTableOptions;
  readonly #connections = new Set<Connection>();
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(options: ConnectionTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Adds a connection; if there are too many, the one that has been silent for longest makes room. */
  add(connection: Connection): void {
    // One may have been accepted just before the listener was closed.
    if (this.#isClosed) return closeQuietly(connection.connection);
    this.#connections.add(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
    if (this.#connections.size <= this.#options.maxConnections) return;
    const idle = [...this.#connections].filter((other) => !other.isOwedAnAnswer());
    const quietest = idle.reduce((a, b) => b.heardMs < a.heardMs ? b : a, idle[0] ?? connection);
    this.#close(quietest, "crowded", `more than ${this.#options.maxConnections} connections`);
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#connections.values();
  }

  /** Closes all connections, and each that comes yet. */
  closeAll(): void {
    this.#isClosed = true;
    for (const connection of [...this.#connections]) {
      this.delete(connection);
      closeQuietly(connection.connection);
    }
  }

  #sweep(): void {
    const { now, frameLimitMs, idleLimitMs } = this.#options;
    const nowMs = now();
    for (const connection of [...this.#connections]) {
      const { incomplete, heardMs, hasSpoken, untakenSinceMs } = connection;
      const silentMs = nowMs - heardMs;
      if (untakenSinceMs !== undefined) {
        // Else those who ask and never read would hold their places, and what they are owed, for ever.
        if (nowMs - untakenSinceMs <= idleLimitMs) continue;
        this.#close(connection, "stalled", `took nothing of its answers for ${idleLimitMs / 1000} s`);
      } else if (connection.isOwedAnAnswer()) {
        continue;
      } else if (incomplete !== undefined && nowMs - incomplete.sinceMs > frameLimitMs) {
        this.#close(
          connection,
          "incomplete",
          `incomplete frame: ${incomplete.bytes} B after ${frameLimitMs / 1000} s`,
        );
      } else if (silentMs > (hasSpoken ? idleLimitMs : frameLimitMs)) {
        this.#close(connection, "idle", `silent for ${Math.round(silentMs / 1000)} s`);
      }
    }
  }

  #close(connection: Connection, kind: CloseKind, detail: string): void {
    this.delete(connection);
    closeQuietly(connection.connection);
    this.#options.onClosed(kind, connection.luid, detail);
  }
}
