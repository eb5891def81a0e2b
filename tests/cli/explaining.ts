/**
 * Tests of what is said when nodes report this and that.
 */
import { assertEquals } from "@std/assert";
import type { NodeReport } from "../../src/cli/cluster_reports.ts";
import { explainCluster, explainNode } from "../../src/cli/explanation.ts";
import { cluster } from "./node_reports.ts";

export function explains(
  situation: string,
  reports: readonly NodeReport[],
  sentences: readonly string[],
): void {
  Deno.test(
    `explainCluster() explains ${situation}`,
    () => assertEquals(explainCluster(cluster(reports)), sentences),
  );
}

export function explainsNode(
  situation: string,
  node: number,
  reports: readonly NodeReport[],
  sentences: readonly string[],
): void {
  Deno.test(
    `explainNode(${node}) explains ${situation}`,
    () => assertEquals(explainNode(cluster(reports), node), sentences),
  );
}
