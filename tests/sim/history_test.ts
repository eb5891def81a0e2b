import { assertEquals, assertThrows } from "@std/assert";
import { HistoryRecorder } from "../../src/sim/history.ts";

Deno.test("operations() shows calls and answers numbered by one counter, in the order of the calls", () => {
  const history = new HistoryRecorder();
  const put = history.invoke({ client: 1, key: "k", kind: "put", input: "a" });
  const get = history.invoke({ client: 2, key: "k", kind: "get" });
  const removal = history.invoke({ client: 3, key: "k", kind: "delete" });
  history.complete(removal, true);
  history.complete(get, "a");
  history.complete(put, undefined);
  assertEquals(history.operations(), [
    { id: put, client: 1, key: "k", kind: "put", input: "a", invokedAt: 1, returnedAt: 6 },
    { id: get, client: 2, key: "k", kind: "get", output: "a", invokedAt: 2, returnedAt: 5 },
    { id: removal, client: 3, key: "k", kind: "delete", output: true, invokedAt: 3, returnedAt: 4 },
  ]);
});

Deno.test("operations() keeps a call without an answer as an unknown outcome", () => {
  const history = new HistoryRecorder();
  const id = history.invoke({ client: 1, key: "k", kind: "put", input: "a" });
  assertEquals(history.operations(), [
    { id, client: 1, key: "k", kind: "put", input: "a", invokedAt: 1, returnedAt: undefined },
  ]);
});

Deno.test("complete() tells a get of a missing key from a get without an answer", () => {
  const history = new HistoryRecorder();
  const answered = history.invoke({ client: 1, key: "k", kind: "get" });
  history.invoke({ client: 2, key: "k", kind: "get" });
  history.complete(answered, undefined);
  assertEquals(history.operations().map(({ returnedAt }) => returnedAt), [3, undefined]);
});

Deno.test("drop() takes out a call that surely took no effect", () => {
  const history = new HistoryRecorder();
  const dropped = history.invoke({ client: 1, key: "k", kind: "put", input: "a" });
  const kept = history.invoke({ client: 1, key: "k", kind: "put", input: "b" });
  history.drop(dropped);
  assertEquals(history.operations().map(({ id }) => id), [kept]);
});

Deno.test("complete() and drop() refuse an id that waits for no answer", () => {
  const history = new HistoryRecorder();
  const id = history.invoke({ client: 1, key: "k", kind: "put", input: "a" });
  history.complete(id, undefined);
  assertThrows(() => history.complete(id, undefined), RangeError, "answered before");
  assertThrows(() => history.drop(id), RangeError, "answered before");
  assertThrows(() => history.complete(id + 1, undefined), RangeError, "never called");
});

Deno.test("complete() refuses an answer that the operation cannot have", () => {
  const history = new HistoryRecorder();
  const put = history.invoke({ client: 1, key: "k", kind: "put", input: "a" });
  const get = history.invoke({ client: 1, key: "k", kind: "get" });
  const removal = history.invoke({ client: 1, key: "k", kind: "delete" });
  assertThrows(() => history.complete(put, "a"), RangeError, 'a put cannot answer "a"');
  assertThrows(() => history.complete(get, false), RangeError, "a get cannot answer false");
  assertThrows(() => history.complete(removal, undefined), RangeError, "a delete cannot answer");
});
