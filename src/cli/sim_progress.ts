/**
 * A progress bar on a terminal, and nothing anywhere else.
 *
 * @module
 */
import type { CliIo } from "./io.ts";

export interface Progress {
  update(done: number, text: string): void;
  stop(): void;
}

/** A bar towards `total` on standard error, or undefined where no person looks on. */
export async function progressOn(io: CliIo, total: number, isQuiet: boolean): Promise<Progress | undefined> {
  if (isQuiet || !io.isColourful || total < 2) return undefined;
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({
    format: "{bar} {value}/{total}  {text}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    hideCursor: true,
  });
  bar.start(total, 0, { text: "" });
  return {
    update: (done, text) => bar.update(done, { text }),
    stop: () => bar.stop(),
  };
}
