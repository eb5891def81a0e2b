/**
 * What clients saw: the calls and the answers, in the one order in which they happened. The simulator and the
 * chaos tests record it; `linearizability.ts` judges it.
 *
 * Calls and answers are numbered by one counter instead of a clock. Two clocks, or one coarse one, would let
 * events tie or swap, and a stale read could then pass for a concurrent one.
 *
 * A scan of all pairs (`data`) is recorded as one get of every key, all invoked before its request goes out and
 * all completed when its answer is in. That each key by itself was current is then judged; that the scan saw
 * all keys at the same moment is not.
 *
 * @module
 */

interface Call {
  /** Unique in a history, ascending in the order of the calls. */
  readonly id: number;
  readonly client: number;
  readonly key: string;
  /** The number of the event of the call. */
  readonly invokedAt: number;
  /**
   * The number of the event of the answer. Undefined while the outcome is unknown: the operation may take effect
   * at any time after its call, or never.
   */
  readonly returnedAt: number | undefined;
}

export interface PutOperation extends Call {
  readonly kind: "put";
  readonly input: string;
}

export interface GetOperation extends Call {
  readonly kind: "get";
  /** The value that was read; undefined for a missing key. Says nothing without an answer. */
  readonly output: string | undefined;
}

export interface DeleteOperation extends Call {
  readonly kind: "delete";
  /** Whether there was something to delete; undefined without an answer. */
  readonly output: boolean | undefined;
}

/** One operation of one client on one key. */
export type Operation = PutOperation | GetOperation | DeleteOperation;

/** What a client calls. */
export type Invocation =
  | { readonly client: number; readonly key: string; readonly kind: "put"; readonly input: string }
  | { readonly client: number; readonly key: string; readonly kind: "get" | "delete" };

/** Records operations as they are called and answered. */
export class HistoryRecorder {
  readonly #operations = new Map<number, Operation>();
  #nextEvent = 1;

  /** Notes a call, before anything of it is sent, and returns its id. */
  invoke(invocation: Invocation): number {
    const invokedAt = this.#nextEvent++;
    const id = invokedAt;
    const call = { id, client: invocation.client, key: invocation.key, invokedAt, returnedAt: undefined };
    switch (invocation.kind) {
      case "put":
        this.#operations.set(id, { ...call, kind: "put", input: invocation.input });
        break;
      case "get":
        this.#operations.set(id, { ...call, kind: "get", output: undefined });
        break;
      case "delete":
        this.#operations.set(id, { ...call, kind: "delete", output: undefined });
    }
    return id;
  }

  /**
   * Notes the answer to a call: of a get the value, or undefined for a missing key; of a delete whether there
   * was something to delete; of a put undefined. Throws a RangeError for an id that does not wait for an answer
   * and for an answer that its operation cannot have: a history with a hole in it would judge nothing.
   */
  complete(id: number, output: string | boolean | undefined): void {
    const operation = this.#waiting(id);
    const returnedAt = this.#nextEvent++;
    if (operation.kind === "get" && typeof output !== "boolean") {
      this.#operations.set(id, { ...operation, output, returnedAt });
    } else if (operation.kind === "delete" && typeof output === "boolean") {
      this.#operations.set(id, { ...operation, output, returnedAt });
    } else if (operation.kind === "put" && output === undefined) {
      this.#operations.set(id, { ...operation, returnedAt });
    } else {
      throw new RangeError(`operation ${id}: a ${operation.kind} cannot answer ${JSON.stringify(output)}`);
    }
  }

  /** Takes out a call that surely took no effect and never will, such as one that no node accepted. */
  drop(id: number): void {
    this.#waiting(id);
    this.#operations.delete(id);
  }

  /** All operations in the order of their calls; those without an answer have an unknown outcome. */
  operations(): Operation[] {
    return [...this.#operations.values()];
  }

  #waiting(id: number): Operation {
    const operation = this.#operations.get(id);
    if (operation === undefined) throw new RangeError(`operation ${id}: never called, or dropped`);
    if (operation.returnedAt !== undefined) throw new RangeError(`operation ${id}: answered before`);
    return operation;
  }
}
