/**
 * The state machine: pairs in key order, and the sessions of those who wrote them. Committed entries go in, in
 * log order, and the same entries give the same state on every node. No entry can make it throw: an entry that it
 * cannot read does nothing, everywhere alike (bug 11 of the originals: an odd command killed the commit loop).
 *
 * @module
 */
import {
  type Configuration,
  crc32,
  decodeMembers,
  type Entry,
  PackraftError,
  type Pair,
} from "../../packraft/mod.ts";
import { ByteArena } from "./byte_arena.ts";
import { LoggedCommand } from "./command.ts";
import { mixed, scrambled } from "./digests.ts";
import { PairStore, partsOfPair } from "./pair_store.ts";
import { type Session, Sessions, type WriteResult } from "./sessions.ts";
import { malformed, pagesOf, readPages, type SnapshotHead, type SnapshotTarget } from "./snapshot_pages.ts";

const NO_CONFIGURATION: Configuration = { index: 0, term: 0, members: [] };

/** The replicated key-value store. */
export class Store {
  readonly #hashSeed: number;
  #pairs: PairStore;
  /** For values that are read. */
  readonly #copies = new ByteArena();
  protected readonly sessions: Sessions;
  #lastApplied = 0;
  #historyDigest = 0;
  #configuration: Configuration | undefined;

  /**
   * @param hashSeed a number that clients do not know: else they could choose keys that a hash table cannot tell apart.
   * It shows nowhere, so nodes may have different ones.
   */
  constructor(sessions: Sessions = new Sessions(), hashSeed = 0) {
    this.sessions = sessions;
    this.#hashSeed = hashSeed;
    this.#pairs = new PairStore(hashSeed);
  }

  /** The index of the last entry applied. */
  get lastApplied(): number {
    return this.#lastApplied;
  }

  /** The members of the cluster as of the last entry applied; undefined while no entry and no snapshot has told. */
  get configuration(): Configuration | undefined {
    return this.#configuration;
  }

  /** The members that the cluster began with: the log does not hold them, and snapshots do. */
  begin(configuration: Configuration): void {
    this.#configuration = configuration;
  }

  get pairCount(): number {
    return this.#pairs.size;
  }

  /** The bytes of all keys and values: about how long a snapshot would be, but for its sessions. */
  get approximateBytes(): number {
    return this.#pairs.contentBytes;
  }

  /** The memory that the pairs take, but for what is kept for captures. */
  get heldBytes(): number {
    return this.#pairs.heldBytes;
  }

  /** How many walks and snapshots have not come to their end. */
  get captureCount(): number {
    return this.#pairs.captureCount;
  }

