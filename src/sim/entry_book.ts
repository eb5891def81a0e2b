/**
 * All entries that were ever durable anywhere: two of the same term at the same index must be the same, and follow the
 * same (log matching).
 *
 * @module
 */
import type { Entry } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import { Violation } from "./violation.ts";

export class EntryBook {
  /** By term and index: the entry, and the term of the one before it. */
  readonly #entries = new Map<number, { readonly entry: Entry; readonly prevTerm: number }>();

  /** Throws if the entry at `place` of a node's log contradicts another node's. */
  check(node: NodeId, log: readonly Entry[], place: number): void {
    const entry = log[place];
    if (entry === undefined) return;
    const prevTerm = log[place - 1]?.term ?? 0;
    const key = entry.term * 0x1000_0000 + entry.index;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { entry, prevTerm });
    } else if (known.prevTerm !== prevTerm || !isSameEntry(known.entry, entry)) {
      throw new Violation(
        "log-matching",
        `node ${node} has an entry ${entry.index} of term ${entry.term} that differs from another node's, or follows another`,
      );
    }
  }
}

export function isSameEntry(a: Entry, b: Entry | undefined): boolean {
  if (a === b) return true;
  if (b === undefined || a.index !== b.index || a.term !== b.term || a.kind !== b.kind) return false;
  return isSameBytes(a.data, b.data);
}

export function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
