/**
 * What must hold in every run, by name, with where it is stated. "Raft" is the extended paper, "thesis" is
 * Ongaro's dissertation.
 *
 * @module
 */

export const INVARIANTS = {
  "election-safety": { source: "Raft §5.2, Figure 3", says: "at most one leader is elected in a term" },
  "one-vote-per-term": {
    source: "Raft §5.2",
    says: "a node votes for at most one candidate in a term, across restarts",
  },
  "leader-append-only": {
    source: "Raft §5.3, Figure 3",
    says: "a leader never removes or replaces entries of its log",
  },
  "log-matching": {
    source: "Raft §5.3, Figure 3",
    says: "two logs with the same term at an index are identical up to there",
  },
  "leader-completeness": {
    source: "Raft §5.4, Figure 3",
    says: "a committed entry is in the log of every leader of a later term",
  },
  "state-machine-safety": {
    source: "Raft §5.4.3, Figure 3",
    says: "no two nodes apply different entries at the same index",
  },
  "committed-on-quorum": {
    source: "Raft §5.3",
    says: "what a leader commits is durable on a majority",
  },
  "committed-immutable": {
    source: "Raft §5.3",
    says: "a committed entry is never removed or replaced anywhere",
  },
  "monotonic-state": {
    source: "Raft §5.1, Figure 2",
    says: "currentTerm, and within a life commitIndex and lastApplied, never go back",
  },
  "members-change-in-order": {
    source: "Ongaro's correction of 2015 to thesis §4.1",
    says: "a leader changes members after it has committed an entry of its term, and the change before",
  },
  "promoted-when-caught-up": {
    source: "thesis §4.2.1",
    says: "a learner becomes a voter when it has all that was there when it came",
  },
  "one-voter-at-a-time": {
    source: "Raft §6; thesis §4.1",
    says: "committed configurations follow each other in steps of one voter",
  },
  "index-order": { source: "Raft Figure 2", says: "lastApplied <= commitIndex <= last log index" },
  "sync-before-send": {
    source: "Raft §5.1, Figure 2",
    says: "no vote, candidacy or acknowledgement leaves before what it rests on is durable",
  },
  "recovery-is-exact": {
    source: "Raft §5.1",
    says: "a restarted node has all that it made durable, and nothing that nobody wrote",
  },
  "equal-digest": {
    source: "Raft §2",
    says: "state machines that have applied the same entries are equal",
  },
  "sessions-apply-once": {
    source: "Raft §8; thesis §6.3",
    says: "a client's write takes effect at most once",
  },
  "acknowledged-is-committed": {
    source: "Raft §5.3",
    says: "a write is acknowledged only when it is committed",
  },
  "requests-are-answered": {
    source: "Raft §5.1",
    says: "every request between nodes is answered, refusals included",
  },
  "no-crash": { source: "drafty", says: "no input makes a node fail" },
  "bounded-work": {
    source: "drafty",
    says: "a cluster at rest is quiet, and a busy one does not keep itself busy for ever",
  },
  "determinism": { source: "drafty", says: "a seed gives the same run again, byte for byte" },
  "linearizability": {
    source: "Herlihy and Wing 1990; Raft §8",
    says: "reads and writes are as if done one at a time, each between its call and its return",
  },
  "durability": {
    source: "Raft §5.3",
    says: "at the end every acknowledged write is in every log of the core",
  },
  "convergence": { source: "Raft §5.6", says: "with a majority healed, its nodes come to the same state" },
  "availability": {
    source: "Raft §5.6",
    says: "with a majority healed, a write is acknowledged in bounded time",
  },
  "expectation": { source: "the scenario", says: "what a scenario expects comes about" },
} as const;

export type InvariantName = keyof typeof INVARIANTS;
