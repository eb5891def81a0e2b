/**
 * The checker can fail: for each invariant the least that breaks it, and what comes near and breaks nothing.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { encodeMembers, type Entry, type PeerMessage } from "../../packraft/mod.ts";
import { encodeCommand, type WriteResult } from "../../src/kv/mod.ts";
import { type HardState, NOTHING_RECOVERED, type RaftView, type Recovered } from "../../src/raft/mod.ts";
import { beginningOf } from "../../src/sim/beginnings.ts";
import { Checker } from "../../src/sim/checker.ts";
import { type InvariantName, INVARIANTS } from "../../src/sim/invariants.ts";
import { Random } from "../../src/sim/random.ts";
import { failureOf, judgeHistory, livenessPhase, runSeed } from "../../src/sim/run.ts";
import { settingsOf } from "../../src/sim/settings.ts";
import { Violation } from "../../src/sim/violation.ts";
import { World } from "../../src/sim/world.ts";

const encoder = new TextEncoder();
const CLIENT = new Uint8Array(16).fill(7);

/** Which invariants these tests have seen broken. */
const seen = new Set<InvariantName>();

/** A log by the terms of its entries. */
function logOf(...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ index: i + 1, term, kind: "noop", data: new Uint8Array() }));
}

function viewOf(
  id: number,
  role: RaftView["role"],
  currentTerm: number,
  entries: readonly Entry[],
  { commitIndex = 0, lastApplied = commitIndex }: { commitIndex?: number; lastApplied?: number } = {},
): RaftView {
  return {
    id,
    role,
    currentTerm,
    votedFor: 0,
    leader: 0,
    lastLogIndex: entries.length,
    commitIndex,
    lastApplied,
    snapshot: { index: 0, term: 0 },
    mayVote: true,
    log: {
      base: { index: 0, term: 0 },
      termAt: (index) => index === 0 ? 0 : entries[index - 1]?.term,
      entryAt: (index) => entries[index - 1],
      slice: (after, upTo) => entries.slice(after, upTo),
      lastIndex: entries.length,
      durableIndex: entries.length,
    },
    progress: undefined,
    configuration: beginningOf(3),
    committedConfiguration: beginningOf(3),
    part: {
      name: "follower",
      leader: 0,
      heardMs: 0,
      reads: { waiting: [], round: 0, asked: [], askedMs: 0, confirmed: [] },
    },
    freshMs: undefined,
    nowMs: 0,
  };
}

function persist(
  checker: Checker,
  node: number,
  hardState: HardState | undefined,
  entries: Entry[] = [],
): void {
  checker.onDurable(node, { sequence: 1, hardState, entries });
}

/** A durable log on these nodes, in a term. */
function store(checker: Checker, nodes: readonly number[], currentTerm: number, entries: Entry[]): void {
  for (const node of nodes) persist(checker, node, { currentTerm, votedFor: 0 }, entries);
}

function recovered(hardState: HardState, entries: Entry[] = []): Recovered {
  return { ...NOTHING_RECOVERED, hardState, entries };
}

function acknowledgement(term: number, matchIndex: number, requestTerm = term): PeerMessage {
  return {
    type: "AppendEntriesResponse",
    term,
    requestTerm,
    success: true,
    matchIndex,
    prevLogIndex: 0,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: 0,
    hashIndex: 0,
    stateHash: 0,
  };
}

function vote(term: number, requestTerm = term): PeerMessage {
  return {
    type: "RequestVoteResponse",
    term,
    requestTerm,
    voteGranted: true,
    refusal: "none",
    configurationIndex: 0,
  };
}

function candidacy(term: number): PeerMessage {
  return { type: "RequestVoteRequest", term, lastLogIndex: 0, lastLogTerm: 0, isTransfer: false };
}

function write(index: number, sequence: number): { entry: Entry; result: WriteResult } {
  const data = encodeCommand({
    kind: "put",
    clientId: CLIENT,
    sequence,
    answeredUpTo: 0,
    key: encoder.encode("x"),
    value: encoder.encode("1"),
  });
  return { entry: { index, term: 1, kind: "command", data }, result: { kind: "put", index } };
}

function newChecker(): Checker {
  return new Checker([1, 2, 3, 4], beginningOf(3));
}

function breaks(invariant: InvariantName, what: string, play: (checker: Checker) => void): void {
  seen.add(invariant);
  Deno.test(`${invariant} is broken when ${what}`, () => {
    const violation = assertThrows(() => play(newChecker()), Violation);
    assertEquals(violation.invariant, invariant, violation.message);
  });
}

