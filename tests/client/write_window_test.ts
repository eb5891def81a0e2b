import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Sessions } from "../../src/kv/mod.ts";
import { type WriteSession, WriteWindow } from "../../src/client/write_window.ts";

/** Small, so that a few hundred steps come to the end of it often. */
const MAX_SPAN_OF_TEST = 8;
const CLIENT_ID = new Uint8Array(16).fill(7);

function begun(window: WriteWindow): WriteSession {
  const [session] = beginning(window);
  assert(session !== undefined, "there is room, so it begins at once");
  return session;
}

/** Where the session of a write will be once there is room for it. */
function beginning(window: WriteWindow): WriteSession[] {
  const sessions: WriteSession[] = [];
  window.begin((session) => sessions.push(session));
  return sessions;
}

Deno.test("WriteWindow numbers writes from 1 and says up to which all are answered", () => {
  const window = new WriteWindow(CLIENT_ID);
  assertEquals(begun(window), { clientId: CLIENT_ID, sequence: 1, answeredUpTo: 0 });
  assertEquals(begun(window).sequence, 2);
  assertEquals(begun(window).sequence, 3);
  window.end(3, true);
  assertEquals(begun(window), { clientId: CLIENT_ID, sequence: 4, answeredUpTo: 0 });
  window.end(1, true);
  assertEquals(begun(window).answeredUpTo, 1);
  window.end(2, true);
  assertEquals(begun(window).answeredUpTo, 3);
});

Deno.test("WriteWindow claims no answers before the cluster has acknowledged a write: it would be taken for forgotten", () => {
  const window = new WriteWindow(CLIENT_ID);
  begun(window);
  window.end(1, false);
  assertEquals(begun(window), { clientId: CLIENT_ID, sequence: 2, answeredUpTo: 0 });
  window.end(2, true);
  assertEquals(begun(window).answeredUpTo, 2);
});

Deno.test("WriteWindow never gets more than 1,024 ahead of the oldest write that is not over; the others wait in order", () => {
  const window = new WriteWindow(CLIENT_ID);
  begun(window); // the straggler
  for (let sequence = 2; sequence <= 1_024; sequence++) {
    assertEquals(begun(window).sequence, sequence);
    if (sequence <= 1_000) window.end(sequence, true);
  }
  const [first, second, third] = [beginning(window), beginning(window), beginning(window)];
  assertEquals(first, [], "1,025 would be 1,024 ahead of 1");
  window.end(1_002, true);
  assertEquals(first, []);
  window.end(1, true);
  assertEquals(first, [{ clientId: CLIENT_ID, sequence: 1_025, answeredUpTo: 1_000 }]);
  assertEquals([second?.[0]?.sequence, third?.[0]?.sequence], [1_026, 1_027]);
});

Deno.test("WriteWindow begins what its end() lets begin in the order of the calls, even from within", () => {
  const window = new WriteWindow(CLIENT_ID);
  for (let sequence = 1; sequence <= 1_024; sequence++) begun(window);
  const order: string[] = [];
  window.begin(({ sequence }) => {
    order.push(`first ${sequence}`);
    window.begin(({ sequence }) => order.push(`third ${sequence}`));
  });
  window.begin(({ sequence }) => order.push(`second ${sequence}`));
  for (let sequence = 1; sequence <= 3; sequence++) window.end(sequence, true);
  assertEquals(order, ["first 1025", "second 1026", "third 1027"]);
});

Deno.test("WriteWindow keeps to what the cluster remembers: no write that may be repeated is ever stale", () => {
  /** What a turn of the world does: a write begins, or one of those under way is applied (again), or ends. */
  const step = fc.record({
    what: fc.constantFrom("begin", "begin", "begin", "apply", "apply", "end"),
    which: fc.nat({ max: 100 }),
    isAcknowledged: fc.boolean(),
  });
  const limits = { maxClients: 4, maxResultsPerClient: MAX_SPAN_OF_TEST };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const window = new WriteWindow(CLIENT_ID, MAX_SPAN_OF_TEST);
      const sessions = new Sessions(limits);
      const underWay: WriteSession[] = [];
      const indexes = new Map<number, number>();
      const apply = (write: WriteSession) => {
        const result = sessions.once(write, () => ({ kind: "put", index: indexes.size + 1 }));
        assert(result.kind === "put", `the write of sequence ${write.sequence} is ${result.kind}`);
        assertEquals(indexes.get(write.sequence) ?? result.index, result.index, "applied twice");
        indexes.set(write.sequence, result.index);
      };
      for (const { what, which, isAcknowledged } of steps) {
        const write = underWay[which % Math.max(1, underWay.length)];
        if (what === "begin") {
          window.begin((session) => underWay.push(session));
        } else if (write !== undefined) {
          if (what === "apply" || isAcknowledged) apply(write);
          if (what !== "end") continue;
          underWay.splice(underWay.indexOf(write), 1);
          window.end(write.sequence, isAcknowledged);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("WriteWindow goes on however many writes end as soon as they begin", () => {
  const window = new WriteWindow(CLIENT_ID, 1);
  begun(window);
  let count = 0;
  for (let i = 0; i < 100_000; i++) {
    window.begin(({ sequence }) => {
      count++;
      window.end(sequence, false);
    });
  }
  window.end(1, false);
  assertEquals(count, 100_000);
});
