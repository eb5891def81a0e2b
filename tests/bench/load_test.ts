/**
 * The load generator and the measured limits, against a server that answers at once.
 */
import { assert, assertEquals } from "@std/assert";
import { type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";
import {
  benchKey,
  benchValue,
  connectionsFor,
  limitMsOf,
  LoadClients,
  measureLimits,
  preload,
  runLoad,
  type Work,
  WORKS,
} from "../../src/bench/mod.ts";
import { permitted } from "../cli/capture.ts";

const { isAllowed, named } = await permitted("net", "read", "write");

function netTest(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: named(sentence), ignore: !isAllowed, fn });
}

/** Answers puts and gets, and counts them by key. Every `refusesEach`-th request is one that cannot be served. */
class FakeNode implements AsyncDisposable {
  readonly puts = new Map<string, number>();
  readonly gets = new Map<string, number>();
  connections = 0;
  readonly #refusesEach: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  #requests = 0;

  constructor(refusesEach = Infinity) {
    this.#refusesEach = refusesEach;
    this.#accepting = this.#accept();
  }

  get servers() {
    return [{ host: "127.0.0.1", port: this.#listener.addr.port }];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#serving);
  }

  async #accept(): Promise<void> {
    try {
      for (;;) {
        const connection = await this.#listener.accept();
        this.connections++;
        this.#serving.push(this.#serve(connection));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource) && !(error instanceof Deno.errors.Interrupted)) {
        throw error;
      }
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const reader = new PacketReader({ families: ["request"] });
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        reader.push(buffer.slice(0, count));
        for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
          const { envelope, message } = packet;
          if (!("transactionId" in envelope)) throw new Error("not a request");
          const answer = encodePacket({ family: "response", envelope, message: this.#answerTo(message) });
          for (let at = 0; at < answer.length;) at += await connection.write(answer.subarray(at));
        }
      }
    } catch (error) {
      // The clients were closed with requests under way.
      if (!(error instanceof Deno.errors.ConnectionReset) && !(error instanceof Deno.errors.BrokenPipe)) {
        throw error;
      }
    } finally {
      connection.close();
    }
  }

  #answerTo(message: { readonly type: string; readonly key?: Uint8Array }): ClientResponse {
    const key = new TextDecoder().decode(message.key);
    if (++this.#requests % this.#refusesEach === 0) {
      return {
        type: "ErrorResponse",
        code: "badRequest",
        outcome: "notDone",
        retryAfterMs: 0,
        message: "no",
      };
    }
    const isPut = message.type === "PutRequest";
    const counts = isPut ? this.puts : this.gets;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return isPut ? { type: "PutResponse", index: 1 } : {
      type: "GetResponse",
      found: false,
      value: new Uint8Array(),
      appliedIndex: 1,
      isAgeKnown: true,
      ageMs: 0,
    };
  }
}

const LOAD = { inflight: 8, seconds: 0.1, warmUpSeconds: 0.05, keys: 10, value: benchValue(16) } as const;

for (const work of WORKS) {
  netTest(`runLoad() with ${work} sends that and measures each request`, async () => {
    await using node = new FakeNode();
    using clients = new LoadClients(node.servers, 2);
    const figures = await runLoad(clients, { ...LOAD, work });
    assertEquals([figures.work, figures.inflight, figures.errors], [work, 8, 0]);
    assert(figures.perSecond > 0 && figures.latencies.count > 0);
    const sent = (counts: Map<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);
    const all = sent(node.puts) + sent(node.gets);
    assert(all >= figures.latencies.count);
    const share: Record<Work, number> = { put: 1, get: 0, mixed: 0.5 };
    assert(Math.abs(sent(node.puts) / all - share[work]) < 0.2);
    const known = Array.from({ length: 10 }, (_, number) => new TextDecoder().decode(benchKey(number)));
    for (const key of [...node.puts.keys(), ...node.gets.keys()]) assert(known.includes(key), key);
    assertEquals(node.connections, 2);
  });
}

netTest("runLoad() counts what fails, and goes on", async () => {
  await using node = new FakeNode(3);
  using clients = new LoadClients(node.servers, 1);
  const figures = await runLoad(clients, { ...LOAD, work: "get" });
  assert(figures.errors > 0 && figures.latencies.count > 0);
  assertEquals(figures.firstError?.includes("no"), true);
});

netTest("runLoad() tells now and then how far it is", async () => {
  await using node = new FakeNode();
  using clients = new LoadClients(node.servers, 1);
  const ticks: [answered: number, elapsedMs: number][] = [];
  await runLoad(clients, { ...LOAD, seconds: 0.5, work: "put", onTick: (...tick) => ticks.push(tick) });
  assert(ticks.length > 0);
  assert(ticks.every(([answered, elapsedMs]) => answered >= 0 && elapsedMs > 0));
});

netTest("LoadClients with one-shot requests connect for each of them", async () => {
  await using node = new FakeNode();
  using clients = new LoadClients(node.servers, 1, true);
  const { latencies } = await runLoad(clients, { ...LOAD, inflight: 1, work: "get" });
  assert(node.connections >= latencies.count && latencies.count > 0);
});

netTest("preload() writes each key once", async () => {
  await using node = new FakeNode();
  using clients = new LoadClients(node.servers, 2);
  await preload(clients, 300, benchValue(1));
  assertEquals(node.puts.size, 300);
  assertEquals([...node.puts.values()].every((count) => count === 1), true);
});

netTest(
  "measureLimits() finds that neither the disk nor the loopback is free, and leaves no file",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "drafty-test-" });
    try {
      for (const valueBytes of [0, 256, 200_000]) {
        const limits = await measureLimits(folder, valueBytes);
        assert(limits.syncMs > 0 && limits.exchangeMs > 0);
        assertEquals(limitMsOf(limits), limits.syncMs + limits.exchangeMs);
      }
      assertEquals([...Deno.readDirSync(folder)], []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("benchKey() has the same length for every number", () => {
  assertEquals([0, 7, 12_345, 99_999_999].map((number) => new TextDecoder().decode(benchKey(number))), [
    "bench-00000000",
    "bench-00000007",
    "bench-00012345",
    "bench-99999999",
  ]);
});

Deno.test("connectionsFor() is one for few in flight, and enough for many", () => {
  assertEquals([1, 127, 128, 4_096, 4_097, 16_384].map(connectionsFor), [1, 1, 4, 4, 5, 16]);
});
