import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { type ClientRequest, type ClientResponse, encodePacket } from "../../packraft/mod.ts";
import {
  ClientClosedError,
  DraftyClient,
  type DraftyClientOptions,
  nameOf,
  NoAnswerError,
  NoLeaderError,
  OutcomeUnknownError,
  RequestError,
  SessionLostError,
  UnreachableError,
} from "../../src/client/mod.ts";
import { errorResponse, FakeServer, type Handler, refusingAddress } from "./fake_server.ts";

const AGE = { appliedIndex: 1, isAgeKnown: true, ageMs: 0 } as const;

const isAllowed = (await Deno.permissions.query({ name: "net" })).state === "granted";

/** A test with servers that are stopped at its end. */
function netTest(sentence: string, run: (serve: (handler: Handler) => FakeServer) => Promise<void>): void {
  Deno.test({
    name: isAllowed ? sentence : `${sentence} (ignored: needs --allow-net)`,
    ignore: !isAllowed,
    async fn() {
      const servers: FakeServer[] = [];
      try {
        await run((handler) => {
          const server = new FakeServer(handler);
          servers.push(server);
          return server;
        });
      } finally {
        for (const server of servers) await server.stop();
      }
    },
  });
}

function clientOf(servers: readonly FakeServer[], options: Partial<DraftyClientOptions> = {}): DraftyClient {
  return new DraftyClient({ servers: servers.map(({ address }) => address), timeoutMs: 2_000, ...options });
}

const PUT_DONE: ClientResponse = { type: "PutResponse", index: 5 };
const [KEY, VALUE] = ["key", "value"].map((text) => new TextEncoder().encode(text)) as [
  Uint8Array,
  Uint8Array,
];

/** The session fields of the writes among requests. */
function sessionsOf(
  requests: readonly ClientRequest[],
): { clientId: string; sequence: number; answeredUpTo: number }[] {
  return requests.flatMap((request) =>
    request.type === "PutRequest" || request.type === "DeleteRequest"
      ? [{
        clientId: request.clientId.toHex(),
        sequence: request.sequence,
        answeredUpTo: request.answeredUpTo,
      }]
      : []
  );
}

netTest(
  "put(), delete(), get(), ping() and status() send what they are asked and return what is answered",
  async (serve) => {
    const server = serve((request) => {
      switch (request.type) {
        case "PutRequest":
          return PUT_DONE;
        case "DeleteRequest":
          return { type: "DeleteResponse", index: 6, found: true };
        case "GetRequest":
          return { type: "GetResponse", found: request.key.length === 3, value: VALUE, ...AGE };
        case "PingRequest":
          return { type: "PingResponse", node: 2, role: "follower", leader: 1 };
        default:
          return {
            type: "StatusResponse",
            node: 2,
            role: "leader",
            term: 3,
            lastLogIndex: 9,
            commitIndex: 8,
            lastApplied: 7,
            leader: 2,
          };
      }
    });
    using client = clientOf([server]);
    assertEquals(await client.put("key", "value"), { index: 5 });
    assertEquals(await client.delete(KEY), { index: 6, found: true });
    assertEquals(await client.get("key"), VALUE);
    assertEquals(await client.get("another"), undefined);
    assertEquals((await client.ping()).role, "follower");
    assertEquals((await client.status()).commitIndex, 8);
    const [put, remove, get] = server.requests;
    assert(put?.type === "PutRequest" && remove?.type === "DeleteRequest" && get?.type === "GetRequest");
    assertEquals([put.key, put.value, remove.key, get.key], [KEY, VALUE, KEY, KEY]);
    assertEquals(server.connectionCount, 1);
  },
);

