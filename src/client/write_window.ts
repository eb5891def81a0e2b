/**
 * The session of one client id: numbers its writes, and bounds how many are under way, so that the cluster still holds
 * the result of each that may have to be repeated (it keeps the last 1,024 of a client).
 *
 * @module
 */

/** How many writes may be under way. */
const MAX_IN_FLIGHT = 256;
/** How far the newest may be ahead of the oldest that is not answered. */
const MAX_SPAN = 768;

/** What a write carries so that it takes effect once. */
export interface WriteSession {
  readonly clientId: Uint8Array;
  readonly sequence: number;
  readonly answeredUpTo: number;
}

export class WriteWindow {
  readonly #clientId: Uint8Array;
  readonly #queue: ((session: WriteSession) => void)[] = [];
  readonly #endedOutOfOrder = new Set<number>();
  #nextSequence = 1;
  #endedUpTo = 0;
  #inFlight = 0;
  #isKnownToCluster = false;

  constructor(clientId: Uint8Array) {
    this.#clientId = clientId;
  }

  /** The session fields of the next write: at once, or when there is room. */
  begin(): WriteSession | Promise<WriteSession> {
    if (this.#hasRoom() && this.#queue.length === 0) return this.#take();
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  /**
   * A write is over for its caller, who will not ask for it again.
   *
   * @param isAcknowledged whether the cluster said that it was done
   */
  end(sequence: number, isAcknowledged: boolean): void {
    this.#isKnownToCluster ||= isAcknowledged;
    this.#inFlight--;
    this.#endedOutOfOrder.add(sequence);
    while (this.#endedOutOfOrder.delete(this.#endedUpTo + 1)) this.#endedUpTo++;
    while (this.#queue.length > 0 && this.#hasRoom()) this.#queue.shift()?.(this.#take());
  }

  #hasRoom(): boolean {
    return this.#inFlight < MAX_IN_FLIGHT && this.#nextSequence - this.#endedUpTo <= MAX_SPAN;
  }

  #take(): WriteSession {
    this.#inFlight++;
    return {
      clientId: this.#clientId,
      sequence: this.#nextSequence++,
      // The cluster takes a client that it does not know, and that claims to hold answers, for one that it has
      // forgotten. So nothing is claimed before the first write was done, even if earlier ones were given up.
      answeredUpTo: this.#isKnownToCluster ? this.#endedUpTo : 0,
    };
  }
}
