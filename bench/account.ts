/**
 * What a request costs: processor time of the client and of each node, in user and in system mode, and how many
 * requests share a write to the log. Unlike a rate, these figures hardly change when other programs run beside it.
 *
 *     deno run -A bench/account.ts [--work put] [--inflight 1,16,64,256] [--connections 4] [--seconds 4]
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { LocalCluster } from "../src/cli/local_cluster.ts";
import { DraftyClient } from "../src/client/mod.ts";
import { selfCommandOf } from "./self_command.ts";

const KEYS = 100_000;
const VALUE = "x".repeat(256);
/** What the kernel counts processor time in. */
const TICK_US = 10_000;

interface Usage {
  readonly userUs: number;
  readonly systemUs: number;
  /** Calls of `write`: with a log on a disk and sockets written by `send`, those of the log. */
  readonly writes: number;
}

const flags = parseArgs(Deno.args, { string: ["work", "inflight", "connections", "seconds"] });
const work = flags.work ?? "put";
const seconds = Number(flags.seconds ?? 4);
const folder = await Deno.makeTempDir({ prefix: "drafty-account-" });
const cluster = new LocalCluster(folder, 3, selfCommandOf);
try {
  for (const { address } of cluster.nodes) cluster.start(address.id);
  const clients = Array.from(
    { length: Number(flags.connections ?? 4) },
    () => new DraftyClient({ servers: cluster.servers, timeoutMs: 30_000 }),
  );
  const [first] = clients;
  if (first === undefined) throw new RangeError("--connections must be at least 1");
  await first.put("warm", "up");
  const { leader } = await first.ping();
  const pids = pidsOf(folder);
  await load(clients, 64, 2);
  for (const inFlight of String(flags.inflight ?? "1,16,64,256").split(",").map(Number)) {
    await load(clients, inFlight, 1);
    const before = [Deno.pid, ...pids].map(usageOf);
    const startMs = performance.now();
    const count = await load(clients, inFlight, seconds);
    const perSecond = count / (performance.now() - startMs) * 1_000;
    const after = [Deno.pid, ...pids].map(usageOf);
    console.log(`${work}, ${inFlight} in flight: ${Math.round(perSecond)}/s`);
    let total = 0;
    for (const [i, now] of after.entries()) {
      const then = before[i];
      if (then === undefined) continue;
      const user = (now.userUs - then.userUs) / count;
      const system = (now.systemUs - then.systemUs) / count;
      total += user + system;
      const who = i === 0 ? "client" : i === leader ? "leader" : "follower";
      const batch = i === 0
        ? ""
        : `, ${(count / (now.writes - then.writes)).toFixed(1)} requests for each write`;
      console.log(`  ${who.padEnd(9)} ${user.toFixed(1)} us user, ${system.toFixed(1)} us system${batch}`);
    }
    console.log(`  in all    ${total.toFixed(1)} us`);
  }
  const status = Deno.readTextFileSync(`/proc/${pids[leader - 1]}/status`);
  console.log(`resident memory of the leader: ${/VmRSS:\s+(\d+)/.exec(status)?.[1]} kB`);
  for (const client of clients) client.close();
} finally {
  await cluster.killAll();
  await Deno.remove(folder, { recursive: true });
}

async function load(clients: readonly DraftyClient[], inFlight: number, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1_000;
  let count = 0;
  await Promise.all(Array.from({ length: inFlight }, async (_, i) => {
    const client = clients[i % clients.length];
    for (; client !== undefined && performance.now() < endMs; count++) {
      const key = `key-${Math.floor(Math.random() * KEYS)}`;
      await (work === "get" ? client.get(key) : client.put(key, VALUE));
    }
  }));
  return count;
}

/** The processes of nodes 1 to 3: those that have this folder in their command line. */
function pidsOf(folder: string): number[] {
  const pids: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      const at = words.indexOf("--node");
      if (at >= 0 && words.some((word) => word.startsWith(folder))) {
        pids[Number(words[at + 1]) - 1] = Number(name);
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return pids;
}

function usageOf(pid: number): Usage {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  const writes = /syscw: (\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/io`));
  return {
    userUs: Number(fields[11]) * TICK_US,
    systemUs: Number(fields[12]) * TICK_US,
    writes: Number(writes?.[1]),
  };
}
