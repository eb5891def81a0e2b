/**
 * What a simulated machine needs of the world that it is in.
 *
 * @module
 */
import type { ClientResponse, PeerMessage } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import type { ReplicaEvent } from "../replica/mod.ts";
import type { Checker } from "./checker.ts";
import type { EventQueue } from "./event_queue.ts";
import type { Mutant } from "./mutant.ts";
import type { Settings } from "./settings.ts";

/** What a machine needs of its world. */
export interface MachineWorld {
  readonly queue: EventQueue;
  readonly settings: Settings;
  readonly checker: Checker;
  readonly mutant: Mutant | undefined;
  /** A message leaves at `departMs`, for whoever is at `port`. */
  send(from: NodeId, to: NodeId, port: number, message: PeerMessage, departMs: number): void;
  /** An answer leaves at `departMs`. */
  answer(from: NodeId, request: string, responses: readonly ClientResponse[], departMs: number): void;
  /** Something happened that a reader of the trace wants to know. */
  tell(node: NodeId, kind: number, text: () => string): void;
  onEvent(node: NodeId, event: ReplicaEvent): void;
}
