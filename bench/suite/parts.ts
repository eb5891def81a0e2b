/**
 * The parts of the suite, in the order in which they run.
 *
 * @module
 */
import { etcdProblem } from "./etcd_cluster.ts";
import { measureBesideEtcd } from "./etcd_part.ts";
import { measureFailover } from "./failover_part.ts";
import type { Part } from "./figures.ts";
import { measureFollowerDown } from "./follower_down_part.ts";
import { measureKeys } from "./keys_part.ts";
import { measureLoads } from "./load_part.ts";
import { measureMemory } from "./memory_part.ts";
import { measureMicro } from "./micro_part.ts";
import { measureOneShot } from "./one_shot_part.ts";
import { measureRestarts } from "./recovery_part.ts";
import { measureSimulator } from "./sim_part.ts";
import { measureValues } from "./values_part.ts";
import { measureVersion } from "./version_part.ts";

export const PARTS: readonly Part[] = [
  { name: "load", says: "put and get, 1 to 1,024 in flight", run: measureLoads },
  { name: "one-shot", says: "clients that connect for each request", run: measureOneShot },
  { name: "values", says: "values of 128 B to 64 KiB", run: measureValues },
  { name: "keys", says: "few keys and many", run: measureKeys },
  { name: "follower-down", says: "puts with a follower down", run: measureFollowerDown },
  { name: "memory", says: "resident memory of the leader", run: measureMemory },
  { name: "failover", says: "the leader is killed", isOnce: true, run: measureFailover },
  {
    name: "recovery",
    says: "restart from the log and from a snapshot; puts during a snapshot",
    isOnce: true,
    run: measureRestarts,
  },
  { name: "micro", says: "codec and abstracted server alone", run: measureMicro },
  { name: "sim", says: "speed of the simulator", run: measureSimulator },
  { name: "version", says: "drafty --version", isOnce: true, run: measureVersion },
];

/** Only where it is asked for. */
export const ETCD_PART: Part = {
  name: "etcd",
  says: "the same load for drafty and etcd, in turns",
  problem: etcdProblem,
  run: measureBesideEtcd,
};
