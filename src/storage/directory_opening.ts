/**
 * What happens between the lock of a directory and the first batch: whose it is, what it holds, and from where the
 * log goes on.
 *
 * A directory that is sound is tidied up: files that the chain of segments and the newest snapshot make superfluous
 * are removed, a torn tail is cut. One that is damaged, or a copy, or superseded, is left exactly as it is until the
 * first batch begins a new segment: that is one rename, and a stop before it finds everything as it was.
 *
 * @module
 */
import type { DiskMemory, LogPosition, Recovered } from "../raft/types.ts";
import { NO_POSITION, type RecoveredLog, recoverLog } from "./recovery.ts";
import { checkOwner, type SnapshotFile, type Survey, surveyDirectory } from "./directory_survey.ts";
import { type DiskGuard } from "./disk_guard.ts";
import type { RestorableState, SnapshotInfo } from "./durable_storage.ts";
import { type Damage, DataDirectoryError, IdentityError } from "./errors.ts";
import type { FileOwner } from "./file_header.ts";
import type { AppendFile, FileSystem } from "./file_system.ts";
import { LOCK_FILE_NAME } from "./lock_file.ts";
import { encodeSegmentHeader } from "./segment_format.ts";
import { restoreFrom, SnapshotFiles } from "./snapshot_files.ts";
import { SnapshotDamage } from "./snapshot_reader.ts";
import { type LogSettings, type OpenSegment, publishSegment, WriteAheadLog } from "./write_ahead_log.ts";

/** How large a segment is unless said otherwise. */
export const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

export interface OpenOptions {
  /** Draws the 16 random bytes that tell a directory from all others; called when one is made. */
  readonly drawId: () => Uint8Array;
  /** A segment that has reached this size is followed by a new one. */
  readonly segmentBytes?: number;
  /** The operator vouches that no node of the cluster has ever run: an empty directory has forgotten nothing. */
  readonly isNewCluster?: boolean;
  /** The operator knows that the directory has forgotten something: it is a copy, or from a backup. */
  readonly isRejoining?: boolean;
}

/** What was found when a directory was opened. */
export interface RecoveryReport {
  readonly path: string;
  /** Whether the directory was made just now. */
  readonly created: boolean;
  /** How many segments the log consists of. */
  readonly segments: number;
  readonly logBytes: number;
  /** The bytes of a torn tail that were cut, or 0; why; and the last entry before them. */
  readonly cutBytes: number;
  readonly tear: string | undefined;
  readonly cutAfterIndex: number;
  /** Whether the node stopped in good order the last time. */
  readonly sealed: boolean;
  readonly damage: Damage | undefined;
  readonly snapshot: SnapshotInfo | undefined;
  /** The paths of files that nothing depends on: removed, or to be removed with the first batch. */
  readonly dropped: readonly string[];
}

/** The parts of an open directory. */
export interface OpenedDirectory {
  readonly recovered: Recovered;
  readonly report: RecoveryReport;
  readonly log: WriteAheadLog;
  readonly snapshots: SnapshotFiles;
}

/** @throws StorageError, FileSystemError */
export function openDirectory(
  fileSystem: FileSystem,
  guard: DiskGuard,
  path: string,
  identity: { readonly clusterId: string; readonly node: number },
  options: OpenOptions,
  state: RestorableState,
): OpenedDirectory {
  const place = fileSystem.identityOf(`${path}/${LOCK_FILE_NAME}`) ?? 0;
  let survey = surveyDirectory(fileSystem, path);
  checkNames(path, survey);
  checkOwner(survey, identity.clusterId, identity.node);
  if (options.isRejoining !== true) checkPlace(path, survey, place, identity.node);
  for (const unfinished of survey.unfinished) fileSystem.remove(unfinished);
  // A process that was killed may have renamed files and not come so far as to make that durable. And the lock file
  // must be there to stay before the first file that names it.
  fileSystem.syncDirectory(path);
  const owner = { ...identity, place, directoryId: survey.owner?.directoryId ?? options.drawId() };
  const segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
  const settings: LogSettings = { fileSystem, guard, directory: path, owner, segmentBytes };
  const created = survey.segments.length === 0 && survey.snapshots.length === 0;
  if (created) {
    publishSegment(settings, 1, firstHeader(owner));
    survey = surveyDirectory(fileSystem, path);
  }
  const newest = survey.snapshots.at(-1);
  const restored = restoreNewest(fileSystem, newest, state);
  const snapshot: LogPosition = restored.info ?? NO_POSITION;
  const log = recoverLog(fileSystem, path, survey.segments, snapshot, newest !== undefined);
  const damage = restored.damage === undefined
    ? log.damage
    : { ...restored.damage, index: log.base.index + log.entries.length + 1 };
  const memory = memoryOf(log, damage, newest !== undefined, options);
  const mustBegin = memory === "lost" || log.end === undefined;
  const garbage = garbageOf(survey, log, restored.info);
  const writeAheadLog = new WriteAheadLog(settings, {
    hardState: log.hardState,
    last: { index: log.end?.position.index ?? log.base.index, term: log.end?.position.term ?? log.base.term },
    closed: log.segments.filter(({ sequence }) => sequence !== log.end?.segment.sequence).map((
      segment,
      at,
    ) => ({
      path: segment.path,
      firstIndex: segment.header.firstIndex,
      bytes: log.segments[at + 1]?.header.previousBytes ?? segment.sizeBytes,
    })),
    current: openCurrent(fileSystem, log, damage !== undefined),
    // Where there is no segment at all, the first one is lost, and its name is not used again.
    highestSequence: survey.segments.at(-1)?.sequence ?? 1,
    mustBegin,
    mustRejoin: memory === "lost",
    voided: mustBegin ? garbage : [],
  });
  if (!mustBegin) { for (const one of garbage) guard.removeIfPossible(() => fileSystem.remove(one)); }
  const isVouchedFor = memory === "new" && options.isNewCluster === true;
  if (isVouchedFor) {
    writeAheadLog.append({ sequence: 0, hardState: log.hardState, entries: [] });
    writeAheadLog.sync();
  }
  return {
    recovered: {
      hardState: log.hardState,
      snapshot: { index: snapshot.index, term: snapshot.term },
      base: { index: log.base.index, term: log.base.term },
      entries: log.entries,
      memory: isVouchedFor ? "whole" : memory,
    },
    report: {
      path,
      created,
      segments: writeAheadLog.segmentCount,
      logBytes: writeAheadLog.sizeBytes,
      cutBytes: damage === undefined ? log.tear?.bytes ?? 0 : 0,
      tear: damage === undefined ? log.tear?.problem : undefined,
      cutAfterIndex: writeAheadLog.lastIndex,
      sealed: log.isSealed,
      damage,
      snapshot: restored.info,
      dropped: garbage,
    },
    log: writeAheadLog,
    snapshots: new SnapshotFiles({ fileSystem, guard, directory: path, owner }, writeAheadLog, restored.info),
  };
}

