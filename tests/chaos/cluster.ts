/**
 * A cluster of real node processes on free ports, with its data in a temporary directory.
 *
 * @module
 */
import { DraftyClient, type DraftyClientOptions, type ServerAddress } from "../../src/client/mod.ts";
import type { ClientResponseOf } from "../../packraft/mod.ts";
import { type ClusterConfig, type NodeAddress, parseClusterConfig } from "../../src/config/mod.ts";
import { Link } from "./link.ts";
import { NodeProcess } from "./node_process.ts";
import { freePorts } from "../../src/driver/free_ports.ts";
import { eventually } from "./waiting.ts";

const HOST = "127.0.0.1";
const STATUS_LIMIT_MS = 1_000;
/** How long a cluster may take to elect, or to catch up, on a machine that is busy with other things. */
const SETTLE_LIMIT_MS = 30_000;

export interface TestClusterOptions {
  /** By default 3. */
  readonly nodeCount?: number;
  /** Whether what nodes tell each other passes through {@linkcode Link}s. By default not. */
  readonly hasLinks?: boolean;
  readonly clusterId?: string;
  /** Small files, and snapshots as often as that; by default as users have it. */
  readonly storage?: { readonly segmentBytes: number; readonly snapshotAfterBytes: number };
}

export type NodeStatus = ClientResponseOf<"StatusResponse">;

/** What `withCluster` hands to a test, and `main.ts` keeps for many rounds. */
export class TestCluster implements AsyncDisposable {
  readonly directory: string;
  readonly clusterId: string;
  /** Where the nodes of the beginning really listen. */
  readonly config: ClusterConfig;
  readonly links: readonly Link[];
  /** Processes that ended though nobody asked them to. Whoever uses a cluster must see that there are none. */
  readonly surprises: string[] = [];

  readonly #storage: TestClusterOptions["storage"];
  #nodes: readonly NodeProcess[];

  /** Prepares a cluster; no node runs yet. */
  constructor(options: TestClusterOptions = {}) {
    const { nodeCount = 3, hasLinks = false, clusterId = "chaos", storage } = options;
    this.clusterId = clusterId;
    this.#storage = storage;
    this.directory = Deno.makeTempDirSync({ prefix: "drafty-chaos-" });
    const ports = freePorts("127.0.0.1", nodeCount * 2);
    const addresses = Array.from({ length: nodeCount }, (_, index): NodeAddress => {
      const [peerPort = 0, clientPort = 0] = ports.slice(index * 2);
      return { id: index + 1, host: HOST, peerPort, clientPort };
    });
    this.config = parseClusterConfig(clusterToml(clusterId, addresses, storage), "cluster.toml");
    this.links = hasLinks ? linksBetween(addresses) : [];
    this.#nodes = addresses.map((address) => {
      const configPath = this.writeConfig(`node-${address.id}.toml`, this.#seenBy(address.id, addresses));
      return this.#processOf(address, configPath, []);
    });
    addEventListener("unload", this.#killAllNow);
  }

