/** Reads that a node serves as it has it, or for its leader, and how old they are. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ClientResponse } from "../../packraft/mod.ts";
import { encodeCommand } from "../../src/kv/mod.ts";
import type { Entry } from "../../src/raft/mod.ts";
import { DivergedError } from "../../src/replica/mod.ts";
import { Fixture } from "./fixture.ts";
import { acknowledgement, appendRequest } from "./options.ts";

const VOTERS = [1, 2, 3];
const encoder = new TextEncoder();

function putEntry(index: number, value: string): Entry {
  const session = { clientId: new Uint8Array(16), sequence: index, answeredUpTo: 0 };
  const pair = { key: encoder.encode("k"), value: encoder.encode(value) };
  return { index, term: 1, kind: "command", data: encodeCommand({ kind: "put", ...session, ...pair }) };
}

/** Node 1 follows node 2, and has applied the first of two entries. */
function follower(): Fixture {
  const fixture = new Fixture(VOTERS);
  fixture.receive(
    2,
    appendRequest({ term: 1, entries: [putEntry(1, "old"), putEntry(2, "new")], leaderCommit: 1 }),
  );
  return fixture;
}

/** A heartbeat of node 2: so much is committed. */
function hear(fixture: Fixture, leaderCommit: number): void {
  fixture.receive(2, appendRequest({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit }));
}

function shown(answer: ClientResponse | undefined): unknown[] {
  assert(answer?.type === "GetResponse");
  const { found, value, appliedIndex, isAgeKnown, ageMs } = answer;
  return [found ? new TextDecoder().decode(value) : undefined, appliedIndex, isAgeKnown ? ageMs : "unknown"];
}

Deno.test("a stale read is answered at once from what is applied, and says since when that is all there was", () => {
  const fixture = follower();
  assertEquals(shown(fixture.get("r1", "stale")), ["old", 1, 0]);
  fixture.wait(30);
  assertEquals(shown(fixture.get("r2", "stale")), ["old", 1, 30], "the leader has been silent since");
  hear(fixture, 1);
  assertEquals(shown(fixture.get("r3", "stale")), ["old", 1, 0]);
  hear(fixture, 2);
  assertEquals(shown(fixture.get("r4", "stale")), ["new", 2, 0]);
});

Deno.test("a node that never had all that its leader knew to be committed does not know how old its state is", () => {
  const fixture = new Fixture(VOTERS);
  assertEquals(shown(fixture.get("r1", "stale")), [undefined, 0, "unknown"]);
  fixture.receive(2, appendRequest({ term: 1, entries: [putEntry(1, "old")], leaderCommit: 9 }));
  fixture.wait(30);
  assertEquals(shown(fixture.get("r2", "stale")), ["old", 1, "unknown"]);
});

Deno.test("once it has come as far as its leader was, its state is as old as that message", () => {
  const fixture = new Fixture(VOTERS);
  fixture.receive(2, appendRequest({ term: 1, entries: [putEntry(1, "old")], leaderCommit: 2 }));
  fixture.wait(30);
  const next = appendRequest({
    term: 1,
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [putEntry(2, "new")],
    leaderCommit: 5,
  });
  fixture.receive(2, next);
  assertEquals(shown(fixture.get("r", "stale")), ["new", 2, 30]);
});

Deno.test("a leader's own state is current as far as it knows", () => {
  const fixture = new Fixture(VOTERS);
  fixture.leadSettled();
  fixture.wait(5);
  assertEquals(shown(fixture.get("r1", "stale")), [undefined, 1, 0]);
});

Deno.test("a stale read of all data says the same on every page", () => {
  const fixture = follower();
  fixture.wait(7);
  const answer = fixture.ask("all", { type: "DataRequest", mode: "stale" });
  assert(answer?.type === "DataResponse");
  assertEquals([answer.pairs.length, answer.appliedIndex, answer.isAgeKnown, answer.ageMs], [1, 1, true, 7]);
});

