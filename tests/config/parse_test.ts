import { assertEquals, assertThrows } from "@std/assert";
import * as packraft from "../../packraft/limits.ts";
import { ConfigError, parseClusterConfig } from "../../src/config/mod.ts";
import { MAX_CLUSTER_ID_BYTES, MAX_HOST_BYTES } from "../../src/config/parse.ts";

const NODE_1 = `[[nodes]]
id = 1
host = "127.0.0.1"
peer_port = 8001
client_port = 9001
`;
const NODE_2 = `[[nodes]]
id = 2
host = "127.0.0.1"
peer_port = 8002
client_port = 9002
`;
const TWO_NODES = NODE_1 + NODE_2;

Deno.test("the limits of texts are those of the wire that carries them", () => {
  assertEquals(MAX_CLUSTER_ID_BYTES, packraft.MAX_CLUSTER_ID_BYTES);
  assertEquals(MAX_HOST_BYTES, packraft.MAX_HOST_BYTES);
});

Deno.test("parseClusterConfig() reads every field", () => {
  const config = parseClusterConfig(
    `[cluster]
id = "shop"
heartbeat_ms = 50
election_timeout_ms = [300, 500]
linger_ms = 0
[storage]
directory = "/var/lib/drafty"
segment_bytes = 65536
snapshot_after_bytes = 1000000
[[nodes]]
id = 7
host = "node7.example"
peer_port = 1
client_port = 65535
`,
    "shop.toml",
  );
  assertEquals(config, {
    source: "shop.toml",
    clusterId: "shop",
    heartbeatMs: 50,
    electionTimeoutMs: { min: 300, max: 500 },
    lingerMs: 0,
    readFrom: "leader",
    storageDirectory: "/var/lib/drafty",
    segmentBytes: 65_536,
    snapshotAfterBytes: 1_000_000,
    nodes: [{ id: 7, host: "node7.example", peerPort: 1, clientPort: 65535 }],
  });
});

Deno.test("parseClusterConfig() takes defaults for all but the nodes", () => {
  const config = parseClusterConfig(NODE_1, "f");
  assertEquals(config.clusterId, "drafty");
  assertEquals(config.heartbeatMs, 30);
  assertEquals(config.electionTimeoutMs, { min: 180, max: 360 });
  assertEquals(config.lingerMs, 20);
  assertEquals(config.storageDirectory, "data");
  assertEquals([config.segmentBytes, config.snapshotAfterBytes], [64 * 2 ** 20, 64 * 2 ** 20]);
});

Deno.test("parseClusterConfig() lets the election timeout follow the heartbeat where only that is given", () => {
  const config = parseClusterConfig(`[cluster]\nheartbeat_ms = 100\n${NODE_1}`, "f");
  assertEquals(config.electionTimeoutMs, { min: 600, max: 1200 });
});

Deno.test("parseClusterConfig() takes IPv6 addresses, inline tables and line breaks of Windows", () => {
  const config = parseClusterConfig(
    'nodes = [{ id = 1, host = "::1", peer_port = 1, client_port = 2 }]\r\n[cluster]\r\nid = "a"\r\n',
    "f",
  );
  assertEquals(config.nodes[0]?.host, "::1");
  assertEquals(config.clusterId, "a");
});

