import { assert, assertEquals, assertThrows } from "@std/assert";
import { HistoryRecorder } from "../../src/sim/history.ts";

Deno.test("HistoryRecorder numbers calls and answers by one counter, in the order in which they came", () => {
  const recorder = new HistoryRecorder();
  const put = recorder.invoke({ client: 1, key: "a", kind: "put", input: "x" });
  const get = recorder.invoke({ client: 2, key: "a", kind: "get" });
  recorder.complete(get, "x");
  recorder.complete(put, undefined);
  const del = recorder.invoke({ client: 2, key: "a", kind: "delete" });
  recorder.complete(del, true);
  assertEquals(recorder.operations(), [
    { id: put, client: 1, key: "a", kind: "put", input: "x", invokedAt: 1, returnedAt: 4 },
    { id: get, client: 2, key: "a", kind: "get", output: "x", invokedAt: 2, returnedAt: 3 },
    { id: del, client: 2, key: "a", kind: "delete", output: true, invokedAt: 5, returnedAt: 6 },
  ]);
});

Deno.test("HistoryRecorder keeps a call without an answer as one of unknown outcome", () => {
  const recorder = new HistoryRecorder();
  recorder.invoke({ client: 1, key: "a", kind: "delete" });
  const operation = recorder.operations()[0];
  assert(operation?.kind === "delete");
  assertEquals(operation.returnedAt, undefined);
  assertEquals(operation.output, undefined);
});

Deno.test("HistoryRecorder.complete() tells a get of a missing key from a get without an answer", () => {
  const recorder = new HistoryRecorder();
  const id = recorder.invoke({ client: 1, key: "a", kind: "get" });
  recorder.complete(id, undefined);
  assertEquals(recorder.operations()[0]?.returnedAt, 2);
});

Deno.test("HistoryRecorder.drop() takes out a call that took no effect", () => {
  const recorder = new HistoryRecorder();
  const refused = recorder.invoke({ client: 1, key: "a", kind: "put", input: "x" });
  const kept = recorder.invoke({ client: 1, key: "a", kind: "get" });
  recorder.drop(refused);
  assertEquals(recorder.operations().map(({ id }) => id), [kept]);
  assertThrows(() => recorder.complete(refused, undefined), RangeError, "never called, or dropped");
});

Deno.test("HistoryRecorder.complete() refuses a second answer and an answer of another kind", () => {
  const recorder = new HistoryRecorder();
  const put = recorder.invoke({ client: 1, key: "a", kind: "put", input: "x" });
  assertThrows(() => recorder.complete(put, "x"), RangeError, 'a put cannot answer "x"');
  recorder.complete(put, undefined);
  assertThrows(() => recorder.complete(put, undefined), RangeError, "answered before");
  assertThrows(() => recorder.drop(put), RangeError, "answered before");
  const get = recorder.invoke({ client: 1, key: "a", kind: "get" });
  assertThrows(() => recorder.complete(get, true), RangeError, "a get cannot answer true");
  const del = recorder.invoke({ client: 1, key: "a", kind: "delete" });
  assertThrows(() => recorder.complete(del, undefined), RangeError, "a delete cannot answer undefined");
  assertThrows(() => recorder.complete(999, true), RangeError, "never called");
});
