/**
 * Style as a test: the shape of the project cannot drift without somebody noticing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";

const canRead = (await Deno.permissions.query({ name: "read" })).state === "granted";
const ROOT = new URL("../../", import.meta.url);

/** Runs where files can be read; elsewhere it is skipped, and says so. */
function tidyTest(name: string, run: () => void): void {
  Deno.test({ name: canRead ? name : `${name} (skipped: needs --allow-read)`, ignore: !canRead, fn: run });
}

interface SourceFile {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
}

/** What each folder may import of ours, besides itself. Downwards only. */
const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  "packraft": [],
  "src/raft": ["packraft"],
  "src/kv": ["packraft"],
  "src/storage": ["packraft", "src/raft"],
  "src/replica": ["packraft", "src/raft", "src/kv", "src/storage"],
  "src/config": [],
  "src/client": ["packraft"],
  "src/driver": ["packraft", "src/raft", "src/kv", "src/storage", "src/replica", "src/config"],
  "src/sim": ["packraft", "src/raft", "src/kv", "src/storage", "src/replica"],
  "src/bench": ["packraft", "src/client"],
  "src/cli": [
    "packraft",
    "src/kv",
    "src/storage",
    "src/config",
    "src/client",
    "src/driver",
    "src/sim",
    "src/bench",
  ],
};

