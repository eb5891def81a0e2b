/**
 * How a request can fail. The classes tell apart what a caller must tell apart: that nothing was done, and that
 * nobody knows.
 *
 * @module
 */

/** Any failure of a request. `exitCode` is what the command line ends with. */
export abstract class ClientError extends Error {
  abstract readonly exitCode: number;
}

/** Nodes answer, but none leads: a majority is down or out of reach. Nothing was done. */
export class NoLeaderError extends ClientError {
  override readonly name = "NoLeaderError";
  override readonly exitCode = 8;
}

/** No node could be reached. Nothing was done. The message names each address and what became of it. */
export class UnreachableError extends ClientError {
  override readonly name = "UnreachableError";
  override readonly exitCode = 8;
}

/** There was no answer in time, and nothing was changed: it was a read, or a write that was refused each time. */
export class NoAnswerError extends ClientError {
  override readonly name = "NoAnswerError";
  override readonly exitCode = 8;
}

/** A write was not answered in time: it may have taken effect, may yet, or never will. */
export class OutcomeUnknownError extends ClientError {
  override readonly name: string = "OutcomeUnknownError";
  override readonly exitCode = 8;
}

/** The cluster holds no results of this client id any more, so it cannot say whether the write was done. */
export class SessionLostError extends OutcomeUnknownError {
  override readonly name = "SessionLostError";
}

/** The client was closed before the answer came. Nothing was done. */
export class ClientClosedError extends ClientError {
  override readonly name = "ClientClosedError";
  override readonly exitCode = 8;
}

/** The disk of the node that was asked is full, and nothing was changed. */
export class NoSpaceError extends ClientError {
  override readonly name = "NoSpaceError";
  override readonly exitCode = 6;
}

/** Leadership was not handed over; who led before goes on. */
export class TransferFailedError extends ClientError {
  override readonly name = "TransferFailedError";
  override readonly exitCode = 1;
}

/** The request is not one that can be served. Nothing was done. */
export class RequestError extends ClientError {
  override readonly name = "RequestError";
  override readonly exitCode = 2;
}