function allows(what: string, play: (checker: Checker) => void): void {
  Deno.test(`the checker allows that ${what}`, () => play(newChecker()));
}

// --------------------------------------------------------------------------------------------- members

/** A configuration of these voters and learners, as an entry of term 1. */
function members(index: number, voters: readonly number[], learners: readonly number[] = []) {
  const member = (role: "voter" | "learner") => (id: number) => (
    { id, host: "sim", peerPort: id, clientPort: id + 100, role, admission: 0 }
  );
  const all = [...voters.map(member("voter")), ...learners.map(member("learner"))].sort((a, b) =>
    a.id - b.id
  );
  const entry: Entry = { index, term: 1, kind: "configuration", data: encodeMembers(all) };
  return { entry, configuration: { index, term: 1, members: all } };
}

/** Node 1 leads term 1 with these entries, all of them durable everywhere. */
function leads(
  checker: Checker,
  entries: Entry[],
  commitIndex: number,
  configuration?: ReturnType<typeof members>["configuration"],
): void {
  store(checker, [1, 2, 3], 1, entries);
  const view = viewOf(1, "leader", 1, entries, { commitIndex });
  checker.afterStep(1, configuration === undefined ? view : { ...view, configuration });
}

breaks("one-voter-at-a-time", "two voters go with one entry", (checker) => {
  const { entry, configuration } = members(2, [1]);
  leads(checker, logOf(1), 1);
  leads(checker, [...logOf(1), entry], 2, configuration);
});

allows("one voter goes with each entry", (checker) => {
  const [first, second] = [members(2, [1, 2]), members(3, [1])];
  leads(checker, logOf(1), 1);
  leads(checker, [...logOf(1), first.entry], 2, first.configuration);
  leads(checker, [...logOf(1), first.entry, second.entry], 3, second.configuration);
});

breaks("members-change-in-order", "a leader changes members while a change is not committed", (checker) => {
  const [first, second] = [members(2, [1, 2]), members(3, [1])];
  leads(checker, logOf(1), 1);
  leads(checker, [...logOf(1), first.entry], 1, first.configuration);
  leads(checker, [...logOf(1), first.entry, second.entry], 1, second.configuration);
});

breaks("members-change-in-order", "a leader changes members before it has committed anything", (checker) => {
  const { entry, configuration } = members(2, [1, 2]);
  leads(checker, logOf(1), 0);
  leads(checker, [...logOf(1), entry], 0, configuration);
});

breaks("promoted-when-caught-up", "a learner becomes a voter with an empty log", (checker) => {
  const [first, second] = [members(2, [1, 2, 3], [4]), members(3, [1, 2, 3, 4])];
  leads(checker, logOf(1), 1);
  leads(checker, [...logOf(1), first.entry], 2, first.configuration);
  leads(checker, [...logOf(1), first.entry, second.entry], 2, second.configuration);
});

// ------------------------------------------------------------------------------------ leaders and votes

breaks("election-safety", "two nodes lead one term", (checker) => {
  checker.afterStep(1, viewOf(1, "leader", 1, []));
  checker.afterStep(2, viewOf(2, "leader", 1, []));
});

breaks("election-safety", "two leaders of one term are known, though neither was seen leading", (checker) => {
  checker.onLeader(2, 1, 1);
  checker.onLeader(3, 1, 2);
});

allows("one node leads two terms, and another leads one in between", (checker) => {
  for (const [term, node] of [[1, 1], [2, 2], [3, 1]] as const) {
    checker.afterStep(node, viewOf(node, "leader", term, []));
    checker.onLeader(3, term, node);
  }
});

breaks("one-vote-per-term", "a node stores a vote for another in the same term", (checker) => {
  persist(checker, 3, { currentTerm: 1, votedFor: 1 });
  persist(checker, 3, { currentTerm: 1, votedFor: 2 });
});

breaks("one-vote-per-term", "a node that stood for election votes for another", (checker) => {
  persist(checker, 1, { currentTerm: 1, votedFor: 1 });
  checker.onSend(1, 2, candidacy(1));
  checker.onSend(1, 2, vote(1));
});

breaks(
  "one-vote-per-term",
  "a node votes against a vote that it found on its disk and had not synced",
  (checker) => {
    checker.onStart(3, recovered({ currentTerm: 1, votedFor: 1 }), 0);
    persist(checker, 3, { currentTerm: 2, votedFor: 0 });
    checker.onSend(3, 2, vote(2, 1));
  },
);

allows(
  "a node tells the same candidate of its vote again, and votes for another in the next term",
  (checker) => {
    persist(checker, 3, { currentTerm: 1, votedFor: 1 });
    checker.onSend(3, 1, vote(1));
    checker.onSend(3, 1, vote(1));
    persist(checker, 3, { currentTerm: 2, votedFor: 2 });
    checker.onSend(3, 2, vote(2));
  },
);