Deno.test("a read from any node is current: a follower asks its leader, and answers when it has applied as much", () => {
  const fixture = follower();
  assertEquals(fixture.get("r1", "any"), undefined);
  const asked = fixture.sent.at(-1);
  assert(asked?.to === 2 && asked.message.type === "ReadIndexRequest");
  const { round } = asked.message;
  fixture.receive(2, {
    type: "ReadIndexResponse",
    term: 1,
    requestTerm: 1,
    round,
    confirmed: true,
    readIndex: 2,
  });
  assertEquals(fixture.outcome("r1"), "none");
  hear(fixture, 2);
  assertEquals(shown(fixture.answers.get("r1")?.[0]), ["new", 2, 0]);
});

Deno.test("if the leader cannot tell, the client is sent to it; without a leader it is told so", () => {
  const fixture = follower();
  fixture.get("r1", "any");
  const asked = fixture.sent.at(-1);
  assert(asked?.message.type === "ReadIndexRequest");
  const { round } = asked.message;
  fixture.receive(2, {
    type: "ReadIndexResponse",
    term: 1,
    requestTerm: 1,
    round,
    confirmed: false,
    readIndex: 0,
  });
  assertEquals(fixture.answers.get("r1"), [
    { type: "RedirectResponse", leader: 2, host: "host2", clientPort: 9002 },
  ]);
  const alone = new Fixture(VOTERS);
  alone.get("r2", "any");
  assertEquals(alone.outcome("r2"), "noLeader notDone");
});

// --------------------------------------------------------------------------------------- divergence

Deno.test("a node that is told that its state is wrong ends, with exit code 5, before it sends or answers anything more", () => {
  const fixture = follower();
  fixture.did.length = 0;
  fixture.sent.length = 0;
  fixture.replica.request("r1", { type: "GetRequest", key: encoder.encode("k"), mode: "any" });
  fixture.put("w1", 7);
  fixture.replica.receive(
    2,
    appendRequest({ term: 1, prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2, divergesAt: 1 }),
  );
  const error = assertThrows(() => fixture.replica.flush(), DivergedError, "since entry 1");
  assertEquals([error.exitCode, fixture.did], [5, []]);
});

Deno.test("a leader that differs from the majority ends the same way, and serves no more reads", () => {
  const fixture = new Fixture(VOTERS);
  fixture.leadSettled();
  fixture.put("w1", 1);
  fixture.replica.flush();
  fixture.acknowledge(2);
  let thrown: unknown;
  for (let beats = 0; beats < 12 && thrown === undefined; beats++) {
    fixture.wait(10);
    const asked = fixture.sent.flatMap(({ to, message }) =>
      message.type === "AppendEntriesRequest" ? [{ to, hashIndex: message.hashIndex }] : []
    );
    fixture.sent.length = 0;
    fixture.replica.request(`r${beats}`, { type: "GetRequest", key: encoder.encode("k"), mode: "leader" });
    for (const { to, hashIndex } of asked) {
      fixture.replica.receive(
        to,
        acknowledgement(1, 2, { hashIndex, stateHash: hashIndex === 0 ? 0 : 12345 }),
      );
    }
    fixture.did.length = 0;
    try {
      fixture.replica.flush();
    } catch (error) {
      thrown = error;
    }
  }
  assert(thrown instanceof DivergedError);
  assertEquals(fixture.did, []);
});

/** All that the leader sends to node 2 goes to another node that follows it, and its answers come back. */
function exchange(leader: Fixture, other: Fixture): void {
  let requests = leader.sent.splice(0);
  while (requests.length > 0) {
    const answers = requests.flatMap(({ to, message }) => to === 2 ? other.receive(2, message) : []);
    requests = [];
    for (const message of answers) {
      leader.receive(2, message);
      requests.push(...leader.sent.splice(0));
    }
  }
}

Deno.test("followers that apply what the leader does are not accused, whatever is written", () => {
  const [leader, other] = [new Fixture(VOTERS), new Fixture(VOTERS)];
  leader.lead();
  for (let sequence = 1; sequence <= 20; sequence++) {
    leader.put(`w${sequence}`, sequence, `v${sequence}`);
    leader.replica.flush();
    exchange(leader, other);
    leader.wait(10);
    exchange(leader, other);
  }
  const agreed = leader.replica.view().progress?.get(2)?.state.agreesUpTo ?? 0;
  assert(agreed >= 20, `their states were compared up to entry ${agreed}`);
  assertEquals([...leader.events, ...other.events].filter(({ kind }) => kind === "diverged"), []);
});
