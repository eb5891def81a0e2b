/**
 * Recovery and growth, with real processes: three nodes on this machine, from source, 256-byte values.
 *
 *     deno run -A bench/recovery.ts [--only a,b,c,d,e] [--entries 1000000] [--runs 3] [--limit 180] [--in-order] [--json]
 *
 * - a: restart with all entries in the log, no snapshot
 * - b: restart from a snapshot of as many keys
 * - c: the most disk that a node uses while ten times as many writes go over 1,000 keys, or as many as fit into
 *      `--limit` seconds
 * - d: latency of puts before, during and after a snapshot on all nodes at once
 * - e: a follower that was away for as many entries, which are in no log any more, catches up while writes go on
 *
 * Keys are first written scattered, or in their order with `--in-order`: a restart from the log builds the tree of keys
 * as they come, and that takes twice as long for scattered ones.
 *
 * The table goes to stdout, what is under way to stderr. Files are in the page cache when nodes restart: what is
 * measured is the work of the program, not of the disk. The load of the machine stands beside each figure; a busy
 * one makes all of them larger.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import Table from "cli-table3";
import { TestCluster } from "../tests/chaos/cluster.ts";
import { eventually, sleep } from "../tests/chaos/waiting.ts";
import {
  aFollower,
  clientOf,
  committed,
  diskBytes,
  memoryBytes,
  PATIENCE_MS,
  Peak,
  restartAll,
  restartFollower,
  setStorage,
  takeSnapshot,
} from "./recovery_cluster.ts";
import { fill, keyOf, SteadyWrites } from "./writes.ts";

const PARTS = ["a", "b", "c", "d", "e"];
/** Larger than any log here: no snapshot is taken that was not asked for. */
const NEVER_BYTES = 2 ** 40;
const OVERWRITTEN_KEYS = 1_000;
const OVERWRITES_PER_ENTRY = 10;
const IN_FLIGHT = 64;
const LAP_MS = 10_000;
/** How far behind the leader a follower that has caught up may be: what is under way. */
const CAUGHT_UP_ENTRIES = 1_000;
/** What a node logs when a snapshot that was sent has become its state. */
const INSTALLED = /has the state after entry \d+ from a snapshot/;

export interface RecoveryFigure {
  readonly part: string;
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "MB" | "/s" | "writes";
  readonly goal?: string;
  /** Load average of the last minute, when it was measured. */
  readonly load: number;
}

export interface RecoverySettings {
  readonly parts: ReadonlySet<string>;
  readonly entries: number;
  readonly runs: number;
  readonly limitMs: number;
  /** Whether the keys of the first fill come in order, or scattered. */
  readonly isInOrder: boolean;
}

class Benchmark {
  readonly figures: RecoveryFigure[] = [];
  readonly #settings: RecoverySettings;
  readonly #onProgress: (text: string) => void;

  constructor(settings: RecoverySettings, onProgress: (text: string) => void) {
    this.#settings = settings;
    this.#onProgress = onProgress;
  }

  async run(): Promise<void> {
    const { parts } = this.#settings;
    if (["a", "b", "d", "e"].some((part) => parts.has(part))) {
      await using cluster = new TestCluster();
      try {
        await this.#fill(cluster);
        if (parts.has("a")) await this.#restartFromLog(cluster);
        await this.#snapshotAll(cluster);
        if (parts.has("b")) await this.#restartFromSnapshot(cluster);
        if (parts.has("d")) await this.#writesDuringSnapshot(cluster);
        if (parts.has("e")) await this.#catchUp(cluster);
        if (cluster.surprises.length > 0) throw new Error(cluster.surprises.join("\n"));
      } catch (error) {
        console.error(cluster.lastLines());
        throw error;
      }
    }
    if (parts.has("c")) await this.#overwrite();
  }

