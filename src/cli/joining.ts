/**
 * What a node that is to join a running cluster has to know before it starts: who the members are, itself among them.
 *
 * @module
 */
import { ClientError, type ClusterMembers, DraftyClient, nameOf, type ServerAddress } from "../client/mod.ts";
import type { CliIo } from "./io.ts";

const ATTEMPT_MS = 2_000;
const PAUSE_MS = 500;

/** The node that was asked belongs to another cluster: its members are none of this one's. */
export class AnotherClusterError extends Error {
  override readonly name = "AnotherClusterError";
  readonly exitCode = 7;

  constructor(server: ServerAddress, theirs: string, ours: string) {
    super(
      `--join ${
        nameOf(server)
      }: that is a node of cluster "${theirs}", and the configuration is of "${ours}"; ` +
        "give the address of a node of this cluster, or the configuration of that one",
    );
  }
}

/**
 * Asks until the cluster says that `node` is a member; what it waits for is told once. Undefined if nobody answers: a
 * node that was a member before finds in its directory what it needs.
 */
export async function membersToJoin(
  node: number,
  clusterId: string,
  server: ServerAddress,
  io: CliIo,
): Promise<ClusterMembers | undefined> {
  using client = new DraftyClient({ servers: [server], timeoutMs: ATTEMPT_MS });
  let isTold = false;
  for (;;) {
    const members = await ask(client, io);
    if (members !== undefined && members.clusterId !== clusterId) {
      throw new AnotherClusterError(server, members.clusterId, clusterId);
    }
    if (members === undefined || members.members.some(({ id }) => id === node)) return members;
    if (!isTold) {
      const ids = members.members.map(({ id }) => id).join(", ");
      io.err(
        `node ${node} is not a member yet (the members are ${ids}); it waits until it is registered: ` +
          `drafty client --server ${nameOf(server)} register ${node} HOST:PEER:CLIENT\n`,
      );
    }
    isTold = true;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function ask(client: DraftyClient, io: CliIo): Promise<ClusterMembers | undefined> {
  try {
    return await client.members();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    io.err(`drafty: ${error.message}; it goes on with what its data directory says\n`);
    return undefined;
  }
}
