import { assert, assertEquals } from "@std/assert";
import { LeaderSearch } from "../../src/client/leader_search.ts";
import { FakeTime } from "./fake_time.ts";

const SERVER = { host: "a", port: 1 };

/** Lets a request pause and notes when it goes on. */
function paused(search: LeaderSearch, request: object, pauseMs: number, maxMs: number): { isOver: boolean } {
  const state = { isOver: false };
  void search.pause(request, pauseMs, maxMs).then(() => state.isOver = true);
  return state;
}

Deno.test("LeaderSearch lets one request look and the others wait for what it finds", async () => {
  const time = new FakeTime();
  const search = new LeaderSearch(time);
  const [scout, other] = [{}, {}];
  const first = paused(search, scout, 10, 5_000);
  const second = paused(search, other, 10, 5_000);
  assert(search.isUnderWay);
  await time.pass(10);
  assertEquals([first.isOver, second.isOver], [true, false]);
  search.found(SERVER);
  await time.pass(0);
  assert(second.isOver);
  assertEquals(search.leader, SERVER);
  assert(!search.isUnderWay);
});

Deno.test("LeaderSearch lets another request look when the first gives up", async () => {
  const time = new FakeTime();
  const search = new LeaderSearch(time);
  const [scout, other] = [{}, {}];
  paused(search, scout, 10, 5_000);
  const second = paused(search, other, 10, 5_000);
  search.ended(scout);
  await time.pass(0);
  assert(second.isOver);
  const again = paused(search, other, 10, 5_000);
  await time.pass(10);
  assert(again.isOver, "it looks now, so it waits for its own pause only");
});

Deno.test("LeaderSearch lets nobody wait longer than it may", async () => {
  const time = new FakeTime();
  const search = new LeaderSearch(time);
  const first = paused(search, {}, 50, 20);
  const second = paused(search, {}, 50, 30);
  await time.pass(20);
  assertEquals([first.isOver, second.isOver], [true, false]);
  await time.pass(10);
  assert(second.isOver);
});

Deno.test("LeaderSearch makes a request wait for its own pause only while the leader is known", async () => {
  const time = new FakeTime();
  const search = new LeaderSearch(time);
  search.found(SERVER);
  const busy = [paused(search, {}, 10, 5_000), paused(search, {}, 10, 5_000)];
  assert(!search.isUnderWay);
  await time.pass(10);
  assert(busy.every(({ isOver }) => isOver));
});

Deno.test("LeaderSearch forgets a leader only by its own failure", () => {
  const search = new LeaderSearch(new FakeTime());
  search.found(SERVER);
  search.lost({ host: "b", port: 1 });
  assertEquals(search.leader, SERVER);
  search.lost({ ...SERVER });
  assertEquals(search.leader, undefined);
});
