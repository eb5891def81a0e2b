import { assertEquals, assertMatch } from "@std/assert";
import { encodePacket, type PeerMessage } from "../../packraft/mod.ts";
import { TroubleLog } from "../../src/driver/log_sink.ts";
import { LuidSource } from "../../src/driver/luids.ts";
import { PeerListener } from "../../src/driver/peer_listener.ts";
import { closeIfOpen, countToEnd, HOST, pause, testOnLoopback, until } from "./loopback.ts";

const VOTE: PeerMessage = {
  type: "RequestVoteRequest",
  term: 7,
  lastLogIndex: 1,
  lastLogTerm: 1,
  isTransfer: false,
};

class Fixture implements AsyncDisposable {
  readonly received: string[] = [];
  readonly said: string[] = [];
  readonly #listener: PeerListener;
  readonly #port: number;
  readonly #clients: Deno.TcpConn[] = [];
  nowMs = 0;

  constructor() {
    const listener = Deno.listen({ hostname: HOST, port: 0 });
    this.#port = listener.addr.port;
    const now = () => this.nowMs;
    this.#listener = new PeerListener({
      listener,
      clusterId: "home",
      node: 1,
      luids: new LuidSource(),
      trouble: new TroubleLog((line) => this.said.push(line), now, 0),
      now,
      receive: ({ from, luid }, message) => void this.received.push(`${message.type} of ${from}, ${luid}`),
    });
  }

  async connect(): Promise<Deno.TcpConn> {
    const client = await Deno.connect({ hostname: HOST, port: this.#port });
    this.#clients.push(client);
    return client;
  }

  /** Sends bytes on a connection of their own and waits until the node closes it; it must answer nothing. */
  async refuses(bytes: Uint8Array): Promise<string> {
    const client = await this.connect();
    await client.write(bytes);
    assertEquals(await countToEnd(client), 0);
    await until(() => this.said.length > 0, "it is said");
    return this.said.splice(0).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close();
    for (const client of this.#clients) closeIfOpen(client);
    await pause(5);
  }
}

function peerFrame(change: { clusterId?: string; from?: number; to?: number } = {}): Uint8Array {
  const envelope = {
    clusterId: "home",
    from: 2,
    to: 1,
    luid: "peer-message-9",
    host: "",
    peerPort: 0,
    addressIndex: 0,
    ...change,
  };
  return encodePacket({ family: "peer", envelope, message: VOTE });
}

testOnLoopback(
  "PeerListener takes messages of members, many on a connection, and answers nothing",
  async () => {
    await using fixture = new Fixture();
    const client = await fixture.connect();
    await client.write(peerFrame());
    await client.write(peerFrame({ from: 3 }));
    await client.closeWrite();
    assertEquals(await countToEnd(client), 0);
    assertEquals(fixture.received, [2, 3].map((from) => `RequestVoteRequest of ${from}, peer-message-9`));
    assertEquals(fixture.said, []);
  },
);

testOnLoopback(
  "PeerListener closes to who is no member, of another cluster, or looks for another node",
  async () => {
    await using fixture = new Fixture();
    assertMatch(
      await fixture.refuses(peerFrame({ clusterId: "away" })),
      /message of cluster "away", this is "home"/,
    );
    assertMatch(
      await fixture.refuses(peerFrame({ to: 2 })),
      /message for node 2, this is node 1; are addresses swapped/,
    );
    assertMatch(
      await fixture.refuses(peerFrame({ from: 1 })),
      /message from node 1, and this is node 1; is a copy of it running/,
    );
    assertEquals(fixture.received, []);
  },
);

testOnLoopback("PeerListener changes nothing for bytes that are no message of a peer", async () => {
  await using fixture = new Fixture();
  const request = encodePacket({
    family: "request",
    envelope: { transactionId: "t" },
    message: { type: "PingRequest" },
  });
  assertMatch(await fixture.refuses(request), /^peer-connection-1: closed, /);
  assertMatch(
    await fixture.refuses(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")),
    /peer-connection-2: closed, /,
  );
  const damaged = peerFrame();
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  assertMatch(await fixture.refuses(damaged), /peer-connection-3: closed, /);
  assertEquals(fixture.received, []);
});

testOnLoopback(
  "PeerListener takes what came before a message that it refuses, and nothing after",
  async () => {
    await using fixture = new Fixture();
    const bytes = new Uint8Array([...peerFrame(), ...peerFrame({ to: 9 }), ...peerFrame()]);
    assertMatch(await fixture.refuses(bytes), /message for node 9/);
    assertEquals(fixture.received.length, 1);
  },
);

testOnLoopback("PeerListener closes a connection that says nothing for five seconds", async () => {
  await using fixture = new Fixture();
  const client = await fixture.connect();
  await pause(20);
  fixture.nowMs = 5_001;
  assertEquals(await countToEnd(client), 0);
  assertEquals(fixture.said, ["peer-connection-1: closed, silent for 5 s"]);
});