function checkNames(path: string, { unknown: [unknown] }: Survey): void {
  if (unknown === undefined) return;
  throw new DataDirectoryError(
    `data directory ${path} holds "${unknown}", which this build does not know: ` +
      "move it elsewhere, use another data directory, or use the build that made it",
  );
}

/** Refuses a copy. Only the newest file is asked: a copy that has rejoined has made a file of its own. */
function checkPlace(path: string, { owner }: Survey, place: number, node: number): void {
  if (!isCopy(owner, place)) return;
  throw new IdentityError(
    `data directory ${path} is a copy: its lock file is not the one it was made with. A copy must not run beside ` +
      "its original, and a backup has forgotten what came after it: start the original, or, if that is gone for " +
      `good, start this one with "drafty --node ${node} --rejoin"`,
  );
}

/** Whether the files were made in another place than the one they are in. */
export function isCopy(owner: FileOwner | undefined, place: number): boolean {
  return owner !== undefined && owner.place !== 0 && place !== 0 && owner.place !== place;
}

/** The one segment that begins without a hard state: a node that has promised nothing yet has none. */
function firstHeader(owner: FileOwner): Uint8Array {
  return encodeSegmentHeader({
    owner,
    sequence: 1,
    firstIndex: 1,
    baseTerm: 0,
    previousSequence: 0,
    previousBytes: 0,
    previousCrc: 0,
  });
}

/** Brings the state to a snapshot, or to the beginning if there is none or it is damaged. */
export function restoreNewest(
  fileSystem: FileSystem,
  newest: SnapshotFile | undefined,
  state: RestorableState,
): { readonly info: SnapshotInfo | undefined; readonly damage: Omit<Damage, "index"> | undefined } {
  const fail = (damage: Omit<Damage, "index"> | undefined) => {
    state.restore([]);
    return { info: undefined, damage };
  };
  if (newest === undefined) return fail(undefined);
  const { path, header, problem } = newest;
  if (header === undefined) return fail({ path, offset: 0, problem: problem ?? "the header cannot be read" });
  const file = fileSystem.openRead(path);
  try {
    return { info: { ...header.position, ...restoreFrom(file, state) }, damage: undefined };
  } catch (error) {
    if (error instanceof SnapshotDamage) return fail({ path, offset: error.offset, problem: error.message });
    throw error;
  } finally {
    file.close();
  }
}

/** What a directory remembers of its node's past. */
export function memoryOf(
  log: RecoveredLog,
  damage: Damage | undefined,
  hasSnapshot: boolean,
  { isRejoining }: Pick<OpenOptions, "isRejoining">,
): DiskMemory {
  if (damage !== undefined || isRejoining === true) return "lost";
  return log.hasHardState || hasSnapshot ? "whole" : "new";
}

/** Files that are not a part of what was recovered. */
function garbageOf(survey: Survey, log: RecoveredLog, snapshot: SnapshotInfo | undefined): string[] {
  const used = new Set(log.segments.map(({ sequence }) => sequence));
  return [
    ...survey.segments.filter(({ sequence }) => !used.has(sequence)),
    ...survey.snapshots.filter(({ index }) => index !== snapshot?.index),
  ].map(({ path }) => path);
}

/** Opens the segment in which the log ends, without a torn tail, and durable: a killed process may not have synced it. */
function openCurrent(
  fileSystem: FileSystem,
  { end, tear, isSealed }: RecoveredLog,
  isDamaged: boolean,
): OpenSegment | undefined {
  if (end === undefined) return undefined;
  const { segment: { path, sequence, header: { firstIndex } }, endBytes, crc } = end;
  const file: AppendFile = fileSystem.openAppend(path, { create: false });
  try {
    if (tear !== undefined && !isDamaged) file.truncate(tear.offset);
    file.sync();
  } catch (error) {
    file.close();
    throw error;
  }
  return { file, sequence, firstIndex, endBytes, crc, isSealed };
}