netTest(
  "get() and data() give values that keep what they are while later answers are read",
  async (serve) => {
    const valueOf = (key: Uint8Array) => new Uint8Array(700).fill((key[1] ?? 0) * 7);
    const server = serve((request) => {
      if (request.type === "GetRequest") {
        return { type: "GetResponse", found: true, value: valueOf(request.key), ...AGE };
      }
      const pairs = Array.from({ length: 10 }, (_, i) => new Uint8Array([0, i]))
        .map((key) => ({ key, value: valueOf(key) }));
      return { type: "DataResponse", ...AGE, more: false, pairs };
    });
    using client = clientOf([server]);
    const keys = Array.from({ length: 200 }, (_, i) => new Uint8Array([0, i]));
    const pairs = await client.data();
    const values = await Promise.all(keys.map((key) => client.get(key)));
    const later = await Promise.all(keys.toReversed().map((key) => client.get(key)));
    await Promise.all(keys.map((key) => client.getStale(key)));
    assertEquals(values, keys.map(valueOf));
    assertEquals(later.toReversed(), values);
    for (const { key, value } of pairs) assertEquals(value, valueOf(key));
  },
);

netTest("get() goes on when the memory of an earlier value was handed to another thread", async (serve) => {
  const server = serve(() => ({ type: "GetResponse", found: true, value: VALUE, ...AGE }));
  using client = clientOf([server]);
  const value = await client.get("k");
  assert(value !== undefined && value.buffer instanceof ArrayBuffer);
  structuredClone(value, { transfer: [value.buffer] });
  assertEquals(await client.get("k"), VALUE);
});

netTest("put() sends keys and values of any text and length as their UTF-8", async (serve) => {
  const server = serve(() => PUT_DONE);
  using client = clientOf([server]);
  const texts = [
    "a",
    "ä",
    "x".repeat(127),
    "x".repeat(129),
    "naïve ".repeat(20),
    "\u{1f600}",
    "\u007f\u0080",
  ];
  for (const text of texts) await client.put(text, text);
  const sent = server.requests.flatMap((request) => request.type === "PutRequest" ? [request] : []);
  for (const field of ["key", "value"] as const) {
    assertEquals(sent.map((request) => new TextDecoder().decode(request[field])), texts);
  }
});

netTest("data() joins the pages of an answer in their order", async (serve) => {
  const page = (more: boolean, ...keys: string[]): ClientResponse => ({
    type: "DataResponse",
    ...AGE,
    more,
    pairs: keys.map((key) => ({ key: new TextEncoder().encode(key), value: VALUE })),
  });
  const server = serve(() => [page(true, "a", "b"), page(true), page(false, "c")]);
  using client = clientOf([server]);
  const keys = (await client.data()).map(({ key }) => new TextDecoder().decode(key));
  assertEquals(keys, ["a", "b", "c"]);
});

netTest("get() takes its answer, whatever pages a confused node sends before it", async (serve) => {
  const server = serve(
    () => [
      { type: "DataResponse", more: true, ...AGE, pairs: [] },
      { type: "GetResponse", found: true, value: VALUE, ...AGE },
    ],
  );
  using client = clientOf([server]);
  assertEquals(await client.get(KEY), VALUE);
});

netTest("data() starts again elsewhere when the node goes between two pages", async (serve) => {
  const pair = { key: KEY, value: VALUE };
  const whole = serve(() => ({ type: "DataResponse", more: false, ...AGE, pairs: [pair] }));
  const broken = serve(
    () => [{ type: "DataResponse", more: true, ...AGE, pairs: [pair, pair] }, errorResponse("shuttingDown")],
  );
  using client = clientOf([broken, whole]);
  assertEquals(await client.data(), [pair]);
});

netTest("put() matches answers that come in another order by their ids", async (serve) => {
  const held: ((reply: ClientResponse) => void)[] = [];
  const server = serve((request) => {
    if (request.type !== "PutRequest") return "silence";
    if (request.sequence === 1) return { type: "PutResponse", index: 1 }; // finds the leader
    const answer = new Promise<ClientResponse>((resolve) => held.push(resolve));
    if (held.length === 20) {
      held.toReversed().forEach((resolve, i) => resolve({ type: "PutResponse", index: 21 - i }));
    }
    return answer;
  });
  using client = clientOf([server]);
  await client.put("k", "v");
  const results = await Promise.all(Array.from({ length: 20 }, () => client.put("k", "v")));
  assertEquals(results.map(({ index }) => index), Array.from({ length: 20 }, (_, i) => i + 2));
  assertEquals(server.connectionCount, 1);
});

