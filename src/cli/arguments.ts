/**
 * Strict parsing of a command's arguments. Unlike the parsers at hand it never guesses: it does not turn `007` into
 * 7, does not take the value `true` for the answer to a flag before it, and lets nothing pass that it does not know.
 *
 * `--name value` and `--name=value` are the same; what follows `--` is never an option; an argument such as `-5`
 * is none either.
 *
 * @module
 */
import { suggestion, UsageError } from "./errors.ts";

/** An option that a command knows. */
export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What its value is called in help texts; a flag has none. */
  readonly value?: string;
  readonly summary: string;
}

/** Every command has it. */
export const HELP_OPTION: Option = { name: "help", summary: "show this text" };

export interface Arguments {
  readonly positionals: readonly string[];
  /** The flags that were given. */
  readonly flags: ReadonlySet<string>;
  /** The values of options that were given. */
  readonly values: ReadonlyMap<string, string>;
}

/** Throws {@linkcode UsageError} for an unknown or repeated option, and for a value that is missing or too many. */
export async function parseArguments(
  args: readonly string[],
  options: readonly Option[],
): Promise<Arguments> {
  const known = new Map([...options, HELP_OPTION].map((option) => [option.name, option]));
  const positionals: string[] = [];
  const flags = new Set<string>();
  const values = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      positionals.push(...args.slice(at + 1));
      break;
    }
    if (!isOption(arg)) {
      positionals.push(arg);
      continue;
    }
    const [written, ...rest] = arg === "-h" ? ["--help"] : arg.split("=");
    const option = known.get((written ?? "").replace(/^--/, ""));
    if (option === undefined) {
      const near = await suggestion(written ?? "", [...known.keys()].map((name) => `--${name}`));
      throw new UsageError(`unknown option ${written}${near || "; see drafty help"}`);
    }
    if (flags.has(option.name) || values.has(option.name)) {
      throw new UsageError(`--${option.name} is given twice; give it once`);
    }
    const inlineValue = rest.length > 0 ? rest.join("=") : undefined;
    if (option.value === undefined) {
      if (inlineValue !== undefined) {
        throw new UsageError(`--${option.name} takes no value; leave "=${inlineValue}" out`);
      }
      flags.add(option.name);
      continue;
    }
    const value = inlineValue ?? args[++at];
    if (value === undefined || value === "" || (inlineValue === undefined && value.startsWith("--"))) {
      throw new UsageError(`--${option.name} needs a value: --${option.name} ${option.value}`);
    }
    values.set(option.name, value);
  }
  return { positionals, flags, values };
}

/** `-5` and `-` are no options but text. */
function isOption(arg: string): boolean {
  return /^--?[A-Za-z]/.test(arg) || /^--./.test(arg);
}