  async #fill(cluster: TestCluster): Promise<void> {
    const { entries, isInOrder } = this.#settings;
    setStorage(cluster, { snapshot_after_bytes: NEVER_BYTES });
    await cluster.startAll();
    await cluster.waitForLeader();
    const startMs = performance.now();
    const onProgress = (count: number) => this.#say(`${count} written`);
    await fill(cluster, { count: entries, keys: entries, isInOrder, onProgress });
    this.#note("", "filling", "/s", entries / (performance.now() - startMs) * 1000);
    await cluster.waitForEqualApplied(PATIENCE_MS);
  }

  async #snapshotAll(cluster: TestCluster): Promise<void> {
    this.#say("snapshots on all nodes");
    const startMs = performance.now();
    const [taken] = await Promise.all(cluster.nodes.map(({ id }) => takeSnapshot(cluster, id)));
    this.#note("", "snapshots on all nodes at once, idle", "ms", performance.now() - startMs);
    this.#note("", "size of a snapshot", "MB", (taken?.totalBytes ?? 0) / 1e6);
  }

  async #restartFromLog(cluster: TestCluster): Promise<void> {
    await this.#restart(cluster, "a", "log", "≤ 5 s");
  }

  async #restartFromSnapshot(cluster: TestCluster): Promise<void> {
    await this.#restart(cluster, "b", "snapshot", "≤ 1 s");
  }

  async #restart(cluster: TestCluster, part: string, from: string, goal: string): Promise<void> {
    for (let run = 1; run <= this.#settings.runs; run++) {
      this.#say(`restart from the ${from}, run ${run}`);
      const { listeningMs, pingMs, appliedMs } = await restartFollower(cluster);
      this.#note(part, `restart of a follower from the ${from}: listens`, "ms", listeningMs);
      this.#note(part, `restart of a follower from the ${from}: first ping`, "ms", pingMs, goal);
      this.#note(part, `restart of a follower from the ${from}: all applied`, "ms", appliedMs);
    }
    const readMs = await restartAll(cluster, keyOf(0));
    this.#note(part, `restart of all nodes from the ${from}: first read`, "ms", readMs);
    await cluster.waitForEqualApplied(PATIENCE_MS);
  }

  async #writesDuringSnapshot(cluster: TestCluster): Promise<void> {
    await using writes = new SteadyWrites(cluster, this.#settings.entries, IN_FLIGHT);
    await sleep(LAP_MS / 2);
    writes.lap(); // what runs first runs unoptimised
    await this.#lap(writes, "before a snapshot", sleep(LAP_MS));
    const startMs = performance.now();
    const snapshots = Promise.all(cluster.nodes.map(({ id }) => takeSnapshot(cluster, id)));
    await this.#lap(writes, "during a snapshot on all nodes", snapshots);
    this.#note("d", "snapshots on all nodes at once, under load", "ms", performance.now() - startMs);
    await this.#lap(writes, "after it", sleep(LAP_MS));
  }

  async #lap(writes: SteadyWrites, when: string, until: Promise<unknown>): Promise<void> {
    this.#say(`puts ${when}`);
    await until;
    const { perSecond, p50Ms, p99Ms, maxMs } = writes.lap();
    this.#note("d", `puts ${when}: throughput`, "/s", perSecond);
    this.#note("d", `puts ${when}: p50`, "ms", p50Ms);
    this.#note("d", `puts ${when}: p99`, "ms", p99Ms, "p99 moves by < 10 ms");
    this.#note("d", `puts ${when}: max`, "ms", maxMs);
  }

  async #catchUp(cluster: TestCluster): Promise<void> {
    const { entries } = this.#settings;
    const leader = await cluster.waitForLeader();
    const follower = cluster.node(await aFollower(cluster));
    await follower.kill();
    this.#say(`node ${follower.id} is away`);
    await fill(cluster, {
      count: entries,
      keys: entries,
      onProgress: (count) => this.#say(`${count} written`),
    });
    const stayed = cluster.nodes.filter(({ isRunning }) => isRunning);
    await Promise.all(stayed.map(({ id }) => takeSnapshot(cluster, id)));
    await using writes = new SteadyWrites(cluster, entries, IN_FLIGHT);
    await sleep(LAP_MS / 2);
    writes.lap();

    this.#say(`node ${follower.id} is back, ${await committed(cluster)} entries are committed`);
    const installedBefore = follower.countLogged(INSTALLED);
    using leaderPeak = new Peak(() => memoryBytes(cluster, leader));
    using followerPeak = new Peak(() => memoryBytes(cluster, follower.id));
    const leaderBefore = memoryBytes(cluster, leader);
    const startMs = performance.now();
    await follower.start();
    this.#note("e", "a follower comes back: listens", "ms", performance.now() - startMs);
    using atLeader = clientOf(cluster, leader);
    using atFollower = clientOf(cluster, follower.id);
    await eventually("the follower to catch up", PATIENCE_MS, async () => {
      const [goal, reached] = await Promise.all([atLeader.status(), atFollower.status()]);
      return reached.lastApplied >= goal.commitIndex - CAUGHT_UP_ENTRIES;
    });
    this.#note("e", "a follower comes back: caught up", "ms", performance.now() - startMs);
    const { perSecond, p50Ms, p99Ms, maxMs } = writes.lap();
    this.#note("e", "puts meanwhile: throughput", "/s", perSecond);
    this.#note("e", "puts meanwhile: p50", "ms", p50Ms);
    this.#note("e", "puts meanwhile: p99", "ms", p99Ms);
    this.#note("e", "puts meanwhile: max", "ms", maxMs);
    this.#note("e", "memory of the leader before", "MB", leaderBefore / 1e6);
    this.#note("e", "memory of the leader, at most", "MB", leaderPeak.max / 1e6);
    this.#note("e", "memory of the follower, at most", "MB", followerPeak.max / 1e6);
    if (follower.countLogged(INSTALLED) === installedBefore) {
      throw new Error(`node ${follower.id} has caught up without a snapshot: the log still went back so far`);
    }
  }

  async #overwrite(): Promise<void> {
    await using cluster = await TestCluster.start();
    await cluster.waitForLeader();
    using disk = new Peak(() => Math.max(...cluster.nodes.map(({ id }) => diskBytes(cluster, id))));
    using memory = new Peak(() => Math.max(...cluster.nodes.map(({ id }) => memoryBytes(cluster, id))));
    const startMs = performance.now();
    const written = await fill(cluster, {
      count: this.#settings.entries * OVERWRITES_PER_ENTRY,
      keys: OVERWRITTEN_KEYS,
      limitMs: this.#settings.limitMs,
      onProgress: (count) => {
        if (count % 500_000 === 0) this.#say(`${count} overwritten, disk at most ${mb(disk.max)} MB`);
      },
    });
    this.#note("c", `overwrites of ${OVERWRITTEN_KEYS} keys`, "writes", written);
    this.#note("c", "overwrites", "/s", written / (performance.now() - startMs) * 1000);
    this.#note("c", "disk of a node, at most", "MB", disk.max / 1e6, "bounded");
    this.#note("c", "disk of a node at the end", "MB", diskBytes(cluster, 1) / 1e6);
    this.#note("c", "memory of a node, at most", "MB", memory.max / 1e6);
    if (cluster.surprises.length > 0) throw new Error(cluster.surprises.join("\n"));
  }

  #note(part: string, what: string, unit: RecoveryFigure["unit"], value: number, goal?: string): void {
    const load = Deno.loadavg()[0] ?? NaN;
    this.figures.push({ part, what, value, unit, load, ...(goal === undefined ? {} : { goal }) });
    this.#say(`${what}: ${shown(value, unit)}`);
  }

  #say(what: string): void {
    this.#onProgress(what);
  }
}

