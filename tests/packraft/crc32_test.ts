import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32, offerNativeCrc32 } from "../../packraft/mod.ts";

Deno.test("crc32() of the nine digits is the check value of the standard", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

Deno.test("crc32() equals zlib's for every length about its rounds, at every alignment", () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => (i * 151 + 89) & 0xff);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= 180; end++) {
      const piece = bytes.subarray(start, end);
      assertEquals(crc32(piece), zlibCrc32(piece), `bytes ${start} to ${end}`);
    }
  }
});

Deno.test("crc32() equals zlib's for long random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 100_000 }), (bytes) => {
      assertEquals(crc32(bytes), zlibCrc32(bytes));
    }),
    { numRuns: 50 },
  );
});

Deno.test("crc32() goes on from a checksum wherever the bytes are cut", () => {
  const bytes = fc.uint8Array({ minLength: 0, maxLength: 500 });
  fc.assert(fc.property(bytes, fc.nat(500), fc.nat(0xffffffff), (bytes, cut, seed) => {
    const [head, tail] = [bytes.subarray(0, cut), bytes.subarray(cut)];
    assertEquals(crc32(tail, crc32(head)), crc32(bytes));
    assertEquals(crc32(bytes, seed), zlibCrc32(bytes, seed));
  }));
});

Deno.test("crc32() takes in a part of the bytes as it does a view of them", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 151 + 89) & 0xff);
  const shifted = bytes.subarray(7);
  fc.assert(fc.property(fc.nat(293), fc.nat(293), fc.nat(0xffffffff), (a, b, seed) => {
    const [start, end] = [Math.min(a, b), Math.max(a, b)];
    assertEquals(crc32(shifted, seed, start, end), zlibCrc32(shifted.subarray(start, end), seed));
  }));
});

Deno.test("offerNativeCrc32() takes one that gives the same results, and no other; short bytes need none", () => {
  const digits = new TextEncoder().encode("123456789");
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 151 + 89) & 0xff);
  const right = zlibCrc32(bytes);
  let calls = 0;
  offerNativeCrc32((bytes, seed) => zlibCrc32(bytes, seed) ^ 1);
  offerNativeCrc32((bytes) => zlibCrc32(bytes));
  assertEquals([crc32(digits), crc32(bytes)], [0xcbf43926, right]);
  offerNativeCrc32((bytes, seed) => {
    calls++;
    return zlibCrc32(bytes, seed);
  });
  const offered = calls;
  assertEquals([crc32(bytes), crc32(bytes, crc32(bytes, 0, 0, 100), 100)], [right, right]);
  assertEquals(calls, offered + 3);
  assertEquals(crc32(digits), 0xcbf43926);
  assertEquals(calls, offered + 3);
  assertEquals(crc32(bytes, -1), crc32(bytes, 0xffffffff), "a seed may be the outcome of an XOR");
});
