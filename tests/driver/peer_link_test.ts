import { assertEquals, assertMatch } from "@std/assert";
import { PeerLink, type PeerLinkOptions } from "../../src/driver/peer_link.ts";
import { HOST, pause, testOnLoopback, until } from "./loopback.ts";

/** A peer that writes down what comes on each connection. */
class Peer implements AsyncDisposable {
  readonly connections: { bytes: number[]; count: number; isClosed: boolean }[] = [];
  readonly losses: { readonly reason: string; readonly count: number }[] = [];
  readonly #listener = Deno.listen({ hostname: HOST, port: 0 });
  readonly #open: Deno.TcpConn[] = [];
  readonly #links: PeerLink[] = [];
  /** Resolves to when a stopped peer reads on. */
  reads: Promise<void> = Promise.resolve();
  pauseMs = 0;

  constructor() {
    void this.#acceptAll();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  link(options: Partial<PeerLinkOptions> = {}): PeerLink {
    const link = new PeerLink({
      host: HOST,
      port: this.port,
      lingerMs: 0,
      stallMs: 1_000,
      maxQueuedBytes: 64 * 1024 * 1024,
      onLoss: (reason, count) => this.losses.push({ reason, count }),
      ...options,
    });
    this.#links.push(link);
    return link;
  }

  get received(): number {
    return this.connections.reduce((sum, { count }) => sum + count, 0);
  }

  async #acceptAll(): Promise<void> {
    try {
      for (;;) void this.#serve(await this.#listener.accept());
    } catch {
      // The listener is closed.
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const seen = { bytes: [] as number[], count: 0, isClosed: false };
    this.connections.push(seen);
    this.#open.push(connection);
    const buffer = new Uint8Array(256 * 1024);
    try {
      for (;;) {
        await this.reads;
        if (this.pauseMs > 0) await pause(this.pauseMs);
        const count = await connection.read(buffer);
        if (count === null) break;
        seen.count += count;
        if (seen.bytes.length < 100) seen.bytes.push(...buffer.subarray(0, Math.min(count, 100)));
      }
    } catch {
      // Reset, or closed at the end of the test.
    }
    seen.isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) link.close();
    for (const resource of [this.#listener, ...this.#open]) {
      try {
        resource.close();
      } catch {
        // The test has closed it.
      }
    }
    await pause(10); // what was under way ends
  }
}

