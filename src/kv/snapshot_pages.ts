/**
 * A snapshot of the store, page by page. Equal states have equal pages on every node, so that a transfer between
 * nodes can go on with another sender. Numbers are big-endian; varints and pairs are encoded as packraft does.
 *
 * ```
 * head page, the first
 *   0   1  kind: 1
 *   1      varint content version (3), lastApplied, pairs digest, history digest, number of sessions, number of pairs,
 *          then the members as of lastApplied: CONFIGURATION of packraft
 *
 * session pages: those who wrote, the one that has not written for longest first
 *   0   1  kind: 2
 *   1   4  number of sessions in this page, from 1
 *   5      each: 16 bytes client id, varint forgottenUpTo, varint number of results, then each result:
 *          varint sequence, 1 byte kind: 1 put, 2 delete of a key that was there, 3 delete of one that was not,
 *          4 invalid; for 1 to 3 a varint index
 *
 * pair pages: in the order of the keys' bytes
 *   0   1  kind: 3
 *   1   4  number of pairs in this page, from 1
 *   5      each: PAIR of packraft
 * ```
 *
 * A page is closed when it has {@linkcode PAGE_BYTES}; what is in it then may make it longer.
 *
 * @module
 */
import {
  ByteReader,
  ByteWriter,
  CLIENT_ID_BYTES,
  CONFIGURATION,
  type Configuration,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MIN_KEY_BYTES,
  PackraftError,
  PAIR,
} from "../../packraft/mod.ts";
import { bytesOfName, nameOfBytes } from "./byte_names.ts";
import type { Session, WriteResult } from "./sessions.ts";

const PAGE_BYTES = 64 * 1024;
const CONTENT_VERSION = 3;
/** The shortest pair: what says that there are more is no page. */
const MIN_PAIR_BYTES = PAIR.minBytes;
const PAGE_KIND = { head: 1, sessions: 2, pairs: 3 } as const;
const RESULT_KIND = { put: 1, deleted: 2, notFound: 3, invalid: 4 } as const;

/** What the head page says. */
export interface SnapshotHead {
  readonly lastApplied: number;
  readonly pairsDigest: number;
  readonly historyDigest: number;
  readonly sessionCount: number;
  readonly pairCount: number;
  /** The members as of lastApplied. */
  readonly configuration: Configuration;
}

/** All that a store consists of, as a snapshot holds it. */
export interface SnapshotContent extends SnapshotHead {
  /** By name, in the order of their last write. */
  readonly sessions: Iterable<readonly [string, Session]>;
  /** PAIR of packraft, in the order of the keys. Each is used before the next is asked for. */
  readonly pairs: Generator<Uint8Array>;
}

/** Where the content of pages goes. */
export interface SnapshotTarget {
  head(head: SnapshotHead): void;
  session(name: string, session: Session): void;
  /** A page of pairs begins. Its memory is not used again by whoever gave it. */
  pairPage(page: Uint8Array, count: number): void;
  /** The next pair of the page begins at `offset` and takes so many bytes. */
  pair(page: Uint8Array, offset: number, sizeBytes: number): void;
}

/** The pages of a store, made one at a time as they are wanted. Whoever stops before the end returns from the generator. */
export function pagesOf(content: SnapshotContent): Generator<Uint8Array> {
  const pages = pagesAfterNone(content);
  pages.next(); // to where the pairs are let go of, should it be given up before its first page
  return pages;
}

function* pagesAfterNone(content: SnapshotContent): Generator<Uint8Array> {
  try {
    yield NO_PAGE;
    yield headOf(content);
    yield* pagesOfItems(PAGE_KIND.sessions, content.sessions, writeSession);
    yield* pagesOfItems(PAGE_KIND.pairs, content.pairs, (writer, pair) => writer.raw(pair));
  } finally {
    content.pairs.return(undefined);
  }
}

function headOf(content: SnapshotContent): Uint8Array {
  const head = new ByteWriter(64);
  head.u8(PAGE_KIND.head);
  const { lastApplied, pairsDigest, historyDigest, sessionCount, pairCount, configuration } = content;
  for (
    const number of [CONTENT_VERSION, lastApplied, pairsDigest, historyDigest, sessionCount, pairCount]
  ) head.varint(number);
  CONFIGURATION.write(head, configuration);
  return head.finish();
}

const NO_PAGE = new Uint8Array();

/**
 * Reads pages into `target`.
 *
 * @throws PackraftError for pages that are not a store's, or not all of them; whatever the iterator throws
 */
