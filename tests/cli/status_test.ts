import { assertEquals, assertStringIncludes } from "@std/assert";
import { nameOf } from "../../src/client/mod.ts";
import type { NodeReport } from "../../src/cli/cluster_reports.ts";
import { FakeServer, refusingAddress } from "../client/fake_server.ts";
import { permitted, run } from "./capture.ts";
import { leader, member, report } from "./node_reports.ts";

const { isAllowed, named } = await permitted("net", "read", "write");

interface Places {
  readonly config: string;
  /** Node 1, which leads. */
  readonly first: FakeServer;
}

/**
 * The members are nodes 1 to 3: node 2 does not run, node 3 is a learner that the file does not know. The file has nodes
 * 6 and 7 too, which are no members, and of which node 7 runs.
 */
function statusTest(sentence: string, body: (places: Places) => Promise<void>): void {
  Deno.test({
    name: named(sentence),
    ignore: !isAllowed,
    async fn() {
      const missing = [2, 6].map((node) => [node, refusingAddress().port] as const);
      const ports = new Map<number, number>(missing);
      const servers = new Map<number, FakeServer>();
      const at = (id: number) => ({ clientPort: servers.get(id)?.address.port ?? ports.get(id) ?? 1 });
      const start = (node: number, answer: NodeReport) => {
        const server = new FakeServer(() => {
          const members = [member(1, at(1)), member(2, at(2)), member(3, { ...at(3), role: "learner" })];
          return { ...answer, configuration: { index: 9, term: 2, members } };
        });
        servers.set(node, server);
        return server;
      };
      const first = start(1, leader({ leader: 1 }));
      start(3, report(3, { lastApplied: 50, commitIndex: 51 }));
      start(
        7,
        report(7, { role: "rejoining", leader: 0, term: 0, lastLogIndex: 0, commitIndex: 0, lastApplied: 0 }),
      );
      const config = Deno.makeTempFileSync({ suffix: ".toml" });
      const known = [1, 2, 6, 7].map((id) =>
        `[[nodes]]\nid = ${id}\nhost = "127.0.0.1"\npeer_port = ${id}\nclient_port = ${at(id).clientPort}\n`
      );
      Deno.writeTextFileSync(config, known.join("\n"));
      try {
        await body({ config, first });
      } finally {
        Deno.removeSync(config);
        await Promise.all([...servers.values()].map((server) => server.stop()));
      }
    },
  });
}

function cellsOf(table: string): string[][] {
  return table.split("\n").filter((line) => line.includes("│"))
    .map((line) => line.split("│").slice(1, -1).map((cell) => cell.trim()));
}

const HEAD = ["node", "reachable", "member", "role", "term", "last log", "commit", "applied", "leader"];
const NODE_1 = ["1", "yes", "voter", "leader", "3", "57", "57", "57", "1"];

statusTest(
  "client status shows all members, also those out of reach, and others that answer",
  async ({ config }) => {
    const { exitCode, out, err } = await run("client", "--config", config, "--timeout", "150ms", "status");
    assertEquals([exitCode, err], [0, ""]);
    assertEquals(cellsOf(out), [
      HEAD,
      NODE_1,
      ["2", "no", "voter", "-", "-", "-", "-", "-", "-"],
      ["3", "yes", "learner", "follower", "3", "57", "51", "50", "1"],
      ["7", "yes", "-", "rejoining", "0", "0", "0", "0", "-"],
    ]);
  },
);

statusTest("client status --json has null for what is not known", async ({ config }) => {
  const { out } = await run("client", "--config", config, "--timeout", "150ms", "--json", "status");
  const [first, second, third, seventh] = JSON.parse(out);
  assertEquals(first, {
    node: 1,
    reachable: true,
    member: "voter",
    role: "leader",
    term: 3,
    lastLogIndex: 57,
    commitIndex: 57,
    lastApplied: 57,
    leader: 1,
  });
  assertEquals(second, {
    node: 2,
    reachable: false,
    member: "voter",
    role: null,
    term: null,
    lastLogIndex: null,
    commitIndex: null,
    lastApplied: null,
    leader: null,
  });
  assertEquals([third.member, seventh.member, seventh.leader], ["learner", null, null]);
});

statusTest("client status of one node asks and shows no other", async ({ config, first }) => {
  const server = nameOf(first.address);
  for (const options of [["--server", server], ["--config", config, "--node", "1"]]) {
    const { exitCode, out } = await run("client", ...options, "status");
    assertEquals(exitCode, 0);
    assertEquals(cellsOf(out), [HEAD, NODE_1]);
  }
  assertEquals(first.requests.length, 2);
});

statusTest("client status exits with 8 when no node answers", async () => {
  const server = nameOf(refusingAddress());
  const { exitCode, out, err } = await run("client", "--server", server, "--timeout", "100ms", "status");
  assertEquals(exitCode, 8);
  assertEquals(cellsOf(out)[1], ["?", "no", "-", "-", "-", "-", "-", "-", "-"]);
  assertStringIncludes(err, `drafty: cannot reach ${server}: start the nodes, or check the addresses\n`);
});
