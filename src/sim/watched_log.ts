/**
 * A node's log with a checker looking on, who is told what has become durable, and a mutant that may tamper with it.
 *
 * @module
 */
import type { NodeId, Persist } from "../raft/mod.ts";
import type { DurableLog } from "../replica/mod.ts";
import type { Checker } from "./checker.ts";
import type { MutantHooks } from "./mutant.ts";

/** `onSync` is called before each sync: syncs take time. */
export function watchedLog(
  node: NodeId,
  log: DurableLog,
  checker: Checker,
  hooks: MutantHooks,
  onSync: () => void,
): DurableLog {
  let written: Persist[] = [];
  return {
    recovered: log.recovered,
    append: (persist) => {
      const changed = hooks.persist?.(persist) ?? persist;
      log.append(changed);
      written.push(changed);
    },
    sync: () => {
      if (written.some((persist) => hooks.skipsSync?.(persist) ?? false)) return;
      onSync();
      log.sync();
      for (const persist of written) checker.onDurable(node, persist);
      written = [];
    },
  };
}