breaks("leader-append-only", "a leader removes entries in its own term", (checker) => {
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1, 1)));
  checker.onTruncated(1, 1, viewOf(1, "leader", 1, logOf(1)));
});

allows("a leader that has stepped down has entries removed", (checker) => {
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1, 1)));
  checker.onTruncated(1, 1, viewOf(1, "follower", 2, logOf(1, 2)));
});

// -------------------------------------------------------------------------------------------- logs

breaks("log-matching", "two nodes have different entries of one term at one index", (checker) => {
  persist(checker, 1, undefined, [write(1, 1).entry]);
  persist(checker, 2, undefined, [write(1, 2).entry]);
});

breaks("log-matching", "the same entry follows entries of different terms", (checker) => {
  persist(checker, 1, undefined, logOf(1, 3));
  persist(checker, 2, undefined, logOf(2, 3));
});

allows("two nodes have entries of different terms at one index", (checker) => {
  persist(checker, 1, undefined, logOf(1, 1));
  persist(checker, 2, undefined, logOf(1, 2));
});

breaks("leader-completeness", "a leader of a later term lacks a committed entry", (checker) => {
  store(checker, [1, 2], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
  checker.afterStep(3, viewOf(3, "leader", 2, logOf()));
});

breaks("leader-completeness", "a leader of a later term has another entry in its place", (checker) => {
  store(checker, [1, 2], 2, logOf(1, 2));
  checker.afterStep(1, viewOf(1, "leader", 2, logOf(1, 2), { commitIndex: 2 }));
  checker.afterStep(3, viewOf(3, "leader", 3, logOf(1, 1)));
});

allows("a leader of an older term that nobody has told lacks a committed entry", (checker) => {
  store(checker, [1, 2], 2, logOf(2));
  checker.afterStep(1, viewOf(1, "leader", 2, logOf(2), { commitIndex: 1 }));
  checker.afterStep(3, viewOf(3, "leader", 1, logOf()));
});

breaks("state-machine-safety", "two nodes apply different entries at one index", (checker) => {
  checker.onApplied(1, write(1, 1).entry, undefined, 0);
  checker.onApplied(2, write(1, 2).entry, undefined, 0);
});

breaks("equal-digest", "two nodes are in different states after the same entry", (checker) => {
  checker.onApplied(1, write(1, 1).entry, write(1, 1).result, 1);
  checker.onApplied(2, write(1, 1).entry, write(1, 1).result, 2);
});

// -------------------------------------------------------------------------------------- commitment

breaks("committed-on-quorum", "a leader commits what one node of three has", (checker) => {
  store(checker, [1], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
});

breaks("committed-on-quorum", "the others have another entry at that index", (checker) => {
  store(checker, [1], 2, logOf(2));
  store(checker, [2, 3], 2, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 2, logOf(2), { commitIndex: 1 }));
});

breaks("committed-on-quorum", "a follower is the first to commit what one node has", (checker) => {
  store(checker, [1], 1, logOf(1));
  checker.afterStep(2, viewOf(2, "follower", 1, logOf(1), { commitIndex: 1 }));
});

allows("a leader commits what a quorum has, itself not included", (checker) => {
  store(checker, [2, 3], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
});

breaks("committed-immutable", "a committed entry is replaced on a disk", (checker) => {
  store(checker, [1, 2], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
  store(checker, [2], 2, logOf(2));
});

breaks("committed-immutable", "a committed entry is removed by writing an earlier one again", (checker) => {
  store(checker, [1, 2], 1, logOf(1, 1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1, 1), { commitIndex: 2 }));
  store(checker, [2], 1, logOf(1));
});

breaks("committed-immutable", "two nodes commit entries of different terms at one index", (checker) => {
  store(checker, [1, 2, 3], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
  checker.afterStep(2, viewOf(2, "follower", 2, logOf(2), { commitIndex: 1 }));
});

breaks("committed-immutable", "a crash brings another entry in the place of a committed one", (checker) => {
  store(checker, [1, 2], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1), { commitIndex: 1 }));
  checker.onStart(2, recovered({ currentTerm: 2, votedFor: 0 }, logOf(2)), 0);
});

allows("an entry that was not committed is replaced, and the same one is written again", (checker) => {
  store(checker, [1, 2], 1, logOf(1, 1));
  checker.afterStep(1, viewOf(1, "leader", 1, logOf(1, 1), { commitIndex: 1 }));
  store(checker, [2], 2, logOf(1, 2));
  store(checker, [1], 1, logOf(1, 1));
});

breaks("monotonic-state", "currentTerm goes back within a life", (checker) => {
  checker.afterStep(1, viewOf(1, "follower", 2, []));
  checker.afterStep(1, viewOf(1, "follower", 1, []));
});

allows("a term that was never durable is gone after a restart", (checker) => {
  checker.afterStep(1, viewOf(1, "follower", 2, []));
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }), 0);
  checker.afterStep(1, viewOf(1, "follower", 1, []));
});

