/**
 * What the README tells a newcomer to do, done: the executable is built and asked its version, and the tour of four
 * terminals is walked with the very lines that stand there.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../../src/cli/version.ts";
import { build } from "../../tools/build.ts";
import { freePorts } from "../../src/driver/free_ports.ts";
import { processProblem, testOnProcesses } from "../chaos/registration.ts";

const ROOT = new URL("../../", import.meta.url);
const PATIENCE_MS = 30_000;

/** The shell lines under a heading of the README, without their comments. */
function linesUnder(heading: string): string[] {
  const text = Deno.readTextFileSync(new URL("README.md", ROOT));
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  const block = /```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  return block.split("\n").map((line) => line.replace(/#.*$/, "").trim()).filter((line) => line !== "");
}

/** A folder with the executable in it and a cluster on free ports, as if one had cloned and built there. */
async function inBuiltFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "drafty-readme-" });
  const here = Deno.cwd();
  try {
    Deno.chdir(ROOT); // the build takes mod.ts from the top of the repository
    await build(`${folder}/drafty`);
    Deno.chdir(here);
    const ports = freePorts("127.0.0.1", 6);
    const nodes = [1, 2, 3].map((id) =>
      `[[nodes]]\nid = ${id}\nhost = "127.0.0.1"\npeer_port = ${ports[id - 1]}\nclient_port = ${
        ports[id + 2]
      }\n`
    );
    await Deno.writeTextFile(`${folder}/cluster.toml`, nodes.join("\n"));
    await body(folder);
  } finally {
    Deno.chdir(here);
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(line: string, folder: string): Promise<{ code: number; out: string }> {
  const [program = "", ...args] = line.split(/\s+/);
  const { code, stdout } = await new Deno.Command(program, { args, cwd: folder }).output();
  return { code, out: new TextDecoder().decode(stdout) };
}

testOnProcesses(
  "the executable tells its version, and runs the README's tour of four terminals",
  async () => {
    await inBuiltFolder(async (folder) => {
      assertEquals(await run("./drafty --version", folder), { code: 0, out: `drafty ${VERSION}\n` });

      const lines = linesUnder("A tour of four terminals");
      const [buildLine, ...rest] = lines;
      assertEquals(buildLine, "npx --yes deno@2.9.6 task build");
      const nodeLines = rest.filter((line) => line.includes("--node"));
      const clientLines = rest.filter((line) => line.includes("client"));
      assertEquals([nodeLines.length, clientLines.length], [3, 2]);

      const nodes = nodeLines.map((line) => {
        const [program = "", ...args] = line.split(/\s+/);
        return new Deno.Command(program, { args, cwd: folder, stdout: "null", stderr: "null" }).spawn();
      });
      try {
        const first = await run(clientLines[0] ?? "", folder);
        assertEquals(first.code, 0);
        assertMatch(first.out, /^put [a-z]{3}=\d{1,3}\n$/);
        const [, key = "", value = ""] = /^put (\w+)=(\d+)/.exec(first.out) ?? [];
        assertEquals(await run(`./drafty client get ${key}`, folder), { code: 0, out: `${value}\n` });
        const status = await run(clientLines[1] ?? "", folder);
        assertEquals(status.code, 0);
        assertMatch(status.out, /leader/);
      } finally {
        for (const node of nodes) node.kill("SIGTERM");
        const timer = setTimeout(() => nodes.forEach((node) => node.kill("SIGKILL")), PATIENCE_MS);
        const codes = await Promise.all(nodes.map(async (node) => (await node.status).code));
        clearTimeout(timer);
        assertEquals(codes, [0, 0, 0]);
      }
    });
  },
);

Deno.test({
  name: "the README's two commands are tasks of deno.json",
  ignore: processProblem !== undefined,
  fn() {
    const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
      tasks: Record<string, unknown>;
    };
    for (const line of linesUnder("Two commands")) {
      const task = /^npx --yes deno@2\.9\.6 task (\w+)$/.exec(line)?.[1];
      assert(task !== undefined && task in tasks, `"${line}" is no task`);
    }
  },
});
