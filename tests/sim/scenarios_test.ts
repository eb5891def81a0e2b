/**
 * The named scenarios: each holds on several seeds, and each that is about a bug fails when that bug is put back.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { SECTOR_BYTES } from "../../src/storage/file_header.ts";
import type { Mutant } from "../../src/sim/mutant.ts";
import { mutantNamed } from "../../src/sim/mutants/mod.ts";
import { scenario, type ScenarioResult } from "../../src/sim/scenario.ts";
import { runScenario, scenarioNamed, SCENARIOS } from "../../src/sim/scenarios/mod.ts";

const SEEDS = [1, 2, 3];

/** Bugs that only these tests put in. */
const LOCAL_MUTANTS: readonly Mutant[] = [
  {
    name: "directory-not-synced",
    summary: "the directory of the log is never synced",
    origin: "etcd #6368",
    hooks: () => ({ disk: (disk) => disk.syncDirectory = () => {} }),
  },
  {
    name: "cuts-at-damage",
    summary: "a damaged log is cut where the damage begins, as a repair tool would",
    origin: "etcd's Repair",
    hooks: () => ({
      disk: (disk) => {
        disk.flipBit = (path, offset) => {
          const file = disk.openAppend(path, { create: false });
          file.truncate(Math.floor(offset / SECTOR_BYTES) * SECTOR_BYTES);
          file.sync();
        };
      },
    }),
  },
  {
    name: "hints-in-a-circle",
    summary: "a node that does not lead sends its clients to its neighbour",
    origin: "redisraft #13",
    hooks: (node) => ({
      answer: (request, replica) =>
        replica.view().role === "leader" || request.type !== "PutRequest"
          ? undefined
          : { type: "RedirectResponse", leader: node % 5 + 1, host: "sim", clientPort: node % 5 + 1 },
    }),
  },
  {
    name: "syncs-after-all",
    summary: "a disk that cannot be made to lie",
    origin: "to see that lying-sync fails when nothing lies",
    hooks: () => ({
      disk: (disk) => Object.defineProperty(disk.faults, "lyingSync", { get: () => 0, set() {} }),
    }),
  },
];

/** Which bugs each scenario must fail with. */
const SHARP: Readonly<Record<string, readonly string[]>> = {
  "vote-amnesia": ["vote-not-synced", "vote-lost-at-restart", "term-lost-at-restart"],
  "one-vote": ["votes-twice", "forgets-own-vote"],
  "two-candidates": ["tie-wins"],
  "half-cluster": ["tie-wins"],
  "leaders-take-turns": ["vote-carried-over", "never-steps-down", "term-not-persisted"],
  "newer-but-shorter": ["vote-needs-both", "vote-by-length", "vote-ignores-log"],
  "same-vote-twice": ["counts-replies"],
  "candidate-meets-leader": ["candidate-deaf-to-leader"],
  "old-leader-is-told": ["stale-requests-unanswered"],
  "figure-7": ["no-consistency-check", "keeps-conflicts", "prev-off-by-one", "failed-replies-count"],
  "figure-8": ["commits-old-terms"],
  "late-append": ["always-truncates"],
  "lost-appends": ["failed-replies-count", "never-backs-up"],
  "unverified-tail": ["commits-one-too-far", "commits-unverified", "match-is-log-length"],
  "replaced-for-good": ["truncation-in-memory-only"],
  "restart-commits-nothing": ["restart-commits-all"],
  "odd-commands": ["odd-command-crashes"],
  "paused-leader-read": ["reads-without-quorum", "local-reads"],
  "readindex-retry-race": ["counts-old-terms", "reads-without-quorum"],
  "new-leader-read": ["reads-before-own-commit"],
  "deposed-leader-write": ["commits-on-one"],
  "restart-empty-read": ["local-reads"],
  "retry-duplicate": ["retry-applies-again", "retry-applies-on-one-node", "sessions-lost-with-snapshot"],
  "lost-write": ["lost-write-answered"],
  "proxy-loop": ["hints-in-a-circle"],
  "ack-before-fsync": ["ack-before-sync", "sync-lies"],
  "power-off-all": ["sync-lies"],
  "torn-tail": ["tail-cut-too-far"],
  "mid-log-flip": ["cuts-at-damage"],
  "missing-dirfsync": ["directory-not-synced"],
  "lying-sync": ["syncs-after-all"],
  "wiped-disk": ["denies-its-loss"],
  "install-log-gap": ["snapshot-acknowledged-in-part"],
  "quorum-bridge": ["votes-while-leader-lives"],
  "learner-counts-for-nothing": ["learner-counts"],
  "remove-in-partition": ["configuration-not-rolled-back"],
  "two-changes-of-two-leaders": ["changes-before-own-commit"],
  "returning-node": ["skips-pre-vote"],
  "follower-reads": ["follower-reads-alone"],
  "follower-read-race": ["old-read-answer"],
};

