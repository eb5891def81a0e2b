/**
 * Makes a failing run small: the fewest faults, the calmest network, the fewest clients and nodes that still break
 * the same promise.
 *
 * The faults are thinned out by delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", 2002): leave out ever smaller parts of the plan, and keep what still fails. It
 * works because a fault that is left out does not change the chances of all else (`random.ts`). The effort is
 * bounded by runs and events, not by time, so the same failure always shrinks to the same story.
 *
 * @module
 */
import type { Action } from "./actions.ts";
import { CALM_NETWORK } from "./network.ts";
import { type RunOptions, type RunResult, runSeed } from "./run.ts";
import type { Settings } from "./settings.ts";

export interface ShrinkLimits {
  readonly maxRuns: number;
  /** The most simulated events in all runs together: what a run costs is its events. */
  readonly maxEvents: number;
}

const LIMITS: ShrinkLimits = { maxRuns: 400, maxEvents: 6_000_000 };

export interface Shrunk {
  /** Runs the small failure again. */
  readonly options: RunOptions;
  /** Its result, with the trace as sentences. */
  readonly result: RunResult;
  /** How many runs it took. */
  readonly runs: number;
}

/** Shrinks `failed`, which `options` gave. Equal arguments give equal results. */
export function shrink(options: RunOptions, failed: RunResult, limits: ShrinkLimits = LIMITS): Shrunk {
  const search = new Search(options, failed, limits);
  search.dropLaterFaults();
  search.thinOut();
  // A calmer world may need fewer faults still.
  if (search.calmDown()) search.thinOut();
  const small = search.options;
  const result = runSeed({ ...small, records: true });
  return { options: small, result, runs: search.runs + 1 };
}

class Search {
  runs = 0;
  #events = 0;
  #settings: Settings;
  #plan: readonly Action[];
  #failed: RunResult;
  readonly #given: RunOptions;
  readonly #limits: ShrinkLimits;

  constructor(given: RunOptions, failed: RunResult, limits: ShrinkLimits) {
    this.#given = given;
    this.#failed = failed;
    this.#settings = failed.settings;
    this.#plan = failed.plan;
    this.#limits = limits;
  }

  get options(): RunOptions {
    return this.#optionsWith(this.#settings, this.#plan);
  }

  /** What was to come after the failure has no part in it. */
  dropLaterFaults(): void {
    const atMs = this.#failed.failure?.atMs ?? Infinity;
    const plan = this.#plan.filter((action) => action.atMs <= atMs);
    const safetyMs = Math.min(this.#settings.safetyMs, Math.ceil(atMs) + 1);
    this.#try({ ...this.#settings, safetyMs }, plan);
  }

  /** Leaves out parts of the plan, first halves, at last single faults. */
  thinOut(): void {
    let parts = 2;
    while (this.#plan.length > 0 && !this.#isExhausted) {
      const size = Math.ceil(this.#plan.length / parts);
      let isSmaller = false;
      for (let at = 0; at < this.#plan.length && !this.#isExhausted;) {
        const without = [...this.#plan.slice(0, at), ...this.#plan.slice(at + size)];
        if (this.#try(this.#settings, without)) isSmaller = true;
        else at += size;
      }
      if (size === 1 && !isSmaller) return;
      parts = size === 1 ? this.#plan.length : Math.min(parts * 2, this.#plan.length);
    }
  }

  /** Turns the dials back, one by one. Returns whether anything could be. */
  calmDown(): boolean {
    let isCalmer = false;
    for (const change of CALMING) {
      for (;;) {
        const calmer = change(this.#settings);
        if (calmer === undefined || !this.#try({ ...this.#settings, ...calmer }, this.#plan)) break;
        isCalmer = true;
      }
    }
    return isCalmer;
  }

  get #isExhausted(): boolean {
    return this.runs >= this.#limits.maxRuns || this.#events >= this.#limits.maxEvents;
  }

  /** Keeps the change if the same promise is still broken. */
  #try(settings: Settings, plan: readonly Action[]): boolean {
    if (this.#isExhausted) return false;
    this.runs++;
    const result = runSeed(this.#optionsWith(settings, plan.filter(within(settings.nodes))));
    this.#events += result.events;
    if (result.failure?.invariant !== this.#failed.failure?.invariant) return false;
    this.#settings = settings;
    this.#plan = result.plan;
    this.#failed = result;
    return true;
  }

  #optionsWith(override: Settings, plan: readonly Action[]): RunOptions {
    return { ...this.#given, override, plan, records: false };
  }
}

/** A step towards a calmer world, or undefined where it is as calm as can be. Repeated while it succeeds. */
type Calming = (settings: Settings) => Partial<Settings> | undefined;

const CALMING: readonly Calming[] = [
  ({ nodes }) => nodes > 3 ? { nodes: nodes % 2 === 1 ? nodes - 2 : nodes - 1 } : undefined,
  ({ network }) => network.loss > 0 ? { network: { ...network, loss: 0 } } : undefined,
  ({ network }) => network.duplicate > 0 ? { network: { ...network, duplicate: 0 } } : undefined,
  ({ network }) => network.straggle > 0 ? { network: { ...network, straggle: 0 } } : undefined,
  ({ network }) =>
    network.meanDelayMs > CALM_NETWORK.meanDelayMs
      ? { network: { ...network, meanDelayMs: CALM_NETWORK.meanDelayMs } }
      : undefined,
  ({ shortWrite }) => shortWrite > 0 ? { shortWrite: 0 } : undefined,
  ({ encodes }) => encodes ? { encodes: false } : undefined,
  ({ clients }) => clients > 1 ? { clients: clients - 1 } : undefined,
  ({ inFlight }) => inFlight > 1 ? { inFlight: 1 } : undefined,
  ({ keys }) => keys > 1 ? { keys: keys - 1 } : undefined,
  ({ safetyMs }) => safetyMs > 2_000 ? { safetyMs: Math.ceil(safetyMs * 0.6) } : undefined,
  ({ thinkMs }) => thinkMs < 5_000 ? { thinkMs: thinkMs * 2 } : undefined,
];

/** Whether a fault concerns only nodes that there are. */
function within(nodes: number): (action: Action) => boolean {
  return ({ fault }) => {
    switch (fault.kind) {
      case "partition":
        return fault.groups.every((group) => group.every((node) => node <= nodes));
      case "heal":
        return true;
      case "cut":
      case "clog":
        return fault.from <= nodes && fault.to <= nodes;
      default:
        return fault.node <= nodes;
    }
  };
}
