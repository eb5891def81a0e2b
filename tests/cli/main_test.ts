import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, NODE_COMMAND } from "../../src/cli/commands.ts";
import { ClosedPipe } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import { VERSION } from "../../src/cli/version.ts";
import { permitted, run } from "./capture.ts";

/** Mistakes: the arguments, the exit code, and the whole line on standard error. */
const MISTAKES: readonly (readonly [args: string, exitCode: number, line: string])[] = [
  ["clinet ping", 2, "unknown command clinet; did you mean client?"],
  ["xyzzy-plugh", 2, "unknown command xyzzy-plugh; see drafty help"],
  ["node 1", 2, "node is an option: drafty --node N"],
  ["put k v", 2, "put is a command of the client: drafty client put"],
  ["--nod 1", 2, "unknown option --nod; did you mean --node?"],
  ["-x", 2, "unknown option -x; see drafty help"],
  ["--node", 2, "--node needs a value: --node N"],
  ["--node --data d", 2, "--node needs a value: --node N"],
  ["--node=", 2, "--node needs a value: --node N"],
  ["--node 1 --node 2", 2, "--node is given twice; give it once"],
  ["--node 0", 2, "--node 0 is not a node number; give 1 to 65535"],
  ["--node 1.5", 2, "--node 1.5 is not a node number; give 1 to 65535"],
  ["--node 70000", 2, "--node 70000 is not a node number; give 1 to 65535"],
  ["--node 1 ping", 2, 'unexpected "ping"; a command comes first: drafty ping'],
  ["--data d", 2, "--node is missing; give the node to run: drafty --node 1"],
  ["--version now", 2, 'unexpected "now" after --version; leave it out'],
  ["help client put", 2, 'unexpected "put" after help client; leave it out'],
  ["help clent", 2, "unknown command clent; did you mean client?"],
  ["demo fast", 2, 'unexpected "fast"; demo takes no arguments'],
  [
    "client",
    2,
    "client needs a command; give one of put, set, get, delete, data, show, putrnd, ping, members, register, deregister, move, transfer, snapshot, status",
  ],
  ["client gte k", 2, "unknown client command gte; did you mean get?"],
  ["client get", 2, "client get takes 1 argument, not 0: drafty client get K"],
  ["client get a b", 2, "client get takes 1 argument, not 2: drafty client get K"],
  ["client data x", 2, "client data takes no arguments, not 1: drafty client data"],
  ["client set k", 2, "client set takes 2 arguments, not 1: drafty client set K V"],
  [
    "client put k v w",
    2,
    "client put takes 2 arguments, not 3: drafty client put K V; quote a value with spaces, or use set",
  ],
  ["client 1 get k 2", 2, "the node is named twice (1, 2); name it once"],
  ["client --node 1 putrnd 2", 2, "the node is named twice (1, 2); name it once"],
  ["client --node 1 --server a:1 ping", 2, "--server and a node exclude each other; give one of them"],
  ["client --config f --server a:1 ping", 2, "--server and --config exclude each other; give one of them"],
  [
    "client --server nowhere ping",
    2,
    "--server nowhere is not an address; give HOST:PORT, such as 127.0.0.1:9001 or [::1]:9001",
  ],
  [
    "client --server a:70000 ping",
    2,
    "--server a:70000 is not an address; give HOST:PORT, such as 127.0.0.1:9001 or [::1]:9001",
  ],
  [
    "client --timeout 1O0ms ping",
    2,
    "--timeout 1O0ms is not a duration; give 1ms to 60m, such as 500ms or 5s",
  ],
  ["client --timeout 5 ping", 2, "--timeout 5 is not a duration; give 1ms to 60m, such as 500ms or 5s"],
  ["client --timeout 0s ping", 2, "--timeout 0s is not a duration; give 1ms to 60m, such as 500ms or 5s"],
  ["client --timeout -1s ping", 2, "--timeout -1s is not a duration; give 1ms to 60m, such as 500ms or 5s"],
  [
    "client --guid 12 ping",
    2,
    "--guid 12 is not a guid; give 32 hex digits, such as 00112233-4455-6677-8899-aabbccddeeff",
  ],
  ["client --json=yes ping", 2, '--json takes no value; leave "=yes" out'],
  ["client --json --json ping", 2, "--json is given twice; give it once"],
  [
    "client --server 127.0.0.1:1 get -- --x --y",
    2,
    "client get takes 1 argument, not 2: drafty client get K",
  ],
];