export function readPages(pages: Iterable<Uint8Array>, target: SnapshotTarget): void {
  let head: SnapshotHead | undefined;
  let sessionCount = 0;
  let pairCount = 0;
  for (const page of pages) {
    const reader = new ByteReader(page);
    const kind = reader.u8();
    if ((kind === PAGE_KIND.head) !== (head === undefined)) {
      throw malformed(`page of kind ${kind} out of place`);
    }
    switch (kind) {
      case PAGE_KIND.head:
        target.head(head = readHead(reader));
        break;
      case PAGE_KIND.sessions: {
        if (pairCount > 0) throw malformed("sessions after pairs");
        const count = readCount(reader);
        for (let i = 0; i < count; i++) readSession(reader, target);
        sessionCount += count;
        break;
      }
      case PAGE_KIND.pairs: {
        const count = readCount(reader);
        if (count * MIN_PAIR_BYTES > reader.remaining) {
          throw malformed(`${count} pairs in ${reader.remaining} B`);
        }
        target.pairPage(page, count);
        for (let i = 0; i < count; i++) {
          const { offset } = reader;
          if (reader.skipBytes(MAX_KEY_BYTES) < MIN_KEY_BYTES) throw malformed("a key of 0 B");
          reader.skipBytes(MAX_VALUE_BYTES);
          target.pair(page, offset, reader.offset - offset);
        }
        pairCount += count;
        break;
      }
      default:
        throw malformed(`a page of the unknown kind ${kind}`);
    }
    if (reader.remaining > 0) throw malformed(`${reader.remaining} B after the content of a page`);
  }
  if (head === undefined) return;
  if (sessionCount !== head.sessionCount || pairCount !== head.pairCount) {
    throw malformed(
      `${sessionCount} of ${head.sessionCount} sessions and ${pairCount} of ${head.pairCount} pairs`,
    );
  }
}

function* pagesOfItems<Item>(
  kind: number,
  items: Iterable<Item>,
  write: (writer: ByteWriter, item: Item) => void,
): Generator<Uint8Array> {
  let writer: ByteWriter | undefined;
  let count = 0;
  const finished = (page: ByteWriter) => {
    page.patchU32(1, count);
    return page.finish();
  };
  for (const item of items) {
    if (writer === undefined) {
      writer = new ByteWriter(PAGE_BYTES + 4_096);
      writer.u8(kind);
      writer.u32(0);
      count = 0;
    }
    write(writer, item);
    count++;
    if (writer.length < PAGE_BYTES) continue;
    yield finished(writer);
    writer = undefined;
  }
  if (writer !== undefined) yield finished(writer);
}

function readHead(reader: ByteReader): SnapshotHead {
  const version = reader.varint();
  if (version !== CONTENT_VERSION) {
    throw malformed(`content version ${version}, this build reads ${CONTENT_VERSION}`);
  }
  return {
    lastApplied: reader.varint(),
    pairsDigest: reader.varint(),
    historyDigest: reader.varint(),
    sessionCount: reader.varint(),
    pairCount: reader.varint(),
    configuration: CONFIGURATION.read(reader),
  };
}

/** A page without anything in it is never made: equal states would not have equal pages. */
function readCount(reader: ByteReader): number {
  const count = reader.u32();
  if (count === 0) throw malformed("a page with nothing in it");
  return count;
}

function writeSession(
  writer: ByteWriter,
  [name, { forgottenUpTo, results }]: readonly [string, Session],
): void {
  writer.raw(bytesOfName(name));
  writer.varint(forgottenUpTo);
  writer.varint(results.size);
  for (const [sequence, result] of results) {
    writer.varint(sequence);
    writeResult(writer, result);
  }
}

function readSession(reader: ByteReader, target: SnapshotTarget): void {
  const name = nameOfBytes(reader.raw(CLIENT_ID_BYTES));
  const forgottenUpTo = reader.varint();
  const results = new Map<number, WriteResult>();
  const count = reader.varint();
  for (let i = 0; i < count; i++) results.set(reader.varint(), readResult(reader));
  if (results.size !== count) throw malformed("two results of one sequence");
  target.session(name, { forgottenUpTo, results, epoch: 0 });
}

function writeResult(writer: ByteWriter, result: WriteResult): void {
  switch (result.kind) {
    case "put":
      writer.u8(RESULT_KIND.put);
      return writer.varint(result.index);
    case "delete":
      writer.u8(result.found ? RESULT_KIND.deleted : RESULT_KIND.notFound);
      return writer.varint(result.index);
    case "invalid":
      return writer.u8(RESULT_KIND.invalid);
    case "stale":
      throw new TypeError("a stale write has no result to keep");
  }
}

function readResult(reader: ByteReader): WriteResult {
  const kind = reader.u8();
  switch (kind) {
    case RESULT_KIND.put:
      return { kind: "put", index: reader.varint() };
    case RESULT_KIND.deleted:
    case RESULT_KIND.notFound:
      return { kind: "delete", index: reader.varint(), found: kind === RESULT_KIND.deleted };
    case RESULT_KIND.invalid:
      return { kind: "invalid" };
    default:
      throw malformed(`a result of the unknown kind ${kind}`);
  }
}

/** What is said of pages that no store has made. */
export function malformed(problem: string): PackraftError {
  return new PackraftError("invalidValue", `not a snapshot of this store: ${problem}`);
}
