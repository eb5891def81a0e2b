import { assert, assertEquals } from "@std/assert";
import { type WriteSession, WriteWindow } from "../../src/client/write_window.ts";

const CLIENT_ID = new Uint8Array(16).fill(7);

function begun(window: WriteWindow): WriteSession {
  const session = window.begin();
  assert(!(session instanceof Promise), "there is room, so it begins at once");
  return session;
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

Deno.test("WriteWindow lets 256 writes be under way and the others wait in order", async () => {
  const window = new WriteWindow(CLIENT_ID);
  for (let i = 1; i <= 256; i++) begun(window);
  const [first, second] = [window.begin(), window.begin()];
  assert(first instanceof Promise && second instanceof Promise);
  window.end(100, true);
  assertEquals((await first).sequence, 257);
  window.end(101, true);
  assertEquals((await second).sequence, 258);
});

Deno.test("WriteWindow never gets more than 768 ahead of the oldest write that is not answered", async () => {
  const window = new WriteWindow(CLIENT_ID);
  begun(window); // the straggler
  for (let sequence = 2; sequence <= 768; sequence++) {
    assertEquals(begun(window).sequence, sequence);
    window.end(sequence, true);
  }
  const next = window.begin();
  assert(next instanceof Promise, "769 would be 768 ahead of 1");
  window.end(1, true);
  assertEquals(await next, { clientId: CLIENT_ID, sequence: 769, answeredUpTo: 768 });
});
