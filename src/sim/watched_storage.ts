/**
 * A node's storage with a checker looking on, who is told what has become durable, and a mutant that may tamper with it.
 *
 * @module
 */
import type { NodeId, Persist, Recovered } from "../raft/mod.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import type { Checker } from "./checker.ts";
import type { MutantHooks } from "./mutant.ts";

/** @param recovered what the node is made to believe it has recovered */
export function watchedStorage(
  node: NodeId,
  storage: DurableStorage,
  recovered: Recovered,
  checker: Checker,
  hooks: MutantHooks,
): DurableStorage {
  let written: Persist[] = [];
  return {
    takeRecovered: () => recovered,
    get logBytes() {
      return storage.logBytes;
    },
    get snapshot() {
      return storage.snapshot;
    },
    append: (persist) => {
      const changed = hooks.persist?.(persist) ?? persist;
      storage.append(changed);
      written.push(changed);
    },
    sync: () => {
      if (written.some((persist) => hooks.skipsSync?.(persist) ?? false)) return;
      storage.sync();
      for (const persist of written) checker.onDurable(node, persist);
      written = [];
    },
    beginSnapshot: (position) => {
      const writer = storage.beginSnapshot(position);
      return {
        position,
        get writtenBytes() {
          return writer.writtenBytes;
        },
        write: (page) => writer.write(page),
        sync: () => writer.sync(),
        abort: () => writer.abort(),
        finish: () => {
          const info = writer.finish();
          checker.onSnapshot(node, info.index);
          return info;
        },
      };
    },
    openSnapshot: () => storage.openSnapshot(),
    beginReceiving: (info) => storage.beginReceiving(info),
  };
}
