import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type ClientRequest, type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";
import { type ClusterConfig, parseClusterConfig } from "../../src/config/mod.ts";
import { freePorts } from "../../src/driver/free_ports.ts";
import { type RunningNode, startNode } from "../../src/driver/mod.ts";
import { HOST, pause, readToEnd, testOnLoopback, until } from "./loopback.ts";

const AGE = { appliedIndex: 1, isAgeKnown: true, ageMs: 0 } as const;

const encoder = new TextEncoder();

/** A cluster of one or more, of which the test starts node 1. */
class Fixture implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly directory: string;
  readonly config: ClusterConfig;
  readonly peerPort: number;
  readonly clientPort: number;
  readonly #started: RunningNode[] = [];

  constructor(nodeCount = 1) {
    const ports = freePorts(HOST, nodeCount * 2);
    [this.peerPort, this.clientPort] = [ports[0] ?? 0, ports[1] ?? 0];
    this.directory = Deno.makeTempDirSync({ prefix: "drafty-node-" });
    const nodes = Array.from(
      { length: nodeCount },
      (_, i) =>
        `[[nodes]]\nid = ${i + 1}\nhost = "${HOST}"\npeer_port = ${ports[2 * i]}\nclient_port = ${
          ports[2 * i + 1]
        }\n`,
    );
    this.config = parseClusterConfig(`[cluster]\nid = "t"\n${nodes.join("")}`, "the test");
  }

  get dataDirectory(): string {
    return `${this.directory}/1`;
  }

  async start(): Promise<RunningNode> {
    const running = await startNode({
      config: this.config,
      node: 1,
      dataDirectory: this.dataDirectory,
      isNewCluster: true,
      log: (line) => this.lines.push(line),
    });
    this.#started.push(running);
    return running;
  }

  /** Sends requests on one connection, says that there are no more, and reads what is answered. */
  async ask(...requests: ClientRequest[]): Promise<ClientResponse[]> {
    using connection = await Deno.connect({ hostname: HOST, port: this.clientPort });
    for (const message of requests) {
      await connection.write(encodePacket({ family: "request", envelope: { transactionId: "t" }, message }));
    }
    await connection.closeWrite();
    const reader = new PacketReader({ families: ["response"] });
    reader.push(await readToEnd(connection));
    const responses: ClientResponse[] = [];
    for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
      if (packet.family === "response") responses.push(packet.message);
    }
    return responses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#started) await running.stop();
    await pause(10); // its reads and writes end
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function put(sequence: number, value: string): ClientRequest {
  const session = { clientId: new Uint8Array(16), sequence, answeredUpTo: 0 };
  return { type: "PutRequest", ...session, key: encoder.encode("k"), value: encoder.encode(value) };
}

const GET: ClientRequest = { type: "GetRequest", key: encoder.encode("k"), mode: "leader" };

testOnLoopback("startNode() runs a node that keeps what it has acknowledged across a stop", async () => {
  await using fixture = new Fixture();
  const first = await fixture.start();
  assertEquals((await fixture.ask(put(1, "a"))).map(({ type }) => type), ["PutResponse"]);
  await first.stop();
  assertEquals(await first.ended, { exitCode: 0, reason: "stopped" });
  await fixture.start();
  const [response] = await fixture.ask(GET);
  assertEquals(response, {
    type: "GetResponse",
    found: true,
    value: encoder.encode("a"),
    ...AGE,
    appliedIndex: 3,
  });
});

testOnLoopback(
  "stop() can be called twice, and each call resolves only when everything is let go of",
  async () => {
    await using fixture = new Fixture();
    const running = await fixture.start();
    // Somebody who reads nothing makes stopping take its time.
    using unread = await Deno.connect({ hostname: HOST, port: fixture.clientPort });
    const big = put(1, "x".repeat(1024 * 1024));
    await fixture.ask(big);
    const frame = encodePacket({ family: "request", envelope: { transactionId: "t" }, message: GET });
    for (let i = 0; i < 40; i++) await unread.write(frame);
    await pause(50);
    const startMs = performance.now();
    void running.stop();
    await running.stop();
    assertEquals(performance.now() - startMs < 2_000, true);
    // The directory is unlocked and the ports are free: all can be taken again at once.
    await fixture.start();
  },
);

testOnLoopback("startNode() that fails lets go of ports and directory, and says what to do", async () => {
  await using fixture = new Fixture();
  Deno.mkdirSync(fixture.dataDirectory);
  Deno.chmodSync(fixture.dataDirectory, 0o755);
  const refused = await assertRejects(() => fixture.start(), Error, "chmod 700");
  assertEquals("exitCode" in refused && refused.exitCode, 4);
  Deno.chmodSync(fixture.dataDirectory, 0o700);
  {
    using _taken = Deno.listen({ hostname: HOST, port: fixture.clientPort });
    const inUse = await assertRejects(() => fixture.start(), Error, `client_port ${fixture.clientPort}`);
    assertEquals("exitCode" in inUse && inUse.exitCode, 3);
  }
  await fixture.start();
});

testOnLoopback("a second start of a node is refused, and the first one goes on", async () => {
  await using fixture = new Fixture();
  await fixture.start();
  await assertRejects(() => fixture.start(), Error, "is in use");
  assertEquals((await fixture.ask({ type: "PingRequest" })).map(({ type }) => type), ["PingResponse"]);
});

testOnLoopback(
  "a node whose disk fails acknowledges nothing more, closes everything and ends with exit code 6",
  async () => {
    await using fixture = new Fixture();
    const running = await fixture.start();
    assertEquals((await fixture.ask(put(1, "kept"))).length, 1);
    const sync = Deno.FsFile.prototype.syncDataSync;
    try {
      Deno.FsFile.prototype.syncDataSync = () => {
        throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
      };
      // The read is answered before the write goes to the disk, from what is committed.
      const responses = await fixture.ask(put(2, "lost"), GET);
      assertEquals(responses.map((response) => response.type === "GetResponse" && response.value), [
        new TextEncoder().encode("kept"),
      ]);
    } finally {
      Deno.FsFile.prototype.syncDataSync = sync;
    }
    const { exitCode, reason } = await running.ended;
    assertEquals(exitCode, 6);
    assertMatch(reason, /Input\/output error/);
    await assertRejects(() => fixture.ask({ type: "PingRequest" }), Deno.errors.ConnectionRefused);
    await running.stop(); // it has ended already: nothing to do, nothing to wait for
    await fixture.start(); // the directory is unlocked
    const [response] = await fixture.ask(GET);
    assertEquals(response?.type === "GetResponse" && response.found, true);
  },
);

testOnLoopback("a node without a quorum answers at once that nobody leads, and stops at once", async () => {
  await using fixture = new Fixture(3);
  const running = await fixture.start();
  const responses = await fixture.ask(put(1, "a"), GET);
  const codes = responses.map((response) => response.type === "ErrorResponse" && response.code);
  assertEquals(codes, ["noLeader", "noLeader"]);
  // It stands for election again and again, and its links fail each time: the log does not fill up with it.
  await until(() => fixture.lines.some((line) => line.includes("cannot send to node 2")), "the loss is told");
  await pause(400);
  const losses = fixture.lines.filter((line) => line.includes("cannot send to node 2")).length;
  assertEquals(losses, 1);
  await running.stop();
});
