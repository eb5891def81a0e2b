/**
 * Settings that more than one bug needs to show itself.
 *
 * @module
 */
import { NO_FAULTS, type SettingsOverride } from "../settings.ts";

/** Clients that fill the log of any node that takes itself for the leader, and batches that soon drain it. */
export const BUSY_CLIENTS = {
  thinkMs: 40,
  clients: 5,
  inFlight: 3,
  keys: 3,
  maxAppendBytes: 1_000_000,
  maxInflightAppends: 4,
} as const satisfies SettingsOverride;

/**
 * The occasion of Figure 8: a leader with a tail of an earlier term, which it replicates entry by entry over a slow
 * network, and no time to come to an entry of its own term before it is cut off again.
 */
export const FIGURE_8: SettingsOverride = {
  ...BUSY_CLIENTS,
  nodes: 3,
  safetyMs: 30_000,
  maxAppendBytes: 1,
  maxInflightAppends: 1,
  heartbeatMs: 50,
  electionTimeoutMs: { min: 300, max: 600 },
  network: { meanDelayMs: 40, loss: 0.2, duplicate: 0, straggle: 0 },
  faults: { ...NO_FAULTS, partition: 90, kill: 60 },
};
