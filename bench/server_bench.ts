/**
 * What Raft itself costs: `deno bench bench/server_bench.ts`.
 *
 * Three abstracted servers that hand each other their messages, with disks and state machines that take no time: what
 * is measured are all the decisions for writes that become committed on all three, and nothing else.
 *
 * @module
 */
import { decodeMembers, encodeMembers, type Member } from "../packraft/mod.ts";
import { NOTHING_RECOVERED, type Proposal, RaftServer } from "../src/raft/mod.ts";

const IDS = [1, 2, 3];
const COMMAND_BYTES = 300;
/** The log begins anew after so many entries, as it does with snapshots. */
const KEPT_ENTRIES = 16_384;
const ELECTION_MS = 1_000;

class Trio {
  readonly #servers: ReadonlyMap<number, RaftServer>;
  readonly #leader: RaftServer;

  constructor() {
    const members = IDS.map((id): Member => (
      { id, host: "127.0.0.1", peerPort: 8_000 + id, clientPort: 9_000 + id, role: "voter", admission: 0 }
    ));
    this.#servers = new Map(IDS.map((id) => [
      id,
      new RaftServer(
        {
          id,
          configuration: { index: 0, term: 0, members },
          codec: { encode: encodeMembers, decode: decodeMembers },
          heartbeatMs: 30,
          electionTimeoutMs: { min: 180, max: 360 },
          maxAppendBytes: 1 << 20,
          keptLogBytes: 0,
          maxInflightAppends: 16,
          maxInflightBytes: 1 << 24,
          random: () => 0.5,
        },
        NOTHING_RECOVERED,
        0,
      ),
    ]));
    this.#leader = this.#server(1);
    // Only one clock runs: nobody else stands for election.
    this.#leader.step({ kind: "time", nowMs: ELECTION_MS });
    this.#settle();
    if (this.#leader.view().role !== "leader") throw new Error("node 1 was not elected");
  }

  /** Returns when all three have applied them. */
  write(proposals: readonly Proposal[]): void {
    const goal = this.#leader.view().lastLogIndex + proposals.length;
    this.#leader.step({ kind: "propose", proposals });
    this.#settle();
    // A follower gets to know with the next message; there is none that only says so while nobody waits for it.
    if (this.#leader.view().lastApplied !== goal) throw new Error(`entry ${goal} is not committed`);
  }

  #settle(): void {
    for (let isQuiet = false; !isQuiet;) {
      isQuiet = true;
      for (const [id, server] of this.#servers) {
        const { messages, persist, committed } = server.ready();
        for (const { to, message } of messages) this.#server(to).step({ kind: "message", from: id, message });
        if (persist !== undefined) server.step({ kind: "persisted", sequence: persist.sequence });
        const last = committed[committed.length - 1];
        if (last !== undefined) {
          server.step({ kind: "applied", upTo: last.index });
          if (last.index - server.view().snapshot.index > KEPT_ENTRIES) {
            server.step({ kind: "snapshotTaken", index: last.index });
          }
        }
        isQuiet &&= messages.length === 0 && persist === undefined && last === undefined;
      }
    }
  }

  #server(id: number): RaftServer {
    const server = this.#servers.get(id);
    if (server === undefined) throw new RangeError(`there is no node ${id}`);
    return server;
  }
}

function proposalsOf(count: number): Proposal[] {
  return Array.from(
    { length: count },
    (_, token) => ({ token, data: new Uint8Array(COMMAND_BYTES).fill(token) }),
  );
}

for (const count of [1, 16, 256]) {
  const trio = new Trio();
  const proposals = proposalsOf(count);
  Deno.bench(
    `three servers commit ${count === 1 ? "a write" : `${count} writes`} of ${COMMAND_BYTES} B`,
    () => {
      trio.write(proposals);
    },
  );
}
