/**
 * What a replica refuses to go on with.
 *
 * @module
 */

/** This replica's state is not that of the majority. */
export class DivergedError extends Error {
  override readonly name = "DivergedError";
  readonly exitCode = 5;

  constructor(index: number) {
    super(
      `the state of this node differs from that of the majority since entry ${index}: it must not be read any more. ` +
        "Start the node with an empty data directory, to be given the state of the others; if it happens again, " +
        "look to its memory and its disk",
    );
  }
}

/** The configuration names other members than the cluster's own state does. */
export class MembersError extends Error {
  override readonly name = "MembersError";
  readonly exitCode = 3;

  constructor(members: readonly number[], configured: readonly number[]) {
    super(
      `the configuration has nodes ${configured.join(", ")}, and the cluster's snapshot nodes ${
        members.join(", ")
      }: ` +
        "give every node the configuration that the cluster was started with",
    );
  }
}
