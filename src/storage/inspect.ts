/**
 * Looks at a data directory without changing it and without the lock: for people, while the node is down. It reads
 * with the same code as a start, and then on, to see all that is wrong and not only the first of it.
 *
 * @module
 */
import type { DiskMemory } from "../raft/types.ts";
import { findChain } from "./segment_chain.ts";
import { type RecoveredLog, recoverLog, type Tear } from "./recovery.ts";
import { isCopy, memoryOf, restoreNewest } from "./directory_opening.ts";
import { checkOwner, type SegmentFile, type Survey, surveyDirectory } from "./directory_survey.ts";
import type { SnapshotInfo } from "./durable_storage.ts";
import { type Damage, DataDirectoryError } from "./errors.ts";
import type { FileOwner } from "./file_header.ts";
import type { FileSystem } from "./file_system.ts";
import { decodeLockText, LOCK_FILE_NAME } from "./lock_file.ts";
import { decodeRecord, type RecordContent } from "./log_content.ts";
import { SegmentReader } from "./segment_reader.ts";

/** What a start would make of a file. */
export type FileUse = "used" | "notNeeded" | "damaged";

export interface InspectedSegment {
  readonly path: string;
  readonly sequence: number;
  readonly bytes: number;
  readonly use: FileUse;
  /** Undefined where the header cannot be read: `problem` says why. */
  readonly firstIndex: number | undefined;
  readonly baseTerm: number | undefined;
  /** How much of it counts, if a later segment says so. */
  readonly endBytes: number | undefined;
  readonly problem: string | undefined;
}

export interface InspectedSnapshot {
  readonly path: string;
  readonly bytes: number;
  readonly use: FileUse;
  readonly index: number;
  /** Undefined for one that is damaged, or too old to be looked at. */
  readonly info: SnapshotInfo | undefined;
  readonly pages: number;
}

/** A record, or a place where none can be read. */
export type InspectedRecord =
  | {
    readonly kind: "record";
    readonly offset: number;
    readonly bytes: number;
    readonly content: RecordContent;
  }
  /** Nobody was told that it is durable (`torn`), or somebody may have been (`damaged`). */
  | {
    readonly kind: "torn" | "damaged";
    readonly offset: number;
    /** Up to the next record that can be read, or to the end. */
    readonly bytes: number;
    readonly problem: string;
  };

export interface Inspection {
  readonly path: string;
  /** Whose directory it is, as far as a file says so. */
  readonly owner: FileOwner | undefined;
  readonly segments: readonly InspectedSegment[];
  readonly snapshots: readonly InspectedSnapshot[];
  /** All damage that can be seen, in files that are needed. What a start reports is the first. */
  readonly damage: readonly Damage[];
  readonly tear: Tear | undefined;
  /** Files that a start removes: unfinished ones, and those that nothing depends on. */
  readonly superfluous: readonly string[];
  /** Names that make a start refuse the directory. */
  readonly unknown: readonly string[];
  /** What is wrong with the text of the lock file: it misleads, but nothing depends on it. */
  readonly lockProblem: string | undefined;
  /** Whether the directory is a copy: a start refuses it, unless it is told to rejoin. */
  readonly isCopy: boolean;
  /** The last entry that can be relied on, and the hard state. */
  readonly lastIndex: number;
  readonly hardState: RecoveredLog["hardState"];
  /** What a start would find. */
  readonly memory: DiskMemory;
  /** The records of a segment, in order, past damage as well. Without a header there are none. */
  records(segment: InspectedSegment): Iterable<InspectedRecord>;
}

/** @throws DataDirectoryError for what is no data directory of this format; FileSystemError */
export function inspectDirectory(fileSystem: FileSystem, path: string): Inspection {
  const kind = fileSystem.kindOf(path);
  if (kind !== "directory") {
    const what = { file: "a file", other: "a symbolic link or a special file", nothing: "not there" }[kind];
    throw new DataDirectoryError(
      `data directory ${path} is ${what}: name the directory of one node, as DIR/N`,
    );
  }
  const survey = surveyDirectory(fileSystem, path);
  checkOwner(survey, survey.owner?.clusterId ?? "", survey.owner?.node ?? 0);
  const counter = new PageCounter();
  const newest = survey.snapshots.at(-1);
  const restored = restoreNewest(fileSystem, newest, counter);
  const log = recoverLog(
    fileSystem,
    path,
    survey.segments,
    restored.info ?? { index: 0, term: 0 },
    newest !== undefined,
  );
  const lastIndex = log.base.index + log.entries.length;
  const firstDamage = restored.damage === undefined
    ? log.damage
    : { ...restored.damage, index: lastIndex + 1 };
  const segments = inspectSegments(path, survey, newest?.index ?? 0);
  const damage = allDamage(fileSystem, survey, segments, firstDamage, log);
  const isUsed = (file: { readonly use: FileUse }) => file.use !== "notNeeded";
  const snapshots = survey.snapshots.map((file): InspectedSnapshot => ({
    path: file.path,
    bytes: file.sizeBytes,
    use: file !== newest ? "notNeeded" : restored.damage === undefined ? "used" : "damaged",
    index: file.index,
    info: file === newest ? restored.info : undefined,
    pages: file === newest ? counter.pages : 0,
  }));
  return {
    path,
    owner: survey.owner,
    segments,
    snapshots,
    damage,
    tear: firstDamage === undefined ? log.tear : undefined,
    superfluous: [
      ...survey.unfinished,
      ...[...segments, ...snapshots].filter((file) => !isUsed(file)).map((file) => file.path),
    ],
    unknown: survey.unknown,
    lockProblem: lockProblemOf(fileSystem, path),
    isCopy: isCopy(survey.owner, placeOf(fileSystem, path)),
    lastIndex,
    hardState: log.hardState,
    memory: memoryOf(log, firstDamage, newest !== undefined, {}),
    records: (segment) => recordsOf(fileSystem, survey, segment),
  };
}

