import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Member } from "../../packraft/mod.ts";
import { LocalCluster } from "../../src/cli/local_cluster.ts";
import type { NodeReport } from "../../src/cli/cluster_reports.ts";
import { commandOf } from "../../src/cli/self.ts";
import { nameOf, type ServerAddress } from "../../src/client/mod.ts";
import { FakeServer, refusingAddress } from "../client/fake_server.ts";
import { permitted, run } from "./capture.ts";
import { follower, leader, member, report } from "./node_reports.ts";

const { isAllowed, named } = await permitted("net", "read", "write");
const real = await permitted("net", "read", "write", "run");

/** Nodes that answer with these reports, at addresses that the reports know; node 3 does not run. */
async function withNodes(
  reportOf: (node: number) => NodeReport,
  body: (places: { servers: FakeServer[]; config: string; missing: ServerAddress }) => Promise<void>,
): Promise<void> {
  const missing = refusingAddress();
  const servers: FakeServer[] = [];
  const at = (id: number): Member =>
    member(id, { clientPort: servers[id - 1]?.address.port ?? missing.port });
  for (const node of [1, 2]) {
    servers.push(
      new FakeServer(() => ({
        ...reportOf(node),
        configuration: { index: 5, term: 1, members: [at(1), at(2), at(3)] },
      })),
    );
  }
  // The file is older than the membership: it knows node 1 only, and a node 7 that is none any more.
  const config = Deno.makeTempFileSync({ suffix: ".toml" });
  const nodes = [[1, servers[0]?.address.port], [7, missing.port]];
  Deno.writeTextFileSync(
    config,
    nodes.map(([id, port]) =>
      `[[nodes]]\nid = ${id}\nhost = "127.0.0.1"\npeer_port = ${id}\nclient_port = ${port}\n`
    ).join("\n"),
  );
  try {
    await body({ servers, config, missing });
  } finally {
    Deno.removeSync(config);
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function netTest(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: named(sentence), ignore: !isAllowed, fn });
}

const SENTENCES = [
  "Node 1 leads term 3, for 2 min: it got 2 of 3 votes.",
  "Node 3 has been silent for 5.0 s and does not answer at PLACE; it lags by 7 entries: it has everything up to entry 50.",
  "Node 2 follows and has everything up to entry 57.",
];

function reportOf(node: number): NodeReport {
  return node === 1
    ? leader({ followers: [follower(2), follower(3, { silentMs: 5_000, matchIndex: 50 })] })
    : report(node);
}

netTest(
  "explain asks the members that the nodes of the configuration tell of",
  () =>
    withNodes(reportOf, async ({ servers, config, missing }) => {
      const { exitCode, out, err } = await run("explain", "--config", config, "--timeout", "150ms");
      assertEquals([exitCode, err], [0, ""]);
      assertEquals(
        out,
        [
          ...SENTENCES,
          "Node 7 is in the configuration file, but is no member of the cluster.",
          "Nothing waits.\n",
        ].join("\n").replace("PLACE", nameOf(missing)),
      );
      for (const { requests } of servers) {
        // Once more after the wait for the others: what was told before it is old.
        assertEquals(requests.map(({ type }) => type), ["ExplainRequest", "ExplainRequest"]);
      }
    }),
);

netTest(
  "explain --server finds the other nodes by itself",
  () =>
    withNodes(reportOf, async ({ servers, missing }) => {
      const address = servers[1]?.address ?? missing;
      const { exitCode, out } = await run("explain", "--server", nameOf(address), "--timeout", "150ms");
      assertEquals(exitCode, 0);
      assertEquals(out, [...SENTENCES, "Nothing waits.\n"].join("\n").replace("PLACE", nameOf(missing)));
    }),
);

netTest(
  "explain --node tells of one node, also of one that the configuration does not know",
  () =>
    withNodes(reportOf, async ({ config }) => {
      const { exitCode, out } = await run("explain", "--config", config, "--timeout", "150ms", "--node", "2");
      assertEquals(exitCode, 0);
      assertEquals(out.split("\n"), [
        "Node 2 follows node 1 in term 3, and heard from it 12 ms ago.",
        "It has been a follower for 2 min: node 1 leads term 3.",
        "Its log ends at entry 57, all of it on its disk; it is committed up to 57 and applied up to 57.",
        "Node 1 leads term 3, for 2 min: it got 2 of 3 votes.",
        "Node 2 follows and has everything up to entry 57.",
        "",
      ]);
      const unknown = await run("explain", "--config", config, "--timeout", "150ms", "--node", "9");
      assertEquals([unknown.exitCode, unknown.err], [
        2,
        "drafty: --node 9 is not known; give one of 1, 2, 3, 7\n",
      ]);
    }),
);

