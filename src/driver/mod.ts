/**
 * The Deno driver: runs a node.
 *
 * @module
 */
export { type NodeEnd, type NodeOptions, type RunningNode, startNode } from "./node.ts";
export type { Log } from "./log_sink.ts";
export { DenoFileSystem } from "./deno_file_system.ts";
