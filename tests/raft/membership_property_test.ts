/** Members that come and go, transfers and follower reads in random schedules. */
import { assert } from "@std/assert";
import fc from "fast-check";
import { RAFT_RULES, type Rules } from "../../src/raft/mod.ts";
import { ELECTION_MAX_MS } from "./harness.ts";
import { actionsOf, WEIGHTS, World } from "./world.ts";

const ACTIONS = actionsOf({
  ...WEIGHTS,
  register: 6,
  deregister: 4,
  move: 1,
  transfer: 3,
  readAny: 5,
});

const RUNS = 60;

interface Happened {
  committed: number;
  /** Of those, how many changed the members. */
  changes: number;
  promotions: number;
}

function scheduleProperty(rules: Rules, happened: Happened) {
  return fc.property(fc.constantFrom(2, 3), fc.nat(1_000_000), ACTIONS, (size, seed, actions) => {
    const world = new World(size, seed, rules, 2);
    for (const action of actions) world.do(action);
    world.converge(30 * ELECTION_MAX_MS);
    happened.committed += world.invariants.committedCount;
    const leader = world.cluster.server(world.cluster.leaders[0] ?? 1);
    const changes = leader.log.filter(({ kind }) => kind === "configuration");
    happened.changes += changes.length;
    if (leader.view.configuration.members.some(({ id, role }) => id > size && role === "voter")) {
      happened.promotions++;
    }
  });
}

Deno.test("random schedules with members that come and go break no invariant, and a healed cluster agrees in bounded time", () => {
  const happened = { committed: 0, changes: 0, promotions: 0 };
  fc.assert(scheduleProperty(RAFT_RULES, happened), { numRuns: RUNS });
  const { committed, changes, promotions } = happened;
  assert(committed > RUNS * 8, `only ${committed} entries were committed`);
  assert(changes > RUNS * 3, `only ${changes} of them changed the members`);
  assert(promotions > RUNS / 5, `only ${promotions} times a new member was a voter in the end`);
});

/** Rules of changes, each broken alone, that these schedules must notice; others take the simulator to be seen. */
const MUTANTS: { [name: string]: Partial<Rules> } = {
  "a configuration counts only when it is committed": {
    configurationInForce: (_newest, committed) => committed,
  },
  "learners count": { counts: (role) => role !== undefined },
  "those who have left count": { counts: () => true },
  "reads are confirmed by nobody": { readConfirmed: () => true },
  "reads are answered before their index is applied": { mayAnswerRead: () => true },
};

for (const [name, rules] of Object.entries(MUTANTS)) {
  Deno.test(`random schedules with members that come and go notice that ${name}`, () => {
    const happened = { committed: 0, changes: 0, promotions: 0 };
    const property = scheduleProperty({ ...RAFT_RULES, ...rules }, happened);
    const { failed } = fc.check(property, { numRuns: RUNS, seed: 7, endOnFailure: true });
    assert(failed, `${RUNS} schedules break no invariant`);
  });
}