for (const [args, exitCode, line] of MISTAKES) {
  Deno.test(`drafty ${args}: exit ${exitCode} and a line that says what is wrong`, async () => {
    assertEquals(await run(...args.split(" ")), { exitCode, out: "", err: `drafty: ${line}\n` });
  });
}

const { isAllowed, named } = await permitted("read");

Deno.test({
  name: named("drafty with a configuration that is wrong: exit 3 and a line that says where"),
  ignore: !isAllowed,
  async fn() {
    const missing = await run("client", "--config", "/nowhere/cluster.toml", "ping");
    assertEquals(missing, {
      exitCode: 3,
      out: "",
      err: "drafty: /nowhere/cluster.toml: no such file; " +
        "give the path of a cluster.toml, or leave --config out\n",
    });
    const config = new URL("../../cluster.toml", import.meta.url).pathname;
    const absent = await run("--node", "9", "--config", config);
    assertEquals(absent, {
      exitCode: 3,
      out: "",
      err:
        `drafty: ${config}: there is no node 9; its nodes are 1, 2, 3. To add it to a running cluster: drafty client register 9 HOST:PEER:CLIENT, then start it with --join HOST:CLIENT of another node\n`,
    });
  },
});

Deno.test("drafty --version and -V print the version", async () => {
  for (const flag of ["--version", "-V"]) {
    assertEquals(await run(flag), { exitCode: 0, out: `drafty ${VERSION}\n`, err: "" });
  }
});

Deno.test({
  name: named("the version in deno.json is the one that is printed"),
  ignore: !isAllowed,
  fn() {
    const text = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
    assertEquals(JSON.parse(text).version, VERSION);
  },
});

Deno.test("drafty alone shows the commands and exits as a mistake", async () => {
  const { exitCode, out, err } = await run();
  assertEquals([exitCode, out], [2, ""]);
  for (const command of COMMANDS) assertStringIncludes(err, `  ${command.name} `);
});

Deno.test("drafty help, --help and -h list every command", async () => {
  for (const flag of ["help", "--help", "-h"]) {
    const { exitCode, out, err } = await run(flag);
    assertEquals([exitCode, err], [0, ""]);
    for (const command of COMMANDS) assertStringIncludes(out, `  ${command.name} `);
    assertStringIncludes(out, "--node N");
  }
});

for (const command of [NODE_COMMAND, ...COMMANDS]) {
  Deno.test(`drafty help ${command.name} shows its usage, each option and examples, as does its --help`, async () => {
    const { exitCode, out, err } = await run("help", command.name);
    assertEquals([exitCode, err], [0, ""]);
    for (const option of command.options) assertStringIncludes(out, `  --${option.name}`);
    for (const usage of command.usage) assertStringIncludes(out, `  drafty ${usage}`);
    assert(command.examples.length > 0);
    for (const example of command.examples) assertStringIncludes(out, `\n  ${example}\n`);
    const args = command === NODE_COMMAND ? ["--node", "1", "--help"] : [command.name, "--help"];
    assertEquals((await run(...args)).out, out);
  });
}

Deno.test("drafty help put explains the client, whose command it is", async () => {
  assertEquals((await run("help", "put")).out, (await run("help", "client")).out);
});

Deno.test("no line of help is wider than a wide terminal", async () => {
  for (const topic of [[], ...[NODE_COMMAND, ...COMMANDS].map(({ name }) => [name])]) {
    const { out } = await run("help", ...topic);
    for (const line of out.split("\n")) assert(line.length <= 120, line);
  }
});

Deno.test("main() ends quietly when the reader of standard output has gone", async () => {
  let err = "";
  const io = {
    out(): void {
      throw new ClosedPipe();
    },
    err: (text: string) => void (err += text),
    isColourful: false,
  };
  assertEquals(await main(["help"], io), 0);
  assertEquals(err, "");
});

Deno.test("main() says a mistake of its own in one line, without a stack trace", async () => {
  let err = "";
  const io = {
    out(): void {
      throw new TypeError("first line\n    at somewhere");
    },
    err: (text: string) => void (err += text),
    isColourful: false,
  };
  assertEquals(await main(["help"], io), 70);
  assertEquals(err, "drafty: internal error, please report it: first line at somewhere\n");
});
