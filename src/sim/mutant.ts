/**
 * How a bug is put back, for a simulation that must notice it: a rule of Raft replaced, or one of the seams between
 * a server and its world tampered with. Nothing here is known to the server itself.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, PeerMessage } from "../../packraft/mod.ts";
import type { Store } from "../kv/mod.ts";
import type { NodeId, Persist, RaftView, Recovered, Rules } from "../raft/mod.ts";
import type { Replica } from "../replica/mod.ts";
import type { SimDisk } from "./disk.ts";
import type { SettingsOverride } from "./settings.ts";

/** One bug. Every part is optional; what is absent works as it should. */
export interface Mutant {
  readonly name: string;
  /** What is wrong, in one line. */
  readonly summary: string;
  /** Where the bug was found: an ancestor of drafty, another system, a textbook. */
  readonly origin: string;
  /** Rules of Raft that answer wrongly. */
  readonly rules?: Partial<Rules>;
  /** What is done at a node's seams; made once for each node of a run, so that it may remember. */
  readonly hooks?: (node: NodeId) => MutantHooks;
  /** Whether a sync lies: returns without having made anything durable. */
  readonly lyingSync?: boolean;
  /** Whether a node that has lost a part of its memory, or all of it, goes on as if nothing had happened. */
  readonly deniesLoss?: boolean;
  /** The scenario in which the bug shows itself, for one that seeds by chance do not lead to. */
  readonly scenario?: string;
  /** What to change in the settings drawn from a seed, so that the bug has its occasion. */
  readonly settings?: SettingsOverride;
}

export interface MutantHooks {
  /** Something done to a node's disk before anything uses it. */
  readonly disk?: (disk: SimDisk) => void;
  /** A state machine with a bug. */
  readonly makeStore?: () => Store;
  /** What is written instead of `persist`. */
  readonly persist?: (persist: Persist) => Persist;
  /** Whether this batch is reported as durable without a sync. */
  readonly skipsSync?: (persist: Persist) => boolean;
  /** What a restarted node believes to have recovered. */
  readonly recover?: (recovered: Recovered) => Recovered;
  /** Something done to a node right after it has (re)started. */
  readonly afterStart?: (replica: Replica, recovered: Recovered) => void;
  /** The message that leaves instead, or none. */
  readonly send?: (message: PeerMessage, to: NodeId, view: RaftView) => PeerMessage | undefined;
  /** The message that is taken in instead, or none. */
  readonly receive?: (message: PeerMessage, from: NodeId, view: RaftView) => PeerMessage | undefined;
  /** What a node answers to a request without asking anyone, or undefined to go on as usual. */
  readonly answer?: (request: ClientRequest, replica: Replica) => ClientResponse | undefined;
}
