/**
 * `drafty demo`: a cluster of real processes loses its leader, and nothing else.
 *
 * Each step says what it is about to do and what came of it, with the time that it took; what is not as it should be
 * ends the story with exit code 1. Whatever happens, the processes and the folder are gone at the end.
 *
 * @module
 */
import { DraftyClient } from "../client/mod.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { inLocalCluster, type LocalCluster } from "./local_cluster.ts";
import { type NodeStatus, statusOf, statusTable } from "./status_command.ts";

/** Something was not as it should be. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
  readonly exitCode = 1;
}

const NODE_COUNT = 3;
/** How long the cluster may take for what should take a fraction of a second. */
const PATIENCE_MS = 10_000;
const POLL_MS = 10;
const WRITES_BEFORE = 200;
const WRITES_WITHOUT = 100;

export async function runDemo(given: Arguments, io: CliIo): Promise<number> {
  const [extra] = given.positionals;
  if (extra !== undefined) throw new UsageError(`unexpected "${extra}"; demo takes no arguments`);
  return await inLocalCluster(
    "drafty-demo-",
    NODE_COUNT,
    (cluster, folder) => new Demo(cluster, folder, io).tell(),
  );
}

class Demo {
  readonly #cluster: LocalCluster;
  readonly #folder: string;
  readonly #io: CliIo;
  readonly #startMs = performance.now();
  /** What was acknowledged, and so must be there at the end. */
  readonly #acknowledged = new Map<string, string>();

  constructor(cluster: LocalCluster, folder: string, io: CliIo) {
    this.#cluster = cluster;
    this.#folder = folder;
    this.#io = io;
  }

  async tell(): Promise<number> {
    using client = new DraftyClient({ servers: this.#cluster.servers, timeoutMs: PATIENCE_MS });
    try {
      const first = await this.#election();
      await this.#writesAndReads(client);
      await this.#loseLeader(client, first);
      await this.#comeBack(client, first.node);
      await this.#stop();
      const seconds = ((performance.now() - this.#startMs) / 1_000).toFixed(1);
      this.#say(`\n${this.#bold("All of it held.")} ${seconds} s, and the folder is removed again.`);
      this.#say("Next: drafty help, or the same by hand with drafty --node 1, 2 and 3 in three terminals.");
      return 0;
    } catch (error) {
      this.#showLogs();
      throw error;
    }
  }

  async #election(): Promise<Leader> {
    this.#chapter(`Three nodes start, each a process of its own, with their data in ${this.#folder}`);
    for (const { address, server } of this.#cluster.nodes) {
      this.#cluster.start(address.id);
      this.#say(`node ${address.id} serves clients on ${server.host}:${server.port}`);
    }
    const { result: leader, ms } = await timed(() => this.#waitForLeader());
    this.#say(`${inMs(ms)} later node ${leader.node} leads term ${leader.term}: a majority voted for it`);
    return leader;
  }

  async #writesAndReads(client: DraftyClient): Promise<void> {
    this.#chapter("Writes go through the leader, and count once a majority has them on disk");
    await this.#put(client, "colour", "green");
    const value = await client.get("colour");
    const text = value === undefined ? "nothing" : new TextDecoder().decode(value);
    if (text !== "green") throw new DemoFailure(`get colour: ${text}, where green was put`);
    this.#say("put colour green → OK");
    this.#say(`get colour → ${text}`);
    const times = await this.#putMany(client, "before", WRITES_BEFORE);
    this.#say(`${WRITES_BEFORE} more, one after the other: ${inMs(median(times))} each (median)`);
  }

  async #loseLeader(client: DraftyClient, leader: Leader): Promise<void> {
    this.#chapter(`kill -9: node ${leader.node}, the leader, is gone without a word`);
    await this.#cluster.end(leader.node, "SIGKILL");
    const { ms } = await timed(() => this.#put(client, "after", "the leader was killed"));
    const next = await this.#waitForLeader();
    if (next.node === leader.node || next.term <= leader.term) {
      throw new DemoFailure(`node ${next.node} leads term ${next.term} after node ${leader.node} was killed`);
    }
    this.#say(`the next write is acknowledged ${inMs(ms)} later: node ${next.node} leads term ${next.term}`);
    await this.#checkAll(client);
    await this.#putMany(client, "without", WRITES_WITHOUT);
    this.#say(`${WRITES_WITHOUT} more writes, which node ${leader.node} knows nothing of`);
  }

  async #comeBack(client: DraftyClient, node: number): Promise<void> {
    this.#chapter(`Node ${node} comes back with what it had on disk, and catches up`);
    this.#cluster.start(node);
    const { ms } = await timed(() => this.#waitUntil(`node ${node} has caught up`, () => this.#areEqual()));
    this.#say(`caught up after ${inMs(ms)}, the start of the process included`);
    this.#io.out(indented(statusTable(await this.#statuses(), this.#io.isColourful)));
    await this.#checkAll(client);
  }

  async #stop(): Promise<void> {
    this.#chapter("SIGTERM: all three end cleanly");
    for (const { address: { id } } of this.#cluster.nodes) {
      const code = await this.#cluster.end(id, "SIGTERM");
      if (code !== 0) throw new DemoFailure(`node ${id} ended with exit code ${code}, not 0`);
    }
    this.#say("exit codes 0, 0, 0");
  }

  // ------------------------------------------------------------------------------------- the steps

  async #put(client: DraftyClient, key: string, value: string): Promise<void> {
    await client.put(key, value);
    this.#acknowledged.set(key, value);
  }

  /** Resolves to the time that each took. */
  async #putMany(client: DraftyClient, prefix: string, count: number): Promise<number[]> {
    const times: number[] = [];
    for (let i = 1; i <= count; i++) {
      const { ms } = await timed(() => this.#put(client, `${prefix}-${`${i}`.padStart(3, "0")}`, `${i}`));
      times.push(ms);
    }
    return times;
  }

  async #checkAll(client: DraftyClient): Promise<void> {
    const decoder = new TextDecoder();
    const found = new Map(
      (await client.data()).map(({ key, value }) => [decoder.decode(key), decoder.decode(value)]),
    );
    for (const [key, value] of this.#acknowledged) {
      if (found.get(key) !== value) {
        throw new DemoFailure(`${key} was acknowledged as "${value}", and is ${found.get(key) ?? "missing"}`);
      }
    }
    if (found.size !== this.#acknowledged.size) {
      throw new DemoFailure(`${found.size} pairs are there, ${this.#acknowledged.size} were written`);
    }
    this.#say(`all ${found.size} acknowledged writes are there`);
  }

