/**
 * Memory for many small pieces of bytes, in large pages that the store owns. An array for each piece would cost a
 * microsecond and some 200 B, and a view into the buffer in which a piece arrived keeps all of that buffer.
 *
 * Pieces are rounded up to size classes, eight for each doubling; a page has blocks of one class. A piece over
 * {@linkcode MAX_SHARED_BYTES} has a page of its own size. A page of another maker (a snapshot's) can be adopted: its
 * pieces lie where they lie, and are never overwritten. A page goes when its last piece goes.
 *
 * Each piece has an owner, a number. Whoever owns pieces can move them: {@linkcode Slab.sparsePage} names a page that is
 * not worth its memory, so that what is held stays near what is used whatever is written.
 *
 * @module
 */

/** Longer pieces get a page of their own. */
export const MAX_SHARED_BYTES = 32 * 1024;
/** The usual size of a page; the first ones of a class are smaller, so that a small store is small. */
const PAGE_BYTES = 256 * 1024;
const FIRST_PAGE_BYTES = 4 * 1024;
/** Pieces of up to 2 to the power of this are of the smallest class. */
const SMALLEST_BITS = 4;
/** In the place of an owner: the block is free, and the other bits say which is the next free one. */
const FREE = 0x80000000;
const NO_BLOCK = 0x7fffffff;
/** A class gives pages back when more than this part of its blocks is free. */
const FREE_PART = 1 / 8;
/** An adopted page is given up when less than this part of it is in use. */
const ADOPTED_PART = 3 / 4;

interface Page {
  readonly bytes: Uint8Array;
  /** Undefined for a page that has been adopted, and for one with a single long piece. */
  readonly sizeClass: SizeClass | undefined;
  /** Of each block its owner, or {@linkcode FREE} and the next free block; of an adopted page all its first owners. */
  readonly owners: Uint32Array;
  readonly isAdopted: boolean;
  usedCount: number;
  /** Of a page that has been adopted. */
  usedBytes: number;
  firstFree: number;
  /** Where it is in the list of its class; -1 if it is full, or retired. */
  listed: number;
  /** Nothing is put into it any more, and its room does not count. */
  isRetired: boolean;
}

interface SizeClass {
  readonly blockBytes: number;
  /** Those of its pages that have room. */
  readonly withRoom: number[];
  blockCount: number;
  freeCount: number;
}

/** Pages of blocks. A piece is where `page` and `offset` say, until it is released. */
export class Slab {
  readonly #pages: (Page | undefined)[] = [];
  readonly #unusedNumbers: number[] = [];
  readonly #classes: (SizeClass | undefined)[] = [];
  #heldBytes = 0;
  #offset = 0;

  /** The bytes of all pages. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Where in its page the piece begins that was allocated last. */
  get offset(): number {
    return this.#offset;
  }

  bytesOf(page: number): Uint8Array {
    return this.#pages[page]?.bytes ?? NO_BYTES;
  }

  /** Finds room for a piece. Returns the number of its page; {@linkcode Slab.offset} says where in it. */
  allocate(sizeBytes: number, owner: number): number {
    if (sizeBytes > MAX_SHARED_BYTES) {
      this.#offset = 0;
      return this.#add(new Uint8Array(sizeBytes), undefined, Uint32Array.of(owner), false, 1);
    }
    const sizeClass = this.#classOf(sizeBytes);
    const number = sizeClass.withRoom.at(-1) ?? this.#addBlocks(sizeClass);
    const page = this.#pageAt(number);
    const block = page.firstFree;
    const next = (page.owners[block] ?? 0) & NO_BLOCK;
    page.firstFree = next;
    if (next === NO_BLOCK) this.#unlist(page, sizeClass);
    page.owners[block] = owner;
    page.usedCount++;
    sizeClass.freeCount--;
    this.#offset = block * sizeClass.blockBytes;
    return number;
  }

  /** Whether a piece of that size can take the place of one in this page. */
  fits(page: number, sizeBytes: number): boolean {
    const { sizeClass, isAdopted, bytes } = this.#pageAt(page);
    if (isAdopted) return false;
    if (sizeClass === undefined) return bytes.length === sizeBytes;
    return sizeBytes <= MAX_SHARED_BYTES && sizeClass.blockBytes === blockBytesOf(classNumberOf(sizeBytes));
  }

  /** The piece that begins there is not in use any more. */
  release(number: number, offset: number, sizeBytes: number): void {
    const page = this.#pageAt(number);
    const { sizeClass } = page;
    page.usedCount--;
    page.usedBytes -= sizeBytes;
    if (sizeClass !== undefined && !page.isRetired) {
      const block = offset / sizeClass.blockBytes;
      page.owners[block] = FREE + page.firstFree;
      const wasFull = page.firstFree === NO_BLOCK;
      page.firstFree = block;
      sizeClass.freeCount++;
      if (wasFull) list(page, number, sizeClass);
    }
    if (page.usedCount === 0) this.#giveBack(number, page);
  }

  /** Takes in a page with `owners.length` pieces, which are all of it in use. Its memory is the slab's from now on. */
  adopt(bytes: Uint8Array, owners: Uint32Array): number {
    return this.#add(bytes, undefined, owners, true, owners.length);
  }