/** Takes in pages and only counts them. */
class PageCounter {
  pages = 0;

  restore(pages: Iterable<Uint8Array>): void {
    this.pages = 0;
    for (const _ of pages) this.pages++;
  }
}

/** A damaged snapshot counts here: that segments before it are gone is no damage of its own. */
function inspectSegments(directory: string, survey: Survey, snapshotIndex: number): InspectedSegment[] {
  const chain = findChain(directory, survey.segments, snapshotIndex);
  const inChain = new Set(chain.segments.map(({ sequence }) => sequence));
  const lowest = chain.segments[0]?.sequence ?? 0;
  return survey.segments.map((file) => ({
    path: file.path,
    sequence: file.sequence,
    bytes: file.sizeBytes,
    // Above a break nothing tells what is needed.
    use: inChain.has(file.sequence)
      ? "used"
      : chain.break !== undefined && file.sequence > lowest
      ? "damaged"
      : "notNeeded",
    firstIndex: file.header?.firstIndex,
    baseTerm: file.header?.baseTerm,
    endBytes: chain.segments.find(({ header }) => header.previousSequence === file.sequence)?.header
      .previousBytes,
    problem: file.problem,
  }));
}

/** What a start finds first, and what else is wrong in the segments that it would have to read. */
function allDamage(
  fileSystem: FileSystem,
  survey: Survey,
  segments: readonly InspectedSegment[],
  first: Damage | undefined,
  log: RecoveredLog,
): Damage[] {
  const found = first === undefined ? [] : [first];
  for (const segment of segments) {
    if (segment.use === "notNeeded") continue;
    let index = segment.firstIndex ?? log.base.index + log.entries.length + 1;
    if (segment.problem !== undefined) {
      found.push({ path: segment.path, offset: 0, index, problem: segment.problem });
    }
    for (const record of recordsOf(fileSystem, survey, segment)) {
      if (record.kind === "record") {
        if (record.content.type === "entry") index = record.content.entry.index + 1;
      } else if (record.kind === "damaged") {
        found.push({ path: segment.path, offset: record.offset, index, problem: record.problem });
      }
    }
  }
  return found.filter((one, at) =>
    found.findIndex(({ path, offset }) => path === one.path && offset === one.offset) === at
  );
}

function* recordsOf(
  fileSystem: FileSystem,
  survey: Survey,
  segment: InspectedSegment,
): Generator<InspectedRecord> {
  const file: SegmentFile | undefined = survey.segments.find(({ sequence }) => sequence === segment.sequence);
  if (file?.header === undefined) return;
  const reader = new SegmentReader(fileSystem.read(file.path), file.header, segment.endBytes);
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const { offset } = record;
    if (record.kind === "fault") {
      const { kind, problem } = record.fault;
      reader.skipFault();
      yield { kind, offset, bytes: reader.offset - offset, problem };
      if (reader.isAtEnd) return;
      continue;
    }
    const bytes = record.end - offset;
    try {
      yield { kind: "record", offset, bytes, content: decodeRecord(record.type, record.body) };
    } catch (error) {
      yield {
        kind: "damaged",
        offset,
        bytes,
        problem: error instanceof Error ? error.message : String(error),
      };
    }
  }
}

function placeOf(fileSystem: FileSystem, path: string): number {
  const lockPath = `${path}/${LOCK_FILE_NAME}`;
  return fileSystem.kindOf(lockPath) === "file" ? fileSystem.identityOf(lockPath) ?? 0 : 0;
}

function lockProblemOf(fileSystem: FileSystem, path: string): string | undefined {
  const lockPath = `${path}/${LOCK_FILE_NAME}`;
  if (fileSystem.kindOf(lockPath) !== "file") return undefined;
  if (decodeLockText(fileSystem.read(lockPath)) !== undefined) return undefined;
  return `${lockPath}: the text is not one that a node writes`;
}
