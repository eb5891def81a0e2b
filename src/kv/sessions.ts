/**
 * Exactly once: the results of clients' writes, kept in the replicated state, so that a retry is answered
 * with what happened the first time, on whichever node leads by then (section 8; thesis, 6.3).
 *
 * Every node applies the same entries in the same order, so every node keeps and forgets the same results. What
 * is kept is bounded by counts alone, never by a clock:
 *
 * - a client says with each write up to which sequence it holds all answers; those results are forgotten;
 * - a client has at most {@linkcode MAX_RESULTS_PER_CLIENT} results: the lowest sequence is forgotten first;
 * - there are at most {@linkcode MAX_CLIENTS} clients: the one that has not written for longest is forgotten.
 *
 * A write whose result has been forgotten is not applied again but answered `stale`. A client that is not known
 * (any more) is taken for a new one only if it says that it has no answers yet: one that has some was forgotten.
 * What remains possible: a client's first write, retried after 65,536 other clients have written, is applied again.
 *
 * @module
 */
import { isNameOf, nameOfBytes } from "./byte_names.ts";

/** How many clients' results are kept. */
export const MAX_CLIENTS = 65_536;
/** How many results of one client are kept. */
export const MAX_RESULTS_PER_CLIENT = 1_024;

/** What a write did. */
export type WriteResult =
  /** The key has the value since the entry at `index`. */
  | { readonly kind: "put"; readonly index: number }
  /** The key is gone; `found` says whether it was there. */
  | { readonly kind: "delete"; readonly index: number; readonly found: boolean }
  /** The result of this sequence is not kept any more; nothing was done now. */
  | { readonly kind: "stale" }
  /** The entry holds no command that this version understands; nothing was done, here or on any node. */
  | { readonly kind: "invalid" };

/** What is known of one client. */
export interface Session {
  /** All sequences up to this one are forgotten. */
  forgottenUpTo: number;
  readonly results: Map<number, WriteResult>;
  /** How many times the sessions had been captured when this object was made. */
  readonly epoch: number;
}

/** How much is kept. Equal on every node of a cluster: the limits are part of the replicated rule. */
export interface SessionLimits {
  readonly maxClients: number;
  readonly maxResultsPerClient: number;
}

/** A client in the order of the last writes. */
interface Client {
  readonly name: string;
  session: Session;
  /** Who wrote last before this one, and after. */
  older: Client | undefined;
  newer: Client | undefined;
}

export class Sessions {
  readonly #clients = new Map<string, Client>();
  /** The one that has not written for longest, and the one that wrote last. */
  #oldest: Client | undefined;
  #newest: Client | undefined;
  readonly #limits: SessionLimits;
  /** Counts captures: a session of an earlier epoch is copied before it is changed, for a capture may see it. */
  #epoch = 0;

  constructor(
    limits: SessionLimits = { maxClients: MAX_CLIENTS, maxResultsPerClient: MAX_RESULTS_PER_CLIENT },
  ) {
    this.#limits = limits;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /**
   * All sessions as they are now, whatever is written later, in the order of their last write. It takes two references
   * for each client; what a session holds is copied only if it is written to.
   */
  capture(): Iterable<readonly [string, Session]> {
    this.#epoch++;
    // Two arrays, not one of pairs: 65,536 small objects would take several milliseconds, in which nothing is applied.
    const names: string[] = [];
    const sessions: Session[] = [];
    for (let client = this.#oldest; client !== undefined; client = client.newer) {
      names.push(client.name);
      sessions.push(client.session);
    }
    return (function* () {
      for (const [i, session] of sessions.entries()) yield [names[i] ?? "", session] as const;
    })();
  }

  /** Takes in a session of a snapshot, as the one that wrote last. Returns false if the client has one already. */
  restore(name: string, session: Session): boolean {
    if (this.#clients.has(name)) return false;
    this.#add(name, session);
    return true;
  }

  clear(): void {
    this.#clients.clear();
    this.#oldest = undefined;
    this.#newest = undefined;
  }

  /**
   * Runs `apply` if this write of this client has not been applied before, keeps its result, and returns it;
   * otherwise returns what is known of the first time.
   */
  once(
    write: { readonly clientId: Uint8Array; readonly sequence: number; readonly answeredUpTo: number },
    apply: () => WriteResult,
  ): WriteResult {
    const name = this.#nameOf(write.clientId);
    const client = this.#clients.get(name) ?? this.#newClient(name, write.answeredUpTo);
    if (client === undefined) return { kind: "stale" };
    this.#moveToEnd(client);

    const { session } = client;
    const known = session.results.get(write.sequence);
    if (known !== undefined) return known;
    // For a new client too, and before anything can be stale: sequence 0 is, for everyone, and must not grow the map.
    if (this.#clients.size > this.#limits.maxClients) this.#forgetOldest();
    if (write.sequence <= session.forgottenUpTo) return { kind: "stale" };
    const result = apply();
    const own = this.#ownOf(client);
    own.results.set(write.sequence, result);
    this.#forgetResults(own, write.answeredUpTo);
    return result;
  }

  /** Several writes of one client often follow each other: its name is not made again. */
  #nameOf(clientId: Uint8Array): string {
    const name = this.#newest?.name;
    return name !== undefined && isNameOf(name, clientId) ? name : nameOfBytes(clientId);
  }

  /** The session to be changed: a copy, if a capture may see this one. */
  #ownOf(client: Client): Session {
    const { forgottenUpTo, results, epoch } = client.session;
    if (epoch === this.#epoch) return client.session;
    return client.session = { forgottenUpTo, results: new Map(results), epoch: this.#epoch };
  }

  #add(name: string, session: Session): Client {
    const client: Client = { name, session, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = client;
    else this.#newest.newer = client;
    this.#newest = client;
    this.#clients.set(name, client);
    return client;
  }

  /** This client is now the one that wrote last. */
  #moveToEnd(client: Client): void {
    const { older, newer } = client;
    const last = this.#newest;
    if (newer === undefined || last === undefined) return;
    newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    last.newer = client;
    client.older = last;
    client.newer = undefined;
    this.#newest = client;
  }

  #forgetOldest(): void {
    const oldest = this.#oldest;
    const next = oldest?.newer;
    if (oldest === undefined || next === undefined) return;
    this.#clients.delete(oldest.name);
    next.older = undefined;
    this.#oldest = next;
  }

  #forgetResults(session: Session, answeredUpTo: number): void {
    if (answeredUpTo > session.forgottenUpTo) {
      const after = session.forgottenUpTo;
      session.forgottenUpTo = answeredUpTo;
      // Usually a few sequences one after the other: to walk all results for each write would take most of its time.
      if (answeredUpTo - after <= session.results.size) {
        for (let sequence = after + 1; sequence <= answeredUpTo; sequence++) session.results.delete(sequence);
      } else {
        for (const sequence of session.results.keys()) {
          if (sequence <= answeredUpTo) session.results.delete(sequence);
        }
      }
    }
    if (session.results.size > this.#limits.maxResultsPerClient) {
      const lowest = Math.min(...session.results.keys());
      session.results.delete(lowest);
      session.forgottenUpTo = Math.max(session.forgottenUpTo, lowest);
    }
  }

  /** A client that holds answers already is not new: it has been forgotten. */
  #newClient(name: string, answeredUpTo: number): Client | undefined {
    if (answeredUpTo > 0) return undefined;
    return this.#add(name, { forgottenUpTo: 0, results: new Map(), epoch: this.#epoch });
  }
}
