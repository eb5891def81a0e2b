/**
 * All scenarios by name. How to write one is in `../scenario.ts`.
 *
 * @module
 */
import type { Scenario } from "../scenario.ts";
import { DISK_SCENARIOS } from "./disks.ts";
import { MEMBER_SCENARIOS } from "./members.ts";
import { NETWORK_SCENARIOS } from "./networks.ts";
import { CLIENT_SCENARIOS } from "./clients.ts";
import { REPLICATION_SCENARIOS } from "./replication.ts";
import { SNAPSHOT_SCENARIOS } from "./snapshots.ts";
import { TRANSFER_SCENARIOS } from "./transfers.ts";
import { VOTE_SCENARIOS } from "./votes.ts";

export { runScenario, type Scenario, type ScenarioResult, type ScenarioRunOptions } from "../scenario.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...VOTE_SCENARIOS,
  ...REPLICATION_SCENARIOS,
  ...CLIENT_SCENARIOS,
  ...DISK_SCENARIOS,
  ...SNAPSHOT_SCENARIOS,
  ...NETWORK_SCENARIOS,
  ...MEMBER_SCENARIOS,
  ...TRANSFER_SCENARIOS,
];

export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
