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
import { bytesOfName, nameOfBytes } from "./byte_names.ts";
import { type Command, decodeCommand } from "./command.ts";
import { MAX_SLOTS, PageValues, type ValuePlace } from "./page_values.ts";
import { PairMap } from "./pair_map.ts";
import { type Session, Sessions, type WriteResult } from "./sessions.ts";
import { malformed, pagesOf, readPages, type SnapshotHead, type SnapshotTarget } from "./snapshot_pages.ts";

const NO_CONFIGURATION: Configuration = { index: 0, term: 0, members: [] };

/** The replicated key-value store. */
export class Store {
  #pairs = new PairMap();
  protected readonly sessions: Sessions;
  #lastApplied = 0;
  #pairsDigest = 0;
  #historyDigest = 0;
  #approximateBytes = 0;
  #configuration: Configuration | undefined;

  constructor(sessions: Sessions = new Sessions()) {
    this.sessions = sessions;
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
    return this.#approximateBytes;
  }

  /**
   * A number that is equal on all nodes that have applied the same entries with the same results and hold the
   * same pairs. Cheap: it is kept up with every write.
   */
  get digest(): number {
    return (this.#pairsDigest + this.#historyDigest) >>> 0;
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
    const result = command === undefined
      ? { kind: "invalid" } as const
      : this.sessions.once(command, () => this.write(entry.index, command));
    this.#historyDigest = scrambled(crc32(entry.data, this.#historyDigest ^ digestOfResult(result)));
    return result;
  }

  #applyConfiguration({ index, term, data }: Entry): undefined {
    this.#configuration = { index, term, members: decodeMembers(data) };
    this.#historyDigest = scrambled(crc32(data, this.#historyDigest ^ index));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#pairs.get(nameOfBytes(key));
  }

  /** All pairs as they are now, in key order, whatever is written while they are walked. */
  *pairs(): Generator<Pair> {
    for (const [name, value] of this.#pairs.capture()) yield { key: bytesOfName(name), value };
  }

  /**
   * The whole state as it is at this call, in pages (`snapshot_pages.ts`), to be taken as wanted while writes go on:
   * nothing is copied until one side writes.
   */
  snapshotPages(): Generator<Uint8Array> {
    return pagesOf({
      lastApplied: this.#lastApplied,
      pairsDigest: this.#pairsDigest >>> 0,
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
      const loading = new Loading(this.sessions);
      readPages(pages, loading);
      this.#pairs = loading.pairs();
      this.#lastApplied = loading.lastApplied;
      this.#pairsDigest = loading.pairsDigest | 0;
      this.#historyDigest = loading.historyDigest;
      this.#approximateBytes = loading.approximateBytes;
      this.#configuration = loading.configuration;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#pairs = new PairMap();
    this.sessions.clear();
    this.#lastApplied = 0;
    this.#pairsDigest = 0;
    this.#historyDigest = 0;
    this.#approximateBytes = 0;
    this.#configuration = undefined;
  }

  /** Does what a command says, without asking whether it was done before: {@linkcode Store.apply} has. */
  protected write(index: number, command: Command): WriteResult {
    const name = nameOfBytes(command.key);
    const isPut = command.kind === "put";
    const old = isPut ? this.#pairs.set(name, command.value) : this.#pairs.delete(name);
    if (old !== undefined) this.#count(-1, command.key, old);
    if (!isPut) return { kind: "delete", index, found: old !== undefined };
    this.#count(1, command.key, command.value);
    return { kind: "put", index };
  }

  /** A pair has come (1) or gone (-1). */
  #count(change: 1 | -1, key: Uint8Array, value: Uint8Array): void {
    this.#pairsDigest = (this.#pairsDigest + change * digestOfPair(key, value)) | 0;
    this.#approximateBytes += change * (key.length + value.length);
  }
}

/** A snapshot on its way into a store. The pairs are put into a tree at the end, all at once. */
class Loading implements SnapshotTarget {
  lastApplied = 0;
  pairsDigest = 0;
  historyDigest = 0;
  approximateBytes = 0;
  configuration: Configuration | undefined;
  readonly #sessions: Sessions;
  readonly #names: string[] = [];
  readonly #places: ValuePlace[] = [];
  readonly #values = new PageValues();
  #lastName = "";
  #nextPlace = 0;

  constructor(sessions: Sessions) {
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
    if (count > MAX_SLOTS) {
      throw new PackraftError(
        "limitExceeded",
        `${count} pairs in one page of a snapshot exceed ${MAX_SLOTS}`,
      );
    }
    this.#nextPlace = this.#values.add(page, count);
  }

  pair(name: string, valueOffset: number, valueBytes: number): void {
    if (name <= this.#lastName) throw malformed("its keys are not in order");
    this.#lastName = name;
    this.#names.push(name);
    this.#places.push(this.#nextPlace);
    this.approximateBytes += name.length + valueBytes;
    this.#values.set(this.#nextPlace++, valueOffset);
  }

  pairs(): PairMap {
    return new PairMap(this.#names, this.#places, this.#values);
  }
}

function tryDecode(data: Uint8Array): Command | undefined {
  try {
    return decodeCommand(data);
  } catch (error) {
    if (error instanceof PackraftError) return undefined;
    throw error;
  }
}

function digestOfPair(key: Uint8Array, value: Uint8Array): number {
  return scrambled(crc32(value, crc32(key)));
}

/** A CRC is linear: two that cover the same bytes cancel each other out. This, the finalizer of MurmurHash3, is not. */
function scrambled(crc: number): number {
  let hash = Math.imul(crc ^ (crc >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function digestOfResult(result: WriteResult): number {
  switch (result.kind) {
    case "put":
      return result.index;
    case "delete":
      return result.index * 2 + (result.found ? 1 : 0);
    case "stale":
      return 0x5a1e;
    case "invalid":
      return 0xbad;
  }
}
