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

/** No node could be reached. Nothing was done. */
export class UnreachableError extends ClientError {
  override readonly name = "UnreachableError";
  override readonly exitCode = 8;
}

/** A read was not answered in time. Reads change nothing. */
export class NoAnswerError extends ClientError {
  override readonly name = "NoAnswerError";
  override readonly exitCode = 8;
}

/** A write was not answered in time: it may have taken effect, may yet, or never will. */
export class OutcomeUnknownError extends ClientError {
  override readonly name = "OutcomeUnknownError";
  override readonly exitCode = 8;
}

/** The request is not one that can be served. Nothing was done. */
export class RequestError extends ClientError {
  override readonly name = "RequestError";
  override readonly exitCode = 2;
}
