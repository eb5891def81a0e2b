/**
 * What a replica refuses to go on with.
 *
 * @module
 */

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
