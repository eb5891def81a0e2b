/**
 * The error of everything that is wrong with a configuration.
 *
 * @module
 */

/** A configuration that cannot be used. The message is one line: where, what the value is, what would be right. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** What the process ends with. */
  readonly exitCode = 3;
}
