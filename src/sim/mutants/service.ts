/**
 * Bugs in what clients see: reads, retries, answers.
 *
 * @module
 */
import { type LoggedCommand, Sessions, Store, type WriteResult } from "../../kv/mod.ts";
import type { Mutant } from "../mutant.ts";
import { BUSY_CLIENTS } from "./occasions.ts";

/** Remembers nobody: every retry is a new write. */
class NoSessions extends Sessions {
  override once(_write: Parameters<Sessions["once"]>[0], apply: () => WriteResult): WriteResult {
    return apply();
  }
}

/** Comes back from a snapshot with the pairs, and without whose writes made them. */
class SessionsLostWithSnapshot extends Store {
  override restore(pages: Iterable<Uint8Array>): void {
    super.restore(pages);
    this.sessions.clear();
  }
}

/** Takes a snapshot not of the state at that moment but of whatever it is when it is written. */
class LiveSnapshots extends Store {
  override *snapshotPages(): Generator<Uint8Array> {
    yield* super.snapshotPages();
  }
}

/** Fails on what it did not expect. */
class BrittleStore extends Store {
  protected override write(index: number, command: LoggedCommand): WriteResult {
    if (command.kind === "delete" && this.get(command.key) === undefined) throw new Error("KeyError");
    return super.write(index, command);
  }
}

const RETRIES = { loss: 0.2, duplicate: 0.2, replayUpToMs: 500 } as const;

export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    name: "reads-without-quorum",
    summary: "a leader answers reads without asking whether it still leads",
    origin: "etcd #20418; the paused leader",
    rules: { readConfirmed: () => true },
    settings: { ...BUSY_CLIENTS, keys: 1, safetyMs: 20_000, faults: { partition: 40, pause: 15 } },
  },
  {
    name: "reads-before-own-commit",
    summary: "a new leader serves reads before it has committed an entry of its term",
    origin: "section 8; redisraft #18",
    rules: { mayServeReads: () => true },
    settings: { faults: { kill: 20, partition: 20 }, thinkMs: 50 },
  },
  {
    name: "local-reads",
    summary: "every node answers reads from what it has applied",
    origin: "chelseatroy #26: stale reads",
    hooks: () => ({
      answer: (request, replica) => {
        if (request.type !== "GetRequest") return undefined;
        const value = replica.store.get(request.key);
        const age = { appliedIndex: replica.store.lastApplied, isAgeKnown: true, ageMs: 0 };
        return { type: "GetResponse", found: value !== undefined, value: value ?? new Uint8Array(), ...age };
      },
    }),
  },
  {
    name: "retry-applies-again",
    summary: "a retried write takes effect again",
    origin: "jetcd; Raft section 8",
    hooks: () => ({ makeStore: () => new Store(new NoSessions()) }),
    settings: { network: RETRIES },
  },
  {
    name: "retry-applies-on-one-node",
    summary: "one node applies a retried write again, the others do not",
    origin: "drafty #9: the leader applied it, its followers did not",
    hooks: (node) => node === 1 ? { makeStore: () => new Store(new NoSessions()) } : {},
    settings: { network: RETRIES },
  },
  {
    name: "sessions-lost-with-snapshot",
    summary: "a node that starts from a snapshot does not remember whose writes it has applied",
    origin: "sessions kept outside the replicated state",
    hooks: () => ({ makeStore: () => new SessionsLostWithSnapshot() }),
    settings: { network: RETRIES, faults: { kill: 20 }, snapshotAfterBytes: 500 },
  },
  {
    name: "snapshot-of-a-moving-state",
    summary: "a snapshot holds writes that came after the entry that it is said to end with",
    origin: "a snapshot without copy on write",
    hooks: () => ({ makeStore: () => new LiveSnapshots() }),
    settings: { ...BUSY_CLIENTS, faults: { kill: 20 }, snapshotAfterBytes: 500 },
  },
  {
    name: "lost-write-answered",
    summary: "a retry is answered with success because the write was once in this node's log",
    origin: "drafty #10: the id of a removed entry stayed in the cache",
    hooks: () => {
      const seen = new Map<string, number>();
      return {
        answer: (request, replica) => {
          if (request.type !== "PutRequest" || replica.view().role !== "leader") return undefined;
          const write = `${request.clientId}/${request.sequence}`;
          const index = seen.get(write);
          if (index === undefined) seen.set(write, replica.view().lastLogIndex + 1);
          return index === undefined ? undefined : { type: "PutResponse", index };
        },
      };
    },
    settings: { network: RETRIES, faults: { partition: 20, kill: 20 } },
  },
  {
    name: "odd-command-crashes",
    summary: "deleting a key that is not there ends the node",
    origin: "chelseatroy #25, drafty #11",
    hooks: () => ({ makeStore: () => new BrittleStore() }),
  },
];
