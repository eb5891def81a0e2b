/**
 * Finding and reading the configuration file.
 *
 * @module
 */
import type { ClusterConfig } from "./cluster_config.ts";
import { ConfigError } from "./errors.ts";
import { DEFAULT_CLUSTER_SOURCE, DEFAULT_CLUSTER_TOML } from "./default_cluster.ts";
import { parseClusterConfig } from "./parse.ts";

/** Where a configuration is looked for when none is named. */
export const DEFAULT_CONFIG_PATH = "cluster.toml";
/** No cluster needs more; a wrong path must not fill the memory. */
const MAX_CONFIG_BYTES = 256 * 1024;

/**
 * Reads the configuration at `path`; without one `./cluster.toml`, and where there is none, the built-in one.
 *
 * @throws {ConfigError} exit code 3, one line
 */
export function loadClusterConfig(path?: string): ClusterConfig {
  const name = path ?? DEFAULT_CONFIG_PATH;
  const bytes = readUpTo(name, MAX_CONFIG_BYTES);
  if (bytes !== undefined) return parseClusterConfig(textOf(bytes, name), name);
  if (path === undefined) return defaultClusterConfig();
  throw new ConfigError(`${name}: no such file; give the path of a cluster.toml, or leave --config out`);
}

/** Three nodes on loopback: what `cluster.toml` says as it comes with drafty. */
export function defaultClusterConfig(): ClusterConfig {
  return parseClusterConfig(DEFAULT_CLUSTER_TOML, DEFAULT_CLUSTER_SOURCE);
}

/** The bytes of a file, undefined where there is none. A pipe or device is read too, and no further than the limit. */
function readUpTo(path: string, maxBytes: number): Uint8Array | undefined {
  try {
    using file = Deno.openSync(path);
    if (file.statSync().isDirectory) {
      throw new ConfigError(`${path}: is a directory; give the path of a file`);
    }
    const buffer = new Uint8Array(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = file.readSync(buffer.subarray(length));
      if (count === null) return buffer.subarray(0, length);
      length += count;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    throw new ConfigError(`${path}: cannot be read: ${reasonOf(error)}; give a file that can`);
  }
  throw new ConfigError(
    `${path}: is over ${maxBytes} B long, so it is no cluster.toml; give the path of one`,
  );
}

function reasonOf(error: Error): string {
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "this process has no permission to read it";
  return error.message.split("\n")[0] ?? error.name;
}

function textOf(bytes: Uint8Array, source: string): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new ConfigError(`${source}:1: starts with a byte order mark; save it as UTF-8 without one`);
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    throw new ConfigError(
      `${source}:${lineAt(bytes, nul)}: holds a NUL byte, so it is no text; save it as UTF-8`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${source}: is not UTF-8 text; save it as UTF-8`);
  }
}

function lineAt(bytes: Uint8Array, offset: number): number {
  return bytes.subarray(0, offset).reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 1);
}
