/**
 * Asks every node of a cluster what it knows: those that are known from the start, and the members that they tell of,
 * for a configuration file may be older than the membership.
 *
 * @module
 */
import type { ClientResponseOf, Configuration, Member } from "../../packraft/mod.ts";
import { ClientError, DraftyClient, nameOf, type ServerAddress } from "../client/mod.ts";

/** Whom to ask; the number is not known where only an address was given. */
export interface Target {
  readonly node: number | undefined;
  readonly address: ServerAddress;
}

/** What a node says of itself and of the others. */
export type NodeReport = ClientResponseOf<"ExplainResponse">;

/** What came of asking all nodes. */
export interface ClusterReports {
  /** One of each node that answered, the smallest number first. */
  readonly reports: readonly NodeReport[];
  /** Those that did not answer, and where they were looked for last. */
  readonly unreachable: readonly Target[];
  /** The nodes that were known from the start. */
  readonly configured: readonly number[];
}

/** A node that does not answer is not worth the whole timeout of a request. */
export const MAX_WAIT_MS = 1_000;
/** The exit code where not one node answers. */
export const EXIT_NO_ANSWER = 8;

/** Asks all nodes at once, each for up to `timeoutMs`; then those that the first have told of. */
export async function clusterReports(
  targets: readonly Target[],
  timeoutMs: number,
): Promise<ClusterReports> {
  const asked: Target[] = [];
  const answers: Answer[] = [];
  for (let next = targets; next.length > 0; next = unknownMembers(answers, asked)) {
    asked.push(...next);
    answers.push(...await askAll(next, timeoutMs));
  }
  const answered = answers.filter(({ report }) => report !== undefined).map(({ target }) => target);
  // Waiting for those that are silent has made the other answers old: an election may have come and gone.
  const isStale = answered.length > 0 && answered.length < answers.length;
  const reports = reportsOf(isStale ? await askAll(answered, timeoutMs) : answers);
  return {
    reports,
    unreachable: unreachableOf(asked, reports),
    configured: targets.flatMap(({ node }) => node ?? []),
  };
}

/** What one node says, or undefined if it does not answer in time. */
export async function reportOf({ address }: Target, timeoutMs: number): Promise<NodeReport | undefined> {
  using client = new DraftyClient({ servers: [address], timeoutMs, isOneShot: true });
  try {
    return await client.explain();
  } catch (error) {
    if (error instanceof ClientError) return undefined;
    throw error;
  }
}

/** Who the members are as the newest of these reports has it; undefined without any. */
export function newestConfiguration(reports: readonly NodeReport[]): Configuration | undefined {
  return reports.map(({ configuration }) => configuration)
    .toSorted((a, b) => b.term - a.term || b.index - a.index)[0];
}

interface Answer {
  readonly target: Target;
  readonly report: NodeReport | undefined;
}

function askAll(targets: readonly Target[], timeoutMs: number): Promise<Answer[]> {
  return Promise.all(
    targets.map(async (target) => ({ target, report: await reportOf(target, timeoutMs) })),
  );
}

/** Members that have not answered and have not been asked where the newest configuration has them. */
function unknownMembers(answers: readonly Answer[], asked: readonly Target[]): Target[] {
  const reports = reportsOf(answers);
  const names = new Set(asked.map(({ address }) => nameOf(address)));
  return (newestConfiguration(reports)?.members ?? [])
    .filter(({ id }) => !reports.some(({ node }) => node === id))
    .map(targetOf)
    .filter(({ address }) => !names.has(nameOf(address)));
}

/** A node that was found at two addresses has one report. */
function reportsOf(answers: readonly Answer[]): NodeReport[] {
  const byNode = new Map(
    answers.flatMap(({ report }) => report === undefined ? [] : [[report.node, report]]),
  );
  return [...byNode.values()].sort((a, b) => a.node - b.node);
}

function unreachableOf(asked: readonly Target[], reports: readonly NodeReport[]): Target[] {
  const members = newestConfiguration(reports)?.members.map(targetOf) ?? [];
  const answered = new Set(reports.map(({ node }) => node));
  // The members' addresses come last, and stay: they are newer than those of a file.
  const silent = [...asked, ...members].filter(({ node }) => node !== undefined && !answered.has(node));
  const byNode = new Map(silent.map((target) => [target.node, target]));
  const sorted = [...byNode.values()].sort((a, b) => (a.node ?? 0) - (b.node ?? 0));
  const nameless = asked.filter(({ node }) => node === undefined && reports.length === 0);
  return [...nameless, ...sorted];
}

function targetOf({ id, host, clientPort }: Member): Target {
  return { node: id, address: { host, port: clientPort } };
}
