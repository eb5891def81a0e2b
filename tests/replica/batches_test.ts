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
