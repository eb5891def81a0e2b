import { assertEquals } from "@std/assert";
import { Sessions, type WriteResult } from "../../src/kv/mod.ts";
import { clientId } from "./commands.ts";

/** Sessions with small limits, whose writes tell how often they ran. */
class Fixture {
  readonly sessions = new Sessions({ maxClients: 2, maxResultsPerClient: 3 });
  runs = 0;

  write(client: number, sequence: number, answeredUpTo = 0): WriteResult {
    return this.sessions.once({ clientId: clientId(client), sequence, answeredUpTo }, () => {
      return { kind: "put", index: ++this.runs };
    });
  }
}

Deno.test("once() runs a write once and gives its first result to every retry", () => {
  const fixture = new Fixture();
  assertEquals(fixture.write(1, 1), { kind: "put", index: 1 });
  assertEquals(fixture.write(1, 1), { kind: "put", index: 1 });
  assertEquals(fixture.runs, 1);
});

Deno.test("once() takes the same sequence of two clients for two writes", () => {
  const fixture = new Fixture();
  fixture.write(1, 1);
  assertEquals(fixture.write(2, 1), { kind: "put", index: 2 });
});

Deno.test("once() takes writes of one client in any order", () => {
  const fixture = new Fixture();
  assertEquals([fixture.write(1, 3), fixture.write(1, 1), fixture.write(1, 2)].map((result) => result.kind), [
    "put",
    "put",
    "put",
  ]);
  assertEquals(fixture.write(1, 3), { kind: "put", index: 1 });
});

Deno.test("once() forgets what the client says it holds, and then refuses it as stale", () => {
  const fixture = new Fixture();
  fixture.write(1, 1);
  fixture.write(1, 2, 1);
  assertEquals(fixture.write(1, 1, 1), { kind: "stale" });
  assertEquals(fixture.runs, 2);
});

Deno.test("once() keeps a bounded number of results of a client, and does not run a forgotten write again", () => {
  const fixture = new Fixture();
  for (const sequence of [1, 2, 3, 4]) fixture.write(1, sequence);
  assertEquals(fixture.write(1, 1), { kind: "stale" });
  assertEquals(fixture.write(1, 2), { kind: "put", index: 2 });
});

Deno.test("once() keeps a bounded number of clients and forgets the one that wrote longest ago", () => {
  const fixture = new Fixture();
  fixture.write(1, 1);
  fixture.write(2, 1);
  fixture.write(1, 2); // now client 2 is the older one
  fixture.write(3, 1);
  assertEquals(fixture.sessions.clientCount, 2);
  assertEquals(fixture.write(1, 2), { kind: "put", index: 3 });
});

Deno.test("once() refuses a client that holds answers and is not known: it was forgotten", () => {
  const fixture = new Fixture();
  assertEquals(fixture.write(7, 5, 4), { kind: "stale" });
  assertEquals(fixture.runs, 0);
  assertEquals(fixture.sessions.clientCount, 0);
});

Deno.test("once() keeps the same results on two nodes that see the same writes", () => {
  const [a, b] = [new Fixture(), new Fixture()];
  const writes: [number, number, number][] = [
    [1, 1, 0],
    [2, 1, 0],
    [1, 2, 1],
    [3, 1, 0],
    [2, 1, 0],
    [1, 2, 1],
    [2, 2, 1],
    [
      1,
      1,
      0,
    ],
  ];
  assertEquals(writes.map((write) => a.write(...write)), writes.map((write) => b.write(...write)));
});

Deno.test("once() keeps no more clients than its limit for writes that are stale from the start either", () => {
  const fixture = new Fixture();
  for (let client = 1; client <= 9; client++) {
    assertEquals(fixture.write(client, 0), { kind: "stale" });
    assertEquals(fixture.sessions.clientCount <= 2, true, `${fixture.sessions.clientCount} clients are kept`);
  }
});
