/**
 * `drafty check DIR`: whether every byte of a node's data directory is what was written, and what a start would make of
 * it. It changes nothing and takes no lock.
 *
 * @module
 */
import { DenoFileSystem } from "../driver/mod.ts";
import { describeDamage } from "../storage/errors.ts";
import { inspectDirectory, type Inspection } from "../storage/inspect.ts";
import type { Arguments } from "./arguments.ts";
import { directoryOf } from "./data_directory_argument.ts";
import type { CliIo } from "./io.ts";
import { sizeOf } from "./render.ts";

/** What was found wrong, with the exit code of its kind. */
interface Problem {
  readonly text: string;
  readonly exitCode: number;
}

const EXIT_DATA_DIRECTORY = 4;
const EXIT_DAMAGED = 5;
const EXIT_IDENTITY = 7;

export function runCheck(given: Arguments, io: CliIo): Promise<number> {
  const inspection = inspectDirectory(new DenoFileSystem(), directoryOf("check", given));
  const problems = problemsOf(inspection);
  const exitCode = problems[0]?.exitCode ?? 0;
  if (given.flags.has("json")) io.out(JSON.stringify(jsonOfInspection(inspection, problems)) + "\n");
  else io.out(textOf(inspection, problems).map((line) => line + "\n").join(""));
  return Promise.resolve(exitCode);
}

/** Damage first: it decides the exit code. */
function problemsOf(inspection: Inspection): Problem[] {
  const { damage, lockProblem, unknown, isCopy, path } = inspection;
  const problems = damage.map((one) => ({ text: describeDamage(one), exitCode: EXIT_DAMAGED }));
  if (lockProblem !== undefined) problems.push({ text: lockProblem, exitCode: EXIT_DAMAGED });
  for (const name of unknown) {
    problems.push({
      text: `${path}/${name}: not a file of drafty's: a start refuses it`,
      exitCode: EXIT_DATA_DIRECTORY,
    });
  }
  if (isCopy) {
    problems.push({
      text: `${path}: is a copy: a start refuses it unless it is told to rejoin`,
      exitCode: EXIT_IDENTITY,
    });
  }
  return problems;
}

function textOf(inspection: Inspection, problems: readonly Problem[]): string[] {
  const { path, owner, segments, snapshots, tear, superfluous, lastIndex, memory } = inspection;
  const whose = owner === undefined ? "" : `, node ${owner.node} of cluster "${owner.clusterId}"`;
  const bytes = [...segments, ...snapshots].reduce((sum, file) => sum + file.bytes, 0);
  const lines = [
    `${path}${whose}: ${counted(segments.length, "segment")}, ${counted(snapshots.length, "snapshot")}, ` +
    `${sizeOf(bytes)}, entries up to ${lastIndex}`,
  ];
  if (tear !== undefined) {
    lines.push(
      `a torn tail of ${tear.bytes} B at byte ${tear.offset} of ${tear.path}: power was lost; a start cuts it`,
    );
  }
  if (superfluous.length > 0) lines.push(`${counted(superfluous.length, "file")} that a start removes`);
  for (const { text } of problems) lines.push(text);
  if (problems.length > 0) {
    const next = memory === "lost" ? `; ${NEXT_AFTER_LOSS}` : "";
    lines.push(`${counted(problems.length, "problem")}${next}`);
  } else lines.push(VERDICTS[memory]);
  return lines;
}

const NEXT_AFTER_LOSS =
  "started again, the node fetches what it lacks from the others, if all of them answer";

const VERDICTS = {
  whole: "every byte is what was written",
  new: "every byte is what was written: the node has promised nothing yet",
  lost: "the directory is whole, and does not hold all that the node promised",
} as const;

function jsonOfInspection(inspection: Inspection, problems: readonly Problem[]): unknown {
  const { path, owner, segments, snapshots, damage, tear, superfluous, unknown, isCopy, lastIndex, memory } =
    inspection;
  return {
    ok: problems.length === 0,
    path,
    ...(owner === undefined ? {} : { cluster: owner.clusterId, node: owner.node }),
    memory,
    lastIndex,
    segments: segments.length,
    snapshots: snapshots.length,
    bytes: [...segments, ...snapshots].reduce((sum, file) => sum + file.bytes, 0),
    damage,
    tear: tear ?? null,
    superfluous,
    unknown,
    isCopy,
    problems: problems.map(({ text }) => text),
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
