/**
 * drafty: a key-value server that is replicated by Raft.
 *
 * As a program it is the command line (`drafty help`). As a library it is the client, the configuration, a node to run
 * inside another program, and packraft, the wire format.
 *
 * ```ts ignore
 * import { defaultClusterConfig, DraftyClient } from "drafty";
 *
 * const servers = defaultClusterConfig().nodes.map(({ host, clientPort }) => ({ host, port: clientPort }));
 * using client = new DraftyClient({ servers });
 * await client.put("colour", "green");
 * console.log(new TextDecoder().decode(await client.get("colour")));
 * ```
 *
 * @module
 */
import { main } from "./src/cli/main.ts";
import { processIo } from "./src/cli/io.ts";
import type { NodeOptions, RunningNode } from "./src/driver/mod.ts";

export * from "./src/client/mod.ts";
export * from "./src/config/mod.ts";
export * as packraft from "./packraft/mod.ts";
export { VERSION } from "./src/cli/version.ts";
export type { Log, NodeEnd, NodeOptions, RunningNode } from "./src/driver/mod.ts";

/**
 * Runs a node inside this program: recovers its log, then listens. The node's code is loaded when it is called, so that
 * programs that are only clients start without it.
 *
 * @throws errors with an `exitCode` and a one-line message: configuration, data directory, identity, corruption,
 * a port that is in use
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const driver = await import("./src/driver/mod.ts");
  return await driver.startNode(options);
}

if (import.meta.main) Deno.exit(await main(Deno.args, processIo()));