netTest(
  "put() follows a redirect, tells of it, and goes to the leader directly from then on",
  async (serve) => {
    const leader = serve(() => PUT_DONE);
    const follower = serve(() => leader.redirectTo(3));
    const redirects: string[] = [];
    using client = clientOf([follower], {
      onRedirect: (node, address) => redirects.push(`${node} ${nameOf(address)}`),
    });
    await client.put("a", "1");
    await client.put("b", "2");
    assertEquals(redirects, [`3 ${nameOf(leader.address)}`]);
    assertEquals([follower.requests.length, leader.requests.length], [1, 2]);
  },
);

netTest(
  "put() does not spin between two nodes that name each other, and takes the leader that comes",
  async (serve) => {
    const a = serve((_, self): ClientResponse => self.requests.length < 4 ? b.redirectTo(2) : PUT_DONE);
    const b = serve((): ClientResponse => a.redirectTo(1));
    using client = clientOf([a, b]);
    await client.put("k", "v");
    assertEquals([a.requests.length, b.requests.length <= 4], [4, true]);
  },
);

netTest(
  "put() gives up on nodes that name each other with few requests sent and NoLeaderError",
  async (serve) => {
    const a = serve((): ClientResponse => b.redirectTo(2));
    const b = serve((): ClientResponse => a.redirectTo(1));
    using client = clientOf([a, b], { timeoutMs: 400 });
    const error = await assertRejects(() => client.put("k", "v"), NoLeaderError, "no leader after 0.4 s");
    assertStringIncludes(error.message, `${nameOf(a.address)} names node 2`);
    // One round for each pause, and pauses are 5, 10, 10… ms long at least.
    assert(
      a.requests.length + b.requests.length <= 2 * 41,
      `${a.requests.length + b.requests.length} requests`,
    );
  },
);

netTest("put() asks the next node when a connection is refused", async (serve) => {
  const server = serve(() => PUT_DONE);
  const client = new DraftyClient({ servers: [refusingAddress(), refusingAddress(), server.address] });
  assertEquals(await client.put("k", "v"), { index: 5 });
  client.close();
});

netTest("put() keeps its id and sequence through every kind of failure", async (serve) => {
  const failures = [
    "close",
    "silence",
    errorResponse("noLeader"),
    errorResponse("busy", { retryAfterMs: 5 }),
  ] as const;
  const lost = { outcome: "unknown" } as const;
  const more = [errorResponse("leadershipLost", lost), errorResponse("shuttingDown", lost)];
  const replies = [...failures, { bytes: new Uint8Array([1, 2, 3, 4]) }, ...more, PUT_DONE];
  const server = serve(() => replies.shift() ?? "silence");
  using client = clientOf([server], { attemptTimeoutMs: 100 });
  assertEquals(await client.put("k", "v"), { index: 5 });
  const sessions = sessionsOf(server.requests);
  assertEquals(sessions.length, 8);
  assertEquals(new Set(sessions.map((session) => JSON.stringify(session))).size, 1);
  assertEquals(sessions[0]?.sequence, 1);
});

netTest("put() goes on from a node that accepts connections and says nothing", async (serve) => {
  const stalled = serve(() => "silence");
  const leader = serve(() => PUT_DONE);
  using client = clientOf([stalled, leader], { attemptTimeoutMs: 100 });
  const startMs = performance.now();
  await client.put("k", "v");
  const tookMs = performance.now() - startMs;
  assert(tookMs >= 95 && tookMs < 1_000, `took ${tookMs} ms`);
  assertEquals(sessionsOf(stalled.requests), sessionsOf(leader.requests));
});

