/**
 * The session of one client id: numbers its writes, and bounds how far they run ahead, so that the cluster still holds
 * the result of each that may have to be repeated.
 *
 * The cluster keeps the last 1,024 results of a client. Before it forgets that of a write, it has applied one that is
 * 1,024 ahead of it; and that one did not begin before the first was over. So 1,024 is enough, and not one more is.
 *
 * @module
 */

/** How far the newest may be ahead of the last that is over with all before it; no more are ever under way. */
const MAX_SPAN = 1_024;

/** What a write carries so that it takes effect once. */
export interface WriteSession {
  readonly clientId: Uint8Array;
  readonly sequence: number;
  readonly answeredUpTo: number;
}

export class WriteWindow {
  readonly #clientId: Uint8Array;
  readonly #maxSpan: number;
  readonly #queue: ((session: WriteSession) => void)[] = [];
  readonly #endedOutOfOrder = new Set<number>();
  #nextSequence = 1;
  #isStarting = false;
  #endedUpTo = 0;
  #isKnownToCluster = false;

  /** @param maxSpan how many results of a client the cluster keeps */
  constructor(clientId: Uint8Array, maxSpan = MAX_SPAN) {
    this.#clientId = clientId;
    this.#maxSpan = maxSpan;
  }

  /** Calls `run` with the session fields of the next write: at once, or when there is room, in the order of the calls. */
  begin(run: (session: WriteSession) => void): void {
    if (this.#hasRoom() && this.#queue.length === 0) run(this.#take());
    else this.#queue.push(run);
  }

  /**
   * A write is over for its caller, who will not ask for it again.
   *
   * @param isAcknowledged whether the cluster said that it was done
   */
  end(sequence: number, isAcknowledged: boolean): void {
    this.#isKnownToCluster ||= isAcknowledged;
    if (sequence === this.#endedUpTo + 1) this.#endedUpTo = sequence;
    else this.#endedOutOfOrder.add(sequence);
    while (this.#endedOutOfOrder.size > 0 && this.#endedOutOfOrder.delete(this.#endedUpTo + 1)) {
      this.#endedUpTo++;
    }
    // A write that ends as soon as it begins comes back to here: the loop that began it goes on, however many there are.
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#queue.length > 0 && this.#hasRoom()) this.#queue.shift()?.(this.#take());
    this.#isStarting = false;
  }

  #hasRoom(): boolean {
    return this.#nextSequence - this.#endedUpTo <= this.#maxSpan;
  }

  #take(): WriteSession {
    return {
      clientId: this.#clientId,
      sequence: this.#nextSequence++,
      // The cluster takes a client that it does not know, and that claims to hold answers, for one that it has
      // forgotten. So nothing is claimed before the first write was done, even if earlier ones were given up.
      answeredUpTo: this.#isKnownToCluster ? this.#endedUpTo : 0,
    };
  }
}
