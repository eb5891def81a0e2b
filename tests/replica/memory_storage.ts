/**
 * A storage for replicas whose disk is not what the test is about.
 *
 * @module
 */
import { NOTHING_RECOVERED, type Persist } from "../../src/raft/mod.ts";
import type { DurableStorage } from "../../src/storage/durable_storage.ts";

/** What the test wants to see or to say at a write and a sync. */
export interface StorageHooks {
  readonly append?: (persist: Persist) => void;
  readonly sync?: () => void;
}

/** A storage that remembers nothing and takes no snapshots. */
export function forgetfulStorage(hooks: StorageHooks = {}): DurableStorage {
  const never = () => {
    throw new Error("this storage takes no snapshots");
  };
  return {
    takeRecovered: () => NOTHING_RECOVERED,
    append: (persist) => hooks.append?.(persist),
    sync: () => hooks.sync?.(),
    logBytes: 0,
    snapshot: undefined,
    beginSnapshot: never,
    openSnapshot: () => undefined,
    beginReceiving: never,
  };
}
