/**
 * What a simulated node starts with, as a sentence.
 *
 * @module
 */
import type { Recovered } from "../raft/mod.ts";

const LOSSES = { whole: "", lost: "; its disk is damaged", new: "; its disk is empty" } as const;

/** To be put after "node 1 ". */
export function sentenceOfStart(recovered: Recovered, cutBytes: number): string {
  const { hardState: { currentTerm, votedFor }, base, entries, snapshot, memory } = recovered;
  const last = base.index + entries.length;
  const log = entries.length === 0 ? "no entries" : `entries ${base.index + 1} to ${last}`;
  const from = snapshot.index === 0 ? "" : ` and a snapshot up to entry ${snapshot.index}`;
  const vote = votedFor === 0 ? "" : `, its vote given to node ${votedFor}`;
  const cut = cutBytes > 0 ? `, after cutting a torn tail of ${cutBytes} B` : "";
  return `starts with ${log}${from} in term ${currentTerm}${vote}${cut}${LOSSES[memory]}`;
}
