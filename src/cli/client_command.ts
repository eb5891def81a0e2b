/**
 * `drafty client`: what was asked for, of whom, and with which id. What each command does is in `client_actions.ts`.
 *
 * @module
 */
import { DraftyClient } from "../client/mod.ts";
import { loadClusterConfig, nodeAddress } from "../config/mod.ts";
import type { Arguments } from "./arguments.ts";
import { CLIENT_ACTION_NAMES, CLIENT_ACTIONS, type ClientAction } from "./client_actions.ts";
import type { Target } from "./cluster_reports.ts";
import { suggestion, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { runStatus } from "./status_command.ts";
import { durationMs, guidBytes, isNodeNumber, nodeNumber, serverAddress } from "./values.ts";

const DEFAULT_TIMEOUT_MS = 5_000;

/** A command with its words, and the node that was named with it. */
interface Request {
  readonly name: string;
  readonly words: readonly string[];
  readonly node: number | undefined;
}

export async function runClient(given: Arguments, io: CliIo): Promise<number> {
  const { name, words, node } = await requestOf(given);
  const timeout = given.values.get("timeout");
  const action = CLIENT_ACTIONS[name];
  const timeoutMs = timeout === undefined
    ? action?.timeoutMs ?? DEFAULT_TIMEOUT_MS
    : durationMs("timeout", timeout);
  const guid = given.values.get("guid");
  const clientId = guid === undefined ? undefined : guidBytes("guid", guid);
  const isJson = given.flags.has("json");
  const isStale = given.flags.has("stale");
  if (isStale && !["get", "data", "show"].includes(name)) {
    throw new UsageError(`--stale is for reads; client ${name} is none, leave it out`);
  }
  const { targets, readFrom } = targetsOf(given, node);
  if (action === undefined) {
    const isForOne = node !== undefined || given.values.has("server");
    return await runStatus(targets, { timeoutMs, isJson, isForOne }, io);
  }

  using client = new DraftyClient({
    servers: targets.map((target) => target.address),
    timeoutMs,
    isOneShot: true,
    readFrom,
    ...(clientId === undefined ? {} : { clientId }),
    onRedirect: (leader) => io.err(`redirecting to node ${leader}\n`),
  });
  return await action.run({ client, io, isJson, isStale }, words);
}

async function requestOf(given: Arguments): Promise<Request> {
  const words = [...given.positionals];
  const nodes: number[] = [];
  const flag = given.values.get("node");
  if (flag !== undefined) nodes.push(nodeNumber("node", flag));
  if (isNodeNumber(words[0] ?? "")) nodes.push(Number(words.shift()));
  const name = words.shift();
  const names = CLIENT_ACTION_NAMES;
  if (name === undefined) throw new UsageError(`client needs a command; give one of ${names.join(", ")}`);
  if (!names.includes(name)) {
    const near = await suggestion(name, names);
    throw new UsageError(`unknown client command ${name}${near || `; give one of ${names.join(", ")}`}`);
  }
  const wanted = CLIENT_ACTIONS[name]?.parameters ?? [];
  const least = wanted.filter((parameter) => !parameter.startsWith("[")).length;
  if (CLIENT_ACTIONS[name]?.joinsRest && words.length > wanted.length) {
    words.push(words.splice(wanted.length - 1).join(" "));
  }
  const last = words[wanted.length];
  if (words.length === wanted.length + 1 && last !== undefined && isNodeNumber(last)) {
    nodes.push(Number(words.pop()));
  }
  if (words.length < least || words.length > wanted.length) throw wrongCount(name, wanted, words.length);
  if (nodes.length > 1) throw new UsageError(`the node is named twice (${nodes.join(", ")}); name it once`);
  return { name, words, node: nodes[0] };
}

function wrongCount(name: string, wanted: ClientAction["parameters"], count: number): UsageError {
  const usage = ["drafty client", name, ...wanted].join(" ");
  const quote = name === "put" && count > wanted.length ? "; quote a value with spaces, or use set" : "";
  const takes = wanted.length === 0
    ? "no arguments"
    : wanted.length === 1
    ? "1 argument"
    : `${wanted.length} arguments`;
  return new UsageError(`client ${name} takes ${takes}, not ${count}: ${usage}${quote}`);
}

/** Whom to ask. The config is not read where an address is given. */
export function targetsOf(
  given: Arguments,
  node: number | undefined,
): { readonly targets: Target[]; readonly readFrom: "leader" | "any" } {
  const server = given.values.get("server");
  const configPath = given.values.get("config");
  if (server === undefined) {
    const config = loadClusterConfig(configPath);
    const nodes = node === undefined ? config.nodes : [nodeAddress(config, node)];
    const targets = nodes.map(({ id, host, clientPort }) => ({
      node: id,
      address: { host, port: clientPort },
    }));
    return { targets, readFrom: config.readFrom };
  }
  if (node !== undefined) throw new UsageError("--server and a node exclude each other; give one of them");
  if (configPath !== undefined) {
    throw new UsageError("--server and --config exclude each other; give one of them");
  }
  return { targets: [{ node: undefined, address: serverAddress("server", server) }], readFrom: "leader" };
}
