import { assertEquals, assertRejects } from "@std/assert";
import { encodePacket, PacketReader, PackraftError } from "../../packraft/mod.ts";
import { isSocketError, readPackets, writeAll } from "../../src/driver/sockets.ts";
import { countToEnd, pause, SocketPair, testOnLoopback } from "./loopback.ts";

const keep = (bytes: Uint8Array) => bytes.slice();

testOnLoopback("writeAll() writes all, and tells of each piece that was taken", async () => {
  using pair = await SocketPair.open();
  const bytes = 24 * 1024 * 1024;
  let pieces = 0;
  const counted = countToEnd(pair.far);
  await writeAll(pair.near, new Uint8Array(bytes), () => pieces++);
  pair.near.close();
  assertEquals(await counted, bytes);
  assertEquals(pieces > 1, true, `${pieces} pieces`);
});

testOnLoopback(
  "readPackets() gives packets whole however they are cut, and keeps no one waiting for the rest",
  async () => {
    using pair = await SocketPair.open();
    const value = new Uint8Array(200_000).fill(7);
    const put = {
      type: "PutRequest",
      clientId: new Uint8Array(16),
      sequence: 1,
      answeredUpTo: 0,
      key: new Uint8Array([1]),
      value,
    } as const;
    const big = encodePacket({ family: "request", envelope: { transactionId: "big" }, message: put });
    const small = encodePacket({
      family: "request",
      envelope: { transactionId: "s" },
      message: { type: "PingRequest" },
    });
    const taken: string[] = [];
    const heard: string[] = [];
    const reading = readPackets(
      pair.near,
      new PacketReader(),
      (packet) => {
        if (packet.family === "request") taken.push(packet.envelope.transactionId);
        if (packet.message.type === "PutRequest") assertEquals(packet.message.value, value);
      },
      { heard: (isWhole, pendingBytes) => heard.push(`${isWhole} ${pendingBytes}`) },
      keep,
    );
    for (const piece of [small, big.subarray(0, 50_000), big.subarray(50_000), small]) {
      await writeAll(pair.far, piece, () => {});
    }
    await pair.far.closeWrite();
    await reading;
    assertEquals(taken, ["s", "big", "s"]);
    assertEquals(heard.at(-1), "true 0");
  },
);

testOnLoopback("readPackets() reads on only after what `take` waits for", async () => {
  using pair = await SocketPair.open();
  const ping = encodePacket({
    family: "request",
    envelope: { transactionId: "p" },
    message: { type: "PingRequest" },
  });
  const room = Promise.withResolvers<void>();
  let taken = 0;
  const reading = readPackets(
    pair.near,
    new PacketReader(),
    () => {
      taken++;
      return taken === 2 ? room.promise : undefined;
    },
    { heard: () => {} },
    keep,
  );
  await writeAll(pair.far, new Uint8Array([...ping, ...ping, ...ping]), () => {});
  await pair.far.closeWrite();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(taken, 2);
  room.resolve();
  await reading;
  assertEquals(taken, 3);
});

testOnLoopback("readPackets() throws for an incomplete frame at the end", async () => {
  using pair = await SocketPair.open();
  await pair.far.write(new Uint8Array([1]));
  await pair.far.closeWrite();
  await assertRejects(
    () => readPackets(pair.near, new PacketReader(), () => {}, { heard: () => {} }, keep),
    PackraftError,
  );
});

testOnLoopback(
  "isSocketError() knows what ends a connection from what is a mistake of this program",
  async () => {
    using pair = await SocketPair.open();
    const reading = pair.near.read(new Uint8Array(1)).catch((error) => error);
    pair.near.close();
    const closed = await pair.near.read(new Uint8Array(1)).catch((error) => error);
    let reset: unknown;
    while (reset === undefined) {
      await pair.far.write(new Uint8Array(1)).catch((error) => reset = error);
      await pause(1);
    }
    const unreachable = Object.assign(new Error("No route to host (os error 113)"), { code: "EHOSTUNREACH" });
    for (const error of [await reading, closed, reset, unreachable]) {
      assertEquals(isSocketError(error), true, String(error));
    }
    for (
      const error of [
        new TypeError("x is undefined"),
        new RangeError("entry 3 applied after entry 1"),
        undefined,
      ]
    ) {
      assertEquals(isSocketError(error), false, String(error));
    }
  },
);
