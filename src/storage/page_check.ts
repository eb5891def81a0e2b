/**
 * Checks the body of a snapshot that arrives in pieces of any length: a state machine that keeps a few bytes, so that
 * nothing has to be read twice.
 *
 * @module
 */
import { crc32 } from "../../packraft/crc32.ts";
import { MAX_PAGE_BYTES } from "./durable_storage.ts";
import { BadSnapshotError } from "./errors.ts";
import { beginPageCrc, PAGE_HEADER_BYTES } from "./snapshot_format.ts";

export class PageCheck {
  /** The header of the current page, as far as it has arrived. */
  readonly #header = new Uint8Array(PAGE_HEADER_BYTES);
  readonly #headerView = new DataView(this.#header.buffer);
  #headerBytes = 0;
  /** How much of the current page's payload is still to come. */
  #payloadLeft = 0;
  /** Of all up to here. */
  #crc = 0;
  #totalBytes = 0;
  #isComplete = false;

  /** Whether the end has arrived. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The checksum of the body, once it is complete. */
  get checksum(): number {
    return this.#crc;
  }

  /** @throws BadSnapshotError as soon as it cannot be a snapshot any more */
  push(data: Uint8Array): void {
    let at = 0;
    while (at < data.length) {
      if (this.#isComplete) throw this.#bad(at, `${data.length - at} B after its end`);
      at += this.#headerBytes < PAGE_HEADER_BYTES
        ? this.#takeHeader(data.subarray(at))
        : this.#takePayload(data.subarray(at));
      if (this.#headerBytes === PAGE_HEADER_BYTES && this.#payloadLeft === 0) this.#endPage(at);
    }
    this.#totalBytes += data.length;
  }

  #takeHeader(data: Uint8Array): number {
    const part = data.subarray(0, PAGE_HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes === PAGE_HEADER_BYTES) {
      const length = this.#headerView.getUint32(0);
      if (length > MAX_PAGE_BYTES) {
        throw this.#bad(part.length, `a page of ${length} B, which exceeds ${MAX_PAGE_BYTES}`);
      }
      this.#payloadLeft = length;
      this.#crc = beginPageCrc(length, this.#crc);
    }
    return part.length;
  }

  #takePayload(data: Uint8Array): number {
    const part = data.subarray(0, this.#payloadLeft);
    this.#crc = crc32(part, this.#crc);
    this.#payloadLeft -= part.length;
    return part.length;
  }

  #endPage(at: number): void {
    if (this.#crc !== this.#headerView.getUint32(4)) {
      throw this.#bad(at, "a page that does not match its checksum");
    }
    this.#isComplete = this.#headerView.getUint32(0) === 0;
    this.#headerBytes = 0;
  }

  #bad(at: number, problem: string): BadSnapshotError {
    return new BadSnapshotError(
      `the snapshot that was sent holds, before byte ${this.#totalBytes + at}, ${problem}`,
    );
  }
}
