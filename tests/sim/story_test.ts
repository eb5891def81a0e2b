/**
 * A failing run told in sentences.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Failure, type RunResult, runSeed } from "../../src/sim/run.ts";
import { shrink } from "../../src/sim/shrink.ts";
import { sentencesOfPlan, sentencesOfTrace, storyOf } from "../../src/sim/story.ts";
import type { TraceKind, TraceLine } from "../../src/sim/trace.ts";
import { firstFailure, LENIENT_VOTERS, SMALL_QUORUM } from "./broken_cores.ts";

const FAILURE: Failure = {
  invariant: "election-safety",
  detail: "node 1 and node 2 both lead term 3",
  atMs: 99_000,
};

Deno.test("storyOf() tells what a broken core did, from the start to the broken promise", () => {
  const { options, result } = firstFailure(SMALL_QUORUM);
  const { result: small } = shrink(options, result);
  assert(small.failure !== undefined);
  const story = storyOf(small, small.failure);
  const text = story.join("\n");
  assertMatch(story[0] ?? "", /^\d nodes, 1 client, seed \d+\.$/);
  assertStringIncludes(text, "from candidate to leader in term 1");
  assertStringIncludes(text, "append entry 1 in term 1");
  assertStringIncludes(
    text,
    'This breaks "committed-on-quorum": what a leader commits is durable on a majority',
  );
  assertStringIncludes(text, "(Raft §5.3)");
  assertStringIncludes(story[story.length - 1] ?? "", "which is durable on 1 of the voters 1, 2, 3");
});

Deno.test("storyOf() names every fault that the failure takes, in their order", () => {
  const { options, result } = firstFailure(LENIENT_VOTERS);
  const { result: small } = shrink(options, result);
  assert(small.failure !== undefined && small.plan.length > 0);
  const story = storyOf(small, small.failure);
  const places = sentencesOfPlan(small).map((sentence) => story.indexOf(sentence));
  assert(places.every((place) => place > 0), `${places}`);
  assertEquals(places, [...places].sort((a, b) => a - b));
});

Deno.test("storyOf() leaves out heartbeats that say nothing new, and what was lost of them", () => {
  const heartbeat = "node 1 to node 2: I still lead in term 1, after entry 4 of term 1; committed up to 4";
  const answer = "node 2 to node 1: I have your log of term 1 up to entry 4";
  const told = toldBefore(
    ["message", heartbeat],
    ["message", answer],
    ["message", `${heartbeat}; read round 2`],
    ["lost", `lost: ${heartbeat}; read round 2`],
    ["message", answer],
    ["message", heartbeat.replace("up to 4", "up to 5")],
  );
  assertEquals(told, [heartbeat, answer, heartbeat.replace("up to 4", "up to 5")]);
});

Deno.test("storyOf() tells of clients only where a promise to them is broken", () => {
  const request = ["client", 'client 1 to node 1: put "k" = "v" (write 1 of this client)'] as const;
  const other = ["client", 'client 1 to node 1: get "l"'] as const;
  assertEquals(toldBefore(request, other), []);
  const detail = 'no order of the operations on key "k" explains what the clients saw';
  assertEquals(toldOf({ invariant: "linearizability", detail, atMs: 5 }, request, other), [request[1]]);
});

Deno.test("storyOf() ends with the answer that does not fit, and not with what came after", () => {
  const detail =
    'no order of the operations on key "k" explains what the clients saw\nThis answer does not fit:\n' +
    '  client 2 got "old" (called at 5, answered at 6)';
  const answer = ["client", 'node 1 to client 2: the value is "old" (asked to get "k")'] as const;
  const later = ["client", 'node 1 to client 3: the value is "new" (asked to get "k")'] as const;
  assertEquals(toldOf({ invariant: "linearizability", detail, atMs: 9 }, answer, later), [answer[1]]);
});

Deno.test("storyOf() keeps the last lines and the faults when there is too much, and marks the gaps", () => {
  const lines = Array.from({ length: 500 }, (_, i) => ["message", `node 1 to node 2: word ${i}`] as const);
  const fault = ["fault", "node 3 is killed"] as const;
  const told = toldBefore(fault, ...lines);
  assertEquals(told[0], fault[1]);
  assertMatch(told[1] ?? "", /^… 441 lines left out$/);
  assertEquals(told.slice(-25), lines.slice(-25).map(([, text]) => text));
  assertEquals(told.length, 61);
});

Deno.test("storyOf() tells in the order of time, and once what a fault did to a node", () => {
  const result = resultWith([
    { atMs: 2, kind: "message", text: "node 1 to node 2: later" },
    { atMs: 1, kind: "fault", text: "node 3 is killed" },
    { atMs: 1, kind: "life", text: "node 3 is killed" },
  ]);
  const story = storyOf(result, FAILURE);
  assertEquals(story.slice(1, 3), ["   0.001 s  node 3 is killed", "   0.002 s  node 1 to node 2: later"]);
  assertStringIncludes(story[3] ?? "", 'This breaks "election-safety"');
});

Deno.test("sentencesOfTrace() gives every line with its time in seconds", () => {
  assertEquals(sentencesOfTrace([{ atMs: 1_234.5, kind: "note", text: "it rains" }]), [
    "   1.234 s  it rains",
  ]);
});

const template = runSeed({ seed: 1, override: { safetyMs: 500, nodes: 1, clients: 1 } });

function resultWith(lines: readonly TraceLine[]): RunResult {
  return { ...template, lines };
}

/** The sentences between the head and the end, without their times. */
function toldOf(failure: Failure, ...lines: readonly (readonly [TraceKind, string])[]): string[] {
  const result = resultWith(lines.map(([kind, text], i) => ({ atMs: i, kind, text })));
  const endLines = failure.detail.split("\n").length + 1;
  return storyOf(result, failure).slice(1, -endLines).map((line) => line.replace(/^ +(\d+\.\d+ s +)?/, ""));
}

function toldBefore(...lines: readonly (readonly [TraceKind, string])[]): string[] {
  return toldOf(FAILURE, ...lines);
}
