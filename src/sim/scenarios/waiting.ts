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
  waiting("snapshot-log-gap", {
    says: "a crash at any step from the snapshot to the trimmed log loses no entry",
    source: "redisraft #43",
    awaits: "snapshots",
  }),
  waiting("torn-snapshot", {
    says: "after a crash in the middle of writing a snapshot the old one still loads",
    source: "redisraft #654",
    awaits: "snapshots",
  }),
  waiting("two-snapshots", {
    says: "a second snapshot that arrives before the first is installed does no harm",
    source: "etcd #18055",
    awaits: "snapshots",
  }),
];
