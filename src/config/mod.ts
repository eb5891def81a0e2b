/**
 * The configuration of a cluster: `cluster.toml`, read and checked.
 *
 * @module
 */
export { type ClusterConfig, type NodeAddress, nodeAddress } from "./cluster_config.ts";
export { ConfigError } from "./errors.ts";
export { DEFAULT_CLUSTER_SOURCE, DEFAULT_CLUSTER_TOML } from "./default_cluster.ts";
export { DEFAULT_CONFIG_PATH, defaultClusterConfig, loadClusterConfig } from "./load.ts";
export { MAX_NODE_ID, MAX_NODES, parseClusterConfig } from "./parse.ts";
