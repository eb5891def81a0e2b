import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { jsonOf, keyJsonOf, lineOf } from "../../src/cli/render.ts";

/** Undoes lineOf(). */
function bytesOfLine(line: string): Uint8Array {
  const encoder = new TextEncoder();
  const parts = line.match(/\\x[0-9a-f]{2}|\\[\\ntr]|[^\\]+/gs) ?? [];
  const plain = new Map(Object.entries({ "\\\\": 0x5c, "\\n": 0x0a, "\\t": 0x09, "\\r": 0x0d }));
  return Uint8Array.from(parts.flatMap((part) => {
    if (part.startsWith("\\x")) return [parseInt(part.slice(2), 16)];
    const byte = plain.get(part);
    return byte === undefined ? [...encoder.encode(part)] : [byte];
  }));
}

Deno.test("lineOf() is one printable line from which the bytes can be told", () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed())
      .map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(fc.property(anyBytes, (bytes) => {
    const line = lineOf(bytes);
    assert(!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line), line);
    assertEquals([...bytesOfLine(line)], [...bytes]);
  }));
});

Deno.test("lineOf() leaves text in any language as it is and disarms what moves a terminal", () => {
  const line = (text: string) => lineOf(new TextEncoder().encode(text));
  assertEquals(line("日本 é 🙂 a=b"), "日本 é 🙂 a=b");
  assertEquals(line("\x1b[31mred\u202e"), "\\x1b[31mred\\xe2\\x80\\xae");
});

Deno.test("jsonOf() is text where the bytes are text, else their hex digits", () => {
  assertEquals(jsonOf(new TextEncoder().encode("é\n")), "é\n");
  assertEquals(jsonOf(new Uint8Array([0xc3, 0x28])), { hex: "c328" });
  assertEquals(keyJsonOf(new Uint8Array([0xc3, 0x28])), "\\xc3(");
});
