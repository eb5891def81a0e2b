/**
 * Which segments make up the log: from the newest one down, each header names the one before it.
 *
 * Segments that are not in the chain are void: a crash may bring back files whose removal was not durable, in any
 * selection, and a repair or a log that begins anew leaves files behind. A segment is superfluous, and not asked for,
 * if the next one begins at or before the entry after the snapshot.
 *
 * Where the chain breaks, at a needed segment that is missing or has no valid header, all above the break is lost, and
 * what is below it is looked at as if it were the end: it is a state that the log once had.
 *
 * @module
 */
import type { SegmentFile } from "./directory_survey.ts";
import { segmentName } from "./segment_format.ts";

/** Where the chain breaks: the lowest place, so that all below is sound as far as headers tell. */
export interface Break {
  readonly path: string;
  readonly problem: string;
}

export interface SegmentChain {
  /** The oldest first; each follows the one before it. Empty if there is none that can be read. */
  readonly segments: readonly ChainedSegment[];
  readonly break: Break | undefined;
}

export interface ChainedSegment extends SegmentFile {
  readonly header: NonNullable<SegmentFile["header"]>;
}

/** @param files all segments of a directory, by sequence */
export function findChain(
  directory: string,
  files: readonly SegmentFile[],
  snapshotIndex: number,
): SegmentChain {
  let segments: ChainedSegment[] = [];
  let lowestBreak: Break | undefined;
  let file = files.at(-1);
  while (file !== undefined) {
    const { header, sequence } = file;
    if (header === undefined) {
      lowestBreak = { path: file.path, problem: file.problem ?? "the header cannot be read" };
      segments = [];
      file = files.findLast((lower) => lower.sequence < sequence);
      continue;
    }
    segments.unshift({ ...file, header });
    const { previousSequence } = header;
    if (previousSequence === 0 || header.firstIndex <= snapshotIndex + 1) break;
    const previous = files.find((lower) => lower.sequence === previousSequence);
    if (previous === undefined) {
      const path = `${directory}/${segmentName(previousSequence)}`;
      lowestBreak = { path, problem: `segment ${previousSequence} is missing` };
      segments = [];
      file = files.findLast((lower) => lower.sequence < previousSequence);
    } else file = previous;
  }
  return { segments, break: lowestBreak };
}
