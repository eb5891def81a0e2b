import { assertEquals } from "@std/assert";
import type { ClientResponse, PeerMessage } from "../../packraft/mod.ts";
import { Store } from "../../src/kv/mod.ts";
import { Replica } from "../../src/replica/mod.ts";
import { forgetfulStorage } from "./memory_storage.ts";
import { acknowledgement, appendRequest, raftOptionsOf, votesFor } from "./options.ts";

const key = new TextEncoder().encode("k");
const MAX_PENDING = 8;

/** Node 1 of three. Nodes 2 and 3 are the test: they vote for it, acknowledge, and depose it. */
class Reign {
  readonly answers = new Map<string, ClientResponse[]>();
  readonly replica: Replica;
  #nowMs = 0;
  #sequence = 0;

  constructor() {
    const output = {
      send: () => {},
      answer: (luid: string, responses: Iterable<ClientResponse>) => {
        assertEquals(this.answers.has(luid), false, `${luid} is answered twice`);
        this.answers.set(luid, [...responses]);
      },
      tell: () => {},
    };
    this.replica = new Replica(
      {
        raft: raftOptionsOf([1, 2, 3]),
        storage: forgetfulStorage(),
        store: new Store(),
        clusterId: "drafty",
        maxPendingRequests: MAX_PENDING,
        maxUncommittedBatches: 2,
        snapshotAfterBytes: 1_000_000,
        snapshotChunkBytes: 1_000,
      },
      output,
      0,
    );
  }

  lead(): void {
    this.replica.advance(this.#nowMs += 200);
    this.replica.flush();
    for (const vote of votesFor(this.replica.view().currentTerm + 1)) this.take(vote);
    assertEquals(this.replica.view().role, "leader");
  }

  /** Another leads the next term, whose log conflicts with all that is not committed here. */
  depose(): void {
    const { currentTerm, commitIndex, log } = this.replica.view();
    const index = commitIndex + 1;
    this.take(appendRequest({
      term: currentTerm + 1,
      prevLogIndex: commitIndex,
      prevLogTerm: log.termAt(commitIndex) ?? 0,
      leaderCommit: index,
      entries: [{ index, term: currentTerm + 1, kind: "noop", data: new Uint8Array() }],
    }));
  }

  /** A follower has everything, and follows in the newest round of reads. */
  acknowledge(readRound: number): void {
    const { currentTerm, lastLogIndex } = this.replica.view();
    this.take(acknowledgement(currentTerm, lastLogIndex, { readRound }));
  }

  take(message: PeerMessage): void {
    this.replica.receive(2, message);
    this.replica.flush();
  }

  put(luid: string): void {
    const session = { clientId: new Uint8Array(16), sequence: ++this.#sequence, answeredUpTo: 0 };
    this.replica.request(luid, { type: "PutRequest", ...session, key, value: key });
  }

  get(luid: string): void {
    this.replica.request(luid, { type: "GetRequest", key, mode: "leader" });
  }

  outcome(luid: string): string {
    const [answer] = this.answers.get(luid) ?? [];
    return answer === undefined ? "none" : answer.type === "ErrorResponse" ? answer.code : answer.type;
  }
}

Deno.test("every request is answered exactly once over many changes of leader, and no place is lost for good", () => {
  const reign = new Reign();
  let asked = 0;
  for (let round = 0; round < 40; round++) {
    reign.lead();
    reign.put(`before ${round}`); // its entry is replaced by the next leader's
    reign.get(`read before ${round}`);
    reign.replica.flush();
    if (round % 3 > 0) reign.put(`unflushed ${round}`); // deposed in the turn in which it came
    if (round % 3 > 1) reign.get(`unflushed read ${round}`);
    asked += 2 + round % 3;
    reign.depose();
    assertEquals(reign.outcome(`before ${round}`), "leadershipLost");
    assertEquals(reign.answers.size, asked, `round ${round}: all that was asked is answered`);
  }
  // All places are free: as many requests as may be under way are taken, and one more is not.
  reign.lead();
  for (let i = 0; i < MAX_PENDING; i++) reign.put(`full ${i}`);
  reign.put("one more");
  assertEquals([reign.outcome("full 7"), reign.outcome("one more")], ["none", "busy"]);
});

Deno.test("a leader that commits all frees all places, of reads and of writes", () => {
  const reign = new Reign();
  reign.lead();
  for (let round = 1; round <= 30; round++) {
    for (let i = 0; i < MAX_PENDING / 2; i++) {
      reign.put(`w${round}.${i}`);
      reign.get(`r${round}.${i}`);
    }
    reign.replica.flush();
    // The first acknowledgement commits the no-op of the term, before which no round of reads can begin.
    reign.acknowledge(round - 1);
    reign.acknowledge(round);
    assertEquals([reign.outcome(`w${round}.3`), reign.outcome(`r${round}.3`)], [
      "PutResponse",
      "GetResponse",
    ]);
  }
});
