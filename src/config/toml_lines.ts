/**
 * Where in a TOML text each key and table stands. The parser gives values without places, and takes the last of two
 * equal keys; this finds the line for an error message and notices the repetition, which TOML forbids.
 *
 * A path is the keys from the root joined by dots, an element of an array of tables by its number from 1:
 * `nodes[2].peer_port`. Keys inside an inline table are not told apart: they count as the key that holds it.
 *
 * @module
 */

/** The lines of a text, from 1. */
export interface TomlLines {
  /** The line of `path`, or of the nearest thing around it that has one. 1 where there is none. */
  lineOf(path: string): number;
  /** The first key or table that stands twice. */
  readonly repeated: { readonly path: string; readonly line: number; readonly firstLine: number } | undefined;
}

const HEADER = /^\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}/;
const KEY = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/;

export function tomlLines(text: string): TomlLines {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  let repeated: TomlLines["repeated"];
  let table = "";
  const skip = new ValueSkipper();

  function place(path: string, line: number): void {
    const firstLine = lines.get(path);
    if (firstLine === undefined) lines.set(path, line);
    else repeated ??= { path, line, firstLine };
  }

  text.split(/\r?\n/).forEach((content, index) => {
    const line = index + 1;
    if (skip.isInside) return skip.take(content);
    const header = HEADER.exec(content);
    if (header !== null) {
      table = plainKey(header[2] ?? "");
      if (header[1] === "[[") {
        const count = (counts.get(table) ?? 0) + 1;
        counts.set(table, count);
        table = `${table}[${count}]`;
      }
      return place(table, line);
    }
    const key = KEY.exec(content);
    if (key === null) return;
    place((table === "" ? "" : table + ".") + plainKey(key[1] ?? ""), line);
    skip.take(content.slice(key[0].length));
  });

  return {
    repeated,
    lineOf(path) {
      for (let at = path; at !== ""; at = parentOf(at)) {
        const line = lines.get(at) ?? lines.get(`${at}[1]`);
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

/** Follows a value over the lines that it takes: multi-line strings, and arrays in brackets. */
class ValueSkipper {
  #depth = 0;
  #quote: '"""' | "'''" | undefined;

  get isInside(): boolean {
    return this.#depth > 0 || this.#quote !== undefined;
  }

  take(text: string): void {
    for (let at = 0; at < text.length; at++) {
      if (this.#quote !== undefined) {
        const end = text.indexOf(this.#quote, at);
        if (end < 0) return;
        at = end + 2;
        this.#quote = undefined;
        continue;
      }
      const rest = text.slice(at, at + 3);
      const character = text[at] ?? "";
      if (rest === '"""' || rest === "'''") {
        this.#quote = rest;
        at += 2;
      } else if (character === '"' || character === "'") {
        at = endOfString(text, at);
      } else if (character === "#") {
        return;
      } else if (character === "[") {
        this.#depth++;
      } else if (character === "]") {
        this.#depth = Math.max(0, this.#depth - 1);
      }
    }
  }
}

function endOfString(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\" && quote === '"') at++;
    else if (text[at] === quote) return at;
  }
  return text.length;
}

function plainKey(key: string): string {
  return key.split(".").map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2")).join(".");
}

/** `nodes[2].host` → `nodes[2]` → `nodes` → "". */
function parentOf(path: string): string {
  const element = /^(.*)\[\d+\]$/.exec(path);
  if (element !== null) return element[1] ?? "";
  const dot = path.lastIndexOf(".");
  return dot < 0 ? "" : path.slice(0, dot);
}
