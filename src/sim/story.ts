/**
 * What a failing run was about, in sentences: the faults in order, who said what to whom, what was lost, and the
 * end. A trace holds thousands of lines; a story keeps those without which the end would surprise.
 *
 * @module
 */
import { sentenceOfFault } from "./actions.ts";
import { type InvariantName, INVARIANTS } from "./invariants.ts";
import type { Failure, RunResult } from "./run.ts";
import type { TraceKind, TraceLine } from "./trace.ts";

const MAX_LINES = 60;
/** Of these, the last before the end, whatever they are about. */
const MAX_LAST_LINES = 25;

/** Promises to clients: where one is broken, what the clients said matters. */
const CLIENT_PROMISES: ReadonlySet<InvariantName> = new Set<InvariantName>([
  "linearizability",
  "sessions-apply-once",
  "acknowledged-is-committed",
  "expectation",
]);

/** Promises that are judged when all is over: the last lines before that have nothing to do with it. */
const IS_JUDGED_LATER: ReadonlySet<InvariantName> = new Set<InvariantName>(["durability", "determinism"]);

/** What stays when there is too much, from the first to the last to go. */
const WEIGHTS: Readonly<Record<TraceKind, number>> = {
  note: 0,
  commit: 1,
  message: 2,
  lost: 2,
  client: 3,
  log: 4,
  role: 5,
  life: 6,
  fault: 7,
};

/** The story of `result`, which ended in `failure` and was recorded: one line per entry. */
export function storyOf(result: RunResult, failure: Failure): string[] {
  const { nodes, clients } = result.settings;
  const told = chosen(upToTheCulprit(eventful(result.lines, failure), failure), failure);
  return [
    `${nodes} nodes, ${clients} ${clients === 1 ? "client" : "clients"}, seed ${result.seed}.`,
    ...told,
    ...sentenceOfEnd(failure),
  ];
}

/** The faults of a plan, one line each. */
export function sentencesOfPlan(result: RunResult): string[] {
  return result.plan.map(({ atMs, fault }) => `${seconds(atMs)}  ${sentenceOfFault(fault)}`);
}

/** Every line of the trace, with its time. */
export function sentencesOfTrace(lines: readonly TraceLine[]): string[] {
  return lines.map((line) => sentenceOfLine(line));
}

function sentenceOfEnd({ invariant, detail, atMs }: Failure): string[] {
  const { says, source } = INVARIANTS[invariant];
  return [
    `${seconds(atMs)}  This breaks "${invariant}": ${says} (${source}).`,
    ...detail.split("\n").map((line) => `            ${line}`),
  ];
}

/** Without what repeats itself and what does not concern the end. */
function eventful(lines: readonly TraceLine[], failure: Failure): TraceLine[] {
  const withClients = CLIENT_PROMISES.has(failure.invariant);
  const key = failure.invariant === "linearizability" ? keyOf(failure.detail) : undefined;
  const lastSaid = new Map<string, string>();
  let repeated = "";
  let previous = "";
  // A message is noted when it is decided, at the time at which it leaves, after the disk.
  const inOrder = [...lines].sort((a, b) => a.atMs - b.atMs);
  return inOrder.filter(({ atMs, kind, text }) => {
    const stamped = `${atMs} ${text}`;
    if (stamped === previous) return false; // the fault, and the node that it befell
    previous = stamped;
    switch (kind) {
      case "message": {
        // A heartbeat says nothing new, nor does its answer; the number of its round does not count.
        const news = text.replace(/; read round \d+$/, "");
        const link = news.slice(0, news.indexOf(":") + 2 + WORDS_OF_KIND);
        if (lastSaid.get(link) === news) {
          repeated = text;
          return false;
        }
        lastSaid.set(link, news);
        return true;
      }
      case "lost":
        return repeated === "" || !text.endsWith(repeated);
      case "client":
        return withClients && (key === undefined || text.includes(key));
      case "note":
        return false; // refusals and the like, which the messages tell too
      default:
        return true;
    }
  });
}

/** Without what came after the answer that does not fit, where the failure names one. */
function upToTheCulprit(lines: TraceLine[], { invariant, detail }: Failure): TraceLine[] {
  const [, client, value] = /does not fit:\n *client (\d+) got (".*?"|nothing)/.exec(detail) ?? [];
  if (invariant !== "linearizability" || value === undefined) return lines;
  const answer = `to client ${client}: ${value === "nothing" ? "no such key (" : `the value is ${value} `}`;
  const culprit = lines.findLastIndex(({ kind, text }) => kind === "client" && text.includes(answer));
  return culprit < 0 ? lines : lines.slice(0, culprit + 1);
}

/** So many letters after "node 1 to node 2: " tell a heartbeat from a vote. */
const WORDS_OF_KIND = 6;

/** The key that a linearizability failure is about, as requests write it. */
function keyOf(detail: string): string | undefined {
  return /on key ("(?:[^"\\]|\\.)*")/.exec(detail)?.[1];
}

/** At most `MAX_LINES`: the last ones, and of the others the weightiest. Gaps are marked. */
function chosen(lines: readonly TraceLine[], failure: Failure): string[] {
  const lastCount = IS_JUDGED_LATER.has(failure.invariant) ? 0 : MAX_LAST_LINES;
  const firstOfLast = Math.max(0, lines.length - lastCount);
  const kept = new Set<number>();
  for (let i = firstOfLast; i < lines.length; i++) kept.add(i);
  const others = [...lines.slice(0, firstOfLast).keys()].sort((a, b) =>
    weightOf(lines[b]) - weightOf(lines[a]) || b - a
  );
  for (const i of others) if (kept.size < MAX_LINES) kept.add(i);
  const told: string[] = [];
  let next = 0;
  for (const i of [...kept].sort((a, b) => a - b)) {
    const line = lines[i];
    if (line === undefined) continue;
    if (i > next) told.push(`            … ${i - next} ${i - next === 1 ? "line" : "lines"} left out`);
    told.push(sentenceOfLine(line));
    next = i + 1;
  }
  return told;
}

function weightOf(line: TraceLine | undefined): number {
  return line === undefined ? 0 : WEIGHTS[line.kind];
}

function sentenceOfLine({ atMs, text }: TraceLine): string {
  return `${seconds(atMs)}  ${text}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3).padStart(8)} s`;
}
