/**
 * Where a simulated machine is found, and where it looks for others: as the driver decides it (`peer_links.ts`).
 *
 * @module
 */
import type { NodeId } from "../raft/mod.ts";
import type { Replica } from "../replica/mod.ts";
import { addressAt } from "./beginnings.ts";

/** Where a node says that it is found, and the index of the configuration that has it there; 0 for none. */
export interface Place {
  readonly port: number;
  readonly index: number;
}

export class Whereabouts {
  /** Where the machine takes messages. */
  port: number;
  readonly #heardAt = new Map<NodeId, Place>();

  constructor(port: number) {
    this.port = port;
  }

  /** Where this machine says that it is. */
  placeOf(replica: Replica | undefined): Place {
    const claimed = replica?.claimedAddress(addressAt(this.port));
    return { port: claimed?.address.peerPort ?? this.port, index: claimed?.index ?? 0 };
  }

  /** Where another node is looked for. */
  portOf(node: NodeId, replica: Replica | undefined): number | undefined {
    const heard = this.#heardAt.get(node);
    if (heard !== undefined && heard.index > (replica?.committedConfigurationIndex ?? 0)) return heard.port;
    return replica?.addressOf(node)?.peerPort ?? heard?.port;
  }

  heard(node: NodeId, place: Place): void {
    this.#heardAt.set(node, place);
  }

  /** A process that starts has heard from nobody. */
  forget(): void {
    this.#heardAt.clear();
  }
}
