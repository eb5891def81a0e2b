/**
 * The links to all other nodes: where each is found, and what is on its way there.
 *
 * A node is where the newest configuration says: this node's own, or that of which the other told in its last message,
 * if that is newer than what is known here to be committed. For a node that was away may know only where the leader was
 * before it moved: were its answers sent there, it would never be brought up to date. The same holds for a leader that
 * became a member meanwhile. Who is in no configuration that is known here is where it said itself.
 *
 * @module
 */
import { PeerLink, type PeerLinkOptions } from "./peer_link.ts";

/** Where a node takes messages of others. */
export interface PeerAddress {
  readonly host: string;
  readonly peerPort: number;
}

/** What a node says of itself. */
export interface HeardAddress extends PeerAddress {
  /** The index of the configuration that has it there; 0 if none does, or if it does not listen there itself. */
  readonly addressIndex: number;
}

export interface PeerLinksOptions extends Pick<PeerLinkOptions, "lingerMs" | "stallMs" | "maxQueuedBytes"> {
  /** Where a member is found, as far as is known here. */
  readonly addressOf: (node: number) => PeerAddress | undefined;
  /** The index of the newest configuration that is known here to be committed: such ones are in one order everywhere. */
  readonly committedIndex: () => number;
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
  readonly #heardAt = new Map<number, HeardAddress>();

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** A message of `node` came, which says that it is found there; port 0 says nothing. */
  heard(node: number, address: HeardAddress): void {
    if (address.peerPort === 0 || address.host === "") return;
    this.#heardAt.delete(node);
    this.#heardAt.set(node, address);
    if (this.#heardAt.size <= MAX_HEARD) return;
    for (const oldest of this.#heardAt.keys()) {
      this.#forget(oldest);
      break;
    }
  }

  /** Sends a frame, or drops it. */
  send(node: number, frame: Uint8Array): void {
    const address = this.#addressOf(node);
    if (address !== undefined) this.#linkTo(node, address).send(frame);
  }

  /** A stranger's link goes with what it has said; a member keeps its own. */
  #forget(node: number): void {
    this.#heardAt.delete(node);
    if (this.#options.addressOf(node) !== undefined) return;
    this.#links.get(node)?.link.close();
    this.#links.delete(node);
  }

  #addressOf(node: number): PeerAddress | undefined {
    const heard = this.#heardAt.get(node);
    if (heard !== undefined && heard.addressIndex > this.#options.committedIndex()) return heard;
    return this.#options.addressOf(node) ?? heard;
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
