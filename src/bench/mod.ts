/**
 * Loads a cluster and measures it, and what the machine under it takes at least.
 *
 * @module
 */
export { LatencyHistogram, medianOf } from "./latencies.ts";
export { limitMsOf, type MachineLimits, measureLimits } from "./limits.ts";
export {
  benchKey,
  benchValue,
  connectionsFor,
  leastConnectionsFor,
  LoadClients,
  type LoadFigures,
  type LoadOptions,
  MAX_KEYS,
  preload,
  runLoad,
  type Work,
  WORKS,
  WRITES_PER_CLIENT,
} from "./load.ts";