/** What must not be said in a folder, and why. Comments are left out of the search. */
const BANS: readonly {
  readonly folders: readonly string[];
  readonly pattern: RegExp;
  readonly why: string;
}[] = [
  {
    folders: ["src/raft", "src/kv", "src/replica", "src/sim", "packraft", "src/storage"],
    pattern:
      /\b(Date\b|performance\b|Math\.random|getRandomValues|randomUUID|set(Timeout|Interval)|queueMicrotask)/,
    why: "time and chance come in from outside",
  },
  {
    folders: ["src/raft", "src/kv", "src/replica", "packraft", "src/storage"],
    pattern: /\b(await|async)\b/,
    why: "it is synchronous",
  },
  {
    folders: ["src/raft", "src/kv", "src/replica", "packraft", "src/storage"],
    pattern: /\bDeno\b|"node:/,
    why: "it runs in any JavaScript runtime",
  },
  {
    folders: ["src/cli", "src/config", "src/sim"],
    pattern: /Deno\.(connect|listen)\b/,
    why: "only driver and client open sockets",
  },
  {
    folders: ["src"],
    pattern: /\bconsole\./,
    why: "what is said goes through the log or the command line's io",
  },
  {
    folders: ["src", "packraft", "tests", "tools", "bench"],
    pattern: /@ts-(ignore|expect-error|nocheck)|\bas any\b/,
    why: "types are not silenced",
  },
  {
    folders: ["src", "packraft", "tests", "tools", "bench"],
    pattern: /\b(TODO|FIXME|XXX)\b/,
    why: "what is left to do is an issue, not a comment",
  },
  { folders: ["tests"], pattern: /\.only\(/, why: "all tests run" },
];

/** Places where a banned word is right. */
const EXCEPTIONS: readonly { readonly path: string; readonly pattern: RegExp }[] = [
  { path: "tests/tidy/tidy_test.ts", pattern: /./ },
];

const RAFT_TYPE_ONLY = /^import type |^export type |^export \* from "\.\//;

tidyTest("imports point downwards only", () => {
  const wrong: string[] = [];
  for (const file of sourceFiles(["packraft", "src"])) {
    const folder = layerOf(file.path);
    const allowed = [folder, ...(ALLOWED_IMPORTS[folder] ?? [])];
    for (const target of relativeImportsOf(file)) {
      if (!allowed.includes(layerOf(target))) wrong.push(`${file.path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

tidyTest("every folder of src is in the table of layers", () => {
  const folders = [...Deno.readDirSync(new URL("src", ROOT))].filter((entry) => entry.isDirectory)
    .map((entry) => `src/${entry.name}`);
  assertEquals(folders.filter((folder) => ALLOWED_IMPORTS[folder] === undefined), []);
});

tidyTest("src/raft takes only types from packraft", () => {
  const wrong = sourceFiles(["src/raft"]).flatMap((file) =>
    importStatementsOf(file.text)
      .filter((statement) => statement.includes("packraft") && !RAFT_TYPE_ONLY.test(statement))
      .map((statement) => `${file.path}: ${statement.replace(/\s+/g, " ")}`)
  );
  assertEquals(wrong, []);
});

tidyTest("nothing banned is said", () => {
  const wrong: string[] = [];
  for (const { folders, pattern, why } of BANS) {
    for (const file of sourceFiles(folders)) {
      if (EXCEPTIONS.some((exception) => exception.path === file.path)) continue;
      for (const [i, line] of withoutComments(file.text).split("\n").entries()) {
        if (pattern.test(line)) wrong.push(`${file.path}:${i + 1}: ${line.trim()} (${why})`);
      }
    }
  }
  assertEquals(wrong, []);
});

tidyTest("files are snake_case nouns", () => {
  const wrong = sourceFiles(["packraft", "src", "tests", "tools", "bench"]).map((file) => file.path)
    .filter((path) => !/^[a-z0-9_/]+\.(d\.)?ts$/.test(path));
  assertEquals(wrong, []);
});

tidyTest("every module of the product opens with what it is for", () => {
  const wrong = sourceFiles(["packraft", "src"]).filter((file) => !file.text.startsWith("/**")).map((file) =>
    file.path
  );
  assertEquals(wrong, []);
});

tidyTest("no file of the product has more than 450 lines", () => {
  const wrong = sourceFiles(["packraft", "src"])
    .filter((file) => file.text.split("\n").length > 450).map((file) => file.path);
  assertEquals(wrong, []);
});

tidyTest(
  "no module of the product is dead: each is reachable from mod.ts, packraft/mod.ts or the command table",
  () => {
    const files = new Map(sourceFiles(["packraft", "src"]).map((file) => [file.path, file]));
    const mod = { path: "mod.ts", text: Deno.readTextFileSync(new URL("mod.ts", ROOT)) };
    const reached = new Set<string>();
    const visit = (file: SourceFile) => {
      for (const target of relativeImportsOf(file)) {
        const next = files.get(target);
        if (next === undefined || reached.has(target)) continue;
        reached.add(target);
        visit(next);
      }
    };
    visit(mod);
    const entryPoints = ["src/raft/mod.ts", "src/kv/mod.ts", "src/replica/mod.ts"];
    assertEquals([...files.keys()].filter((path) => !reached.has(path) && !entryPoints.includes(path)), []);
  },
);

tidyTest("the version is the same everywhere", () => {
  const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
  const { version } = JSON.parse(read("deno.json")) as { version: string };
  assertEquals(/VERSION = "(.*)"/.exec(read("src/cli/version.ts"))?.[1], version);
  assertEquals(read("CHANGELOG.md").includes(`## ${version}`), true);
});

tidyTest("dependencies are pinned to exact versions", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
    imports: Record<string, string>;
  };
  assertEquals(
    Object.values(imports).filter((target) => !/^npm:(@[^/]+\/)?[^@/]+@\d+\.\d+\.\d+(\/|$)/.test(target)),
    [],
  );
});

function sourceFiles(folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) => [...walk(folder)]).map((path) => {
    return { path, text: Deno.readTextFileSync(new URL(path, ROOT)) };
  });
}

function* walk(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* walk(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** `src/raft` of `src/raft/log.ts`, `packraft` of `packraft/frame.ts`. */
function layerOf(path: string): string {
  return path.startsWith("src/") ? path.split("/").slice(0, 2).join("/") : path.split("/")[0] ?? "";
}

/** What a file imports of ours, statically or when it runs, as paths from the top. */
function relativeImportsOf(file: SourceFile): string[] {
  const text = withoutComments(file.text);
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]*)"/g)].map((match) => {
    return new URL(match[1] ?? "", new URL(file.path, "file:///")).pathname.slice(1);
  });
}

function importStatementsOf(text: string): string[] {
  return [...withoutComments(text).matchAll(/^(?:import|export)\b[^;]*?from "[^"]*"/gm)].map((match) =>
    match[0]
  );
}

/** The text with comments blanked out, line by line the same. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
}
