import { assertEquals } from "@std/assert";
import { denoPlatform } from "../../src/client/platform.ts";
import { TurnClock } from "../../src/client/turn_clock.ts";

Deno.test("TurnClock asks for the time once in a turn, and again in the next", async () => {
  let nowMs = 0;
  const clock = new TurnClock({ ...denoPlatform(), now: () => ++nowMs });
  assertEquals([clock.now(), clock.now(), clock.now()], [1, 1, 1]);
  await Promise.resolve();
  assertEquals([clock.now(), clock.now()], [2, 2]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(clock.now(), 3);
});
