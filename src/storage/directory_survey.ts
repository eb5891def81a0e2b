/**
 * What is in a data directory, by name and by header: read once, changed never.
 *
 * @module
 */
import { DataDirectoryError, IdentityError } from "./errors.ts";
import { type DecodedHeader, FILE_HEADER_BYTES, type FileOwner, FORMAT_VERSION } from "./file_header.ts";
import type { FileSystem } from "./file_system.ts";
import { LOCK_FILE_NAME } from "./lock_file.ts";
import {
  contradictionOf,
  decodeSegmentHeader,
  type SegmentHeader,
  segmentSequence,
} from "./segment_format.ts";
import { decodeSnapshotHeader, type SnapshotHeader, snapshotIndex } from "./snapshot_format.ts";

/** The names that files have until they are whole: a segment, a snapshot, one that is received. */
const UNFINISHED_NAME = /^(log-\d{16}\.pack|snapshot-\d{16}\.pack(\.received)?)\.tmp$/;

/** A file by its name, and its header or what is wrong with it. */
interface SurveyedFile<Header> {
  readonly path: string;
  readonly sizeBytes: number;
  readonly header: Header | undefined;
  readonly problem: string | undefined;
  /** The version of a format that this build does not read. */
  readonly otherVersion: number | undefined;
}

export interface SegmentFile extends SurveyedFile<SegmentHeader> {
  readonly sequence: number;
}

export interface SnapshotFile extends SurveyedFile<SnapshotHeader> {
  readonly index: number;
}

export interface Survey {
  /** By sequence, the lowest first. */
  readonly segments: readonly SegmentFile[];
  /** By index, the lowest first. */
  readonly snapshots: readonly SnapshotFile[];
  /** The paths of files that were being made. */
  readonly unfinished: readonly string[];
  /** Names that this build does not know. */
  readonly unknown: readonly string[];
  /** Whose directory it is: as its newest file says that can be read. */
  readonly owner: FileOwner | undefined;
}

export function surveyDirectory(fileSystem: FileSystem, path: string): Survey {
  const names = fileSystem.list(path);
  const segments: SegmentFile[] = [];
  const snapshots: SnapshotFile[] = [];
  const unfinished: string[] = [];
  const unknown: string[] = [];
  for (const name of names) {
    const [sequence, index] = [segmentSequence(name), snapshotIndex(name)];
    if (sequence !== undefined) {
      const file = readHeader(fileSystem, `${path}/${name}`, decodeSegmentHeader);
      segments.push({
        sequence,
        ...withProblem(file, file.header && contradictionOf(file.header, sequence)),
      });
    } else if (index !== undefined) {
      const file = readHeader(fileSystem, `${path}/${name}`, decodeSnapshotHeader);
      snapshots.push({ index, ...withProblem(file, file.header && misnamed(file.header, index)) });
    } else if (UNFINISHED_NAME.test(name)) unfinished.push(`${path}/${name}`);
    else if (name !== LOCK_FILE_NAME) unknown.push(name);
  }
  const owner = (segments.findLast(({ header }) => header !== undefined) ??
    snapshots.findLast(({ header }) => header !== undefined))?.header?.owner;
  return {
    segments: segments.map((file) => withProblem(file, strangeTo(owner, file.header))),
    snapshots: snapshots.map((file) => withProblem(file, strangeTo(owner, file.header))),
    unfinished,
    unknown,
    owner,
  };
}

/**
 * Refuses files of another format, and a directory of another cluster or node.
 *
 * @throws DataDirectoryError, IdentityError
 */
export function checkOwner(survey: Survey, clusterId: string, node: number): void {
  const files = [...survey.segments, ...survey.snapshots];
  const other = files.find(({ otherVersion }) => otherVersion !== undefined);
  if (other !== undefined) {
    throw new DataDirectoryError(
      `${other.path}: format ${other.otherVersion}, this build reads ${FORMAT_VERSION}..${FORMAT_VERSION}: ` +
        "use the build that wrote it",
    );
  }
  for (const { path, header } of files) {
    if (header === undefined) continue;
    if (header.owner.clusterId !== clusterId) {
      throw new IdentityError(
        `${path}: belongs to cluster "${header.owner.clusterId}", this node is of cluster "${clusterId}": ` +
          "use that cluster's configuration or another data directory",
      );
    }
    if (header.owner.node !== node) {
      throw new IdentityError(
        `${path}: belongs to node ${header.owner.node}, this is node ${node}: ` +
          `start node ${header.owner.node} with it or use another data directory`,
      );
    }
  }
}

function readHeader<Header>(
  fileSystem: FileSystem,
  path: string,
  decode: (bytes: Uint8Array) => DecodedHeader<Header>,
): SurveyedFile<Header> {
  const kind = fileSystem.kindOf(path);
  if (kind !== "file") {
    throw new DataDirectoryError(`${path} is not a file but ${KINDS[kind]}: move it elsewhere`);
  }
  const file = fileSystem.openRead(path);
  try {
    const { sizeBytes } = file;
    const bytes = new Uint8Array(FILE_HEADER_BYTES);
    const decoded = decode(bytes.subarray(0, file.read(0, bytes)));
    return {
      path,
      sizeBytes,
      header: decoded.kind === "valid" ? decoded.header : undefined,
      problem: decoded.kind === "invalid" ? decoded.problem : undefined,
      otherVersion: decoded.kind === "otherVersion" ? decoded.version : undefined,
    };
  } finally {
    file.close();
  }
}

const KINDS = {
  directory: "a directory",
  other: "a symbolic link or a special file",
  nothing: "nothing",
} as const;

function withProblem<File extends SurveyedFile<unknown>>(file: File, problem: string | undefined): File {
  return problem === undefined ? file : { ...file, header: undefined, problem };
}

function misnamed({ position }: SnapshotHeader, index: number): string | undefined {
  if (position.index === index) return undefined;
  return `the file is named as the snapshot of entry ${index}, and its header is that of entry ${position.index}`;
}

/** A file that was copied here from another directory of the same node is not a part of this one. */
function strangeTo(
  owner: FileOwner | undefined,
  header: { readonly owner: FileOwner } | undefined,
): string | undefined {
  if (owner === undefined || header === undefined) return undefined;
  if (
    header.owner.clusterId !== owner.clusterId || header.owner.node !== owner.node ||
    header.owner.directoryId.every((byte, at) => byte === owner.directoryId[at])
  ) return undefined;
  return "the file is from another data directory";
}
