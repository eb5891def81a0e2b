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
  readonly #counts: Record<LuidKind, number> = {
    "turn": 0,
    "peer-message": 0,
    "client-request": 0,
    "client-connection": 0,
    "peer-connection": 0,
  };

  next(kind: LuidKind): string {
    return luidOf(kind, this.nextNumber(kind));
  }

  /** The same for things so many that they get a name only if somebody asks for it: see {@linkcode luidOf}. */
  nextNumber(kind: LuidKind): number {
    return ++this.#counts[kind];
  }
}

export function luidOf(kind: LuidKind, number: number): string {
  return `${kind}-${number}`;
}
