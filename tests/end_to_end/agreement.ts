/**
 * What every end-to-end test ends with: the nodes agree, stop cleanly, and have on disk what clients were told.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { DraftyClient } from "../../src/client/mod.ts";
import type { TestCluster } from "../chaos/cluster.ts";
import { endCluster } from "../chaos/round.ts";
import type { Acknowledged } from "../chaos/stored_logs.ts";

/** Puts, and notes what was acknowledged. */
export async function putNoted(
  client: DraftyClient,
  acknowledged: Acknowledged[],
  key: string,
  value: string,
): Promise<void> {
  const { index } = await client.put(key, value);
  acknowledged.push({ kind: "put", key, value, index });
}

/** Stops the cluster and compares the logs on disk with each other and with what was acknowledged. */
export async function assertAllAgree(
  cluster: TestCluster,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  assertEquals((await endCluster(cluster, acknowledged)).join("\n"), "");
}
