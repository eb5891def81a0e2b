/**
 * The queue of events: order of time, ties in the order of putting, and a clock that never goes back.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventQueue } from "../../src/sim/event_queue.ts";

function runAll(queue: EventQueue, upToMs = Infinity): void {
  while (queue.runNext(upToMs));
}

Deno.test("EventQueue runs events in order of time, and ties in the order in which they were put in", () => {
  fc.assert(fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
    const queue = new EventQueue();
    const ran: [number, number][] = [];
    times.forEach((atMs, i) => queue.at(atMs, () => ran.push([queue.nowMs, i])));
    assertEquals(queue.size, times.length);
    runAll(queue, 20);
    const expected = times.map((atMs, i): [number, number] => [atMs, i])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    assertEquals(ran, expected);
    assertEquals(queue.size, 0);
  }));
});

Deno.test("EventQueue.runNext() runs nothing that is due later, and lets the time pass", () => {
  const queue = new EventQueue();
  const ran: number[] = [];
  queue.at(10, () => ran.push(10));
  queue.at(11, () => ran.push(11));
  assertEquals(queue.runNext(10), true);
  assertEquals(queue.runNext(10), false);
  assertEquals([ran, queue.nowMs], [[10], 10]);
  assertEquals(queue.runNext(10.5), false);
  assertEquals(queue.nowMs, 10.5);
  assertEquals(queue.runNext(5), false);
  assertEquals(queue.nowMs, 10.5);
});

Deno.test("EventQueue.at() runs what is past due now, after what is due now already", () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.at(10, () => {
    queue.at(3, () => ran.push(`late at ${queue.nowMs}`));
    queue.after(0, () => ran.push("at once"));
  });
  queue.at(10, () => ran.push("second"));
  runAll(queue, 20);
  assertEquals(ran, ["second", "late at 10", "at once"]);
});

Deno.test("EventQueue.after() counts from the event that runs", () => {
  const queue = new EventQueue();
  const ran: number[] = [];
  queue.at(10, () => queue.after(5, () => ran.push(queue.nowMs)));
  runAll(queue, 100);
  assertEquals(ran, [15]);
  assertEquals(queue.nowMs, 100);
});
