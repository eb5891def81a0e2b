import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ClientRequest, ClientResponse, Pair } from "../../packraft/mod.ts";
import { nameOf } from "../../src/client/mod.ts";
import { errorResponse, FakeServer, type Handler, refusingAddress } from "../client/fake_server.ts";
import { type Captured, permitted, run } from "./capture.ts";

const { isAllowed, named } = await permitted("net", "read", "write");
const encoder = new TextEncoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

const BINARY = new Uint8Array([0xff, 0x00, 0x41]);
const PAIRS: readonly Pair[] = [
  { key: bytes("10"), value: bytes("ten") },
  { key: bytes("9"), value: bytes("two\nlines \\ é") },
  { key: BINARY, value: BINARY },
];

/** Of a read that is no stale one. */
const CURRENT = { appliedIndex: 12, isAgeKnown: true, ageMs: 0 };

/** A leader with three pairs. */
function leader(request: ClientRequest): ClientResponse {
  switch (request.type) {
    case "PutRequest":
      return { type: "PutResponse", index: 12 };
    case "DeleteRequest":
      return { type: "DeleteResponse", index: 13, found: request.key.length === 1 };
    case "GetRequest": {
      const pair = PAIRS.find(({ key }) => key.toHex() === request.key.toHex());
      const isBinary = request.key.toHex() === bytes("binary").toHex();
      const value = isBinary ? BINARY : pair?.value;
      return {
        type: "GetResponse",
        found: value !== undefined,
        value: value ?? new Uint8Array(),
        ...CURRENT,
      };
    }
    case "DataRequest":
      return { type: "DataResponse", more: false, pairs: PAIRS, ...CURRENT };
    case "PingRequest":
      return { type: "PingResponse", node: 2, role: "leader", leader: 2 };
    case "SnapshotRequest":
      return { type: "SnapshotResponse", node: 2, index: 12, totalBytes: 2_100_000 };
    default:
      return errorResponse("badRequest");
  }
}

function netTest(
  sentence: string,
  body: (server: FakeServer) => Promise<void>,
  handler: Handler = leader,
): void {
  Deno.test({
    name: named(sentence),
    ignore: !isAllowed,
    async fn() {
      const server = new FakeServer(handler);
      try {
        await body(server);
      } finally {
        await server.stop();
      }
    },
  });
}

/** `drafty client --server …` with more arguments. */
function client(server: FakeServer, ...args: string[]): Promise<Captured> {
  return run("client", "--server", nameOf(server.address), "--timeout", "2s", ...args);
}

/** What is typed after `drafty client`, and what comes out. */
const COMMANDS: readonly (readonly [args: string[], exitCode: number, out: string, err?: string])[] = [
  [["put", "k", "v"], 0, "OK\n"],
  [["--json", "put", "k", "v"], 0, '{"ok":true,"index":12}\n'],
  [["set", "k", "v", "w"], 0, "OK\n"],
  [["get", "10"], 0, "ten\n"],
  [["get", "9"], 0, "two\nlines \\ é\n"],
  [["get", "10", "--json"], 0, '{"key":"10","value":"ten","found":true}\n'],
  [["get", "binary", "--json"], 0, '{"key":"binary","value":{"hex":"ff0041"},"found":true}\n'],
  [["get", "none"], 1, "", "no such key: none\n"],
  [["get", "none", "--json"], 1, '{"key":"none","value":null,"found":false}\n', "no such key: none\n"],
  [["delete", "k"], 0, "deleted\n"],
  [["delete", "k", "--json"], 0, '{"ok":true,"index":13,"found":true}\n'],
  [["delete", "none"], 1, "", "no such key: none\n"],
  [["data"], 0, "10 = ten\n9 = two\\nlines \\\\ é\n\\xff\\x00A = \\xff\\x00A\n"],
  [["show"], 0, "10 = ten\n9 = two\\nlines \\\\ é\n\\xff\\x00A = \\xff\\x00A\n"],
  [["data", "--json"], 0, '{"10":"ten","9":"two\\nlines \\\\ é","\\\\xff\\\\x00A":{"hex":"ff0041"}}\n'],
  [["ping"], 0, "pong from node 2, leader; node 2 leads\n"],
  [["ping", "--json"], 0, '{"node":2,"role":"leader","leader":2}\n'],
  [["put", "", "v"], 2, "", "drafty: key has 0 B; give 1 to 1024\n"],
  [["get", "--", "--json"], 1, "", "no such key: --json\n"],
];

for (const [args, exitCode, out, err = ""] of COMMANDS) {
  netTest(`drafty client ${args.join(" ")}: exit ${exitCode}`, async (server) => {
    assertEquals(await client(server, ...args), { exitCode, out, err });
  });
}