breaks("monotonic-state", "commitIndex goes back within a life", (checker) => {
  store(checker, [1, 2], 1, logOf(1, 1));
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1, 1), { commitIndex: 2 }));
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1, 1), { commitIndex: 1 }));
});

breaks("monotonic-state", "lastApplied goes back within a life", (checker) => {
  store(checker, [1, 2], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1), { commitIndex: 1, lastApplied: 1 }));
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1), { commitIndex: 1, lastApplied: 0 }));
});

allows("commitIndex and lastApplied begin again after a restart", (checker) => {
  store(checker, [1, 2], 1, logOf(1));
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1), { commitIndex: 1 }));
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }, logOf(1)), 0);
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1)));
});

breaks("index-order", "more is applied than committed", (checker) => {
  checker.afterStep(1, viewOf(1, "follower", 1, logOf(1), { commitIndex: 0, lastApplied: 1 }));
});

breaks("index-order", "more is committed than the log holds", (checker) => {
  checker.afterStep(1, viewOf(1, "follower", 1, [], { commitIndex: 1, lastApplied: 0 }));
});

// -------------------------------------------------------------------------------------- durability

breaks("sync-before-send", "a vote leaves before it is durable", (checker) => {
  checker.onSend(3, 1, vote(1));
});

breaks("sync-before-send", "a candidacy leaves before the candidate's own vote is durable", (checker) => {
  persist(checker, 1, { currentTerm: 1, votedFor: 0 });
  checker.onSend(1, 2, candidacy(1));
});

breaks("sync-before-send", "an acknowledgement leaves before its entries are durable", (checker) => {
  store(checker, [2], 1, logOf(1));
  checker.onSend(2, 1, acknowledgement(1, 2));
});

breaks("sync-before-send", "a node answers in a term that is not durable", (checker) => {
  checker.onSend(2, 1, acknowledgement(1, 0));
});

breaks("sync-before-send", "a leader sends entries in a term that is not durable", (checker) => {
  checker.onSend(1, 2, {
    type: "AppendEntriesRequest",
    term: 1,
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 0,
    readRound: 0,
    hashIndex: 0,
    divergesAt: 0,
    entries: [],
  });
});

allows("votes and acknowledgements leave late, when the node is in a newer term", (checker) => {
  persist(checker, 2, { currentTerm: 1, votedFor: 1 }, logOf(1));
  persist(checker, 2, { currentTerm: 2, votedFor: 0 });
  checker.onSend(2, 1, vote(1));
  checker.onSend(2, 1, acknowledgement(1, 1));
});

allows(
  "entries that a newer leader replaced within one batch are acknowledged to the older one",
  (checker) => {
    checker.onTruncated(2, 1, viewOf(2, "follower", 2, logOf(1, 2)));
    store(checker, [2], 2, logOf(1, 2));
    checker.onSend(2, 1, acknowledgement(1, 3));
  },
);

breaks(
  "sync-before-send",
  "entries are acknowledged to the leader whose own entries came last",
  (checker) => {
    checker.onTruncated(2, 1, viewOf(2, "follower", 2, logOf(1, 2)));
    store(checker, [2], 2, logOf(1, 2));
    checker.onSend(2, 1, acknowledgement(2, 3));
  },
);

breaks("recovery-is-exact", "a restart forgets a term", (checker) => {
  persist(checker, 1, { currentTerm: 2, votedFor: 0 });
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }), 0);
});

breaks("recovery-is-exact", "a restart forgets a vote", (checker) => {
  persist(checker, 1, { currentTerm: 1, votedFor: 2 });
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }), 0);
});

breaks("recovery-is-exact", "a restart forgets an entry", (checker) => {
  store(checker, [1], 1, logOf(1, 1));
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }, logOf(1)), 0);
});

breaks("log-matching", "a restart brings back an entry with other bytes", (checker) => {
  persist(checker, 1, { currentTerm: 1, votedFor: 0 }, [write(1, 1).entry]);
  checker.onStart(1, recovered({ currentTerm: 1, votedFor: 0 }, [write(1, 2).entry]), 0);
});