netTest("requests under way fail over together when the leader stalls", async (serve) => {
  let isStalled = false;
  const stalling = serve(() => isStalled ? "silence" : PUT_DONE);
  const next = serve(() => PUT_DONE);
  using client = clientOf([stalling, next], { attemptTimeoutMs: 150 });
  await client.put("k", "v");
  isStalled = true;
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 100 }, () => client.put("k", "v")));
  assert(performance.now() - startMs < 1_000, "not one stall after the other");
  assertEquals(next.requests.length, 100);
});

netTest("while there is no leader one request looks for it and the others wait", async (serve) => {
  let hasLeader = true;
  const server = serve(() => hasLeader ? PUT_DONE : errorResponse("noLeader"));
  using client = clientOf([server]);
  await client.put("k", "v");
  hasLeader = false;
  const before = server.requests.length;
  const puts = Array.from({ length: 200 }, () => client.put("k", "v"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const during = server.requests.length - before;
  hasLeader = true;
  await Promise.all(puts);
  // Each asks once and learns that nobody leads; from then on only one of them asks.
  assert(during >= 200 && during < 200 + 60, `${during} requests during 300 ms`);
});

netTest("put() times out with the outcome unknown when a node may have taken it", async (serve) => {
  const server = serve(() => "silence");
  using client = clientOf([server], { timeoutMs: 300, attemptTimeoutMs: 100 });
  const error = await assertRejects(() => client.put("k", "v"), OutcomeUnknownError, "outcome unknown");
  assertMatch(
    error.message,
    /^timed out after 0\.3 s \(127\.0\.0\.1:\d+: no answer in \d+ ms\), outcome unknown/,
  );
  assertEquals(error.exitCode, 8);
});

netTest("get() times out as unanswered, for a read leaves nothing unknown", async (serve) => {
  const server = serve(() => "silence");
  using client = clientOf([server], { timeoutMs: 200, attemptTimeoutMs: 100 });
  const error = await assertRejects(() => client.get("k"), NoAnswerError, "no answer after 0.2 s");
  assertStringIncludes(error.message, "nothing was changed");
});

netTest("put() says that no node can be reached, each by its address", async () => {
  const servers = [refusingAddress(), refusingAddress()];
  const client = new DraftyClient({ servers, timeoutMs: 200 });
  const error = await assertRejects(
    () => client.put("k", "v"),
    UnreachableError,
    "cannot reach the cluster after 0.2 s",
  );
  for (const server of servers) assertStringIncludes(error.message, `${nameOf(server)}: connection refused`);
  client.close();
});

netTest("put() says that there is no leader when nodes answer so", async (serve) => {
  const server = serve(() => errorResponse("noLeader"));
  const client = new DraftyClient({ servers: [server.address, refusingAddress()], timeoutMs: 200 });
  const error = await assertRejects(() => client.put("k", "v"), NoLeaderError);
  assertStringIncludes(error.message, `${nameOf(server.address)} knows no leader`);
  assertStringIncludes(error.message, "connection refused");
  client.close();
});

netTest("garbage, HTTP and an answer to another request are no answers", async (serve) => {
  const replies = [
    { bytes: new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n") },
    {
      bytes: encodePacket({
        family: "request",
        envelope: { transactionId: "1" },
        message: { type: "PingRequest" },
      }),
    },
    { type: "GetResponse", found: true, value: VALUE, ...AGE } as const,
    PUT_DONE,
  ];
  const server = serve(() => replies.shift() ?? "silence");
  using client = clientOf([server]);
  assertEquals(await client.put("k", "v"), { index: 5 });
});

netTest(
  "an error that names no request breaks the connection, not the promise of each request",
  async (serve) => {
    const error = encodePacket({
      family: "response",
      envelope: { transactionId: "" },
      message: errorResponse("badRequest"),
    });
    let isFirst = true;
    const server = serve(() => {
      if (!isFirst) return PUT_DONE;
      isFirst = false;
      return { bytes: error };
    });
    using client = clientOf([server]);
    assertEquals(await client.put("k", "v"), { index: 5 });
  },
);

netTest("a bad request is not repeated", async (serve) => {
  const server = serve(() => errorResponse("badRequest"));
  using client = clientOf([server]);
  await assertRejects(() => client.get("k"), RequestError, "badRequest, says the test");
  assertEquals(server.requests.length, 1);
});

netTest(
  "after its session was lost a client writes under a new id, unless the id was chosen",
  async (serve) => {
    const replies = [errorResponse("staleSequence", { outcome: "unknown" }), PUT_DONE];
    const server = serve(() => replies.shift() ?? "silence");
    using client = clientOf([server]);
    await assertRejects(() => client.put("k", "v"), SessionLostError);
    await client.put("k", "v");
    const [first, second] = sessionsOf(server.requests);
    assert(first?.clientId !== second?.clientId);
    assertEquals(second, { clientId: second?.clientId ?? "", sequence: 1, answeredUpTo: 0 });

    const stubborn = serve((_, self) =>
      self.requests.length === 1 ? errorResponse("staleSequence") : PUT_DONE
    );
    using chosen = clientOf([stubborn], { clientId: new Uint8Array(16).fill(0xab) });
    await assertRejects(() => chosen.put("k", "v"), SessionLostError);
    await chosen.put("k", "v");
    assertEquals(sessionsOf(stubborn.requests).map(({ clientId }) => clientId), [
      "ab".repeat(16),
      "ab".repeat(16),
    ]);
  },
);

netTest("ping() takes the answer of any node and does not take it for the leader", async (serve) => {
  const follower = serve((request): ClientResponse =>
    request.type === "PingRequest"
      ? { type: "PingResponse", node: 1, role: "follower", leader: 2 }
      : leader.redirectTo(2)
  );
  const leader = serve(() => PUT_DONE);
  using client = clientOf([follower, leader]);
  await client.ping();
  await client.put("k", "v");
  await client.ping();
  assertEquals([follower.requests.length, leader.requests.length], [3, 1]);
});

netTest("isOneShot opens a connection for each request and closes it", async (serve) => {
  const server = serve(() => PUT_DONE);
  using client = clientOf([server], { isOneShot: true });
  await client.put("a", "1");
  await client.put("b", "2");
  assertEquals(server.connectionCount, 2);
});

netTest("close() fails what is under way, and what comes later", async (serve) => {
  const server = serve(() => "silence");
  const client = clientOf([server]);
  const [put, get] = [client.put("k", "v"), client.get("k")].map((promise) =>
    promise.catch((error: unknown) => error)
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.close();
  assertInstanceOf(await put, OutcomeUnknownError);
  assertInstanceOf(await get, ClientClosedError);
  await assertRejects(() => client.get("k"), ClientClosedError);
});

Deno.test("put() refuses keys and values that the protocol does not carry, naming the limit", async () => {
  const client = new DraftyClient({ servers: [{ host: "127.0.0.1", port: 1 }] });
  await assertRejects(() => client.put("", "v"), RequestError, "key has 0 B; give 1 to 1024");
  await assertRejects(() => client.get("k".repeat(1025)), RequestError, "key has 1025 B; give 1 to 1024");
  await assertRejects(
    () => client.put("k", new Uint8Array(1024 * 1024 + 1)),
    RequestError,
    "value has 1048577 B; give at most 1048576",
  );
  await assertRejects(() => client.put("k", "\ud800"), RequestError, "value holds a lone surrogate");
  client.close();
});

Deno.test("DraftyClient refuses options that make no sense", () => {
  for (
    const [options, message] of [
      [{ servers: [] }, "servers is empty; give at least one address"],
      [{ servers: [{ host: "a", port: 1 }], clientId: new Uint8Array(3) }, "clientId has 3 B; give 16"],
    ] as const
  ) {
    try {
      new DraftyClient(options);
    } catch (error) {
      assertInstanceOf(error, RequestError);
      assertEquals(error.message, message);
      continue;
    }
    throw new Error(`${message}: nothing was thrown`);
  }
});
