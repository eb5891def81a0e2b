/**
 * Puts the log of a directory together: the chain of its segments, what their records add up to, and whether that
 * fits the snapshot. Nothing is changed here.
 *
 * The log is one of these:
 * - *whole*: it can go on where it ends, perhaps after a torn tail has been cut;
 * - *superseded*: it does not reach the snapshot, or holds another entry where the snapshot ends, because the node
 *   stopped between the snapshot and the segment with which the log begins anew. It begins anew now;
 * - *damaged*: only what is before the damage can be relied on. The log goes on behind that in a new segment, whose
 *   header declares everything else void.
 *
 * @module
 */
import type { Entry, HardState, LogPosition } from "../raft/types.ts";
import { type ChainedSegment, findChain } from "./segment_chain.ts";
import type { SegmentFile } from "./directory_survey.ts";
import type { Damage } from "./errors.ts";
import type { FileSystem } from "./file_system.ts";
import { LogContent } from "./log_content.ts";
import { replaySegment, SegmentReader } from "./segment_reader.ts";
import { segmentName } from "./segment_format.ts";

export const NO_POSITION: LogPosition = { index: 0, term: 0 };

/** A tail that a power loss tore off the last batch. */
export interface Tear {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly problem: string;
}

/** The segment in which the valid part of a log ends. */
export interface LogEnd {
  readonly segment: ChainedSegment;
  readonly endBytes: number;
  readonly crc: number;
  /** The index and the term of the last entry. */
  readonly position: LogPosition;
}

export interface RecoveredLog {
  readonly hardState: HardState;
  readonly hasHardState: boolean;
  readonly base: LogPosition;
  readonly entries: readonly Entry[];
  /** The segments that hold this, the oldest first. */
  readonly segments: readonly ChainedSegment[];
  /** Where it can be continued; undefined if it has to begin anew after `base`. */
  readonly end: LogEnd | undefined;
  readonly isSealed: boolean;
  readonly tear: Tear | undefined;
  readonly damage: Damage | undefined;
}

/**
 * @param files all segments of the directory, by sequence
 * @param snapshot what the state was restored from, or 0 and 0
 * @param expectsLog whether there must be a log: there is a snapshot, which nobody has without one
 */
export function recoverLog(
  fileSystem: FileSystem,
  directory: string,
  files: readonly SegmentFile[],
  snapshot: LogPosition,
  expectsLog: boolean,
): RecoveredLog {
  const chain = findChain(directory, files, snapshot.index);
  const replayed = replayChain(fileSystem, chain.segments, snapshot);
  const { content } = replayed;
  let found = replayed.found ?? (chain.break && { ...chain.break, offset: 0 });
  if (files.length === 0 && expectsLog) {
    found = { path: `${directory}/${segmentName(1)}`, offset: 0, problem: "there is a snapshot and no log" };
  }
  const [first] = chain.segments;
  if (first !== undefined && content.base.index > snapshot.index) {
    const problem = `the log begins at entry ${
      content.base.index + 1
    }, and no snapshot holds those before it`;
    found = { path: first.path, offset: 0, problem };
  }
  const isUsable = content.base.index <= snapshot.index && content.termAt(snapshot.index) === snapshot.term;
  const lastIndex = isUsable ? content.lastIndex : snapshot.index;
  return {
    hardState: content.hardState,
    hasHardState: content.hasHardState,
    base: isUsable ? content.base : snapshot,
    entries: isUsable ? content.entries : [],
    segments: isUsable ? replayed.segments : [],
    end: isUsable ? replayed.end : undefined,
    isSealed: content.isSealed && replayed.tear === undefined,
    tear: replayed.tear,
    damage: found && { ...found, index: lastIndex + 1 },
  };
}

interface Replayed {
  readonly content: LogContent;
  readonly segments: readonly ChainedSegment[];
  readonly end: LogEnd | undefined;
  readonly tear: Tear | undefined;
  readonly found: Omit<Damage, "index"> | undefined;
}

function replayChain(
  fileSystem: FileSystem,
  chain: readonly ChainedSegment[],
  snapshot: LogPosition,
): Replayed {
  const base = chain[0] === undefined ? snapshot : baseOf(chain[0]);
  const content = new LogContent(base);
  const segments: ChainedSegment[] = [];
  let end: LogEnd | undefined;
  for (const [at, segment] of chain.entries()) {
    const problem = end === undefined ? undefined : misfit(segment, end);
    if (problem !== undefined) {
      return { content, segments, end, tear: undefined, found: { path: segment.path, offset: 0, problem } };
    }
    const bytes = fileSystem.read(segment.path);
    const next = chain[at + 1]?.header;
    const { endBytes, crc, fault } = replaySegment(
      new SegmentReader(bytes, segment.header, next?.previousBytes),
      content,
    );
    segments.push(segment);
    end = { segment, endBytes, crc, position: { index: content.lastIndex, term: content.lastTerm } };
    const { path } = segment;
    if (fault?.kind === "torn") {
      const tear = { path, offset: endBytes, bytes: bytes.length - endBytes, problem: fault.problem };
      return { content, segments, end, tear, found: undefined };
    }
    if (fault !== undefined) {
      return {
        content,
        segments,
        end,
        tear: undefined,
        found: { path, offset: endBytes, problem: fault.problem },
      };
    }
  }
  return { content, segments, end, tear: undefined, found: undefined };
}

/** Why a segment does not follow what was read so far, though its header says that it does. */
function misfit({ header }: ChainedSegment, end: LogEnd): string | undefined {
  const { index, term } = end.position;
  if (header.previousCrc !== end.crc) return "the header does not follow the last record before it";
  if (header.firstIndex === index + 1 && header.baseTerm === term) return undefined;
  return `the header follows entry ${header.firstIndex - 1} of term ${header.baseTerm}, ` +
    `but the log before it ends at entry ${index} of term ${term}`;
}

function baseOf({ header }: ChainedSegment): LogPosition {
  return { index: header.firstIndex - 1, term: header.baseTerm };
}