/** A port that nobody listens on. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

function frame(value: number): Uint8Array {
  return new Uint8Array([value]);
}

testOnLoopback("PeerLink.send() without a linger closes the connection after what was queued", async () => {
  await using peer = new Peer();
  const link = peer.link();
  for (let i = 1; i <= 3; i++) link.send(frame(i));
  await until(() => peer.connections[0]?.isClosed === true, "the first connection is closed");
  link.send(frame(4));
  await until(() => peer.connections[1]?.isClosed === true, "the second connection is closed");
  assertEquals(peer.connections.map(({ bytes }) => bytes), [[1, 2, 3], [4]]);
  assertEquals(peer.losses, []);
});

testOnLoopback(
  "PeerLink.send() uses a lingering connection again, and closes it when nothing follows",
  async () => {
    await using peer = new Peer();
    const link = peer.link({ lingerMs: 100 });
    for (let i = 1; i <= 4; i++) {
      link.send(frame(i));
      await pause(10);
    }
    await until(() => peer.connections[0]?.isClosed === true, "it is closed after the linger");
    assertEquals(peer.connections.map(({ bytes }) => bytes), [[1, 2, 3, 4]]);
  },
);

testOnLoopback("PeerLink loses no message that comes just when the linger ends", async () => {
  await using peer = new Peer();
  const link = peer.link({ lingerMs: 2 });
  const count = 60;
  for (let i = 0; i < count; i++) {
    link.send(frame(i));
    // Around the end of the linger, before and after it.
    const untilMs = performance.now() + 1 + (i % 20) / 10;
    do await pause(0); while (performance.now() < untilMs);
  }
  await until(() => peer.received === count, `${count} messages arrive`);
  assertEquals(peer.connections.flatMap(({ bytes }) => bytes), Array.from({ length: count }, (_, i) => i));
  assertEquals(peer.losses, []);
});

testOnLoopback(
  "PeerLink drops what it cannot deliver, says so, and delivers again when the peer is there",
  async () => {
    await using peer = new Peer();
    const port = closedPort();
    const link = peer.link({ port });
    link.send(frame(1));
    link.send(frame(2));
    await until(() => peer.losses.length > 0, "the loss is told");
    assertEquals(peer.losses.map(({ count }) => count), [2]);
    assertMatch(peer.losses[0]?.reason ?? "", /refused/i);
    using listener = Deno.listen({ hostname: HOST, port });
    link.send(frame(3));
    using connection = await listener.accept();
    const buffer = new Uint8Array(8);
    assertEquals([await connection.read(buffer), buffer[0]], [1, 3]);
  },
);

testOnLoopback(
  "PeerLink gives up on a peer that takes nothing, and counts what was being written as lost",
  async () => {
    await using peer = new Peer();
    const stopped = Promise.withResolvers<void>();
    peer.reads = stopped.promise;
    const link = peer.link({ stallMs: 150 });
    for (let i = 0; i < 8; i++) link.send(new Uint8Array(4 * 1024 * 1024));
    await until(() => peer.losses.length > 0, "the stall is noticed");
    assertEquals(peer.losses, [{ reason: "took no bytes for 150 ms", count: 8 }]);
    stopped.resolve();
  },
);

testOnLoopback(
  "PeerLink does not give up on a slow peer: what counts is whether it takes anything",
  async () => {
    await using peer = new Peer();
    peer.pauseMs = 5;
    const link = peer.link({ stallMs: 250 });
    const bytes = 24 * 1024 * 1024;
    const startMs = performance.now();
    link.send(new Uint8Array(bytes));
    await until(() => peer.received === bytes || peer.losses.length > 0, "all of it arrives", 10_000);
    const tookMs = performance.now() - startMs;
    assertEquals(peer.losses, []);
    assertEquals(tookMs > 250, true, `took ${tookMs} ms: too quick to show anything`);
  },
);

testOnLoopback("PeerLink.send() drops what exceeds the bound of its queue, and says so", async () => {
  await using peer = new Peer();
  const link = peer.link({ maxQueuedBytes: 10 });
  link.send(new Uint8Array(6));
  link.send(new Uint8Array(5));
  link.send(new Uint8Array(4));
  await until(() => peer.connections[0]?.isClosed === true, "what fits is sent");
  assertEquals([peer.received, peer.losses], [10, [{ reason: "6 B wait to be sent already", count: 1 }]]);
});

testOnLoopback("PeerLink.close() ends a linger, and a closed link sends nothing", async () => {
  await using peer = new Peer();
  const link = peer.link({ lingerMs: 60_000 });
  link.send(frame(1));
  await until(() => peer.received === 1, "the message arrives");
  link.close();
  await until(() => peer.connections[0]?.isClosed === true, "the connection is closed");
  link.send(frame(2));
  link.close();
  await pause(20);
  assertEquals([peer.connections.length, peer.received, peer.losses], [1, 1, []]);
});

testOnLoopback("PeerLink.close() ends a stalled write and connecting, without a word of loss", async () => {
  await using peer = new Peer();
  const stopped = Promise.withResolvers<void>();
  peer.reads = stopped.promise;
  const stalled = peer.link({ stallMs: 60_000 });
  stalled.send(new Uint8Array(32 * 1024 * 1024));
  await until(() => peer.connections.length === 1, "it is connected");
  await pause(20);
  stalled.close();
  const connecting = peer.link({ stallMs: 60_000 });
  connecting.send(frame(1));
  connecting.close();
  stopped.resolve();
  await pause(20);
  assertEquals(peer.losses, []);
});
