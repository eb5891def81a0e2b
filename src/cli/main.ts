/**
 * The command line: finds the command, parses its arguments, runs it, and turns what went wrong into one line and an
 * exit code.
 *
 * @module
 */
import { parseArguments } from "./arguments.ts";
import { type Command, COMMANDS, NODE_COMMAND } from "./commands.ts";
import { endOfError, suggestion, UsageError } from "./errors.ts";
import { helpOf, overview } from "./help.ts";
import { type CliIo, ClosedPipe } from "./io.ts";
import { VERSION } from "./version.ts";

/** Runs drafty with these arguments. Resolves to the exit code; never rejects. */
export async function main(args: readonly string[], io: CliIo): Promise<number> {
  try {
    return await run(args, io);
  } catch (error) {
    if (error instanceof ClosedPipe) return 0;
    const { exitCode, message } = endOfError(error);
    io.err(`drafty: ${message}\n`);
    return exitCode;
  }
}

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      io.err(overview());
      return new UsageError().exitCode;
    case "--version":
    case "-V":
      refuseMore(first, rest);
      io.out(`drafty ${VERSION}\n`);
      return 0;
    case "--help":
    case "-h":
    case "help":
      io.out(await helpText(rest));
      return 0;
  }
  const isNode = first.startsWith("-");
  const command = isNode ? NODE_COMMAND : await commandNamed(first);
  const given = await parseArguments(isNode ? args : rest, command.options);
  if (given.flags.has("help")) {
    io.out(helpOf(command));
    return 0;
  }
  return await (await command.load())(given, io);
}

async function helpText(topics: readonly string[]): Promise<string> {
  const [topic, ...more] = topics;
  if (topic === undefined) return overview();
  refuseMore(`help ${topic}`, more);
  if (topic === "node" || topic === NODE_COMMAND.name) return helpOf(NODE_COMMAND);
  if (await isClientAction(topic)) return helpOf(await commandNamed("client"));
  return helpOf(await commandNamed(topic));
}

async function commandNamed(name: string): Promise<Command> {
  const command = COMMANDS.find((command) => command.name === name);
  if (command !== undefined) return command;
  if (name === "node") throw new UsageError("node is an option: drafty --node N");
  if (await isClientAction(name)) {
    throw new UsageError(`${name} is a command of the client: drafty client ${name}`);
  }
  const near = await suggestion(name, [...COMMANDS.map((command) => command.name), "help"]);
  throw new UsageError(`unknown command ${name}${near || "; see drafty help"}`);
}

async function isClientAction(name: string): Promise<boolean> {
  const { CLIENT_ACTION_NAMES } = await import("./client_actions.ts");
  return CLIENT_ACTION_NAMES.includes(name);
}

function refuseMore(after: string, more: readonly string[]): void {
  if (more[0] !== undefined) throw new UsageError(`unexpected "${more[0]}" after ${after}; leave it out`);
}