  /** A cluster whose nodes all run. */
  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    try {
      await cluster.startAll();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All that belong to it now: those of the beginning, and what was placed and taken out since. */
  get nodes(): readonly NodeProcess[] {
    return this.#nodes;
  }

  /** Node N keeps its data in `dataDirectory/N`. */
  get dataDirectory(): string {
    return `${this.directory}/data`;
  }

  get servers(): ServerAddress[] {
    return this.nodes.map(({ address }) => ({ host: address.host, port: address.clientPort }));
  }

  node(id: number): NodeProcess {
    const node = this.nodes.find((node) => node.id === id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  /** Where nobody listens, and no node of this cluster either, should it be down. */
  freshAddress(id: number): NodeAddress {
    const taken = new Set(this.nodes.flatMap(({ address }) => [address.peerPort, address.clientPort]));
    for (;;) {
      const ports = freePorts(HOST, 2);
      const [peerPort = 0, clientPort = 0] = ports;
      if (!ports.some((port) => taken.has(port))) return { id, host: HOST, peerPort, clientPort };
    }
  }

  /**
   * A node that is started with `args` (`--join`, `--listen`), beside the others or in the place of the one with its id,
   * which must not run. Its configuration file is the one of the beginning. It does not run yet.
   */
  place(address: NodeAddress, args: readonly string[]): NodeProcess {
    const { id } = address;
    if (this.#nodes.some((node) => node.id === id && node.isRunning)) {
      throw new Error(`node ${id} runs; end it before another is put in its place`);
    }
    const configPath = this.writeConfig(`node-${id}.toml`, this.#seenBy(id, this.config.nodes));
    const placed = this.#processOf(address, configPath, args);
    this.#nodes = [...this.#nodes.filter((node) => node.id !== id), placed].sort((a, b) => a.id - b.id);
    return placed;
  }

  /** It is no member any more, and has ended: nobody waits for it from now on. */
  takeOut(id: number): void {
    if (this.node(id).isRunning) throw new Error(`node ${id} runs; end it before it is taken out`);
    this.#nodes = this.#nodes.filter((node) => node.id !== id);
  }

  link(from: number, to: number): Link {
    const link = this.links.find((link) => link.from === from && link.to === to);
    if (link === undefined) throw new RangeError(`there is no link from node ${from} to node ${to}`);
    return link;
  }

  /** Writes a configuration file into the cluster's directory and returns its path. */
  writeConfig(name: string, nodes: readonly NodeAddress[], clusterId = this.clusterId): string {
    const path = `${this.directory}/${name}`;
    Deno.writeTextFileSync(path, clusterToml(clusterId, nodes, this.#storage));
    return path;
  }

  /** A client of the cluster; the caller closes it. */
  client(options: Partial<DraftyClientOptions> = {}): DraftyClient {
    return new DraftyClient({ servers: this.servers, timeoutMs: 15_000, ...options });
  }

  /** Starts all nodes that do not run. */
  async startAll(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !node.isRunning).map((node) => node.start()));
  }

  /** `kill -9` for all at once. */
  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** Stops all nodes that run. Resolves to their exit codes. */
  async terminateAll(): Promise<number[]> {
    return await Promise.all(this.nodes.filter((node) => node.isRunning).map((node) => node.terminate()));
  }

  /** What a node says of itself; undefined if it does not answer. */
  async status(id: number): Promise<NodeStatus | undefined> {
    const { host, clientPort } = this.node(id).address;
    using client = new DraftyClient({
      servers: [{ host, port: clientPort }],
      timeoutMs: STATUS_LIMIT_MS,
      isOneShot: true,
    });
    try {
      return await client.status();
    } catch {
      return undefined;
    }
  }

  /** What the nodes that can answer say of themselves. */
  async statuses(): Promise<NodeStatus[]> {
    const able = this.nodes.filter((node) => node.isRunning && !node.isPaused);
    const statuses = await Promise.all(able.map((node) => this.status(node.id)));
    return statuses.filter((status) => status !== undefined);
  }

  /** The node that says that it leads; of several the one of the newest term. */
  async leader(): Promise<number | undefined> {
    const leaders = (await this.statuses()).filter(({ role }) => role === "leader");
    return leaders.sort((a, b) => b.term - a.term)[0]?.node;
  }

  /** A leader that a majority of the nodes knows as theirs. */
  async waitForLeader(limitMs = SETTLE_LIMIT_MS): Promise<number> {
    return await eventually("a leader that a majority knows", limitMs, async () => {
      const statuses = await this.statuses();
      const leader = statuses.find(({ role, node, term }) =>
        role === "leader" &&
        statuses.filter((other) => other.leader === node && other.term === term).length * 2 >
          this.nodes.length
      );
      return leader?.node;
    });
  }

  /** Waits until all nodes have applied the same, and all that they have. Resolves to that index. */
  async waitForEqualApplied(limitMs = SETTLE_LIMIT_MS): Promise<number> {
    return await eventually("all nodes to have applied the same index", limitMs, async () => {
      const statuses = await this.statuses();
      const [first] = statuses;
      const isEqual = first !== undefined && statuses.length === this.nodes.length &&
        statuses.every(({ lastApplied, commitIndex, lastLogIndex, term, leader }) =>
          lastApplied === first.lastApplied && commitIndex === first.lastApplied &&
          lastLogIndex === first.lastApplied && term === first.term && leader === first.leader && leader !== 0
        );
      return isEqual && first.lastApplied;
    });
  }

  /** Waits until a node knows the leader and has applied what was committed when this was called. */
  async waitUntilFollows(id: number, limitMs = SETTLE_LIMIT_MS): Promise<void> {
    const goal = Math.max(0, ...(await this.statuses()).map(({ commitIndex }) => commitIndex));
    await eventually(`node ${id} to follow, up to entry ${goal}`, limitMs, async () => {
      const status = await this.status(id);
      return status !== undefined && status.leader !== 0 && status.lastApplied >= goal;
    });
  }

  /** The last lines of all nodes, for a person who looks for what went wrong. */
  lastLines(): string {
    return this.nodes.map((node) => node.lastLines()).join("\n");
  }

  /** Ends everything, and leaves nothing behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll();
    for (const link of this.links) link.close();
    removeEventListener("unload", this.#killAllNow);
    await Deno.remove(this.directory, { recursive: true });
  }

  /** For a test program that exits in the middle: its nodes must not go on without it, nor its files stay. */
  readonly #killAllNow = (): void => {
    for (const node of this.nodes) void node.kill();
    Deno.removeSync(this.directory, { recursive: true });
  };

  #processOf(address: NodeAddress, configPath: string, args: readonly string[]): NodeProcess {
    const allArgs = [
      "--node",
      `${address.id}`,
      "--config",
      configPath,
      "--data",
      this.dataDirectory,
      ...args,
    ];
    return new NodeProcess(address, allArgs, (sentence) => this.surprises.push(sentence));
  }

  /** The addresses in the configuration of node `id`: its own is real, those of its peers are its links'. */
  #seenBy(id: number, addresses: readonly NodeAddress[]): NodeAddress[] {
    return addresses.map((address) => {
      if (address.id === id || this.links.length === 0) return address;
      return { ...address, peerPort: this.link(id, address.id).port };
    });
  }
}

/** Runs `use` with a cluster that runs; what the nodes said last is printed if it fails, and nothing is left. */
export async function withCluster(
  options: TestClusterOptions,
  use: (cluster: TestCluster) => Promise<void>,
): Promise<void> {
  await using cluster = await TestCluster.start(options);
  try {
    await use(cluster);
    if (cluster.surprises.length > 0) throw new Error(cluster.surprises.join("\n"));
  } catch (error) {
    console.error(cluster.lastLines());
    throw error;
  }
}

function linksBetween(addresses: readonly NodeAddress[]): Link[] {
  return addresses.flatMap((from) =>
    addresses.filter((to) => to.id !== from.id).map((to) =>
      new Link(from.id, to.id, { hostname: to.host, port: to.peerPort })
    )
  );
}

/** Default timings: what users run is what is tested. */
function clusterToml(
  clusterId: string,
  nodes: readonly NodeAddress[],
  storage: TestClusterOptions["storage"],
): string {
  const tables = nodes.map(({ id, host, peerPort, clientPort }) =>
    `[[nodes]]\nid = ${id}\nhost = "${host}"\npeer_port = ${peerPort}\nclient_port = ${clientPort}\n`
  );
  const files = storage === undefined
    ? ""
    : `[storage]\nsegment_bytes = ${storage.segmentBytes}\nsnapshot_after_bytes = ${storage.snapshotAfterBytes}\n\n`;
  return `[cluster]\nid = "${clusterId}"\n\n${files}${tables.join("\n")}`;
}
