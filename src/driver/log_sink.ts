/**
 * Where log lines go. A node must not wait for whoever reads its log: lines are written behind its back, a
 * bounded number of them waits, and what does not fit is counted and said (etcd #22214: a stopped reader of
 * stderr stopped the server).
 *
 * @module
 */

/** Takes one line, without its line break. */
export type Log = (line: string) => void;

const MAX_WAITING_LINES = 4_096;

/** Where the bytes of a log go; a write may take less than all. */
export interface LogWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** A log that writes to `writer`, by default stderr, each line with the time of day in front. */
export function lineLog(writer: LogWriter = Deno.stderr): Log {
  const encoder = new TextEncoder();
  let waiting: string[] = [];
  let dropped = 0;
  let isWriting = false;

  async function drain(): Promise<void> {
    isWriting = true;
    try {
      while (waiting.length > 0) {
        if (dropped > 0) waiting.push(stamped(`${dropped} log lines were dropped: nobody read them`));
        const bytes = encoder.encode(waiting.join("\n") + "\n");
        waiting = [];
        dropped = 0;
        for (let offset = 0; offset < bytes.length;) {
          offset += await writer.write(bytes.subarray(offset));
        }
      }
    } catch {
      // Nobody is left to read the log; the node goes on without.
      waiting = [];
    } finally {
      isWriting = false;
    }
  }

  return (line) => {
    if (waiting.length >= MAX_WAITING_LINES) {
      dropped++;
      return;
    }
    waiting.push(stamped(line));
    if (!isWriting) void drain();
  };
}

function stamped(line: string): string {
  return `${new Date().toISOString().slice(11, 23)} ${onOneLine(line)}`;
}

/** Lines quote what others sent (a cluster's name, say): that must not begin a line of its own or steer a terminal. */
function onOneLine(line: string): string {
  return line.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Says the first occurrence of each kind of trouble at once and then only counts, one summary per interval: a
 * flood from outside must not become a flood in the log.
 */
export class TroubleLog {
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #seen = new Map<string, { saidMs: number; unsaid: number }>();

  constructor(log: Log, now: () => number, intervalMs = 10_000) {
    this.#log = log;
    this.#now = now;
    this.#intervalMs = intervalMs;
  }

  /** `kind` groups what is alike; `line` is what to say of this occurrence. */
  say(kind: string, line: string): void {
    const nowMs = this.#now();
    const seen = this.#seen.get(kind);
    if (seen !== undefined && nowMs - seen.saidMs < this.#intervalMs) {
      seen.unsaid++;
      return;
    }
    this.#log(
      seen !== undefined && seen.unsaid > 0 ? `${line} (and ${seen.unsaid} more like it before)` : line,
    );
    this.#seen.set(kind, { saidMs: nowMs, unsaid: 0 });
  }
}
