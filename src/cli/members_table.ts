/**
 * The members of a cluster as a table for people.
 *
 * @module
 */
import Table from "cli-table3";

export interface MemberRow {
  readonly id: number;
  readonly host: string;
  readonly peer_port: number;
  readonly client_port: number;
  readonly role: "voter" | "learner";
}

export function membersTable(rows: readonly MemberRow[], isColourful: boolean): string {
  const table = new Table({
    head: ["node", "host", "peer port", "client port", "role"],
    style: { head: isColourful ? ["bold"] : [], border: isColourful ? ["gray"] : [], compact: true },
  });
  for (const { id, host, peer_port, client_port, role } of rows) {
    table.push([id, host, peer_port, client_port, role]);
  }
  return table.toString() + "\n";
}
