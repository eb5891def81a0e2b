/**
 * `drafty bench`: loads a cluster, one that is given or one that is started for it, and measures it beside what the
 * machine takes at least.
 *
 * @module
 */
import {
  benchKey,
  benchValue,
  LoadClients,
  type LoadFigures,
  type MachineLimits,
  measureLimits,
  preload,
  runLoad,
} from "../bench/mod.ts";
import { DraftyClient, nameOf, type ServerAddress } from "../client/mod.ts";
import type { Arguments } from "./arguments.ts";
import { type BenchOptions, benchOptionsOf, type Workload } from "./bench_options.ts";
import { blockOf, headOf, jsonOfFigures, tableOf } from "./bench_report.ts";
import type { CliIo } from "./io.ts";
import { inLocalCluster } from "./local_cluster.ts";
import { type Progress, progressOn } from "./sim_progress.ts";

const NODE_COUNT = 3;
/** What runs first runs unoptimised, in the clients as in the nodes: so long, or as long as what is measured. */
const WARM_UP_SECONDS = 1;
/** How long a cluster that was just started may take to elect, on a machine that is busy with other things. */
const ELECTION_LIMIT_MS = 30_000;
const REACH_LIMIT_MS = 5_000;
const PRELOAD_CONNECTIONS = 4;
const EXIT_NO_ANSWER = 8;

/** A cluster that runs, and how to speak of it. */
interface Target {
  readonly servers: readonly ServerAddress[];
  readonly name: string;
  /** Where its data is; undefined for a cluster that keeps it elsewhere. */
  readonly folder: string | undefined;
  readonly reachLimitMs: number;
}

export async function runBench(given: Arguments, io: CliIo): Promise<number> {
  const options = benchOptionsOf(given);
  const { servers } = options;
  if (servers === undefined) {
    return await inLocalCluster("drafty-bench-", NODE_COUNT, async (cluster, folder) => {
      for (const { address } of cluster.nodes) cluster.start(address.id);
      const name = `three nodes on this machine, in ${folder}`;
      const target = { servers: cluster.servers, name, folder, reachLimitMs: ELECTION_LIMIT_MS };
      return await new Bench(options, target, io).run();
    });
  }
  const name = `the cluster at ${servers.map(nameOf).join(", ")}`;
  return await new Bench(options, { servers, name, folder: undefined, reachLimitMs: REACH_LIMIT_MS }, io)
    .run();
}

class Bench {
  readonly #options: BenchOptions;
  readonly #target: Target;
  readonly #io: CliIo;
  readonly #value: Uint8Array;
  readonly #warmUpSeconds: number;
  #progress: Progress | undefined;

  constructor(options: BenchOptions, target: Target, io: CliIo) {
    this.#options = options;
    this.#target = target;
    this.#io = io;
    this.#value = benchValue(options.valueBytes);
    this.#warmUpSeconds = Math.min(WARM_UP_SECONDS, options.seconds);
  }

  async run(): Promise<number> {
    const { workloads, isJson } = this.#options;
    await this.#reach();
    const limits = await this.#limits();
    if (!isJson) this.#io.out(headOf(this.#options, limits, this.#target.name));
    const rows: { figures: LoadFigures; workload: Workload }[] = [];
    let isPreloaded = false;
    for (const [done, workload] of workloads.entries()) {
      this.#progress = await progressOn(this.#io, this.#totalSeconds(), isJson);
      if (workload.work !== "put" && !isPreloaded) {
        await this.#preload(done);
        isPreloaded = true;
      }
      const figures = await this.#measure(workload, done);
      this.#progress?.stop();
      rows.push({ figures, workload });
      this.#tell(figures, workload, limits);
    }
    if (!isJson) this.#io.out(tableOf(rows, limits, this.#io.isColourful));
    const idle = rows.find(({ figures }) => figures.latencies.count === 0);
    if (idle === undefined) return 0;
    const { work, inflight, firstError } = idle.figures;
    const why = firstError === undefined ? "" : `: ${firstError}`;
    this.#io.err(`drafty: no ${work} with ${inflight} in flight was answered${why}\n`);
    return EXIT_NO_ANSWER;
  }

  /** Rejects, with an exit code, where nobody leads. */
  async #reach(): Promise<void> {
    const { servers, reachLimitMs } = this.#target;
    using client = new DraftyClient({ servers, timeoutMs: reachLimitMs });
    await client.get(benchKey(0));
  }

  async #limits(): Promise<MachineLimits> {
    const { valueBytes } = this.#options;
    if (this.#target.folder !== undefined) return await measureLimits(this.#target.folder, valueBytes);
    const folder = Deno.makeTempDirSync({ prefix: "drafty-bench-" });
    try {
      return await measureLimits(folder, valueBytes);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }

  async #preload(done: number): Promise<void> {
    const { keys } = this.#options;
    using clients = new LoadClients(this.#target.servers, PRELOAD_CONNECTIONS);
    await preload(clients, keys, this.#value, (written) => {
      this.#progress?.update(this.#secondsOf(done), `writing keys, ${written} of ${keys}`);
    });
  }

  async #measure({ work, inflight, connections }: Workload, done: number): Promise<LoadFigures> {
    const { seconds, keys, isOneShot } = this.#options;
    using clients = new LoadClients(this.#target.servers, connections, isOneShot);
    let [lastAnswered, lastMs] = [0, 0];
    return await runLoad(clients, {
      work,
      inflight,
      seconds,
      warmUpSeconds: this.#warmUpSeconds,
      keys,
      value: this.#value,
      onTick: (answered, elapsedMs) => {
        const perSecond = Math.round((answered - lastAnswered) / (elapsedMs - lastMs) * 1_000);
        [lastAnswered, lastMs] = [answered, elapsedMs];
        const second = Math.min(this.#secondsOf(done) + elapsedMs / 1_000, this.#secondsOf(done + 1));
        this.#progress?.update(Math.floor(second), `${work}, ${inflight} in flight, ${perSecond}/s`);
      },
    });
  }

  #tell(figures: LoadFigures, workload: Workload, limits: MachineLimits): void {
    const isJson = this.#options.isJson;
    this.#io.out(isJson ? jsonOfFigures(figures, limits) : blockOf(figures, workload, limits));
  }

  #secondsOf(workloads: number): number {
    return workloads * (this.#options.seconds + this.#warmUpSeconds);
  }

  #totalSeconds(): number {
    return Math.ceil(this.#secondsOf(this.#options.workloads.length));
  }
}
