/**
 * Pairs in the order of their keys. A key is held as a string of one character per byte, so that comparing strings
 * compares bytes; a value as bytes, or as its place in a page of the snapshot that it came from.
 *
 * @module
 */
import BTreeModule from "sorted-btree";
import { bulkLoad } from "sorted-btree/extended/bulkLoad";
import { PageValues, type ValuePlace } from "./page_values.ts";

// The package is CommonJS: its default export arrives wrapped.
const BTree = BTreeModule.default;
type Tree = InstanceType<typeof BTree<string, Uint8Array | ValuePlace>>;

/** How many children a node of the tree has at most. */
const MAX_NODE_SIZE = 32;
const byName = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;

export class PairMap {
  readonly #tree: Tree;
  readonly #pages: PageValues;

  /** Of names in order, each with the place of its value in `pages`. */
  constructor(names: string[] = [], places: ValuePlace[] = [], pages: PageValues = new PageValues()) {
    this.#tree = names.length === 0
      ? new BTree<string, Uint8Array | ValuePlace>(undefined, byName, MAX_NODE_SIZE)
      : bulkLoad<string, Uint8Array | ValuePlace>(names, places, MAX_NODE_SIZE, byName);
    this.#pages = pages;
  }

  get size(): number {
    return this.#tree.size;
  }

  get(name: string): Uint8Array | undefined {
    const value = this.#tree.get(name);
    return typeof value === "number" ? this.#pages.get(value) : value;
  }

  /** Returns the value that was there before. */
  set(name: string, value: Uint8Array): Uint8Array | undefined {
    // A new key is searched for once.
    if (this.#tree.setIfNotPresent(name, value)) return undefined;
    const old = this.#taken(name);
    this.#tree.set(name, value);
    return old;
  }

  /** Returns the value that was there. */
  delete(name: string): Uint8Array | undefined {
    const old = this.#taken(name);
    if (old !== undefined) this.#tree.delete(name);
    return old;
  }

  /**
   * All pairs as they are now, in order, whatever is written while they are walked: the tree shares its nodes until
   * one side writes. A pair is the same array each time, with other content.
   */
  capture(): Iterable<readonly [string, Uint8Array]> {
    const tree = this.#tree.clone();
    const find = this.#pages.capture();
    return (function* () {
      const pair: [string, Uint8Array] = ["", NO_VALUE];
      for (const [name, value] of tree.entries(undefined, ["", NO_VALUE])) {
        pair[0] = name;
        pair[1] = typeof value === "number" ? find(value) : value;
        yield pair;
      }
    })();
  }

  /** The value of a name, which is about to be something else. */
  #taken(name: string): Uint8Array | undefined {
    const value = this.#tree.get(name);
    if (typeof value !== "number") return value;
    const bytes = this.#pages.get(value);
    this.#pages.release(value);
    return bytes;
  }
}

const NO_VALUE = new Uint8Array();
