import { assertEquals, assertThrows } from "@std/assert";
import { EventList } from "../../src/sim/event_list.ts";

function beforeAnyReturn(list: EventList): number[] {
  const operations = [];
  for (let i = list.first; i !== undefined; i = list.after(i)) operations.push(i);
  return operations;
}

/** Three operations: the second within the first, the third after the second and over the end of the first. */
function three(): EventList {
  return new EventList([
    { invokedAt: 1, returnedAt: 5 },
    { invokedAt: 2, returnedAt: 3 },
    { invokedAt: 4, returnedAt: 6 },
  ]);
}

Deno.test("EventList walks the calls before the first return", () => {
  const list = three();
  assertEquals(beforeAnyReturn(list), [0, 1]);
  assertEquals(list.firstToReturn, 1);
  assertEquals([0, 1, 2].map((i) => list.callsBeforeReturn(i)), [3, 2, 3]);
});

Deno.test("EventList.after() goes on past the return of an operation that was just taken", () => {
  const list = three();
  list.take(1);
  assertEquals(list.after(1), 2);
  assertEquals(beforeAnyReturn(list), [0, 2]);
  assertEquals(list.firstToReturn, 0);
});

Deno.test("EventList.putBack() restores what was, last taken first", () => {
  const list = three();
  list.take(0);
  assertEquals(beforeAnyReturn(list), [1]);
  list.take(1);
  assertEquals(beforeAnyReturn(list), [2]);
  list.take(2);
  assertEquals(beforeAnyReturn(list), []);
  assertThrows(() => list.firstToReturn, RangeError, "empty");
  list.putBack(2);
  assertEquals(beforeAnyReturn(list), [2]);
  list.putBack(1);
  list.putBack(0);
  assertEquals(beforeAnyReturn(list), [0, 1]);
  assertEquals(list.firstToReturn, 1);
});

Deno.test("EventList counts a call at the moment of a return as before it", () => {
  assertEquals(
    beforeAnyReturn(new EventList([{ invokedAt: 1, returnedAt: 2 }, { invokedAt: 2, returnedAt: 2 }])),
    [0, 1],
  );
});