netTest(
  "explain --json has the sentences, and every node's report in snake_case",
  () =>
    withNodes(reportOf, async ({ config, missing }) => {
      const { exitCode, out } = await run("explain", "--config", config, "--timeout", "150ms", "--json");
      assertEquals(exitCode, 0);
      const { sentences, nodes } = JSON.parse(out);
      assertEquals(sentences[0], SENTENCES[0]);
      assertEquals(nodes.map(({ node }: { node: number }) => node), [1, 2, 3, 7]);
      assertEquals(nodes[2], { node: 3, reachable: false, address: nameOf(missing) });
      const { reachable, role, role_reason, last_applied, followers, may_vote, type } = nodes[0];
      assertEquals(
        { reachable, role, role_reason, last_applied, may_vote, type },
        {
          reachable: true,
          role: "leader",
          role_reason: "2 of 3 votes",
          last_applied: 57,
          may_vote: true,
          type: undefined,
        },
      );
      assertEquals(followers[1], {
        id: 3,
        role: "voter",
        mode: "replicate",
        match_index: 50,
        silent_ms: 5_000,
      });
    }),
);

netTest("explain exits with 8 when no node answers", async () => {
  const place = nameOf(refusingAddress());
  const line = `No node answers at ${place}: start the nodes, or check the addresses.`;
  const people = await run("explain", "--server", place, "--timeout", "100ms");
  assertEquals(people, { exitCode: 8, out: "", err: `drafty: ${line}\n` });
  const { exitCode, out } = await run("explain", "--server", place, "--timeout", "100ms", "--json");
  assertEquals(exitCode, 8);
  assertEquals(JSON.parse(out), {
    sentences: [line],
    nodes: [{ node: null, reachable: false, address: place }],
  });
});

netTest("explain refuses what makes no sense", async () => {
  const mistakes = [
    [["explain", "2"], 'unexpected "2"; explain takes no arguments, a node is --node 2'],
    [
      ["explain", "--node", "2", "--server", "a:1"],
      "--server and a node exclude each other; give one of them",
    ],
    [["explain", "--node", "0"], "--node 0 is not a node number; give 1 to 65535"],
  ] as const;
  for (const [args, line] of mistakes) {
    assertEquals(await run(...args), { exitCode: 2, out: "", err: `drafty: ${line}\n` });
  }
});

Deno.test({
  name: real.named("explain tells of real nodes who leads, and why nobody does after kill -9 of a majority"),
  ignore: !real.isAllowed,
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "drafty-test-" });
    const mainModule = new URL("../../mod.ts", import.meta.url).href;
    const nodes = new LocalCluster(
      folder,
      3,
      (args) => commandOf(args, { isCompiled: false, execPath: Deno.execPath(), mainModule }),
    );
    const explain = () => run("explain", "--config", `${folder}/cluster.toml`);
    try {
      for (const { address } of nodes.nodes) nodes.start(address.id);
      const healthy = await until(explain, (out) => out.endsWith("\nNothing waits.\n"));
      const [, first] = /^Node (\d) leads term \d+, for .*: it got [23] of 3 votes\.$/m.exec(healthy) ?? [];
      assert(first !== undefined, healthy);
      await nodes.end(Number(first), "SIGKILL");
      const second = await until(
        explain,
        (out) => /^Node \d leads/.test(out) && !out.startsWith(`Node ${first}`),
      );
      assertStringIncludes(second, `Node ${first} does not answer at 127.0.0.1:`);
      const next = /^Node (\d)/.exec(second)?.[1] ?? "";
      await nodes.end(Number(next), "SIGKILL");
      const [left] = [1, 2, 3].filter((node) => ![first, next].includes(`${node}`));
      const leaderless = await until(explain, (out) => out.includes("asks who would vote for it"));
      assertStringIncludes(
        leaderless,
        `Nobody leads: 2 of 3 voters have to reach each other, and only node ${left} answers.\n`,
      );
    } finally {
      await nodes.killAll();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

/** What is said as soon as it is what is waited for. */
async function until(explain: typeof run, isSo: (out: string) => boolean): Promise<string> {
  let out = "";
  for (const deadlineMs = performance.now() + 20_000; performance.now() < deadlineMs;) {
    ({ out } = await explain());
    if (isSo(out)) return out;
  }
  throw new Error(`not so within 20 s: ${out}`);
}