allows(
  "a batch that was not synced survives: a newer term, more entries, others in the place of some",
  (checker) => {
    persist(checker, 1, { currentTerm: 1, votedFor: 1 }, logOf(1, 1));
    checker.onStart(1, recovered({ currentTerm: 2, votedFor: 3 }, logOf(1, 2, 2)), 0);
  },
);

// ----------------------------------------------------------------------------------------- clients

breaks("sessions-apply-once", "a write takes effect at two indexes", (checker) => {
  for (const index of [1, 2]) checker.onApplied(1, write(index, 1).entry, write(index, 1).result, index);
});

allows("a write that is in the log twice takes effect the first time", (checker) => {
  checker.onApplied(1, write(1, 1).entry, write(1, 1).result, 1);
  checker.onApplied(1, write(2, 1).entry, write(1, 1).result, 1);
  checker.onAcknowledged(1, 1, { clientId: CLIENT, sequence: 1 });
});

breaks("acknowledged-is-committed", "a write is acknowledged that was never applied", (checker) => {
  checker.onAcknowledged(1, 1, { clientId: CLIENT, sequence: 1 });
});

breaks("acknowledged-is-committed", "a write is acknowledged at the index of another", (checker) => {
  checker.onApplied(1, write(1, 1).entry, write(1, 1).result, 1);
  checker.onAcknowledged(1, 1, { clientId: CLIENT, sequence: 2 });
});

// ------------------------------------------------------------------------------ judged by the runner

const CALM = settingsOf(1, { nodes: 3, keys: 1, faults: {}, network: { loss: 0, duplicate: 0 } });

/** A seed with which all nodes are to be healed. */
const ALL_IN_THE_CORE = 2;

/** The invariant that a world breaks in its liveness phase after `prepare`. */
function livenessFailureOf(prepare: (world: World) => void): InvariantName | undefined {
  const world = new World({ seed: 1, settings: CALM });
  return failureOf(world, () => {
    prepare(world);
    livenessPhase(world, new Random(ALL_IN_THE_CORE, "liveness"));
    judgeHistory(world);
  })?.invariant;
}

function ends(invariant: InvariantName | undefined, what: string, prepare: (world: World) => void): void {
  if (invariant !== undefined) seen.add(invariant);
  const title = invariant === undefined ? "a run is clean" : `${invariant} is broken`;
  Deno.test(`${title} when ${what}`, () => assertEquals(livenessFailureOf(prepare), invariant));
}

ends(undefined, "nothing happens to it", (world) => world.advance(1_000));

ends("availability", "no message arrives in a healed cluster", (world) => {
  world.intercept = () => true;
});

ends("convergence", "one node of the core never hears from the others", (world) => {
  world.intercept = ({ to }) => to === 3;
  // It must be in the core to be missed there.
  world.healCore = () => {};
});

ends("durability", "the logs of the core lack an entry that was applied", (world) => {
  const { checker } = world;
  const appliedAt = checker.appliedAt.bind(checker);
  const [forgotten] = logOf(99);
  checker.appliedAt = (index) => index === 1 ? forgotten : appliedAt(index);
});

ends("linearizability", "a read saw what nobody wrote", (world) => {
  const { history } = world;
  history.complete(history.invoke({ client: 9, key: "x", kind: "get" }), "never written");
});

seen.add("no-crash");
Deno.test("no-crash is broken when a node throws what is not an error of its disk", () => {
  const { failure } = runSeed({
    seed: 1,
    override: { safetyMs: 5_000 },
    mutant: {
      name: "throws",
      summary: "fails on the first vote",
      origin: "this test",
      rules: {
        mayVoteFor: () => {
          throw new TypeError("undefined is not a function");
        },
      },
    },
  });
  assertEquals(failure?.invariant, "no-crash");
});

seen.add("requests-are-answered");
Deno.test("requests-are-answered is broken when a follower swallows a request", () => {
  const { failure } = runSeed({
    seed: 1,
    override: { safetyMs: 5_000 },
    mutant: {
      name: "swallows",
      summary: "answers no entries",
      origin: "this test",
      hooks: () => ({ send: (message) => message.type === "AppendEntriesResponse" ? undefined : message }),
    },
  });
  assertEquals(failure?.invariant, "requests-are-answered");
});

Deno.test("every invariant of this checker has been seen broken here", () => {
  /** Seen broken where they are judged: by campaigns, by the world's count of events, and by scenarios. */
  const elsewhere: readonly string[] = ["determinism", "bounded-work", "expectation"];
  const names = Object.keys(INVARIANTS) as InvariantName[];
  assertEquals(names.filter((name) => !seen.has(name) && !elsewhere.includes(name)), []);
});
