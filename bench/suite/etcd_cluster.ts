/**
 * Three etcd nodes on loopback, and the program that loads them.
 *
 * @module
 */
import { freePorts } from "../../src/driver/free_ports.ts";
import { eventually } from "../../tests/chaos/waiting.ts";

const HOST = "127.0.0.1";
const IDS = [1, 2, 3];
const ELECTION_LIMIT_MS = 30_000;
/** Where Debian's golang-etcd-server-dev has its sources, which are no modules. */
const GO_ENVIRONMENT = { GOPATH: "/usr/share/gocode", GO111MODULE: "off" };
const LOAD_SOURCE = new URL("../etcd/main.go", import.meta.url).pathname;

/** What the load program prints for a load. */
export interface EtcdLoad {
  readonly per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  readonly errors: number;
}

/** Why etcd cannot be measured here, or undefined where it can. */
export async function etcdProblem(): Promise<string | undefined> {
  for (const [program, flag] of [["etcd", "--version"], ["go", "version"]] as const) {
    if (await outputOf(program, [flag]) === undefined) return `${program} is not installed`;
  }
  const listed = await outputOf("go", ["list", "go.etcd.io/etcd/clientv3"], GO_ENVIRONMENT);
  return listed === undefined ? "the Go package go.etcd.io/etcd/clientv3 is not installed" : undefined;
}

/** How to ask for etcd's version: with its client, where that is installed. */
export async function etcdVersionCall(): Promise<readonly [string, string]> {
  return await outputOf("etcdctl", ["version"]) === undefined
    ? ["etcd", "--version"]
    : ["etcdctl", "version"];
}

/** Builds the program that loads etcd. */
export async function buildEtcdLoad(path: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("go", {
    args: ["build", "-o", path, LOAD_SOURCE],
    env: GO_ENVIRONMENT,
  }).output();
  if (!success) throw new Error(`go build failed: ${new TextDecoder().decode(stderr)}`);
}

export class EtcdCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #loadProgram: string;
  readonly #nodes: readonly { readonly port: number; readonly child: Deno.ChildProcess }[];
  #leader: { readonly port: number; readonly pid: number } | undefined;

  private constructor(loadProgram: string) {
    this.#folder = Deno.makeTempDirSync({ prefix: "drafty-bench-etcd-" });
    this.#loadProgram = loadProgram;
    const ports = freePorts(HOST, IDS.length * 2);
    const addresses = IDS.map((id, at) => {
      const [peer = 0, client = 0] = ports.slice(at * 2);
      return { id, peer: `http://${HOST}:${peer}`, client: `http://${HOST}:${client}`, port: client };
    });
    const initial = addresses.map(({ id, peer }) => `n${id}=${peer}`).join(",");
    this.#nodes = addresses.map(({ id, peer, client, port }) => {
      const options = {
        "--name": `n${id}`,
        "--data-dir": `${this.#folder}/${id}`,
        "--listen-client-urls": client,
        "--advertise-client-urls": client,
        "--listen-peer-urls": peer,
        "--initial-advertise-peer-urls": peer,
        "--initial-cluster": initial,
        "--initial-cluster-state": "new",
      };
      const child = new Deno.Command("etcd", {
        args: Object.entries(options).flat(),
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      return { port, child };
    });
    addEventListener("unload", this.#killAllNow);
  }

  /** A cluster that has a leader. */
  static async start(loadProgram: string): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(loadProgram);
    try {
      cluster.#leader = await eventually(
        "etcd to elect a leader",
        ELECTION_LIMIT_MS,
        () => cluster.#findLeader(),
      );
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The resident memory of the leader. */
  leaderMemoryBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#required().pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1024;
  }

  /** Loads the leader with the options of `bench/etcd/main.go`. */
  async load(options: Readonly<Record<string, string | number>>): Promise<EtcdLoad> {
    return JSON.parse(await this.#run(options)) as EtcdLoad;
  }

  /** Writes each key once. */
  async preload(options: Readonly<Record<string, string | number>>): Promise<void> {
    await this.#run({ ...options, work: "preload" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    removeEventListener("unload", this.#killAllNow);
    this.#killAllNow();
    await Promise.all(this.#nodes.map(({ child }) => child.status));
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #run(options: Readonly<Record<string, string | number>>): Promise<string> {
    const all = { ...options, endpoints: `${HOST}:${this.#required().port}` };
    const { success, stdout, stderr } = await new Deno.Command(this.#loadProgram, {
      args: Object.entries(all).map(([name, value]) => `-${name}=${value}`),
      stdin: "null",
    }).output();
    if (!success) throw new Error(`the load of etcd failed: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  async #findLeader(): Promise<{ port: number; pid: number } | undefined> {
    for (const { port, child } of this.#nodes) {
      try {
        const metrics = await (await fetch(`http://${HOST}:${port}/metrics`)).text();
        if (/^etcd_server_is_leader 1$/m.test(metrics)) return { port, pid: child.pid };
      } catch {
        // It does not listen yet.
      }
    }
    return undefined;
  }

  #required(): { readonly port: number; readonly pid: number } {
    if (this.#leader === undefined) throw new Error("etcd has no leader");
    return this.#leader;
  }

  readonly #killAllNow = (): void => {
    for (const { child } of this.#nodes) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
  };
}

/** What a program prints, or undefined where it is missing or fails. */
async function outputOf(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, { args: [...args], env }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
