/**
 * luids, "locally unique ids": names such as `client-request-17` under which this node speaks of a message or
 * a request, in logs and traces. They mean nothing to anyone else; whoever receives one hands it back unread.
 *
 * @module
 */

/**
 * What a luid can name. A turn is all that a node took in at once and the flush that followed: what happened in it has
 * one cause or a few, and they stand beside it in the log.
 */
export type LuidKind = "turn" | "peer-message" | "client-request" | "client-connection" | "peer-connection";

export class LuidSource {
  readonly #counts = new Map<LuidKind, number>();

  next(kind: LuidKind): string {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `${kind}-${count}`;
  }
}
