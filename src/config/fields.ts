/**
 * Checks of single values. Each error is one line: file, line, key, value, and what would be right.
 *
 * @module
 */
import { closest, distance } from "fastest-levenshtein";
import { ConfigError } from "./errors.ts";
import type { TomlLines } from "./toml_lines.ts";

/** A table of the file: its values, and where they stand. */
export class Table {
  readonly path: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #source: string;
  readonly #lines: TomlLines;

  constructor(path: string, values: Readonly<Record<string, unknown>>, source: string, lines: TomlLines) {
    this.path = path;
    this.#values = values;
    this.#source = source;
    this.#lines = lines;
  }

  /** Refuses keys that are none of `known`. */
  allowOnly(known: readonly string[]): void {
    for (const key of Object.keys(this.#values)) {
      if (known.includes(key)) continue;
      const kind = isTable(this.#values[key]) || isTableArray(this.#values[key]) ? "table" : "key";
      const near = closest(key, known);
      const hint = distance(key, near) <= Math.max(2, key.length / 2)
        ? `did you mean ${near}?`
        : `known here: ${known.join(", ")}`;
      throw this.#error(this.#pathOf(key), `${this.#pathOf(key)} is not a known ${kind}; ${hint}`);
    }
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  /** A table in this one; an empty one where the file has none. */
  table(key: string): Table {
    const value = this.#values[key] ?? {};
    if (!isTable(value)) throw this.wrong(key, `is not a table; write [${key}] on a line of its own`);
    return new Table(this.#pathOf(key), value, this.#source, this.#lines);
  }

  /** The tables of an array of tables, numbered from 1 as they stand in the file. */
  tables(key: string): Table[] {
    const value = this.#values[key] ?? [];
    if (!isTableArray(value)) {
      throw this.wrong(key, `is not a list of tables; write [[${key}]] on a line of its own before each`);
    }
    return value.map((item, index) =>
      new Table(`${this.#pathOf(key)}[${index + 1}]`, item, this.#source, this.#lines)
    );
  }

  /** A whole number from `min` to `max`. */
  wholeNumber(key: string, limits: { min: number; max: number; what: string }): number {
    return this.#wholeNumber(key, this.#values[key], limits);
  }

  /** Two whole numbers. */
  pair(key: string, limits: { min: number; max: number; what: string }): [number, number] {
    const value = this.#values[key];
    if (!Array.isArray(value) || value.length !== 2) {
      throw this.wrong(key, "is not a pair; give two whole numbers of milliseconds, as in [180, 360]");
    }
    return [this.#wholeNumber(key, value[0], limits), this.#wholeNumber(key, value[1], limits)];
  }

  /** Text of 1 to `maxBytes` bytes without control characters. */
  text(key: string, maxBytes: number): string {
    const value = this.#values[key];
    const wanted = `give text of 1 to ${maxBytes} bytes in quotes`;
    if (value === undefined) throw this.missing(key, wanted);
    if (typeof value !== "string") throw this.wrong(key, `is not text; ${wanted}`);
    if (value === "") throw this.wrong(key, `is empty; ${wanted}`);
    const bytes = new TextEncoder().encode(value).length;
    if (bytes > maxBytes) throw this.wrong(key, `has ${bytes} bytes; ${wanted}`);
    if (/\p{Cc}/u.test(value)) throw this.wrong(key, "holds a control character; give plain text");
    return value;
  }

  /** One of a few words. */
  oneOf<const Word extends string>(key: string, words: readonly Word[]): Word {
    const value = this.#values[key];
    const word = words.find((each) => each === value);
    if (word === undefined) {
      throw this.wrong(key, `is not known; give ${words.map((each) => `"${each}"`).join(" or ")}`);
    }
    return word;
  }

  missing(key: string, wanted: string): ConfigError {
    return this.#error(this.path, `${this.#pathOf(key)} is missing; ${wanted}`);
  }

  /** An error about the value of `key`: `problem` goes on after "KEY = VALUE". */
  wrong(key: string, problem: string, value: unknown = this.#values[key]): ConfigError {
    return this.#error(this.#pathOf(key), `${this.#pathOf(key)} = ${shownValue(value)} ${problem}`);
  }

  #wholeNumber(key: string, value: unknown, limits: { min: number; max: number; what: string }): number {
    const wanted = `give ${limits.min} to ${limits.max}`;
    if (value === undefined) throw this.missing(key, wanted);
    const isRight = typeof value === "number" && Number.isSafeInteger(value) &&
      value >= limits.min && value <= limits.max;
    if (!isRight) throw this.wrong(key, `is not ${limits.what}; ${wanted}`, value);
    return value;
  }

  #pathOf(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  #error(path: string, problem: string): ConfigError {
    return new ConfigError(`${this.#source}:${this.#lines.lineOf(path)}: ${problem}`);
  }
}

const MAX_SHOWN_CHARACTERS = 60;

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isTableArray(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.every(isTable);
}

/** A value about as the file has it, in one line. */
function shownValue(value: unknown): string {
  const text = typeof value === "number"
    ? String(value).replace("NaN", "nan").replace("Infinity", "inf")
    : json(value);
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
}

function json(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? `[${value.map(shownValue).join(", ")}]` : JSON.stringify(value);
}