/** The key and the value that are sent for what is typed. */
const WRITTEN: readonly (readonly [args: string[], key: string, value: string])[] = [
  [["put", "k", "two words"], "k", "two words"],
  [["put", "k", ""], "k", ""],
  [["put", "007", "-5"], "007", "-5"],
  [["put", "--json", "true", "false"], "true", "false"],
  [["put", "--", "--k", "--v"], "--k", "--v"],
  [["set", "k", "slow", "is", "smooth"], "k", "slow is smooth"],
  [["set", "k", "v", "1"], "k", "v 1"],
  [["put", "é", "日本"], "é", "日本"],
];

for (const [args, key, value] of WRITTEN) {
  netTest(`drafty client ${args.join(" ")} writes "${key}" = "${value}"`, async (server) => {
    assertEquals((await client(server, ...args)).exitCode, 0);
    const [request] = server.requests;
    assert(request?.type === "PutRequest");
    const decoder = new TextDecoder();
    assertEquals([decoder.decode(request.key), decoder.decode(request.value)], [key, value]);
  });
}

netTest("client putrnd puts a pronounceable key and a number below 1000", async (server) => {
  const { exitCode, out } = await client(server, "putrnd");
  assertEquals(exitCode, 0);
  assertMatch(out, /^put [b-df-hj-np-tv-z][aeiou][b-df-hj-np-tv-z]=\d{1,3}\n$/);
  const [request] = server.requests;
  assert(request?.type === "PutRequest");
  const decoder = new TextDecoder();
  assertEquals(out, `put ${decoder.decode(request.key)}=${decoder.decode(request.value)}\n`);
});

netTest("client --guid is the id of the write, with dashes or without", async (server) => {
  await client(server, "--guid", "00112233-4455-6677-8899-AABBCCDDEEFF", "put", "k", "v");
  await client(server, "--guid", "00112233445566778899aabbccddeeff", "delete", "k");
  const ids = server.requests.map((request) => "clientId" in request ? request.clientId.toHex() : "");
  assertEquals(ids, Array(2).fill("00112233445566778899aabbccddeeff"));
  for (const request of server.requests) assertEquals("sequence" in request ? request.sequence : 0, 1);
});

netTest("client says on standard error where it is redirected to", async (server) => {
  const follower = new FakeServer(() => server.redirectTo(2));
  try {
    assertEquals(await client(follower, "put", "k", "v"), {
      exitCode: 0,
      out: "OK\n",
      err: "redirecting to node 2\n",
    });
  } finally {
    await follower.stop();
  }
});

netTest("client tells no leader, unreachable and unknown apart, all with exit 8", async (server) => {
  const brief = (...args: string[]) => run("client", "--timeout", "100ms", ...args);
  const noLeader = await brief("--server", nameOf(server.address), "put", "k", "v");
  assertEquals(noLeader.exitCode, 8);
  assertStringIncludes(noLeader.err, "drafty: no leader after 0.1 s");
  const unreachable = await brief("--server", nameOf(refusingAddress()), "put", "k", "v");
  assertEquals(unreachable.exitCode, 8);
  assertStringIncludes(unreachable.err, "drafty: cannot reach the cluster after 0.1 s");
  server.handler = () => "silence";
  const unknown = await brief("--server", nameOf(server.address), "put", "k", "v");
  assertEquals(unknown.exitCode, 8);
  assertStringIncludes(unknown.err, "outcome unknown");
}, () => errorResponse("noLeader"));

/** A configuration of nodes 1 and 2: one does not run, the other does. */
async function withConfig(server: FakeServer, body: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempFileSync({ suffix: ".toml" });
  const node = (id: number, port: number) =>
    `[[nodes]]\nid = ${id}\nhost = "127.0.0.1"\npeer_port = ${id}\nclient_port = ${port}\n`;
  Deno.writeTextFileSync(path, node(1, refusingAddress().port) + node(2, server.address.port));
  try {
    await body(path);
  } finally {
    Deno.removeSync(path);
  }
}

netTest(
  "a node number before or after a command is --node",
  (server) =>
    withConfig(server, async (config) => {
      for (
        const args of [["2", "ping"], ["ping", "2"], ["--node", "2", "ping"], ["get", "k", "2"], [
          "delete",
          "k",
          "2",
        ]]
      ) {
        const before = server.connectionCount;
        await run("client", "--config", config, ...args);
        assertEquals(server.connectionCount, before + 1, args.join(" "));
      }
      for (const args of [["1", "ping"], ["ping", "1"]]) {
        const { exitCode } = await run("client", "--config", config, "--timeout", "100ms", ...args);
        assertEquals(exitCode, 8);
      }
      // One argument is the key, whatever it looks like.
      const before = server.requests.length;
      await run("client", "--config", config, "get", "1");
      const request = server.requests[before];
      assert(request?.type === "GetRequest");
      assertEquals(request.key, bytes("1"));
      const absent = await run("client", "--config", config, "ping", "7");
      assertEquals([absent.exitCode, absent.err], [
        3,
        `drafty: ${config}: there is no node 7; its nodes are 1, 2\n`,
      ]);
    }),
);

netTest(
  "without a node the client asks any that can be reached",
  (server) =>
    withConfig(server, async (config) => {
      assertEquals((await run("client", "--config", config, "get", "10")).out, "ten\n");
    }),
);