/** What is in the file, and the whole error that it makes. */
const BAD: readonly (readonly [name: string, text: string, error: string])[] = [
  [
    "a port out of range",
    NODE_1 + NODE_2.replace("8002", "70000"),
    "f:9: nodes[2].peer_port = 70000 is not a port; give 1 to 65535",
  ],
  [
    "port 0",
    NODE_1.replace("9001", "0"),
    "f:5: nodes[1].client_port = 0 is not a port; give 1 to 65535",
  ],
  [
    "a port in quotes",
    NODE_1.replace("9001", '"9001"'),
    'f:5: nodes[1].client_port = "9001" is not a port; give 1 to 65535',
  ],
  [
    "a missing key",
    NODE_1 + NODE_2.replace("peer_port = 8002\n", ""),
    "f:6: nodes[2].peer_port is missing; give 1 to 65535",
  ],
  [
    "a misspelled key",
    `[cluster]\nhearbeat_ms = 30\n${NODE_1}`,
    "f:2: cluster.hearbeat_ms is not a known key; did you mean heartbeat_ms?",
  ],
  [
    "a misspelled key of a node",
    NODE_1.replace("client_port", "clientport"),
    "f:5: nodes[1].clientport is not a known key; did you mean client_port?",
  ],
  [
    "a key like no other",
    `[storage]\nzzz = 1\n${NODE_1}`,
    "f:2: storage.zzz is not a known key; known here: directory, segment_bytes, snapshot_after_bytes",
  ],
  [
    "a misspelled table",
    `${NODE_1}[storrage]\n`,
    "f:6: storrage is not a known table; did you mean storage?",
  ],
  [
    "a misspelled list of tables",
    NODE_1.replace("nodes", "node"),
    "f:1: node is not a known table; did you mean nodes?",
  ],
  [
    "a key outside of tables",
    `id = "x"\n${NODE_1}`,
    "f:1: id is not a known key; known here: cluster, storage, nodes",
  ],
  [
    "nodes as one table",
    NODE_1.replace("[[nodes]]", "[nodes]"),
    'f:1: nodes = {"id":1,"host":"127.0.0.1","peer_port":8001,"client_port":90… is not a list of tables; ' +
    "write [[nodes]] on a line of its own before each",
  ],
  [
    "a table as a value",
    `cluster = 3\n${NODE_1}`,
    "f:1: cluster = 3 is not a table; write [cluster] on a line of its own",
  ],
  ["no nodes", "", "f: there are no nodes; give at least one [[nodes]] table"],
  [
    "too many nodes",
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => NODE_1.replace("id = 1", `id = ${n}`)).join(""),
    "f: there are 8 nodes; give at most 7",
  ],
  [
    "an id that two nodes have",
    NODE_1 + NODE_2.replace("id = 2", "id = 1"),
    "f:7: nodes[2].id = 1 is the id of nodes[1] too; give each node its own",
  ],
  ["id 0", NODE_1.replace("id = 1", "id = 0"), "f:2: nodes[1].id = 0 is not a node id; give 1 to 65535"],
  [
    "an address that two nodes have",
    NODE_1 + NODE_2.replace("8002", "8001"),
    "f:9: nodes[2].peer_port = 8001 on 127.0.0.1 is nodes[1].peer_port too; give each its own port",
  ],
  [
    "one port for peers and clients",
    NODE_1.replace("9001", "8001"),
    "f:5: nodes[1].client_port = 8001 on 127.0.0.1 is nodes[1].peer_port too; give each its own port",
  ],
  [
    "a host with a port",
    NODE_1.replace("127.0.0.1", "127.0.0.1:8001"),
    'f:3: nodes[1].host = "127.0.0.1:8001" has a port in it; give the host alone and the ports as peer_port and client_port',
  ],
  [
    "a host with spaces",
    NODE_1.replace("127.0.0.1", "my host"),
    'f:3: nodes[1].host = "my host" is no host name or IP address; give one such as "127.0.0.1" or "node1.example"',
  ],
  [
    "a host that is no text",
    NODE_1.replace('"127.0.0.1"', "127"),
    "f:3: nodes[1].host = 127 is not text; give text of 1 to 255 bytes in quotes",
  ],
  [
    "an election timeout below five heartbeats",
    `[cluster]\nheartbeat_ms = 50\nelection_timeout_ms = [180, 360]\n${NODE_1}`,
    "f:3: cluster.election_timeout_ms = [180, 360] starts below 5 × heartbeat_ms; give a minimum of 250 or more",
  ],
  [
    "an election timeout upside down",
    `[cluster]\nelection_timeout_ms = [360, 180]\n${NODE_1}`,
    "f:2: cluster.election_timeout_ms = [360, 180] leaves no room for chance; " +
    "give a maximum above the minimum, best twice it",
  ],
  [
    "an election timeout over several lines",
    `[cluster]\nelection_timeout_ms = [\n  180, # first\n  nan,\n]\n${NODE_1}`,
    "f:2: cluster.election_timeout_ms = nan is not a whole number of milliseconds; give 1 to 600000",
  ],
  [
    "an election timeout that is one number",
    `[cluster]\nelection_timeout_ms = 200\n${NODE_1}`,
    "f:2: cluster.election_timeout_ms = 200 is not a pair; give two whole numbers of milliseconds, as in [180, 360]",
  ],
  [
    "a negative heartbeat",
    `[cluster]\nheartbeat_ms = -30\n${NODE_1}`,
    "f:2: cluster.heartbeat_ms = -30 is not a whole number of milliseconds; give 1 to 10000",
  ],
  [
    "half a millisecond",
    `[cluster]\nheartbeat_ms = 0.5\n${NODE_1}`,
    "f:2: cluster.heartbeat_ms = 0.5 is not a whole number of milliseconds; give 1 to 10000",
  ],
  [
    "an infinite heartbeat",
    `[cluster]\nheartbeat_ms = inf\n${NODE_1}`,
    "f:2: cluster.heartbeat_ms = inf is not a whole number of milliseconds; give 1 to 10000",
  ],
  [
    "a date as heartbeat",
    `[cluster]\nheartbeat_ms = 1979-05-27\n${NODE_1}`,
    "f:2: cluster.heartbeat_ms = 1979-05-27T00:00:00.000Z is not a whole number of milliseconds; give 1 to 10000",
  ],
  [
    "a cluster id that is no text",
    `[cluster]\nid = 5\n${NODE_1}`,
    "f:2: cluster.id = 5 is not text; give text of 1 to 64 bytes in quotes",
  ],
  [
    "an empty cluster id",
    `[cluster]\nid = ""\n${NODE_1}`,
    'f:2: cluster.id = "" is empty; give text of 1 to 64 bytes in quotes',
  ],
  [
    "a cluster id of 66 bytes in 33 characters",
    `[cluster]\nid = "${"é".repeat(33)}"\n${NODE_1}`,
    `f:2: cluster.id = "${"é".repeat(33)}" has 66 bytes; give text of 1 to 64 bytes in quotes`,
  ],
  [
    "a cluster id with a line break",
    `[cluster]\nid = "a\\nb"\n${NODE_1}`,
    'f:2: cluster.id = "a\\nb" holds a control character; give plain text',
  ],
  [
    "a key that stands twice",
    `[cluster]\nid = "a"\n\nid = "b"\n${NODE_1}`,
    "f:4: cluster.id stands on line 2 already; remove one of the two",
  ],
  [
    "a table that stands twice",
    `[storage]\ndirectory = "a"\n${NODE_1}[storage]\n`,
    "f:8: storage stands on line 1 already; remove one of the two",
  ],
  [
    "a value that is missing",
    `[cluster]\nid = \n${NODE_1}`,
    "f:2: not valid TOML: Cannot parse value on line 'id = [[nodes]]'",
  ],
  [
    "a string without end",
    `[cluster]\nid = "a\n${NODE_1}`,
    "f:2:7: not valid TOML: Single-line string cannot contain EOL",
  ],
  [
    "the line after a multi-line string with a bracket and a key in it",
    `[cluster]\nid = """\n[x]\nid = 3"""\nheartbeat_ms = 0\n${NODE_1}`,
    "f:5: cluster.heartbeat_ms = 0 is not a whole number of milliseconds; give 1 to 10000",
  ],
];

for (const [name, text, message] of BAD) {
  Deno.test(`parseClusterConfig() refuses ${name}`, () => {
    const error = assertThrows(() => parseClusterConfig(text, "f"), ConfigError);
    assertEquals(error.message, message);
    assertEquals(error.exitCode, 3);
  });
}

Deno.test("parseClusterConfig() gives ConfigErrors of one line and nothing else, whatever is done to the file", () => {
  // Every cut, and every byte replaced by each of a few that matter to TOML.
  const text = `[cluster]\nid = "a" # x\nelection_timeout_ms = [180, 360]\n${TWO_NODES}`;
  const mutants = [...text].flatMap((_, at) => [
    text.slice(0, at),
    ...['"', "[", "]", "=", "\n", "#", "'", "0", ".", "\u0000"].map((c) =>
      text.slice(0, at) + c + text.slice(at + 1)
    ),
  ]);
  for (const mutant of mutants) {
    try {
      parseClusterConfig(mutant, "f");
    } catch (error) {
      if (!(error instanceof ConfigError) || error.message.includes("\n")) {
        throw new Error(`for ${JSON.stringify(mutant)}`, { cause: error });
      }
    }
  }
});
