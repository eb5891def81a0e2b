/**
 * Scenarios of features that drafty does not have yet. They are listed so that nobody takes them for covered.
 *
 * @module
 */
import { waiting } from "../scenario.ts";

export const WAITING_SCENARIOS = [
  waiting("removed-node-nag", {
    says: "a member that was removed and keeps campaigning disturbs nobody",
    source: "thesis §4.2.3",
    awaits: "membership",
  }),
  waiting("remove-in-partition", {
    says: "a change of members by a leader that was cut off takes no effect",
    source: "redisraft #17, RethinkDB",
    awaits: "membership",
  }),
];
