import { assertEquals, assertThrows } from "@std/assert";
import type { ClientRequest, ClientResponse } from "../../packraft/mod.ts";
import { Fixture } from "./fixture.ts";
import { appendRequest } from "./options.ts";

const encoder = new TextEncoder();

Deno.test("a put is sent to the followers, then written, then synced, and answered only when a majority has it", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.acknowledge(1);
  fixture.did.length = 0;
  fixture.put("r1", 1);
  fixture.replica.flush();
  assertEquals(fixture.did, [
    "send AppendEntriesRequest to 2",
    "append 2",
    "sync",
  ]);
  fixture.acknowledge(2);
  assertEquals(fixture.answers.get("r1"), [{ type: "PutResponse", index: 2 }]);
});

Deno.test("puts that come together share one write and one sync", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.did.length = 0;
  for (let i = 1; i <= 5; i++) fixture.put(`r${i}`, i);
  fixture.replica.flush();
  assertEquals(fixture.did.filter((what) => !what.startsWith("send")), ["append 2,3,4,5,6", "sync"]);
});

Deno.test("a follower redirects to the leader that it knows, and says so when it knows none", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.put("r1", 1);
  fixture.replica.flush();
  assertEquals(fixture.answers.get("r1")?.[0]?.type, "ErrorResponse");
  fixture.replica.receive(3, appendRequest({ term: 1 }));
  fixture.put("r2", 2);
  fixture.replica.request("r3", { type: "GetRequest", key: encoder.encode("k"), mode: "leader" });
  fixture.replica.flush();
  const redirect: ClientResponse = { type: "RedirectResponse", leader: 3, host: "host3", clientPort: 9003 };
  assertEquals([fixture.answers.get("r2"), fixture.answers.get("r3")], [[redirect], [redirect]]);
});

Deno.test("a leader that is deposed tells its waiting writers that the outcome is unknown, and its readers that nothing was done", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.put("write", 1);
  fixture.replica.request("read", { type: "GetRequest", key: encoder.encode("k"), mode: "leader" });
  fixture.replica.flush();
  fixture.replica.receive(3, appendRequest({ term: 2 }));
  fixture.replica.flush();
  const [write] = fixture.answers.get("write") ?? [];
  assertEquals(write?.type === "ErrorResponse" && [write.code, write.outcome], ["leadershipLost", "unknown"]);
  assertEquals(fixture.answers.get("read")?.[0]?.type, "RedirectResponse");
});

Deno.test("a get sees what was committed before it, after a round to the followers", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.put("r1", 1, "seen");
  fixture.replica.flush();
  fixture.acknowledge(2);
  fixture.replica.request("r2", { type: "GetRequest", key: encoder.encode("k"), mode: "leader" });
  fixture.replica.flush();
  assertEquals(fixture.answers.has("r2"), false);
  fixture.acknowledge(2);
  assertEquals(fixture.answers.get("r2"), [{
    type: "GetResponse",
    found: true,
    value: encoder.encode("seen"),
    appliedIndex: 2,
    isAgeKnown: true,
    ageMs: 0,
  }]);
});

Deno.test("data is answered in pages, all but the last of which say that more follows", () => {
  const fixture = new Fixture([1]);
  fixture.replica.advance(1);
  fixture.replica.flush();
  const big = new Uint8Array(200_000);
  for (let i = 1; i <= 4; i++) {
    const session = { clientId: new Uint8Array(16), sequence: i, answeredUpTo: 0 };
    fixture.replica.request(`p${i}`, {
      type: "PutRequest",
      ...session,
      key: encoder.encode(`k${i}`),
      value: big,
    });
  }
  fixture.replica.flush();
  fixture.replica.request("all", { type: "DataRequest", mode: "leader" });
  fixture.replica.flush();
  const pages = fixture.answers.get("all") ?? [];
  assertEquals(pages.map((page) => page.type === "DataResponse" && [page.more, page.pairs.length]), [[
    true,
    2,
  ], [false, 2]]);
});

Deno.test("requests beyond the limit are refused as busy, and nothing was done for them", () => {
  const fixture = new Fixture([1, 2, 3], 2);
  fixture.lead();
  for (let i = 1; i <= 3; i++) fixture.put(`r${i}`, i);
  const [answer] = fixture.answers.get("r3") ?? [];
  assertEquals(answer?.type === "ErrorResponse" && [answer.code, answer.outcome], ["busy", "notDone"]);
});

Deno.test("a failed sync is thrown, and nothing that depended on it has left", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.put("r1", 1);
  fixture.diskFails = true;
  assertThrows(() => fixture.replica.flush(), Error, "EIO");
  assertEquals(fixture.answers.has("r1"), false);
});

Deno.test("stop() tells those who wait, and refuses whoever comes after", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.lead();
  fixture.put("r1", 1);
  fixture.replica.flush();
  fixture.replica.stop();
  fixture.put("r2", 2);
  const outcomes = ["r1", "r2"].map((luid) => fixture.answers.get(luid)?.[0])
    .map((answer) => answer?.type === "ErrorResponse" && `${answer.code} ${answer.outcome}`);
  assertEquals(outcomes, ["shuttingDown unknown", "shuttingDown notDone"]);
});

Deno.test("request() keeps nothing of the bytes that it is given: they may be overwritten when it returns", () => {
  const fixture = new Fixture([1, 2, 3]);
  fixture.leadSettled();
  const value = "v".repeat(10_000); // read when there is room for it, if it is read at once
  const memory = new Uint8Array(20_000);
  const bytes = (text: string, offset: number) => {
    const { written } = encoder.encodeInto(text, memory.subarray(offset));
    return memory.subarray(offset, offset + written);
  };
  const ask = (luid: string, request: ClientRequest) => {
    fixture.replica.request(luid, request);
    memory.fill(0xee);
  };
  const session = { clientId: memory.subarray(0, 16), sequence: 1, answeredUpTo: 0 };
  ask("put", { type: "PutRequest", ...session, key: bytes("key", 16), value: bytes(value, 100) });
  fixture.replica.flush();
  fixture.acknowledge(2);
  ask("get", { type: "GetRequest", key: bytes("key", 0), mode: "leader" });
  ask("stale", { type: "GetRequest", key: bytes("key", 0), mode: "stale" });
  fixture.replica.flush();
  fixture.acknowledge(2);
  for (const luid of ["get", "stale"]) {
    const [answer] = fixture.answers.get(luid) ?? [];
    assertEquals(answer?.type === "GetResponse" && answer.value, encoder.encode(value));
  }
});
