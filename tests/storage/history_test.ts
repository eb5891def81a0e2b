/** Whatever happens to a directory, against a model: the list of all that it may remember. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Entry } from "../../src/raft/types.ts";
import { CRASH_FAULTS } from "../../src/sim/disk.ts";
import { SECTOR_BYTES } from "../../src/storage/file_header.ts";
import {
  bodyOf,
  Crash,
  describe,
  describeOpened,
  entry,
  makeDisk,
  NOTHING,
  open,
  pagesOf,
  persist,
  positionOf,
  type Remembered,
  statesAfterEachRecord,
} from "./log_fixture.ts";

type Step =
  | {
    readonly kind: "append";
    readonly back: number;
    readonly sizes: readonly number[];
    readonly vote: boolean;
  }
  | { readonly kind: "snapshot"; readonly share: number; readonly crashAfter: number }
  | { readonly kind: "receive"; readonly ahead: number; readonly share: number; readonly crashAfter: number }
  | { readonly kind: "sync" | "crash" | "kill" | "close" };

const CRASH_AFTER = fc.oneof(fc.constant(Infinity), fc.nat({ max: 12 }));
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      back: fc.nat({ max: 4 }),
      sizes: fc.array(fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 3 * SECTOR_BYTES })), { maxLength: 5 }),
      vote: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("snapshot" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      crashAfter: CRASH_AFTER,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("receive" as const),
      ahead: fc.nat({ max: 5 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      crashAfter: CRASH_AFTER,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("crash" as const, "kill" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const) }) },
);

/** What is remembered once a snapshot is durable: a log that does not reach it is superseded. */
function withSnapshot(state: Remembered, snapshot: readonly Entry[] | undefined): Remembered {
  const last = snapshot?.at(-1);
  if (snapshot === undefined || last === undefined) return state;
  return state.log[last.index - 1]?.term === last.term ? state : { ...state, log: snapshot };
}

function runHistory(seed: number, steps: readonly Step[]): void {
  const disk = makeDisk(seed, { ...CRASH_FAULTS, shortWrite: 0.2 });
  let opened = open(disk, { segmentBytes: 2048 });
  // From what is certain to the newest, record by record; and the snapshots that may be the newest durable one.
  let possible: Remembered[] = [NOTHING];
  let snapshots: (readonly Entry[] | undefined)[] = [undefined];
  let nextTerm = 1;
  // What has been in a snapshot was committed: it is never replaced.
  let committed = 0;
  const newest = () => possible.at(-1) ?? NOTHING;
  const reopen = () => {
    disk.beforeOperation = undefined;
    opened = open(disk, { segmentBytes: 2048 });
    const { recovered, report } = opened.storage;
    assertEquals(report.damage, undefined);
    assert(recovered.memory !== "lost");
    const candidates = snapshots.flatMap((snapshot) =>
      possible.map((state) => withSnapshot(state, snapshot))
    );
    const text = describeOpened(opened);
    const found = candidates.find((state) => describe(state) === text);
    assert(
      found !== undefined,
      `recovered to ${text}, not to one of\n${candidates.map(describe).join("\n")}`,
    );
    possible = [found];
    const snapshot = opened.state.pages.length === 0
      ? undefined
      : found.log.slice(0, opened.state.pages.length);
    assert(snapshots.some((one) => one?.length === snapshot?.length), "a snapshot that was durable is there");
    snapshots = [snapshot];
    committed = opened.state.pages.length;
  };
  const orCrash = (crashAfter: number, run: () => void) => {
    let countdown = crashAfter;
    disk.beforeOperation = () => {
      if (countdown-- <= 0) throw new Crash();
    };
    try {
      run();
      disk.beforeOperation = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      disk.crash();
      reopen();
      return false;
    }
  };
  for (const step of steps) {
    const { log } = newest();
    switch (step.kind) {
      case "append": {
        const first = Math.max(committed + 1, log.length + 1 - step.back);
        const batch = persist(
          step.vote ? { currentTerm: nextTerm, votedFor: 2 } : undefined,
          ...step.sizes.map((size, i) => entry(first + i, nextTerm, new Uint8Array(size).fill(seed % 3))),
        );
        nextTerm++;
        opened.storage.append(batch);
        possible.push(...statesAfterEachRecord(newest(), [batch]).slice(1));
        break;
      }
      case "sync":
        opened.storage.sync();
        possible = [newest()];
        break;
      case "snapshot": {
        const index = Math.floor(step.share * log.length);
        if (index <= (opened.storage.snapshot?.index ?? 0)) break;
        committed = Math.max(committed, index);
        snapshots.push(log.slice(0, index));
        const isDone = orCrash(step.crashAfter, () => {
          const writer = opened.storage.beginSnapshot(positionOf(log, index));
          for (const page of pagesOf(log, index)) writer.write(page);
          writer.sync();
          assertEquals(writer.finish().index, index);
        });
        if (isDone) snapshots = snapshots.slice(-1);
        break;
      }
      case "receive": {
        // Of a leader whose log goes on where this one's committed part ends, and is as long or longer.
        const isKept = step.ahead === 0;
        const index = isKept ? Math.floor(step.share * log.length) : committed + step.ahead;
        if (index <= (opened.storage.snapshot?.index ?? 0)) break;
        const others = isKept ? log.slice(0, index) : [
          ...log.slice(0, committed),
          ...Array.from({ length: step.ahead }, (_, i) => entry(committed + 1 + i, nextTerm, 20 + i)),
        ];
        nextTerm++;
        committed = index;
        const { info, body } = bodyOf(others, index);
        snapshots.push(others);
        const isDone = orCrash(step.crashAfter, () => {
          const receiver = opened.storage.beginReceiving(info);
          for (let at = 0; at < body.length; at += 100) receiver.write(body.subarray(at, at + 100));
          receiver.finish(opened.state, isKept);
        });
        if (!isDone) break;
        assertEquals(opened.state.pages.length, index);
        snapshots = [others];
        // The new segment begins with the newest hard state; the rest of the batch before may or may not be synced.
        possible = isKept ? possible : [{ hardState: newest().hardState, log: others }];
        break;
      }
      case "crash":
        disk.crash();
        reopen();
        break;
      case "kill": {
        disk.killProcess();
        const expected = describe(withSnapshot(newest(), snapshots.at(-1)));
        reopen();
        assertEquals(describeOpened(opened), expected, "a killed process loses nothing written");
        break;
      }
      case "close":
        opened.storage.close();
        possible = [newest()];
        reopen();
    }
    assert(opened.storage.logBytes < 60_000, "superfluous segments go away");
  }
  disk.crash();
  reopen();
}

Deno.test("whatever is appended, rolled, snapshot, received, synced and crashed, nothing that was synced is lost", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(STEP, { maxLength: 60, size: "max" }), runHistory),
    { numRuns: 1000 },
  );
});
