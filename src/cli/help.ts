/**
 * Help texts, made from the table of commands.
 *
 * @module
 */
import { HELP_OPTION } from "./arguments.ts";
import { type Command, COMMANDS, NODE_COMMAND } from "./commands.ts";
import { VERSION } from "./version.ts";

/** What `drafty help` prints. */
export function overview(): string {
  const names = [NODE_COMMAND, ...COMMANDS].map((command) => [
    command === NODE_COMMAND ? "--node N" : command.name,
    command.summary,
  ]);
  const rows = [...names, ["help [COMMAND]", "explain a command, with examples"], [
    "--version",
    "print the version",
  ]];
  return `drafty ${VERSION}, a key-value server that is replicated by Raft

Usage: drafty COMMAND

${table(rows)}

To begin with:
  drafty demo
  drafty help client
`;
}

/** What `drafty help COMMAND` prints. */
export function helpOf(command: Command): string {
  const options = [...command.options, HELP_OPTION].map((option) => [
    `--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`,
    option.summary,
  ]);
  const parts = [
    `drafty ${command.name}: ${command.summary}`,
    `Usage:\n${command.usage.map((line) => `  drafty ${line}`).join("\n")}`,
    `Options:\n${table(options)}`,
    ...(command.details === undefined ? [] : [command.details]),
    `Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`,
  ];
  return parts.join("\n\n") + "\n";
}

function table(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left]) => (left ?? "").length));
  return rows.map(([left, right]) => `  ${(left ?? "").padEnd(width)}  ${right}`).join("\n");
}
