/**
 * What the parts of the suite give: figures with names, and what is expected of them.
 *
 * @module
 */
import { limitMsOf, type LoadFigures, type MachineLimits } from "../../src/bench/mod.ts";

export type Unit = "/s" | "ms" | "µs" | "MB" | "×" | "count";

export interface Figure {
  /** What is measured, and under which conditions: the same in each round. */
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** What it is to be, if anybody has said so. */
  readonly goal?: Goal;
}

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What a part is told. */
export interface Context {
  /** How long each load is measured. */
  readonly seconds: number;
  /** From 0. */
  readonly round: number;
  /** How much a cluster holds in the parts about large ones. */
  readonly entries: number;
  /** How often the leader is killed. */
  readonly kills: number;
  readonly seeds: number;
  /** Tells whoever looks on what is under way. */
  say(text: string): void;
}

export interface Part {
  readonly name: string;
  readonly says: string;
  /** Whether it repeats what it measures by itself, and so takes part in the first round only. */
  readonly isOnce?: boolean;
  /** Why it cannot run here; resolves to undefined where it can. */
  readonly problem?: () => Promise<string | undefined>;
  readonly run: (context: Context) => Promise<Figure[]>;
}

/** The figures of a load, with its p50 as a multiple of what the machine takes at least. */
export function figuresOfLoad(prefix: string, load: LoadFigures, limits?: MachineLimits): Figure[] {
  const p50Ms = load.latencies.percentileMs(0.5);
  const figures: Figure[] = [
    { name: `${prefix}: throughput`, value: load.perSecond, unit: "/s" },
    { name: `${prefix}: p50`, value: p50Ms, unit: "ms" },
    { name: `${prefix}: p99`, value: load.latencies.percentileMs(0.99), unit: "ms" },
    { name: `${prefix}: max`, value: load.latencies.maxMs, unit: "ms" },
    { name: `${prefix}: errors`, value: load.errors, unit: "count", goal: { atMost: 0 } },
  ];
  if (limits !== undefined) {
    figures.push({ name: `${prefix}: p50 / limit`, value: p50Ms / limitMsOf(limits), unit: "×" });
  }
  return figures;
}

/** What the machine took at least when a part began. */
export function figuresOfLimits(limits: MachineLimits): Figure[] {
  return [
    { name: "one append and fdatasync", value: limits.syncMs, unit: "ms" },
    { name: "one exchange over loopback", value: limits.exchangeMs, unit: "ms" },
  ];
}

/** Whether a figure is what it is to be; undefined where nobody has said what. */
export function isMet(value: number, goal: Goal | undefined): boolean | undefined {
  if (goal === undefined) return undefined;
  return value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity);
}

/** "work, 16 in flight". */
export function loadName(work: string, inflight: number): string {
  return `${work}, ${inflight.toLocaleString("en-US")} in flight`;
}
