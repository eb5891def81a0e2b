/**
 * What is wrong with a configuration, in one line: file, line, key, value, and what would be right.
 *
 * @module
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly exitCode = 3;
}
