import { assertEquals } from "@std/assert";
import { Slab } from "../../src/client/slab.ts";

Deno.test("Slab.take() gives nobody what another has, and long pieces memory of their own", () => {
  const slab = new Slab();
  const pieces = Array.from({ length: 500 }, (_, i) => slab.take(i % 5 === 0 ? 2_000 : i).fill(i & 0xff));
  for (const [i, piece] of pieces.entries()) {
    assertEquals(piece.length, i % 5 === 0 ? 2_000 : i);
    assertEquals(piece.every((byte) => byte === (i & 0xff)), true, `piece ${i}`);
  }
  assertEquals(slab.take(1_025).buffer.byteLength, 1_025);
});
