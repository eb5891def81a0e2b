/**
 * `drafty --node N`: runs a node until it is told to stop.
 *
 * @module
 */
import { loadClusterConfig } from "../config/mod.ts";
import { startNode } from "../driver/mod.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { membersToJoin } from "./joining.ts";
import { memberPlace, nodeNumber, serverAddress } from "./values.ts";

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

export async function runNode(given: Arguments, io: CliIo): Promise<number> {
  const [extra] = given.positionals;
  if (extra !== undefined) {
    throw new UsageError(`unexpected "${extra}"; a command comes first: drafty ${extra}`);
  }
  const number = given.values.get("node");
  if (number === undefined) throw new UsageError("--node is missing; give the node to run: drafty --node 1");
  const node = nodeNumber("node", number);
  if (given.flags.has("new-cluster") && given.flags.has("rejoin")) {
    throw new UsageError(
      "--new-cluster and --rejoin contradict each other; a new cluster has nothing to forget",
    );
  }
  const config = loadClusterConfig(given.values.get("config"));
  const dataDirectory = `${given.values.get("data") ?? config.storageDirectory}/${node}`;
  const join = given.values.get("join");
  const listen = given.values.get("listen");
  const address = listen === undefined ? {} : { address: memberPlace("--listen", listen) };
  const members = join === undefined
    ? undefined
    : await membersToJoin(node, config.clusterId, serverAddress("join", join), io);

  const running = await startNode({
    config,
    node,
    dataDirectory,
    ...address,
    ...(members === undefined ? {} : { members }),
    serverMsgs: given.flags.has("server-msgs"),
    clientMsgs: given.flags.has("client-msgs"),
    isNewCluster: given.flags.has("new-cluster"),
    isRejoining: given.flags.has("rejoin"),
  });
  const stop = () => {
    // A second signal then ends the process at once.
    for (const signal of STOP_SIGNALS) Deno.removeSignalListener(signal, stop);
    void running.stop();
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, stop);
  io.out(
    `node ${node} of cluster "${config.clusterId}" (${config.source}): ` +
      `peers ${shownAddress(running.address.host, running.address.peerPort)}, ` +
      `clients ${shownAddress(running.address.host, running.address.clientPort)}, data ${dataDirectory}\n`,
  );
  const { exitCode, reason } = await running.ended;
  if (exitCode !== 0) io.err(`drafty: node ${node} ends: ${reason}\n`);
  return exitCode;
}

function shownAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
