/**
 * Where the time of a cluster under load goes: starts three nodes with V8's sampling profiler, loads the leader, and
 * prints for each process which functions and which files it was in.
 *
 *     deno run -A bench/profile.ts [--work put] [--inflight 256] [--seconds 5] [--save FOLDER]
 *
 * With `--save` the profiles are kept as `.cpuprofile` files, for Chrome's or VS Code's viewer. What a profile counts as
 * `(program)` is the time outside of JavaScript: system calls of the event loop, and waiting for them to be scheduled.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { LocalCluster } from "../src/cli/local_cluster.ts";
import { DraftyClient } from "../src/client/mod.ts";
import { freePorts } from "../src/driver/free_ports.ts";
import { selfCommandOf } from "./self_command.ts";

const HOST = "127.0.0.1";
const KEYS = 100_000;
const VALUE = "x".repeat(256);

/** What `Profiler.stop` gives, as far as it is used here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Speaks to the inspector of one process. */
class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(data);
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    };
  }

  static async connect(port: number): Promise<Inspector> {
    for (let attempt = 0;; attempt++) {
      try {
        const targets = await (await fetch(`http://${HOST}:${port}/json/list`)).json();
        const socket = new WebSocket(targets[0].webSocketDebuggerUrl);
        await new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onerror = reject;
        });
        return new Inspector(socket);
      } catch (error) {
        if (attempt === 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  call<Result>(method: string, params: object = {}): Promise<Result> {
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#waiting.set(id, resolve as (result: unknown) => void));
  }

  close(): void {
    this.#socket.close();
  }
}

/** Of what a node does, in the order in which a write meets it; the first that matches. */
const STAGES: readonly (readonly [stage: string, pattern: RegExp])[] = [
  ["waiting", /^\(idle\)/],
  ["sync", /^op_fs_file_sync/],
  ["write to the log", /^op_write_sync|src\/storage/],
  [
    "sockets",
    /^op_(write|read|net|close)|src\/driver\/(sockets|client_|peer_|connection_|accept)|ext:deno_net/,
  ],
  ["decode and encode", /packraft\/|^op_zlib_crc32|zlib|^op_encoding/],
  ["server", /src\/raft|src\/replica/],
  ["apply", /src\/kv/],
  ["garbage", /^\(garbage collector\)/],
  ["driver and runtime", /./],
];

const flags = parseArgs(Deno.args, { string: ["work", "inflight", "seconds", "save"] });
const work = flags.work ?? "put";
const inFlight = Number(flags.inflight ?? 256);
const seconds = Number(flags.seconds ?? 5);
const folder = await Deno.makeTempDir({ prefix: "drafty-profile-" });
const ports = freePorts(HOST, 3);
let started = 0;
const cluster = new LocalCluster(folder, 3, (args) => {
  const { program, args: all } = selfCommandOf(args);
  const [verb, ...rest] = all;
  return { program, args: [verb ?? "run", `--inspect=${HOST}:${ports[started++]}`, ...rest] };
});
try {
  for (const { address } of cluster.nodes) cluster.start(address.id);
  const inspectors = await Promise.all(ports.map((port) => Inspector.connect(port)));
  using client = new DraftyClient({ servers: cluster.servers, timeoutMs: 30_000 });
  await client.put("warm", "up");
  const { leader } = await client.ping();
  await load(client, 2);
  for (const inspector of inspectors) {
    await inspector.call("Profiler.enable");
    await inspector.call("Profiler.setSamplingInterval", { interval: 200 });
    await inspector.call("Profiler.start");
  }
  const count = await load(client, seconds);
  console.log(`${work}, ${inFlight} in flight: ${Math.round(count / seconds)}/s`);
  for (const [i, inspector] of inspectors.entries()) {
    const { profile } = await inspector.call<{ profile: CpuProfile }>("Profiler.stop");
    if (flags.save !== undefined) {
      Deno.writeTextFileSync(`${flags.save}/node-${i + 1}.cpuprofile`, JSON.stringify(profile));
    }
    if (i + 1 === leader || i === leader % 3) {
      report(`node ${i + 1}, ${i + 1 === leader ? "the leader" : "a follower"}`, profile, count);
    }
    inspector.close();
  }
} finally {
  await cluster.killAll();
  await Deno.remove(folder, { recursive: true });
}

async function load(client: DraftyClient, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1_000;
  let count = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (; performance.now() < endMs; count++) {
      const key = `key-${Math.floor(Math.random() * KEYS)}`;
      await (work === "get" ? client.get(key) : client.put(key, VALUE));
    }
  }));
  return count;
}

function stageOf(name: string): string {
  return STAGES.find(([, pattern]) => pattern.test(name))?.[0] ?? "";
}

function report(title: string, { nodes, samples, timeDeltas }: CpuProfile, count: number): void {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const byFunction = new Map<string, number>();
  const byFile = new Map<string, number>();
  const byStage = new Map<string, number>();
  let totalUs = 0;
  for (const [i, id] of samples.entries()) {
    const us = timeDeltas[i] ?? 0;
    const frame = byId.get(id);
    if (frame === undefined) continue;
    totalUs += us;
    const file = frame.url.replace(/^file:\/\/.*\/(src|packraft)\//, "$1/").replace(
      /^.*node_modules|^.*registry\.npmjs\.org/,
      "npm:",
    ) || "V8";
    byFile.set(file, (byFile.get(file) ?? 0) + us);
    const name = `${frame.functionName || "(anonymous)"} ${file}:${frame.lineNumber + 1}`;
    byFunction.set(name, (byFunction.get(name) ?? 0) + us);
    const stage = stageOf(name);
    byStage.set(stage, (byStage.get(stage) ?? 0) + us);
  }
  console.log(`\n${title}: µs of each request, share, where (${(totalUs / 1e6).toFixed(1)} s sampled)`);
  for (const [rows, most] of [[byStage, 20], [byFile, 22], [byFunction, 45]] as const) {
    for (const [name, us] of [...rows].sort(([, a], [, b]) => b - a).slice(0, most)) {
      console.log(
        `${(us / count).toFixed(2).padStart(8)} ${(us / totalUs * 100).toFixed(1).padStart(5)}%  ${name}`,
      );
    }
    console.log();
  }
}