  /**
   * A number that is equal on all nodes that have applied the same entries with the same results and hold the
   * same pairs. Cheap: it is kept up with every write.
   */
  get digest(): number {
    return (this.#pairs.digest + this.#historyDigest) >>> 0;
  }

  /** Applies the next entry of the log. Entries come in order, each once. */
  apply(entry: Entry): WriteResult | undefined {
    if (entry.index !== this.#lastApplied + 1) {
      throw new RangeError(`entry ${entry.index} applied after entry ${this.#lastApplied}`);
    }
    this.#lastApplied = entry.index;
    if (entry.kind === "noop") return undefined;
    if (entry.kind === "configuration") return this.#applyConfiguration(entry);
    const command = tryDecode(entry.data);
    if (command === undefined) {
      this.#historyDigest = digestOfData(this.#historyDigest, entry);
      return { kind: "invalid" };
    }
    const result = this.sessions.once(command, () => this.write(entry.index, command));
    this.#historyDigest = scrambled(
      mixed(command.digestAfter(mixed(this.#historyDigest, entry.index)), numberOfResult(result)),
    );
    return result;
  }

  #applyConfiguration(entry: Entry): undefined {
    const { index, term, data } = entry;
    this.#configuration = { index, term, members: decodeMembers(data) };
    this.#historyDigest = digestOfData(this.#historyDigest, entry);
  }

  /** How long the value of a key is; 0 if there is none. */
  valueBytes(key: Uint8Array): number {
    return this.#pairs.get(key)?.length ?? 0;
  }

  /** A copy: it stays right whatever is written. */
  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#pairs.get(key);
    if (value === undefined) return undefined;
    return this.#copies.copy(value);
  }

  /**
   * All pairs as they are when the first is taken, in key order, whatever is written while they are walked. Whoever
   * stops before the end should return from the generator, so that what was overwritten meanwhile can go.
   */
  *pairs(): Generator<Pair> {
    for (const pair of this.#pairs.capture()) yield partsOfPair(pair.slice());
  }

  /**
   * The whole state as it is at this call, in pages (`snapshot_pages.ts`), to be taken as wanted while writes go on:
   * nothing is copied until one side writes. Whoever stops before the end should return from the generator.
   */
  snapshotPages(): Generator<Uint8Array> {
    return pagesOf({
      lastApplied: this.#lastApplied,
      pairsDigest: this.#pairs.digest,
      historyDigest: this.#historyDigest,
      sessionCount: this.sessions.clientCount,
      pairCount: this.#pairs.size,
      configuration: this.#configuration ?? NO_CONFIGURATION,
      sessions: this.sessions.capture(),
      pairs: this.#pairs.capture(),
    });
  }

  /**
   * Forgets everything and takes in the pages of a snapshot; none at all are the empty store. If they are not what
   * they should be, or their iterator throws, the store is left empty and the error goes on.
   */
  restore(pages: Iterable<Uint8Array>): void {
    this.#forget();
    try {
      const loading = new Loading(this.sessions, this.#hashSeed);
      readPages(pages, loading);
      loading.pairs.endLoading(loading.pairsDigest);
      this.#pairs = loading.pairs;
      this.#lastApplied = loading.lastApplied;
      this.#historyDigest = loading.historyDigest;
      this.#configuration = loading.configuration;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#pairs = new PairStore(this.#hashSeed);
    this.sessions.clear();
    this.#lastApplied = 0;
    this.#historyDigest = 0;
    this.#configuration = undefined;
  }

  /** Does what a command says, without asking whether it was done before: {@linkcode Store.apply} has. */
  protected write(index: number, command: LoggedCommand): WriteResult {
    if (command.kind === "delete") return { kind: "delete", index, found: this.#pairs.delete(command.pair) };
    this.#pairs.put(command.pair, command.pairDigest);
    return { kind: "put", index };
  }
}

/** A snapshot on its way into a store. */
class Loading implements SnapshotTarget {
  lastApplied = 0;
  pairsDigest = 0;
  historyDigest = 0;
  configuration: Configuration | undefined;
  readonly pairs: PairStore;
  readonly #sessions: Sessions;

  constructor(sessions: Sessions, hashSeed: number) {
    this.pairs = new PairStore(hashSeed);
    this.#sessions = sessions;
  }

  head({ lastApplied, pairsDigest, historyDigest, configuration }: SnapshotHead): void {
    this.configuration = configuration;
    this.lastApplied = lastApplied;
    this.pairsDigest = pairsDigest;
    this.historyDigest = historyDigest;
  }

  session(name: string, session: Session): void {
    if (!this.#sessions.restore(name, session)) throw malformed("two sessions of one client");
  }

  pairPage(page: Uint8Array, count: number): void {
    this.pairs.beginPage(page, count);
  }

  pair(page: Uint8Array, offset: number, sizeBytes: number): void {
    if (!this.pairs.load(page, offset, sizeBytes)) throw malformed("its keys are not in order");
  }
}

function tryDecode(data: Uint8Array): LoggedCommand | undefined {
  try {
    return new LoggedCommand(data);
  } catch (error) {
    if (error instanceof PackraftError) return undefined;
    throw error;
  }
}

/** The digest of a history that goes on with an entry of which nothing but its bytes is known. */
function digestOfData(history: number, { index, data }: Entry): number {
  return scrambled(mixed(mixed(history, index), crc32(data)));
}

/** Different for different results of one entry, and hardly ever equal for two. */
function numberOfResult(result: WriteResult): number {
  switch (result.kind) {
    case "put":
      return result.index * 4;
    case "delete":
      return result.index * 4 + (result.found ? 2 : 1);
    case "stale":
      return 3;
    case "invalid":
      return 7;
  }
}
