import { assertEquals } from "@std/assert";
import { Fixture } from "./fixture.ts";
import { appendRequest, votesFor } from "./options.ts";

/** The indexes that were appended to the log, batch by batch. */
function appended(fixture: Fixture): string[] {
  return fixture.did.filter((what) => /^append \d/.test(what));
}

function putEach(fixture: Fixture, ...sequences: number[]): void {
  for (const sequence of sequences) {
    fixture.put(`r${sequence}`, sequence);
    fixture.replica.flush();
  }
}

Deno.test("a third batch gathers until one of two is committed, and then is proposed as one", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  putEach(fixture, 1, 2, 3, 4, 5);
  assertEquals(appended(fixture), ["append 2", "append 3"]);
  fixture.acknowledge(2);
  assertEquals(appended(fixture), ["append 2", "append 3", "append 4,5,6"]);
  assertEquals([fixture.outcome("r1"), fixture.outcome("r2"), fixture.outcome("r5")], [
    "PutResponse",
    "none",
    "none",
  ]);
  fixture.acknowledge(6);
  assertEquals([fixture.outcome("r2"), fixture.outcome("r5")], ["PutResponse", "PutResponse"]);
});

Deno.test("a batch that is large enough waits for nobody", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  putEach(fixture, 1, 2, 3);
  fixture.put("large", 4, "x".repeat(300 * 1024));
  fixture.replica.flush();
  assertEquals(appended(fixture), ["append 2", "append 3", "append 4,5"]);
});

Deno.test("writes that gather are done nothing for when the leader is deposed, and not proposed when it leads again", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  putEach(fixture, 1, 2, 3);
  fixture.receive(3, appendRequest({ term: 2 }));
  assertEquals([fixture.outcome("r1"), fixture.outcome("r3")], [
    "leadershipLost unknown",
    "RedirectResponse",
  ]);
  fixture.wait(1_000);
  for (const vote of votesFor(3)) fixture.receive(2, vote);
  assertEquals(fixture.replica.view().role, "leader");
  // The no-op of the new term, and nothing of the past; and nothing of the past counts as under way.
  assertEquals(appended(fixture), ["append 2", "append 3", "append 4"]);
  putEach(fixture, 6, 7);
  assertEquals(appended(fixture).slice(3), ["append 5", "append 6"]);
});

Deno.test("a cluster of one has never anything under way", () => {
  const fixture = new Fixture([1]);
  fixture.wait(1);
  putEach(fixture, 1, 2, 3, 4);
  assertEquals(["r1", "r2", "r3", "r4"].map((name) => fixture.outcome(name)), Array(4).fill("PutResponse"));
});

Deno.test("explain counts the writes that gather", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  putEach(fixture, 1, 2, 3, 4);
  const answer = fixture.ask("e", { type: "ExplainRequest" });
  assertEquals(answer?.type === "ExplainResponse" && answer.waitingWrites, 4);
});

/** What was done with a batch and its disk, in order. */
function steps(fixture: Fixture): string[] {
  return fixture.did.filter((what) => /^(send Append|append|sync|apply|answer)/.test(what));
}

Deno.test("a leader answers what is committed before it writes what is new, and after it has sent that", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  putEach(fixture, 1, 2);
  fixture.put("r3", 3);
  fixture.did.length = 0;
  fixture.acknowledge(2);
  assertEquals(steps(fixture), [
    "send AppendEntriesRequest to 2",
    "apply 2",
    "answer r1",
    "answers leave",
    "append 4",
    "sync",
  ]);
});

Deno.test("a follower acknowledges what it has written before it applies what is committed", () => {
  const fixture = new Fixture([1, 2, 3]);
  const data = new Uint8Array();
  fixture.receive(2, appendRequest({ term: 1, entries: [{ index: 1, term: 1, kind: "noop", data }] }));
  fixture.did.length = 0;
  const entries = [{ index: 2, term: 1, kind: "noop" as const, data }];
  fixture.receive(2, appendRequest({ term: 1, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 1, entries }));
  assertEquals(steps(fixture), ["append 2", "sync", "send AppendEntriesResponse to 2", "apply 1"]);
});
