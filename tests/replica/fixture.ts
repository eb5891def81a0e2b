/**
 * Node 1 of a cluster in which the test is all the others, its clients and its disk.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, PeerMessage, ReadMode } from "../../packraft/mod.ts";
import { Store } from "../../src/kv/mod.ts";
import { Replica, type ReplicaEvent } from "../../src/replica/mod.ts";
import { forgetfulStorage } from "./memory_storage.ts";
import { acknowledgement, raftOptionsOf, votesFor } from "./options.ts";

const encoder = new TextEncoder();

/** A replica whose surroundings write down what it does, in order. */
export class Fixture {
  readonly did: string[] = [];
  readonly sent: { to: number; message: PeerMessage }[] = [];
  readonly answers = new Map<string, ClientResponse[]>();
  readonly events: ReplicaEvent[] = [];
  readonly replica: Replica;
  diskFails = false;
  nowMs = 0;

  constructor(voters: readonly number[], maxPendingRequests = 10) {
    const storage = forgetfulStorage({
      append: (persist) => this.did.push(`append ${persist.entries.map((entry) => entry.index).join(",")}`),
      sync: () => {
        if (this.diskFails) throw new Error("EIO");
        this.did.push("sync");
      },
    });
    this.replica = new Replica(
      {
        raft: raftOptionsOf(voters),
        storage,
        store: new Store(),
        clusterId: "drafty",
        maxPendingRequests,
        maxUncommittedBatches: 2,
        snapshotAfterBytes: 1_000_000,
        snapshotChunkBytes: 1_000,
      },
      {
        send: (to, message) => {
          this.sent.push({ to, message });
          this.did.push(`send ${message.type} to ${to}`);
        },
        answer: (luid, responses) => {
          this.answers.set(luid, [...responses]);
          this.did.push(`answer ${luid}`);
        },
        answered: () => {
          if (this.did.at(-1)?.startsWith("answer ")) this.did.push("answers leave");
        },
        applied: (entry) => this.did.push(`apply ${entry.index}`),
        tell: (event) => this.events.push(event),
      },
      0,
    );
  }

  /** Makes it the leader of a cluster of three, with node 2's help. */
  lead(): void {
    this.wait(200);
    for (const vote of votesFor(1)) this.receive(2, vote);
    this.did.length = 0;
  }

  /** Makes it the leader, with its no-op committed and applied. */
  leadSettled(): void {
    this.lead();
    this.acknowledge(1);
    this.did.length = 0;
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.replica.advance(this.nowMs);
    this.replica.flush();
  }

  /** Takes in a message, and returns what is sent in consequence. */
  receive(from: number, message: PeerMessage): PeerMessage[] {
    this.sent.length = 0;
    this.replica.receive(from, message);
    this.replica.flush();
    return this.sent.map(({ message }) => message);
  }

  /** Node 2, or another, has all up to `matchIndex`, and follows in the newest round of reads. */
  acknowledge(matchIndex: number, from = 2): void {
    const { part } = this.replica.view();
    const readRound = part.name === "leader" ? part.reads.round : 0;
    this.receive(from, acknowledgement(1, matchIndex, { readRound }));
  }

  /** Asks, and returns the first response if there is one already. */
  ask(luid: string, request: ClientRequest): ClientResponse | undefined {
    this.replica.request(luid, request);
    this.replica.flush();
    return this.answers.get(luid)?.[0];
  }

  get(luid: string, mode: ReadMode = "leader"): ClientResponse | undefined {
    return this.ask(luid, { type: "GetRequest", key: encoder.encode("k"), mode });
  }

  /** What came of a request in a word: the type of the answer, or the code of the error. */
  outcome(luid: string): string {
    const [answer] = this.answers.get(luid) ?? [];
    if (answer === undefined) return "none";
    return answer.type === "ErrorResponse" ? `${answer.code} ${answer.outcome}` : answer.type;
  }

  put(luid: string, sequence: number, value = "v"): void {
    const session = { clientId: new Uint8Array(16), sequence, answeredUpTo: 0 };
    this.replica.request(luid, {
      type: "PutRequest",
      ...session,
      key: encoder.encode("k"),
      value: encoder.encode(value),
    });
  }
}