/** The scenarios of which every list of Raft's failures should have one. */
const REQUIRED = [
  "ack-before-fsync",
  "vote-amnesia",
  "paused-leader-read",
  "readindex-retry-race",
  "new-leader-read",
  "figure-7",
  "figure-8",
  "retry-duplicate",
  "proxy-loop",
  "restart-empty-read",
  "mixed-mayhem",
  "torn-tail",
  "reordered-append",
  "mid-log-flip",
  "missing-dirfsync",
  "disk-full",
  "disk-full-everywhere",
  "hung-disk-leader",
  "length-field-flip",
  "eio-everywhere",
  "snapshot-log-gap",
  "install-log-gap",
  "torn-snapshot",
  "damaged-snapshot",
  "two-snapshots",
  "wiped-disk",
  "new-cluster",
  "quorum-bridge",
  "quorum-bridge-of-five",
  "remove-in-partition",
  "removed-node-nag",
  "deaf-candidate",
  "clock-chaos",
  "two-candidates",
  "half-cluster",
  "power-off-all",
  "lying-sync",
];

function run(name: string, seed: number, mutant?: Mutant): ScenarioResult {
  const found = scenarioNamed(name);
  assert(found !== undefined, `no scenario ${name}`);
  return runScenario(found, seed, mutant === undefined ? {} : { mutant });
}

function replayOf(name: string, seed: number): string {
  return `drafty sim --scenario ${name} --seed ${seed}`;
}

for (const { name } of SCENARIOS) {
  Deno.test(`scenario ${name} holds`, () => {
    for (const seed of SEEDS) {
      assertEquals(run(name, seed).failure, undefined, replayOf(name, seed));
    }
  });
}

for (const [name, mutants] of Object.entries(SHARP)) {
  for (const bug of mutants) {
    Deno.test(`scenario ${name} fails with the bug ${bug}`, () => {
      const mutant = LOCAL_MUTANTS.find((local) => local.name === bug) ?? mutantNamed(bug);
      assert(mutant !== undefined, `no mutant ${bug}`);
      for (const seed of SEEDS) {
        assertNotEquals(run(name, seed, mutant).failure, undefined, `seed ${seed} does not notice it`);
      }
    });
  }
}

Deno.test("SCENARIOS has each required scenario, and no name twice", () => {
  const names = SCENARIOS.map((each) => each.name);
  assertEquals(REQUIRED.filter((name) => !names.includes(name)), []);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("runScenario() gives the same trace for the same seed, recorded or not, and another for another", () => {
  const found = scenarioNamed("mixed-mayhem");
  assert(found !== undefined);
  const first = runScenario(found, 1);
  const again = runScenario(found, 1, { records: true });
  assertEquals(again.traceHash, first.traceHash);
  assertEquals(first.lines.length, 0);
  assert(again.lines.length > 100);
  assertNotEquals(runScenario(found, 2).traceHash, first.traceHash);
});

Deno.test("mixed-mayhem does meet its faults and its clients", () => {
  const { faults, operations } = run("mixed-mayhem", 1);
  for (const kind of ["pause", "kill", "partition", "cut"]) assert((faults[kind] ?? 0) > 0, kind);
  assert(operations.ok > 50, `${operations.ok} operations`);
});

Deno.test("expect() tells what was expected and what was seen", () => {
  const wrong = scenario("wrong", { nodes: 1, says: "", source: "" }, (c) => {
    c.elect();
    c.put("x", "1");
    c.expectSame("x", c.get("x"), "2");
  });
  const { failure } = runScenario(wrong, 1);
  assertEquals([failure?.invariant, failure?.detail], ["expectation", 'x is "1", and should be "2"']);
});

Deno.test("elect() fails when the node cannot be elected", () => {
  const hopeless = scenario("hopeless", { nodes: 3, says: "", source: "" }, (c) => {
    c.crash(1, 2);
    c.elect(3);
  });
  const { failure } = runScenario(hopeless, 1);
  assertEquals(failure?.invariant, "expectation");
  assertStringIncludes(failure?.detail ?? "", "node 3 leads a majority");
});

Deno.test("hold() keeps messages until release(), and drop() loses them until end()", () => {
  let held = 0;
  let dropped = 0;
  const letters = scenario("letters", { nodes: 3, says: "", source: "" }, (c) => {
    c.elect(1);
    const hold = c.hold((_message, from) => from === 1);
    c.advance(120);
    held = hold.count;
    hold.release();
    c.expectSame("what is held", hold.count, 0);
    const drop = c.drop((_message, _from, to) => to === 3);
    c.advance(120);
    dropped = drop.count;
    drop.end();
    c.advance(120);
    c.expectSame("what was dropped since", drop.count, dropped);
  });
  assertEquals(runScenario(letters, 1).failure, undefined);
  assert(held >= 4 && dropped >= 2, `${held} held, ${dropped} dropped`);
});
