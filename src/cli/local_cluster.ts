/**
 * Real nodes on this machine: each a process of its own, on free ports, with its data in a folder given.
 *
 * @module
 */
import type { ServerAddress } from "../client/mod.ts";
import { type ClusterConfig, type NodeAddress, parseClusterConfig } from "../config/mod.ts";
import { freePorts } from "../driver/free_ports.ts";
import { type CommandLine, selfCommand } from "./self.ts";

const HOST = "127.0.0.1";
/** How much of a node's log is kept, to be shown when something goes wrong. */
const KEPT_LOG_LINES = 20;
const EXIT_INTERRUPTED = 130;
const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** One node, whether it runs or not. */
export interface LocalNode {
  readonly address: NodeAddress;
  /** Where clients find it. */
  readonly server: ServerAddress;
  readonly isRunning: boolean;
  /** The last lines of its log. */
  readonly log: readonly string[];
}

export class LocalCluster {
  readonly config: ClusterConfig;
  readonly #nodes: ReadonlyMap<number, NodeProcess>;

  /**
   * Prepares nodes 1 to `nodeCount`; none is started yet.
   *
   * @param folder an empty directory, for the configuration and the data
   * @param commandOf the command line that runs drafty with arguments given
   */
  constructor(folder: string, nodeCount: number, commandOf: (args: readonly string[]) => CommandLine) {
    const configPath = `${folder}/cluster.toml`;
    const text = clusterToml(nodeCount, freePorts(HOST, nodeCount * 2));
    Deno.writeTextFileSync(configPath, text);
    this.config = parseClusterConfig(text, configPath);
    this.#nodes = new Map(this.config.nodes.map((address) => {
      const args = ["--node", `${address.id}`, "--config", configPath, "--data", `${folder}/data`];
      return [address.id, new NodeProcess(address, commandOf(args))];
    }));
  }

  get nodes(): readonly LocalNode[] {
    return [...this.#nodes.values()];
  }

  /** The client addresses of all nodes. */
  get servers(): readonly ServerAddress[] {
    return this.nodes.map((node) => node.server);
  }

  start(id: number): void {
    this.#node(id).start();
  }

  /** Sends a signal and waits for the process to end. Resolves to its exit code. */
  async end(id: number, signal: Deno.Signal): Promise<number> {
    return await this.#node(id).end(signal);
  }

  /** Ends whatever still runs, at once. */
  async killAll(): Promise<void> {
    const running = [...this.#nodes.values()].filter((node) => node.isRunning);
    await Promise.all(running.map((node) => node.end("SIGKILL")));
  }

  #node(id: number): NodeProcess {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }
}

class NodeProcess implements LocalNode {
  readonly address: NodeAddress;
  readonly #command: CommandLine;
  #child: Deno.ChildProcess | undefined;
  #log: string[] = [];

  constructor(address: NodeAddress, command: CommandLine) {
    this.address = address;
    this.#command = command;
  }

  get server(): ServerAddress {
    return { host: this.address.host, port: this.address.clientPort };
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get log(): readonly string[] {
    return this.#log;
  }

  start(): void {
    if (this.#child !== undefined) throw new RangeError(`node ${this.address.id} runs already`);
    const command = new Deno.Command(this.#command.program, {
      args: [...this.#command.args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const child = command.spawn();
    this.#child = child;
    void this.#keepLog(child.stderr);
    void child.status.then(() => {
      if (this.#child === child) this.#child = undefined;
    });
  }

  async end(signal: Deno.Signal): Promise<number> {
    const child = this.#child;
    if (child === undefined) throw new RangeError(`node ${this.address.id} does not run`);
    child.kill(signal);
    const { code } = await child.status;
    return code;
  }

  async #keepLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#log = [...this.#log, ...text.split("\n").filter((line) => line !== "")].slice(-KEPT_LOG_LINES);
    }
  }
}

/**
 * Calls `use` with a cluster in a temporary folder, of which no node runs yet. Whatever happens, Ctrl-C included, the
 * processes and the folder are gone at the end. Resolves to the exit code.
 */
export async function inLocalCluster(
  prefix: string,
  nodeCount: number,
  use: (cluster: LocalCluster, folder: string) => Promise<number>,
): Promise<number> {
  const folder = Deno.makeTempDirSync({ prefix });
  const interruption = Promise.withResolvers<number>();
  const interrupt = () => interruption.resolve(EXIT_INTERRUPTED);
  for (const signal of INTERRUPTS) Deno.addSignalListener(signal, interrupt);
  const cluster = new LocalCluster(folder, nodeCount, selfCommand);
  try {
    return await Promise.race([use(cluster, folder), interruption.promise]);
  } finally {
    for (const signal of INTERRUPTS) Deno.removeSignalListener(signal, interrupt);
    await cluster.killAll();
    Deno.removeSync(folder, { recursive: true });
  }
}

function clusterToml(nodeCount: number, ports: readonly number[]): string {
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    const [peerPort, clientPort] = ports.slice(index * 2);
    return `[[nodes]]\nid = ${index + 1}\nhost = "${HOST}"\n` +
      `peer_port = ${peerPort}\nclient_port = ${clientPort}\n`;
  });
  return `[cluster]\nid = "local"\n\n${nodes.join("\n")}`;
}
