/**
 * `drafty log DIR`: what is in a node's data directory, record by record. It changes nothing and takes no lock.
 *
 * @module
 */
import { decodeCommand } from "../kv/mod.ts";
import { DenoFileSystem } from "../driver/mod.ts";
import {
  inspectDirectory,
  type InspectedRecord,
  type InspectedSegment,
  type Inspection,
} from "../storage/inspect.ts";
import type { Arguments } from "./arguments.ts";
import { directoryOf } from "./data_directory_argument.ts";
import { UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { jsonOf, keyJsonOf, lineOf, sizeOf } from "./render.ts";

type RecordContent = Extract<InspectedRecord, { kind: "record" }>["content"];
type Entry = Extract<RecordContent, { type: "entry" }>["entry"];

/** Which entries are shown. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** More of a value is of no use to a reader of lines. */
const MAX_SHOWN_BYTES = 60;
/** Lines are written together: one write each would take most of the time. */
const LINES_AT_ONCE = 500;

export function runLog(given: Arguments, io: CliIo): Promise<number> {
  const range = rangeOf(given);
  const inspection = inspectDirectory(new DenoFileSystem(), directoryOf("log", given));
  const lines = given.flags.has("json") ? jsonLines(inspection, range) : textLines(inspection, range);
  let waiting: string[] = [];
  for (const line of lines) {
    waiting.push(line);
    if (waiting.length < LINES_AT_ONCE) continue;
    io.out(waiting.join("\n") + "\n");
    waiting = [];
  }
  if (waiting.length > 0) io.out(waiting.join("\n") + "\n");
  return Promise.resolve(inspection.damage.length > 0 ? EXIT_DAMAGED : 0);
}

const EXIT_DAMAGED = 5;

function rangeOf(given: Arguments): Range {
  const index = (name: string, otherwise: number) => {
    const text = given.values.get(name);
    if (text === undefined) return otherwise;
    if (!/^[1-9]\d{0,15}$/.test(text)) {
      throw new UsageError(`--${name} ${text} is not the index of an entry; give a whole number from 1`);
    }
    return Number(text);
  };
  const range = { from: index("from", 1), to: index("to", Infinity) };
  if (range.from > range.to) {
    throw new UsageError(`--from ${range.from} is after --to ${range.to}; give a range that is not empty`);
  }
  return range;
}

// ---------------------------------------------------------------------------------------- for people

function* textLines(inspection: Inspection, range: Range): Generator<string> {
  const { owner, hardState, snapshots, segments, tear, damage, lastIndex } = inspection;
  const whose = owner === undefined
    ? "nobody's, as far as can be read"
    : `node ${owner.node} of cluster "${owner.clusterId}"`;
  yield `${inspection.path}: ${whose}; term ${hardState.currentTerm}, ${
    hardState.votedFor === 0 ? "no vote" : `vote for node ${hardState.votedFor}`
  }, entries up to ${lastIndex}`;
  for (const { path, index, bytes, use } of snapshots) {
    yield `${nameOf(path)}: a snapshot up to entry ${index}, ${sizeOf(bytes)}${noteOfUse(use)}`;
  }
  for (const segment of segments) {
    yield* textOfSegment(segment, inspection.records(segment), range);
  }
  for (const path of inspection.superfluous) {
    yield `${nameOf(path)}: nothing depends on it; a start removes it`;
  }
  if (tear !== undefined) {
    yield `${
      nameOf(tear.path)
    }: ends in a torn tail of ${tear.bytes} B at byte ${tear.offset}, which a start cuts: ${tear.problem}`;
  }
  for (const { path, offset, index, problem } of damage) {
    yield `${nameOf(path)}: DAMAGED at byte ${offset}, from entry ${index} on: ${problem}`;
  }
}

function* textOfSegment(
  segment: InspectedSegment,
  records: Iterable<InspectedRecord>,
  range: Range,
): Generator<string> {
  const { path, sequence, firstIndex, bytes, use, problem } = segment;
  const from = firstIndex === undefined ? problem ?? "unreadable" : `from entry ${firstIndex} on`;
  yield `${nameOf(path)}: segment ${sequence}, ${from}, ${sizeOf(bytes)}${noteOfUse(use)}`;
  for (const record of records) {
    if (isShown(record, range)) yield `  ${String(record.offset).padStart(10)}  ${textOfRecord(record)}`;
  }
}

function textOfRecord(record: InspectedRecord): string {
  if (record.kind !== "record") return `${record.kind.toUpperCase()} ${record.bytes} B: ${record.problem}`;
  const { content } = record;
  switch (content.type) {
    case "hardState": {
      const { currentTerm, votedFor, rejoinTerm } = content.hardState;
      const rejoin = rejoinTerm === undefined ? "" : `, rejoined in term ${rejoinTerm}`;
      return `term ${currentTerm}, ${votedFor === 0 ? "no vote" : `vote for node ${votedFor}`}${rejoin}`;
    }
    case "sealed":
      return `stopped in good order after entry ${content.lastIndex}`;
    case "entry":
      return `entry ${content.entry.index} of term ${content.entry.term}: ${textOfEntry(content.entry)}`;
  }
}

function textOfEntry(entry: Entry): string {
  if (entry.kind === "noop") return "no-op";
  const command = commandOf(entry);
  if (command === undefined) return `${entry.data.length} B that are no command`;
  const { kind, key, value, clientId, sequence } = command;
  const what = kind === "put" ? `put ${cut(key)} = ${cut(value)}` : `delete ${cut(key)}`;
  return `${what} (write ${sequence} of ${clientId.toHex()})`;
}

function cut(bytes: Uint8Array): string {
  const text = lineOf(bytes.subarray(0, MAX_SHOWN_BYTES));
  return bytes.length > MAX_SHOWN_BYTES ? `${text}… (${bytes.length} B)` : text;
}

function noteOfUse(use: InspectedSegment["use"]): string {
  return { used: "", notNeeded: " (not needed any more)", damaged: " (cannot be relied on)" }[use];
}

// -------------------------------------------------------------------------------------- for programs

function* jsonLines(inspection: Inspection, range: Range): Generator<string> {
  const { path, owner, memory, lastIndex, hardState, snapshots, segments } = inspection;
  const whose = owner === undefined ? {} : { cluster: owner.clusterId, node: owner.node };
  yield JSON.stringify({ kind: "directory", path, ...whose, memory, lastIndex, ...hardState });
  for (const { info, ...snapshot } of snapshots) {
    yield JSON.stringify({
      kind: "snapshot",
      ...snapshot,
      ...(info === undefined ? {} : { term: info.term }),
    });
  }
  for (const segment of segments) {
    yield JSON.stringify({ kind: "segment", ...segment });
    for (const record of inspection.records(segment)) {
      if (isShown(record, range)) yield JSON.stringify(jsonOfRecord(record));
    }
  }
  for (const file of inspection.superfluous) yield JSON.stringify({ kind: "superfluous", path: file });
  if (inspection.tear !== undefined) yield JSON.stringify({ kind: "tear", ...inspection.tear });
  for (const one of inspection.damage) yield JSON.stringify({ kind: "damage", ...one });
}

function jsonOfRecord(record: InspectedRecord): unknown {
  if (record.kind !== "record") return record;
  const { offset, bytes, content } = record;
  const place = { offset, bytes };
  if (content.type === "hardState") return { kind: "hardState", ...place, ...content.hardState };
  if (content.type === "sealed") return { kind: "sealed", ...place, lastIndex: content.lastIndex };
  const { index, term } = content.entry;
  return { kind: "entry", ...place, index, term, ...jsonOfEntry(content.entry) };
}

function jsonOfEntry(entry: Entry): Readonly<Record<string, unknown>> {
  if (entry.kind === "noop") return { entry: "noop" };
  const command = commandOf(entry);
  if (command === undefined) return { entry: "unknown", data: { hex: entry.data.toHex() } };
  const { kind, key, value, clientId, sequence, answeredUpTo } = command;
  const write = { entry: kind, key: keyJsonOf(key), ...(kind === "put" ? { value: jsonOf(value) } : {}) };
  return { ...write, client: clientId.toHex(), sequence, answeredUpTo };
}

// ---------------------------------------------------------------------------------------------- both

/** All but entries outside of the range. */
function isShown(record: InspectedRecord, { from, to }: Range): boolean {
  if (record.kind !== "record" || record.content.type !== "entry") return true;
  const { index } = record.content.entry;
  return index >= from && index <= to;
}

function commandOf(entry: Entry): ReturnType<typeof decodeCommand> | undefined {
  try {
    return decodeCommand(entry.data);
  } catch {
    return undefined; // a newer version's, or nobody's: its bytes are all that can be said
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