  /**
   * After a release in page `number`: a page that is not worth its memory. Nothing is put into it any more, and whoever
   * owns pieces of it ({@linkcode Slab.ownersOf}) is to move them.
   */
  sparsePage(number: number): number | undefined {
    const page = this.#pages[number];
    if (page === undefined) return undefined;
    const { sizeClass } = page;
    if (sizeClass === undefined) {
      if (!page.isAdopted || page.usedBytes >= page.bytes.length * ADOPTED_PART) return undefined;
      // Once is enough: what is left in it after that cannot be moved.
      page.usedBytes = Infinity;
      return number;
    }
    const slack = sizeClass.blockCount * FREE_PART + PAGE_BYTES / sizeClass.blockBytes;
    if (sizeClass.freeCount <= slack) return undefined;
    let emptiest: number | undefined;
    let least = Infinity;
    for (const candidate of sizeClass.withRoom) {
      const { usedCount, owners } = this.#pageAt(candidate);
      if (usedCount / owners.length >= least) continue;
      least = usedCount / owners.length;
      emptiest = candidate;
    }
    if (emptiest !== undefined) this.#retire(this.#pageAt(emptiest), sizeClass);
    return emptiest;
  }

  /** What captures keep may hold it for long: did its room count meanwhile, one page after the other would be emptied. */
  #retire(page: Page, sizeClass: SizeClass): void {
    this.#unlist(page, sizeClass);
    page.isRetired = true;
    sizeClass.blockCount -= page.owners.length;
    sizeClass.freeCount -= page.owners.length - page.usedCount;
  }

  /** Who may own pieces of a page: some may have left it. */
  ownersOf(number: number): number[] {
    const { owners } = this.#pageAt(number);
    return Array.from(owners).filter((owner) => owner < FREE);
  }

  #pageAt(number: number): Page {
    const page = this.#pages[number];
    if (page === undefined) throw new RangeError(`there is no page ${number}`);
    return page;
  }

  #classOf(sizeBytes: number): SizeClass {
    const number = classNumberOf(sizeBytes);
    return this.#classes[number] ??= {
      blockBytes: blockBytesOf(number),
      withRoom: [],
      blockCount: 0,
      freeCount: 0,
    };
  }

  #addBlocks(sizeClass: SizeClass): number {
    const { blockBytes } = sizeClass;
    const wantedBytes = Math.min(PAGE_BYTES, Math.max(FIRST_PAGE_BYTES, sizeClass.blockCount * blockBytes));
    const count = Math.max(1, Math.floor(wantedBytes / blockBytes));
    const owners = new Uint32Array(count);
    for (let i = 0; i < count; i++) owners[i] = FREE + i + 1;
    owners[count - 1] = FREE + NO_BLOCK;
    const number = this.#add(new Uint8Array(count * blockBytes), sizeClass, owners, false, 0);
    sizeClass.blockCount += count;
    sizeClass.freeCount += count;
    list(this.#pageAt(number), number, sizeClass);
    return number;
  }

  #add(
    bytes: Uint8Array,
    sizeClass: SizeClass | undefined,
    owners: Uint32Array,
    isAdopted: boolean,
    usedCount: number,
  ): number {
    const number = this.#unusedNumbers.pop() ?? this.#pages.length;
    const usedBytes = isAdopted ? bytes.length : 0;
    this.#pages[number] = {
      bytes,
      sizeClass,
      owners,
      isAdopted,
      usedCount,
      usedBytes,
      firstFree: 0,
      listed: -1,
      isRetired: false,
    };
    this.#heldBytes += bytes.length;
    return number;
  }

  #giveBack(number: number, page: Page): void {
    const { sizeClass, owners, bytes } = page;
    if (sizeClass !== undefined && !page.isRetired) {
      this.#unlist(page, sizeClass);
      sizeClass.blockCount -= owners.length;
      sizeClass.freeCount -= owners.length;
    }
    this.#pages[number] = undefined;
    this.#unusedNumbers.push(number);
    this.#heldBytes -= bytes.length;
  }

  #unlist(page: Page, { withRoom }: SizeClass): void {
    const last = withRoom.at(-1);
    if (page.listed < 0 || last === undefined) return;
    withRoom[page.listed] = last;
    this.#pageAt(last).listed = page.listed;
    withRoom.pop();
    page.listed = -1;
  }
}

function list(page: Page, number: number, { withRoom }: SizeClass): void {
  page.listed = withRoom.length;
  withRoom.push(number);
}

/** Of up to {@linkcode MAX_SHARED_BYTES} bytes. */
function classNumberOf(sizeBytes: number): number {
  const last = Math.max(sizeBytes - 1, 1 << SMALLEST_BITS);
  const bits = 31 - Math.clz32(last);
  return (bits - SMALLEST_BITS) * 8 + (last >>> (bits - 3)) - 8;
}

/** How long the blocks of a class are. */
function blockBytesOf(classNumber: number): number {
  return (9 + classNumber % 8) << ((classNumber >>> 3) + SMALLEST_BITS - 3);
}

const NO_BYTES = new Uint8Array();
