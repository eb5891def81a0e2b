/**
 * The links to all other nodes: where each is found, and what is on its way there.
 *
 * A node is where it said itself, in its last message, that it takes messages; before it has said anything, where the
 * configuration says. For a node that was away may know only where the leader was before it moved: were its answers sent
 * there, it would never be brought up to date. The same holds for a leader that became a member meanwhile. When the
 * members change, what was heard before is forgotten: it may be a thing of the past.
 *
 * @module
 */
import { PeerLink, type PeerLinkOptions } from "./peer_link.ts";

/** Where a node takes messages of others. */
export interface PeerAddress {
  readonly host: string;
  readonly peerPort: number;
}

export interface PeerLinksOptions extends Pick<PeerLinkOptions, "lingerMs" | "stallMs" | "maxQueuedBytes"> {
  /** Where a member is found, as far as is known here. */
  readonly addressOf: (node: number) => PeerAddress | undefined;
  /** Told when messages to a node are lost, why, and at most how many. */
  readonly onLoss: (node: number, address: PeerAddress, reason: string, messageCount: number) => void;
}

/** How many addresses are kept: a cluster has a few members, and anyone may claim to be one. */
const MAX_HEARD = 32;

interface Linked {
  readonly address: PeerAddress;
  readonly link: PeerLink;
}

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<number, Linked>();
  readonly #heardAt = new Map<number, PeerAddress>();

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** A message of `node` came, which says that it is found there; port 0 says nothing. */
  heard(node: number, address: PeerAddress): void {
    if (address.peerPort === 0 || address.host === "") return;
    this.#heardAt.delete(node);
    this.#heardAt.set(node, address);
    if (this.#heardAt.size <= MAX_HEARD) return;
    for (const oldest of this.#heardAt.keys()) {
      this.#heardAt.delete(oldest);
      break;
    }
  }

  /** Members have come, gone or moved. */
  forgetHeard(): void {
    this.#heardAt.clear();
  }

  /** Sends a frame, or drops it. */
  send(node: number, frame: Uint8Array): void {
    const address = this.#heardAt.get(node) ?? this.#options.addressOf(node);
    if (address !== undefined) this.#linkTo(node, address).send(frame);
  }

  close(): void {
    for (const { link } of this.#links.values()) link.close();
  }

  #linkTo(node: number, address: PeerAddress): PeerLink {
    const linked = this.#links.get(node);
    if (linked?.address.host === address.host && linked.address.peerPort === address.peerPort) {
      return linked.link;
    }
    linked?.link.close();
    const { lingerMs, stallMs, maxQueuedBytes, onLoss } = this.#options;
    const link = new PeerLink({
      host: address.host,
      port: address.peerPort,
      lingerMs,
      stallMs,
      maxQueuedBytes,
      onLoss: (reason, messageCount) => onLoss(node, address, reason, messageCount),
    });
    this.#links.set(node, { address, link });
    return link;
  }
}
