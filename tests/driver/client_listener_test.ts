import { assertEquals, assertMatch } from "@std/assert";
import { type ClientRequest, type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";
import { type ClientAsker, ClientListener } from "../../src/driver/client_listener.ts";
import { TroubleLog } from "../../src/driver/log_sink.ts";
import { LuidSource } from "../../src/driver/luids.ts";
import { closeIfOpen, countToEnd, HOST, pause, readToEnd, testOnLoopback, until } from "./loopback.ts";

const AGE = { appliedIndex: 1, isAgeKnown: true, ageMs: 0 } as const;

const PONG: ClientResponse = { type: "PingResponse", node: 1, role: "leader", leader: 1 };

/** A listener whose requests the test answers. */
class Fixture implements AsyncDisposable {
  readonly asked: { readonly asker: ClientAsker; readonly request: ClientRequest }[] = [];
  readonly said: string[] = [];
  readonly listener: ClientListener;
  readonly #port: number;
  readonly #clients: Deno.TcpConn[] = [];
  answersAtOnce = false;
  nowMs = 0;

  constructor() {
    const listener = Deno.listen({ hostname: HOST, port: 0 });
    this.#port = listener.addr.port;
    const now = () => this.nowMs;
    this.listener = new ClientListener({
      listener,
      luids: new LuidSource(),
      trouble: new TroubleLog((line) => this.said.push(line), now),
      now,
      request: (asker, request) => {
        this.asked.push({ asker, request });
        if (this.answersAtOnce) this.listener.answer(asker, [PONG]);
      },
    });
  }

  async connect(): Promise<Deno.TcpConn> {
    const client = await Deno.connect({ hostname: HOST, port: this.#port });
    this.#clients.push(client);
    return client;
  }

  async askedFor(count: number): Promise<ClientAsker[]> {
    await until(() => this.asked.length >= count, `${count} requests are taken`);
    return this.asked.map(({ asker }) => asker);
  }

  answer(asker: ClientAsker | undefined, responses: Iterable<ClientResponse>): void {
    if (asker === undefined) throw new Error("nobody asked");
    this.listener.answer(asker, responses);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.close(50);
    for (const client of this.#clients) closeIfOpen(client);
    await pause(5); // its reads and writes end
  }
}

function ping(transactionId: string): Uint8Array {
  return encodePacket({ family: "request", envelope: { transactionId }, message: { type: "PingRequest" } });
}

function responsesIn(bytes: Uint8Array): { readonly id: string; readonly message: ClientResponse }[] {
  const reader = new PacketReader({ families: ["response"] });
  reader.push(bytes);
  const responses = [];
  for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
    if (packet.family === "response") {
      responses.push({ id: packet.envelope.transactionId, message: packet.message });
    }
  }
  reader.end();
  return responses;
}

testOnLoopback(
  "ClientListener gives each answer to who asked, with its transaction id, in whatever order",
  async () => {
    await using fixture = new Fixture();
    const [one, two] = [await fixture.connect(), await fixture.connect()];
    await one.write(ping("a"));
    await fixture.askedFor(1);
    await two.write(ping("b"));
    await fixture.askedFor(2);
    await one.write(ping("c"));
    const askers = await fixture.askedFor(3);
    await Promise.all([one.closeWrite(), two.closeWrite()]); // "one request and close": it half-closes and reads on
    for (const asker of askers.toReversed()) fixture.answer(asker, [PONG]);
    assertEquals(responsesIn(await readToEnd(one)).map(({ id }) => id), ["c", "a"]);
    assertEquals(responsesIn(await readToEnd(two)), [{ id: "b", message: PONG }]);
  },
);

testOnLoopback(
  "ClientListener.answer() does nothing for a client that has gone, or a second time",
  async () => {
    await using fixture = new Fixture();
    const gone = await fixture.connect();
    await gone.write(ping("a"));
    const [first] = await fixture.askedFor(1);
    gone.close();
    const here = await fixture.connect();
    await here.write(ping("b"));
    const [, second] = await fixture.askedFor(2);
    fixture.answer(first, [PONG]);
    fixture.answer(first, [PONG]);
    fixture.answer(second, [PONG]);
    fixture.answer(second, [PONG]);
    await here.closeWrite();
    assertEquals(responsesIn(await readToEnd(here)).length, 1);
    assertEquals(fixture.said, []);
  },
);

testOnLoopback(
  "ClientListener tells who sends a bad frame what is wrong, with requests in flight too, and closes",
  async () => {
    await using fixture = new Fixture();
    const client = await fixture.connect();
    await client.write(ping("good"));
    const [asker] = await fixture.askedFor(1);
    const bad = ping("bad");
    bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
    await client.write(bad);
    const responses = responsesIn(await readToEnd(client));
    assertEquals(responses.map(({ id, message }) => [id, message.type]), [["", "ErrorResponse"]]);
    assertMatch(fixture.said.join(), /^client-connection-1: closed, /);
    fixture.answer(asker, [PONG]); // it comes too late, and harms nobody
    const next = await fixture.connect();
    await next.write(ping("next"));
    await fixture.askedFor(2);
  },
);

testOnLoopback("ClientListener closes without a word to who does not speak packraft", async () => {
  await using fixture = new Fixture();
  const client = await fixture.connect();
  await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: drafty\r\n\r\n"));
  assertEquals(await countToEnd(client), 0);
  assertMatch(fixture.said.join(), /client-connection-1: closed, /);
});

testOnLoopback(
  "ClientListener takes no responses and no messages of peers on the port for clients",
  async () => {
    await using fixture = new Fixture();
    const client = await fixture.connect();
    await client.write(encodePacket({ family: "response", envelope: { transactionId: "x" }, message: PONG }));
    const [response] = responsesIn(await readToEnd(client));
    assertEquals([response?.id, response?.message.type, fixture.asked.length], ["", "ErrorResponse", 0]);
  },
);

testOnLoopback("ClientListener says of an incomplete frame how much of it came", async () => {
  await using fixture = new Fixture();
  const client = await fixture.connect();
  await client.write(ping("cut").subarray(0, 9));
  await client.closeWrite();
  await readToEnd(client);
  assertMatch(fixture.said.join(), /incomplete frame: 9 of at least 16 B/);
});

testOnLoopback(
  "ClientListener reads no more from a client that takes no answers, and gets rid of it in a minute",
  async () => {
    await using fixture = new Fixture();
    const client = await fixture.connect();
    // Ever more requests, answered at once with a page each that nobody takes.
    const page: ClientResponse = {
      type: "DataResponse",
      ...AGE,
      more: false,
      pairs: [{ key: new Uint8Array(1), value: new Uint8Array(1024 * 1024) }],
    };
    for (let i = 0; i < 40; i++) await client.write(ping(`${i}`));
    for (const asker of await fixture.askedFor(40)) fixture.answer(asker, [page]);
    await pause(50);
    fixture.nowMs = 60_001;
    await until(() => fixture.said.length > 0, "it is closed");
    assertMatch(fixture.said.join(), /client-connection-1: closed, took nothing of its answers for 60 s/);
  },
);

testOnLoopback(
  "ClientListener keeps a slow reader for as long as it takes some, to the last byte",
  async () => {
    await using fixture = new Fixture();
    const client = await fixture.connect();
    const value = new Uint8Array(1024 * 1024);
    const pages = Array.from({ length: 40 }, (_, i): ClientResponse => (
      { type: "DataResponse", more: i < 39, ...AGE, pairs: [{ key: new Uint8Array([i + 1]), value }] }
    ));
    await client.write(ping("slow"));
    const [asker] = await fixture.askedFor(1);
    fixture.answer(asker, pages);
    const reader = new PacketReader({ families: ["response"] });
    const buffer = new Uint8Array(1024 * 1024);
    let count = 0;
    // It takes five seconds for each MiB, more than three minutes in all; the sweep looks twice a second.
    const startMs = performance.now();
    while (count < pages.length) {
      const bytes = await client.read(buffer) ?? 0;
      if (bytes === 0) throw new Error(`cut off after ${count} pages: ${fixture.said.join()}`);
      reader.push(buffer.slice(0, bytes));
      while (reader.next() !== undefined) count++;
      fixture.nowMs += 5_000 * bytes / value.length;
      if (performance.now() - startMs < 1_100) await pause(40);
    }
    await pause(550);
    await client.write(ping("again")); // the minute of silence has begun only now
    await fixture.askedFor(2);
    assertEquals(fixture.said, []);
  },
);

testOnLoopback(
  "ClientListener.close() lets answers leave, then closes, and waits no longer than the grace",
  async () => {
    await using fixture = new Fixture();
    const [reads, unread] = [await fixture.connect(), await fixture.connect()];
    await reads.write(ping("a"));
    await fixture.askedFor(1);
    await unread.write(ping("b"));
    const [first, second] = await fixture.askedFor(2);
    const page: ClientResponse = {
      type: "DataResponse",
      ...AGE,
      more: true,
      pairs: [{ key: new Uint8Array(1), value: new Uint8Array(1024 * 1024) }],
    };
    fixture.answer(first, [PONG]);
    fixture.answer(second, Array(30).fill(page));
    const startMs = performance.now();
    await fixture.listener.close(100);
    const tookMs = performance.now() - startMs;
    assertEquals(tookMs > 80 && tookMs < 2_000, true, `it took ${tookMs} ms`);
    assertEquals(responsesIn(await readToEnd(reads)).length, 1);
  },
);

testOnLoopback(
  "ClientListener serves thousands of requests of one connection that come together",
  async () => {
    await using fixture = new Fixture();
    fixture.answersAtOnce = true;
    const client = await fixture.connect();
    const count = 10_000;
    const requests = new Blob(Array.from({ length: count }, (_, i) => ping(`${i}`).slice()));
    const bytes = new Uint8Array(await requests.arrayBuffer());
    const reading = readToEnd(client);
    for (let offset = 0; offset < bytes.length;) offset += await client.write(bytes.subarray(offset));
    await client.closeWrite();
    assertEquals(
      responsesIn(await reading).map(({ id }) => Number(id)),
      Array.from({ length: count }, (_, i) => i),
    );
  },
);
