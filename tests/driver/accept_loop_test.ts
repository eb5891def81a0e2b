import { assertEquals } from "@std/assert";
import { acceptAll } from "../../src/driver/accept_loop.ts";
import { HOST, testOnLoopback, until } from "./loopback.ts";

Deno.test("acceptAll() outlives an accept that fails, says so, and ends when the listener is closed", async () => {
  const troubles: string[] = [];
  const served: number[] = [];
  const outcomes = [
    () => Promise.reject(new Error("Too many open files (os error 24)")),
    () => Promise.reject(new Error("Too many open files (os error 24)")),
    () => Promise.reject(new Deno.errors.BadResource("Listener has been closed")),
  ];
  const listener = { accept: () => (outcomes.shift() ?? (() => Promise.reject(new Error("asked again"))))() };
  const startMs = performance.now();
  await acceptAll(listener, () => served.push(1), (error) => troubles.push(error.message));
  const tookMs = performance.now() - startMs;
  assertEquals(served, []);
  assertEquals(troubles, Array(2).fill("Too many open files (os error 24)"));
  assertEquals(
    tookMs > 80,
    true,
    `two pauses took ${tookMs} ms: a flood of failures must not take the processor`,
  );
});

testOnLoopback("acceptAll() hands over every connection", async () => {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const served: Deno.TcpConn[] = [];
  const ended = acceptAll(listener, (connection) => served.push(connection), () => {});
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => Deno.connect({ hostname: HOST, port: listener.addr.port })),
  );
  await until(() => served.length === 5, "five connections are served");
  listener.close();
  await ended;
  for (const connection of [...clients, ...served]) connection.close();
});
