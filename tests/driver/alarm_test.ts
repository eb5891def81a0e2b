import { assertEquals } from "@std/assert";
import { Alarm } from "../../src/driver/alarm.ts";
import { pause, until } from "./loopback.ts";

function now(): number {
  return performance.now();
}

Deno.test("Alarm.setBy() rings once, and never before the deadline", async () => {
  const rings: number[] = [];
  const alarm = new Alarm(() => rings.push(now()), now);
  const deadlineMs = now() + 20.5;
  alarm.setBy(deadlineMs);
  await until(() => rings.length > 0, "it rings");
  await pause(30);
  assertEquals(rings.length, 1);
  assertEquals((rings[0] ?? 0) >= deadlineMs - 1, true);
});

Deno.test("Alarm.setBy() moves the ring forward for an earlier deadline, and leaves it for a later one", async () => {
  const rings: number[] = [];
  const alarm = new Alarm(() => rings.push(now()), now);
  const startMs = now();
  alarm.setBy(startMs + 60_000);
  alarm.setBy(startMs + 15);
  alarm.setBy(startMs + 60_000);
  await until(() => rings.length > 0, "it rings for the earlier deadline");
  assertEquals(rings.length, 1);
});

Deno.test("Alarm.setBy() rings at once for a deadline that has passed", async () => {
  let rings = 0;
  const alarm = new Alarm(() => rings++, () => 1_000);
  alarm.setBy(-5);
  await until(() => rings === 1, "it rings");
});

Deno.test("Alarm can be set again from within its ring", async () => {
  let rings = 0;
  const alarm: Alarm = new Alarm(() => {
    if (++rings < 3) alarm.setBy(now());
  }, now);
  alarm.setBy(now());
  await until(() => rings === 3, "it rings three times");
});

Deno.test("Alarm.cancel() keeps it from ringing, and it can be set anew", async () => {
  let rings = 0;
  const alarm = new Alarm(() => rings++, now);
  alarm.setBy(now() + 5);
  alarm.cancel();
  await pause(20);
  assertEquals(rings, 0);
  alarm.setBy(now() + 5);
  await until(() => rings === 1, "it rings after it was set anew");
});
