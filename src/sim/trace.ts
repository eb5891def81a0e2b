/**
 * The trace of a run: a hash over all that happened, to compare two runs by, and on demand the same as sentences.
 *
 * @module
 */

/** What a line is about, for a story to choose by. */
export type TraceKind =
  /** Done to the cluster by the plan or the scenario. */
  | "fault"
  /** A process starts or ends. */
  | "life"
  /** A node changes its role. */
  | "role"
  /** Entries are removed from a log. */
  | "log"
  /** Entries are committed. */
  | "commit"
  /** Between nodes. */
  | "message"
  /** A message between nodes that did not arrive. */
  | "lost"
  /** Between a client and a node. */
  | "client"
  | "note";

/** One thing that happened, for people. */
export interface TraceLine {
  readonly atMs: number;
  readonly kind: TraceKind;
  readonly text: string;
}

export class Trace {
  /** Whether lines are kept; without, `say` costs nothing but the hash. */
  readonly isRecording: boolean;
  readonly lines: TraceLine[] = [];
  #low = 0x811c9dc5;
  #high = 0x01000193;

  constructor(isRecording: boolean) {
    this.isRecording = isRecording;
  }

  /** Takes numbers into the hash. */
  mix(a: number, b: number, c: number, d: number): void {
    this.#mixOne(a);
    this.#mixOne(b);
    this.#mixOne(c);
    this.#mixOne(d);
  }

  /** A line for people; `text` is not called unless lines are kept. */
  say(atMs: number, text: () => string, kind: TraceKind = "note"): void {
    if (this.isRecording) this.lines.push({ atMs, kind, text: text() });
  }

  /** The hash of all that was mixed in, as 16 hex digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #mixOne(value: number): void {
    // Times have fractions: 1/4096 ms is enough to tell any two events of two different runs apart.
    const whole = Math.floor(value * 4096);
    this.#low = Math.imul(this.#low ^ whole, 0x01000193) >>> 0;
    this.#high = (Math.imul(this.#high ^ Math.floor(whole / 0x1_0000_0000) ^ this.#low, 0x85ebca6b) >>> 0) ^
      (this.#high >>> 13);
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