/** Measures the parts that the settings name, and tells what is under way. */
export async function measureRecovery(
  settings: RecoverySettings,
  onProgress: (text: string) => void,
): Promise<RecoveryFigure[]> {
  const benchmark = new Benchmark(settings, onProgress);
  await benchmark.run();
  return benchmark.figures;
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function shown(value: number, unit: RecoveryFigure["unit"]): string {
  const digits = unit === "ms" && value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

/** Several runs of the same are one row: their median, and all of them. */
function rowsOf(figures: readonly RecoveryFigure[]): string[][] {
  const grouped = Map.groupBy(figures, ({ part, what }) => `${part} ${what}`);
  return [...grouped.values()].flatMap((runs) => {
    const sorted = runs.toSorted((a, b) => a.value - b.value);
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    if (median === undefined) return [];
    const all = runs.length === 1 ? "" : runs.map(({ value }) => value.toFixed(0)).join(", ");
    const load = Math.max(...runs.map((run) => run.load));
    return [[
      median.part,
      median.what,
      shown(median.value, median.unit),
      all,
      median.goal ?? "",
      load.toFixed(1),
    ]];
  });
}

function settingsOf(args: readonly string[]): RecoverySettings & { readonly isJson: boolean } {
  const given = parseArgs([...args], {
    string: ["only", "entries", "runs", "limit"],
    boolean: ["json", "in-order"],
  });
  const count = (name: "entries" | "runs" | "limit", otherwise: number) => {
    const value = Number(given[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`--${name} ${given[name]}: give a count`);
    }
    return value;
  };
  const parts = new Set(typeof given.only === "string" ? given.only.split(",") : PARTS);
  const unknown = [...parts].find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new RangeError(`--only ${unknown}: give some of ${PARTS.join(",")}`);
  return {
    parts,
    entries: count("entries", 1_000_000),
    runs: count("runs", 3),
    limitMs: count("limit", 180) * 1000,
    isInOrder: given["in-order"] === true,
    isJson: given.json === true,
  };
}

async function main(): Promise<void> {
  const settings = settingsOf(Deno.args);
  const figures = await measureRecovery(settings, (what) => {
    console.error(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}`);
  });
  if (settings.isJson) {
    console.log(JSON.stringify({ entries: settings.entries, figures }));
    return;
  }
  const head = ["", "what", "median", "runs", "goal", "load"];
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rowsOf(figures));
  console.log(table.toString());
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}
