/**
 * The port for peers. It takes messages from nodes of its own cluster, and answers nothing: a reply is a message
 * of its own on a connection of its own.
 *
 * What is not packraft, not of this cluster, not for this node or said to be from it closes the connection and changes
 * nothing. Whether the sender is a member only the log can tell: the server judges that.
 *
 * @module
 */
import {
  type Packet,
  PacketReader,
  PackraftError,
  type PeerEnvelope,
  type PeerMessage,
} from "../../packraft/mod.ts";
import { acceptAll } from "./accept_loop.ts";
import { ConnectionTable, TrackedConnection } from "./connection_table.ts";
import type { TroubleLog } from "./log_sink.ts";
import type { LuidSource } from "./luids.ts";
import { closeQuietly, isSocketError, readPackets } from "./sockets.ts";

const MAX_CONNECTIONS = 256;
const IDLE_LIMIT_MS = 5_000;
const FRAME_LIMIT_MS = 5_000;

export interface PeerListenerOptions {
  readonly listener: Deno.TcpListener;
  readonly clusterId: string;
  readonly node: number;
  readonly luids: LuidSource;
  readonly trouble: TroubleLog;
  readonly now: () => number;
  readonly receive: (envelope: PeerEnvelope, message: PeerMessage) => void;
}

/** A message that this node must not take. */
class IdentityProblem extends Error {}

export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #table: ConnectionTable<TrackedConnection>;
  readonly #accepting: Promise<void>;

  constructor(options: PeerListenerOptions) {
    this.#options = options;
    this.#table = new ConnectionTable({
      maxConnections: MAX_CONNECTIONS,
      frameLimitMs: FRAME_LIMIT_MS,
      idleLimitMs: IDLE_LIMIT_MS,
      now: options.now,
      onClosed: (kind, luid, detail) => options.trouble.say(`peer ${kind}`, `${luid}: closed, ${detail}`),
    });
    this.#accepting = acceptAll(
      options.listener,
      (connection) => void this.#serve(connection),
      (error) => options.trouble.say("peer accept", `peer port: cannot accept: ${error.message}`),
    );
  }

  /** Stops listening and closes all connections. Resolves when the port is free. */
  async close(): Promise<void> {
    closeQuietly(this.#options.listener);
    this.#table.closeAll();
    await this.#accepting;
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const { luids, now, trouble } = this.#options;
    const luid = luids.next("peer-connection");
    const tracked = new TrackedConnection(luid, connection, now);
    this.#table.add(tracked);
    try {
      const reader = new PacketReader({ families: ["peer"] });
      // Entries stay in the log for long. In memory that is shared they would keep all that came beside them.
      const keep = (bytes: Uint8Array) => bytes.slice();
      await readPackets(connection, reader, (packet) => this.#take(packet), tracked, keep);
    } catch (error) {
      if (error instanceof PackraftError) {
        trouble.say(`peer ${error.code}`, `${luid}: closed, ${error.message}`);
      } else if (error instanceof IdentityProblem) {
        trouble.say("peer identity", `${luid}: closed, identity: ${error.message}`);
      } else if (!isSocketError(error)) {
        throw error;
      }
    } finally {
      this.#table.delete(tracked);
      closeQuietly(connection);
    }
  }

  #take(packet: Packet): void {
    if (packet.family !== "peer") return; // the reader accepts no other
    const { clusterId, node, receive } = this.#options;
    const { envelope, message } = packet;
    if (envelope.clusterId !== clusterId) {
      throw new IdentityProblem(`message of cluster "${envelope.clusterId}", this is "${clusterId}"`);
    }
    if (envelope.to !== node) {
      throw new IdentityProblem(
        `message for node ${envelope.to}, this is node ${node}; are addresses swapped?`,
      );
    }
    if (envelope.from === node || envelope.from === 0) {
      throw new IdentityProblem(
        `message from node ${envelope.from}, and this is node ${node}; is a copy of it running?`,
      );
    }
    receive(envelope, message);
  }
}