  async #waitForLeader(): Promise<Leader> {
    let leader: Leader | undefined;
    await this.#waitUntil("a node leads", async () => {
      const statuses = await this.#statuses();
      const leading = statuses.filter(({ role }) => role === "leader").toSorted(byTerm).at(-1);
      if (leading?.node != null && leading.term !== null) leader = { node: leading.node, term: leading.term };
      return leader !== undefined;
    });
    if (leader === undefined) throw new DemoFailure("no node leads");
    return leader;
  }

  /** Whether all nodes have applied the same entries, and all that is committed. */
  async #areEqual(): Promise<boolean> {
    const statuses = await this.#statuses();
    const committed = Math.max(...statuses.map(({ commitIndex }) => commitIndex ?? 0));
    return statuses.every(({ lastApplied }) => lastApplied === committed);
  }

  #statuses(): Promise<NodeStatus[]> {
    return Promise.all(
      this.#cluster.nodes.map(({ address, server }) => statusOf({ node: address.id, address: server })),
    );
  }

  async #waitUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (!await isSo()) {
      if (performance.now() > deadlineMs) throw new DemoFailure(`not so after ${inMs(PATIENCE_MS)}: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  // ----------------------------------------------------------------------------------- the telling

  #chapter(title: string): void {
    this.#io.out(`\n${this.#bold(title)}\n`);
  }

  #say(sentence: string): void {
    this.#io.out(sentence.startsWith("\n") ? `${sentence}\n` : `  ${sentence}\n`);
  }

  #bold(text: string): string {
    return this.#io.isColourful ? `\x1b[1m${text}\x1b[0m` : text;
  }

  #showLogs(): void {
    for (const { address, log } of this.#cluster.nodes) {
      this.#io.err(`\nthe last lines of node ${address.id}:\n${log.map((line) => `  ${line}\n`).join("")}`);
    }
  }
}

interface Leader {
  readonly node: number;
  readonly term: number;
}

function byTerm(a: NodeStatus, b: NodeStatus): number {
  return (a.term ?? 0) - (b.term ?? 0);
}

async function timed<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const startMs = performance.now();
  return { result: await run(), ms: performance.now() - startMs };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function inMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function indented(text: string): string {
  return text.split("\n").map((line) => line === "" ? line : `  ${line}`).join("\n");
}
