import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ClientResponse, encodePacket, PacketReader } from "../../packraft/mod.ts";
import { Caller } from "../../src/client/caller.ts";
import type { ByteStream } from "../../src/client/mod.ts";
import { errorResponse } from "./fake_server.ts";
import { FakeTime } from "./fake_time.ts";

const KEY = new Uint8Array([1]);
const PUT = {
  type: "PutRequest",
  key: KEY,
  value: KEY,
  clientId: new Uint8Array(16),
  sequence: 1,
  answeredUpTo: 0,
} as const;
const GET = { type: "GetRequest", key: KEY, mode: "leader" } as const;

/** A node that answers, or is silent, at times of a clock that the test moves; notes when it was asked. */
class FakeNode extends FakeTime {
  readonly askedMs: number[] = [];
  respond: (type: string) => ClientResponse | undefined = () => errorResponse("noLeader");

  override connect(): Promise<ByteStream> {
    const reader = new PacketReader({ families: ["request"] });
    const answers: Uint8Array[] = [];
    let wake = () => {};
    return Promise.resolve({
      write: (bytes) => {
        reader.push(bytes.slice());
        for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
          if (packet.family !== "request") continue;
          this.askedMs.push(this.now());
          const response = this.respond(packet.message.type);
          if (response === undefined) continue;
          const { transactionId } = packet.envelope;
          answers.push(encodePacket({ family: "response", envelope: { transactionId }, message: response }));
        }
        wake();
        return Promise.resolve(bytes.length);
      },
      read: async (buffer) => {
        while (answers.length === 0) await new Promise<void>((resolve) => wake = resolve);
        const answer = answers.shift() ?? new Uint8Array(0);
        buffer.set(answer);
        return answer.length;
      },
      close: () => {},
    });
  }

  caller(timeoutMs: number, attemptTimeoutMs = 1_000): Caller {
    return new Caller({
      servers: [{ host: "a", port: 1 }],
      timeoutMs,
      attemptTimeoutMs,
      isOneShot: false,
      onRedirect: undefined,
      platform: this,
    });
  }
}

function call(caller: Caller, request: typeof PUT | typeof GET): Promise<readonly ClientResponse[]> {
  return new Promise((resolve, reject) => caller.call(request, caller.deadlineMs(), resolve, reject));
}

Deno.test("Caller makes no last attempt that the end of the time would cut short: a write that no node took is surely not done", async () => {
  const node = new FakeNode();
  const caller = node.caller(1_000);
  const refused = assertRejects(() => call(caller, PUT), Error, "no leader after 1 s");
  for (let ms = 0; ms < 1_000; ms++) await node.pass(1);
  await refused;
  assert(node.askedMs.length > 20, `asked at ${node.askedMs}`);
  assert(Math.max(...node.askedMs) <= 950, `asked at ${node.askedMs}`);
  caller.close();
});

Deno.test("Caller that is cut short by the end of the time says what it knows from before", async () => {
  const node = new FakeNode();
  node.respond = () => node.now() < 800 ? errorResponse("noLeader") : undefined;
  const caller = node.caller(1_000);
  const sentence = "no leader after 1 s (a:1 knows no leader)";
  // The first looks for the leader, the other waits for what it finds.
  const scout = assertRejects(() => call(caller, GET), Error, sentence);
  const other = assertRejects(() => call(caller, PUT), Error, sentence);
  for (let ms = 0; ms < 1_100; ms++) await node.pass(1);
  await Promise.all([scout, other]);
  assertEquals(node.askedMs.filter((ms) => ms >= 800).length, 1);
  caller.close();
});

Deno.test("Caller tells nobody of trouble that was over before the request began", async () => {
  const node = new FakeNode();
  node.respond = () => errorResponse("noSpace");
  const caller = node.caller(500);
  const full = assertRejects(() => call(caller, PUT), Error, "the disk is full");
  for (let ms = 0; ms < 600; ms++) await node.pass(1);
  await full;
  node.respond = () => undefined;
  const silent = assertRejects(() => call(caller, GET), Error, "no answer after 0.5 s");
  for (let ms = 0; ms < 600; ms++) await node.pass(1);
  await silent;
  caller.close();
});

Deno.test("Caller that has waited for others to find the leader does not begin when it is too late", async () => {
  const node = new FakeNode();
  const caller = node.caller(1_000);
  const scout = assertRejects(() => call(caller, GET), Error, "no leader after 1 s");
  for (let ms = 0; ms < 20; ms++) await node.pass(1);
  // It gets its time from 20 on, and 20 ms of it are left when the one that looks gives up.
  const asked = node.askedMs.length;
  const waiter = assertRejects(() => call(caller, PUT), Error, "no leader after 1 s");
  for (let ms = 0; ms < 980; ms++) await node.pass(1);
  await scout;
  const before = node.askedMs.length;
  for (let ms = 0; ms < 100; ms++) await node.pass(1);
  await waiter;
  assert(before > asked);
  assertEquals(node.askedMs.length, before);
  caller.close();
});
