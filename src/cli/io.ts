/**
 * What the command line needs of its surroundings, so that tests can stand in for them.
 *
 * @module
 */

export interface CliIo {
  /** Writes to standard output, as it is. */
  out(data: string | Uint8Array): void;
  /** Writes to standard error, as it is. */
  err(text: string): void;
  /** Whether a person sees standard output, on a terminal that shows colours. */
  readonly isColourful: boolean;
}

/** Standard output is closed: whoever read it has seen enough. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/** Standard output takes nothing, for another reason. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** Exit code "I/O". */
  readonly exitCode = 6;

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`cannot write to standard output: ${reason}; the command itself may be done`, { cause });
  }
}

/** The process's own standard streams. */
export function processIo(): CliIo {
  const encoder = new TextEncoder();
  return {
    out(data) {
      try {
        writeAllSync(Deno.stdout, typeof data === "string" ? encoder.encode(data) : data);
      } catch (error) {
        throw error instanceof Deno.errors.BrokenPipe ? new ClosedPipe() : new OutputError(error);
      }
    },
    err(text) {
      try {
        writeAllSync(Deno.stderr, encoder.encode(text));
      } catch {
        // There is no other place to say it.
      }
    },
    get isColourful() {
      return !Deno.noColor && Deno.stdout.isTerminal();
    },
  };
}

function writeAllSync(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += stream.writeSync(bytes.subarray(offset));
}
