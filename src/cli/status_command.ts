/**
 * `drafty client status`: asks every node by itself, since each knows only its own state.
 *
 * @module
 */
import Table from "cli-table3";
import { DraftyClient, type ServerAddress } from "../client/mod.ts";
import type { CliIo } from "./io.ts";

/** Whom to ask; the number is not known where only an address was given. */
export interface StatusTarget {
  readonly node: number | undefined;
  readonly address: ServerAddress;
}

/** A node's line of the table. What is not known of a node out of reach is null. */
export interface NodeStatus {
  readonly node: number | null;
  readonly reachable: boolean;
  readonly role: string | null;
  readonly term: number | null;
  readonly lastLogIndex: number | null;
  readonly commitIndex: number | null;
  readonly lastApplied: number | null;
  readonly leader: number | null;
}

/** A node that does not answer is not worth the whole timeout of a request. */
const MAX_WAIT_MS = 1_000;
/** Not one node answered. */
const EXIT_NO_ANSWER = 8;

export async function runStatus(
  targets: readonly StatusTarget[],
  options: { readonly timeoutMs: number; readonly isJson: boolean },
  io: CliIo,
): Promise<number> {
  const statuses = await Promise.all(targets.map((target) => statusOf(target, options.timeoutMs)));
  io.out(options.isJson ? JSON.stringify(statuses) + "\n" : statusTable(statuses, io.isColourful));
  if (statuses.some(({ reachable }) => reachable)) return 0;
  const addresses = targets.map(({ address }) => `${address.host}:${address.port}`).join(", ");
  io.err(`drafty: cannot reach ${addresses}: start the nodes, or check the addresses\n`);
  return EXIT_NO_ANSWER;
}

/** The status of one node, within a second. Never rejects. */
export async function statusOf(target: StatusTarget, timeoutMs = MAX_WAIT_MS): Promise<NodeStatus> {
  using client = new DraftyClient({
    servers: [target.address],
    timeoutMs: Math.min(timeoutMs, MAX_WAIT_MS),
    isOneShot: true,
  });
  try {
    const { node, role, term, lastLogIndex, commitIndex, lastApplied, leader } = await client.status();
    const known = leader === 0 ? null : leader;
    return { node, reachable: true, role, term, lastLogIndex, commitIndex, lastApplied, leader: known };
  } catch {
    return { node: target.node ?? null, ...UNREACHABLE };
  }
}

const UNREACHABLE: Omit<NodeStatus, "node"> = {
  reachable: false,
  role: null,
  term: null,
  lastLogIndex: null,
  commitIndex: null,
  lastApplied: null,
  leader: null,
};

/** The table for people. */
export function statusTable(statuses: readonly NodeStatus[], isColourful: boolean): string {
  const table = new Table({
    head: ["node", "reachable", "role", "term", "last log", "commit", "applied", "leader"],
    style: { head: isColourful ? ["bold"] : [], border: isColourful ? ["gray"] : [], compact: true },
  });
  for (const status of statuses) {
    const { role, term, lastLogIndex, commitIndex, lastApplied, leader } = status;
    const cells = [role, term, lastLogIndex, commitIndex, lastApplied, leader].map((cell) => cell ?? "-");
    table.push([status.node ?? "?", status.reachable ? "yes" : "no", ...cells]);
  }
  return table.toString() + "\n";
}
