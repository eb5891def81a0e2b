/**
 * When a replica takes a snapshot of its own, and who is told: because one is due, or because a client asked.
 *
 * @module
 */
import type { ClientResponse } from "../../packraft/mod.ts";
import type { Store } from "../kv/mod.ts";
import type { LogPosition, NodeId } from "../raft/mod.ts";
import type { DurableStorage, SnapshotInfo } from "../storage/durable_storage.ts";
import type { ReplicaEvent } from "./events.ts";
import { nothingYet, snapshotFailed } from "./responses.ts";
import { SnapshotTaking } from "./snapshot_taking.ts";

export interface SnapshotWorkOptions<Asker> {
  readonly node: NodeId;
  readonly storage: DurableStorage;
  readonly store: Store;
  /** The least growth of the log after which a snapshot is taken, in bytes. */
  readonly afterBytes: number;
  /** The term of the entry at an index that is applied. */
  readonly termAt: (index: number) => number | undefined;
  readonly tell: (event: ReplicaEvent) => void;
  readonly answer: (asker: Asker, response: ClientResponse) => void;
}

export class SnapshotWork<Asker> {
  readonly #options: SnapshotWorkOptions<Asker>;
  readonly #taking: SnapshotTaking;
  /** Who asked for the snapshot that is under way. */
  #askers: Asker[] = [];

  constructor(options: SnapshotWorkOptions<Asker>) {
    this.#options = options;
    this.#taking = new SnapshotTaking(options.storage, options.store, options.afterBytes);
  }

  get isUnderWay(): boolean {
    return this.#taking.isUnderWay;
  }

  /** A client wants one now. */
  request(asker: Asker, nowMs: number): void {
    const { storage: { snapshot }, store: { lastApplied }, answer } = this.#options;
    if (lastApplied === 0) return answer(asker, nothingYet());
    if (snapshot?.index === lastApplied) {
      return answer(asker, this.#responseOf(snapshot));
    }
    this.#askers.push(asker);
    if (!this.#taking.isUnderWay) this.#begin(nowMs);
  }

  maybeBegin(nowMs: number): void {
    const { storage: { snapshot }, store: { lastApplied } } = this.#options;
    if (this.#taking.isDue(nowMs) && lastApplied > (snapshot?.index ?? 0)) this.#begin(nowMs);
  }

  /** Does a slice of the work. Returns the snapshot if it is durable now. */
  slice(nowMs: number): LogPosition | undefined {
    const result = this.#taking.slice(nowMs);
    switch (result.kind) {
      case "more":
        return undefined;
      case "failed":
        this.#fail(result.reason);
        return undefined;
      case "taken": {
        const { index, totalBytes } = result.info;
        this.#options.tell({ kind: "snapshotTaken", index, totalBytes });
        this.#answerAll(this.#responseOf(result.info));
        return result.info;
      }
    }
  }

  /** Gives up the one that is under way; whoever asked for it is told `response`. */
  stop(response: ClientResponse): void {
    this.#answerAll(response);
    this.#taking.abort();
  }

  /**
   * A snapshot that came from another node has been installed, and is newer than the one that was being taken: it
   * is what they get who asked for one.
   */
  noteInstalled(): void {
    this.#taking.noteInstalled();
    const { snapshot } = this.#options.storage;
    if (snapshot !== undefined) this.#answerAll(this.#responseOf(snapshot));
  }

  #begin(nowMs: number): void {
    const index = this.#options.store.lastApplied;
    const term = this.#options.termAt(index);
    if (term === undefined) throw new Error(`entry ${index} is applied and not in the log`);
    const reason = this.#taking.begin({ index, term }, nowMs);
    if (reason !== undefined) this.#fail(reason);
  }

  #fail(reason: string): void {
    this.#options.tell({ kind: "snapshotFailed", reason });
    this.#answerAll(snapshotFailed(reason));
  }

  #responseOf({ index, totalBytes }: SnapshotInfo): ClientResponse {
    return { type: "SnapshotResponse", node: this.#options.node, index, totalBytes };
  }

  #answerAll(response: ClientResponse): void {
    const askers = this.#askers;
    this.#askers = [];
    for (const asker of askers) this.#options.answer(asker, response);
  }
}
