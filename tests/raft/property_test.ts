import { assert } from "@std/assert";
import fc from "fast-check";
import { RAFT_RULES, type Rules } from "../../src/raft/mod.ts";
import { ELECTION_MAX_MS } from "./harness.ts";
import { actionsOf, WEIGHTS, World } from "./world.ts";

const ACTIONS = actionsOf(WEIGHTS);

interface Happened {
  committed: number;
  terms: number;
}

/** Runs random schedules; returns how much happened in them, so that a test that does nothing is noticed. */
function runSchedules(sizes: readonly number[], runs: number): Happened {
  const happened = { committed: 0, terms: 0 };
  fc.assert(scheduleProperty(sizes, RAFT_RULES, happened), { numRuns: runs });
  return happened;
}

function scheduleProperty(sizes: readonly number[], rules: Rules, happened: Happened) {
  return fc.property(fc.constantFrom(...sizes), fc.nat(1_000_000), ACTIONS, (size, seed, actions) => {
    const world = new World(size, seed, rules);
    for (const action of actions) world.do(action);
    world.converge(10 * ELECTION_MAX_MS);
    happened.committed += world.invariants.committedCount;
    happened.terms += world.invariants.terms;
  });
}

Deno.test("random schedules of 3 and 5 servers break no invariant, and a healed cluster agrees in bounded time", () => {
  const { committed, terms } = runSchedules([3, 5], 250);
  assert(committed > 250 * 5, `only ${committed} entries were committed`);
  assert(terms > 250, `only ${terms} leaders were elected`);
});

Deno.test("random schedules of 1, 2, 4 and 7 servers break no invariant either", () => {
  const { committed } = runSchedules([1, 2, 4, 7], 60);
  assert(committed > 60 * 5, `only ${committed} entries were committed`);
});

/**
 * Rules of Raft, each broken alone, that the schedules must notice: else they test less than they seem to. (What
 * takes thousands of schedules to show is left to the simulator and to the tests of the paper's claims.)
 */
const MUTANTS: { [name: string]: Partial<Rules> } = {
  "half of the servers are a quorum": { quorum: (voterCount) => Math.ceil(voterCount / 2) },
  "a voter votes for whoever asks": { mayVoteFor: () => true },
  "any log may win": { isUpToDate: () => true },
  "conflicts are kept": { conflicts: () => false },
  "a follower acknowledges its whole log": { matchIndexAfter: (_prev, _count, lastLogIndex) => lastLogIndex },
  "a follower commits what the leader has": { followerCommitIndex: (leaderCommit) => leaderCommit },
  "one server's copy commits": { quorumIndex: (indexes) => Math.max(...indexes) },
  "a new leader reads at once": { mayServeReads: () => true },
  "a new term keeps the old vote": { votedForInNewTerm: (votedFor) => votedFor },
  "larger terms are not taken": { adoptsTerm: () => false },
  "a candidate votes for nobody": { voteOfCandidate: () => 0 },
};

for (const [name, rules] of Object.entries(MUTANTS)) {
  Deno.test(`random schedules notice that ${name}`, () => {
    const mutant = { ...RAFT_RULES, ...rules };
    const property = scheduleProperty([2, 3, 4, 5], mutant, { committed: 0, terms: 0 });
    // No report and no shrinking: that it fails is what is wanted. The seed is fixed so that it always does.
    const { failed } = fc.check(property, { numRuns: 200, seed: 7, endOnFailure: true });
    assert(failed, "200 schedules break no invariant");
  });
}
