/**
 * The configuration that drafty uses where none is given: the text of `cluster.toml`, so that the executable needs
 * no file beside it. A test holds the two equal.
 *
 * @module
 */

/** What error messages and the start of a node call it. */
export const DEFAULT_CLUSTER_SOURCE = "the built-in cluster.toml";

export const DEFAULT_CLUSTER_TOML =
  `# A drafty cluster. Every node and every client of a cluster reads the same file.
# Without a ./cluster.toml and without --config, drafty uses exactly this one, which is built in.

[cluster]
# The name of the cluster, 1 to 64 bytes of text. It is written into each data directory, and nodes refuse
# messages of another cluster.
id = "drafty"

# How often a leader lets its followers know that it is alive, in milliseconds.
heartbeat_ms = 30

# A node that has not heard from a leader for a random time between these two stands for election. The first is
# at least 5 times heartbeat_ms, so that a few late heartbeats do not cost a leader its place; the second is
# larger, so that not all nodes stand at once.
election_timeout_ms = [180, 360]

# How long a connection to another node stays open after its last message, in milliseconds, below heartbeat_ms.
# 0 is strictly one-shot: connect, send, close. An idle cluster is one-shot either way.
linger_ms = 20

# Who serves reads of clients that use this file: "leader", or "any" node, which asks the leader first. Either way a read
# sees every write that was answered before it began.
read_from = "leader"

[storage]
# Node N keeps its data in directory/N, seen from where the node is started. \`--data\` goes before it.
directory = "data"

# The log is a row of files, each of about this size. A file is removed when a snapshot stands for all that is in it.
segment_bytes = 67108864

# A snapshot of all keys is taken when the log has grown by this much, and by at least the size of all keys and values.
snapshot_after_bytes = 67108864

# One [[nodes]] for each node, at most 7. An odd number is best: of 3 nodes 1 may fail, of 5 nodes 2.
# \`host\` is where the other nodes and the clients find it. \`peer_port\` is for the nodes among themselves,
# \`client_port\` for clients.

[[nodes]]
id = 1
host = "127.0.0.1"
peer_port = 8001
client_port = 9001

[[nodes]]
id = 2
host = "127.0.0.1"
peer_port = 8002
client_port = 9002

[[nodes]]
id = 3
host = "127.0.0.1"
peer_port = 8003
client_port = 9003
`;
