/**
 * The only errors that packraft throws. Whatever the bytes, a decoder either returns a value or throws a
 * {@linkcode PackraftError} whose `code` is one of {@linkcode PackraftErrorCode}.
 *
 * @module
 */

/** What is wrong with the bytes (or, for an encoder, with the value). */
export type PackraftErrorCode =
  /** The first bytes are not a packraft frame: another protocol is speaking. */
  | "badMagic"
  /** A frame of a version that this build does not speak. */
  | "unsupportedVersion"
  /** Flag bits that this version does not define. */
  | "unknownFlags"
  /** A message type number that this version does not define. */
  | "unknownType"
  /** The length in a frame header is 0 or over the limit; nothing was allocated for it. */
  | "badFrameLength"
  /** Header and body do not match their checksum. */
  | "badChecksum"
  /** The bytes end before the value does. */
  | "truncated"
  /** A valid message is followed by bytes that belong to nothing. */
  | "trailingBytes"
  /** A varint in more bytes than its value needs. */
  | "nonCanonicalVarint"
  /** An integer that is not a whole number from 0 to 2^53-1, or outside its field's range. */
  | "integerOutOfRange"
  /** A length or count outside its field's limits, or a count over what the rest of the frame can hold. */
  | "limitExceeded"
  /** Text that is not UTF-8 (or, when encoding, has a lone surrogate). */
  | "invalidText"
  /** A tag, flag or fixed-size field that holds none of the values that are defined for it. */
  | "invalidValue";

/** An encoder or decoder met something that packraft does not allow. */
export class PackraftError extends Error {
  override readonly name = "PackraftError";
  /** Which rule was broken; stable, for programs. */
  readonly code: PackraftErrorCode;

  constructor(code: PackraftErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
