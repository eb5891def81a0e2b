/**
 * Takes messages out of the network while a scenario wants it: to lose exactly these, or to deliver them later.
 *
 * @module
 */
import type { PeerMessage } from "../../packraft/mod.ts";
import type { NodeId } from "../raft/mod.ts";
import type { Letter } from "./world.ts";

/** Which messages are meant. */
export type MessageFilter = (message: PeerMessage, from: NodeId, to: NodeId) => boolean;

/** Messages that are lost from now on, until `end`. */
export interface Drop {
  readonly count: number;
  end(): void;
}

/** Messages that are kept from now on. */
export interface Hold {
  /** How many are kept at present. */
  readonly count: number;
  /** Keeps what it has and lets new ones pass. */
  close(): void;
  /** Puts what it has on its way, `copies` times, and lets new ones pass. */
  release(copies?: number): void;
}

export class LetterBox {
  /** How many messages were taken out. */
  count = 0;
  readonly #rules: ((letter: Letter) => boolean)[] = [];
  readonly #kept: Letter[][] = [];

  /** Whether a rule took the letter; the newest is asked first. */
  take(letter: Letter): boolean {
    for (let i = this.#rules.length - 1; i >= 0; i--) {
      if (this.#rules[i]?.(letter) !== true) continue;
      this.count++;
      return true;
    }
    return false;
  }

  drop(filter: MessageFilter): Drop {
    let count = 0;
    const end = this.#addRule((letter) => {
      const isMeant = filter(letter.message, letter.from, letter.to);
      if (isMeant) count++;
      return isMeant;
    });
    return {
      get count() {
        return count;
      },
      end,
    };
  }

  hold(filter: MessageFilter): Hold {
    const kept: Letter[] = [];
    this.#kept.push(kept);
    const close = this.#addRule((letter) => {
      const isMeant = filter(letter.message, letter.from, letter.to);
      if (isMeant) kept.push(letter);
      return isMeant;
    });
    return {
      get count() {
        return kept.length;
      },
      close,
      release: (copies = 1) => {
        close();
        for (const letter of kept.splice(0)) for (let i = 0; i < copies; i++) letter.send();
      },
    };
  }

  /** Ends all rules; what is kept goes on its way. */
  clear(): void {
    this.#rules.length = 0;
    for (const kept of this.#kept) for (const letter of kept.splice(0)) letter.send();
  }

  #addRule(rule: (letter: Letter) => boolean): () => void {
    this.#rules.push(rule);
    return () => {
      const place = this.#rules.indexOf(rule);
      if (place >= 0) this.#rules.splice(place, 1);
    };
  }
}
