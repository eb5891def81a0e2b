import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { freePorts } from "../../src/driver/free_ports.ts";
import { ListenError, listenOn } from "../../src/driver/listen.ts";
import { LuidSource } from "../../src/driver/luids.ts";
import { HOST, testOnLoopback } from "./loopback.ts";

testOnLoopback("listenOn() names the field, the port and the fix when the port is in use", () => {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  const error = assertThrows(() => listenOn(HOST, port, "peer"));
  assertInstanceOf(error, ListenError);
  assertEquals(error.exitCode, 3);
  assertEquals(
    error.message,
    `peer_port ${port} on ${HOST} is in use: stop what listens there, or give this node another peer_port`,
  );
  return Promise.resolve();
});

testOnLoopback("listenOn() refuses an address that is not of this machine with one line", () => {
  const error = assertThrows(() => listenOn("192.0.2.1", 4_000, "client"));
  assertInstanceOf(error, ListenError);
  assertMatch(
    error.message,
    /^client_port 4000 on 192\.0\.2\.1 cannot be opened: .*an address of this machine/,
  );
  assertEquals(error.message.includes("\n"), false);
  return Promise.resolve();
});

testOnLoopback("freePorts() gives different ports that can be listened on, below the outgoing ones", () => {
  const ports = freePorts(HOST, 6);
  assertEquals(new Set(ports).size, 6);
  for (const port of ports) {
    assertEquals(port >= 10_000 && port <= 30_000, true, `${port}`);
    listenOn(HOST, port, "peer").close();
  }
  return Promise.resolve();
});

Deno.test("LuidSource.next() counts each kind by itself from 1", () => {
  const luids = new LuidSource();
  assertEquals(
    [luids.next("turn"), luids.next("turn"), luids.next("client-request"), luids.next("turn")],
    ["turn-1", "turn-2", "client-request-1", "turn-3"],
  );
});
