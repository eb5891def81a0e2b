/**
 * What a node says of its data directory when it starts.
 *
 * @module
 */
import type { DataDirectory } from "../storage/data_directory.ts";
import { describeDamage } from "../storage/errors.ts";

export function recoverySentences({ recovered, report }: DataDirectory): string[] {
  const { hardState, base, entries, snapshot, memory } = recovered;
  const { cutBytes, tear, damage } = report;
  const lastIndex = base.index + entries.length;
  const from = snapshot.index === 0 ? "" : ` and a snapshot up to entry ${snapshot.index}`;
  const log = entries.length === 0 ? "an empty log" : `a log of entries ${base.index + 1} to ${lastIndex}`;
  const sentences = [`has ${log}${from}, is in term ${hardState.currentTerm}`];
  if (cutBytes > 0) {
    sentences.push(`has cut a torn tail of ${cutBytes} B after entry ${lastIndex}: ${tear}`);
  }
  if (damage !== undefined) {
    sentences.push(
      `finds its disk damaged: ${describeDamage(damage)}; ` +
        "it takes no part until it has found out from the others what it may have promised",
    );
  } else if (memory === "lost") {
    sentences.push("does not trust its disk, as it was told: it asks the others what it may have promised");
  }
  return sentences;
}
