/** The command as bytes: what is written out by hand is what the schema says. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteReader, ByteWriter, PackraftError } from "../../packraft/mod.ts";
import { type Command, CommandEncoder, decodeCommand, encodeCommand, Store } from "../../src/kv/mod.ts";
import { COMMAND } from "../../src/kv/command.ts";
import { entryOf, put } from "./commands.ts";

const COMMANDS: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom("put" as const, "delete" as const),
  clientId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  sequence: fc.maxSafeNat(),
  answeredUpTo: fc.maxSafeNat(),
  key: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  value: fc.uint8Array({ maxLength: 300 }),
});

function encodedBySchema(command: Command): Uint8Array {
  const writer = new ByteWriter();
  COMMAND.write(writer, command);
  return writer.finish();
}

/** What reading by the schema gives: a command, or the error. */
function readBySchema(data: Uint8Array): unknown {
  return outcome(() => {
    const reader = new ByteReader(data);
    const command = COMMAND.read(reader);
    if (reader.remaining > 0) {
      throw new PackraftError("trailingBytes", `command is followed by ${reader.remaining} B`);
    }
    return command;
  });
}

function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    assert(error instanceof PackraftError, `${error}`);
    return [error.code, error.message];
  }
}

Deno.test("decodeCommand() reads what the schema reads, and refuses what it refuses with the same words", () => {
  const change = fc.record({ at: fc.nat(700), byte: fc.nat(255), cut: fc.option(fc.nat(700)) });
  fc.assert(fc.property(COMMANDS, change, (command, { at, byte, cut }) => {
    const data = encodedBySchema(command);
    assertEquals(decodeCommand(data), command);
    const changed = data.slice(0, cut ?? data.length);
    changed[at % 40] = byte;
    assertEquals(outcome(() => decodeCommand(changed)), readBySchema(changed));
  }));
});

Deno.test("decodeCommand() refuses keys and values over their limits as the schema does", () => {
  const lengths: [number, number][] = [[0, 1], [1_024, 0], [1_025, 0], [1, 1_048_576], [1, 1_048_577]];
  for (const [key, value] of lengths) {
    const writer = new ByteWriter();
    writer.raw(new Uint8Array(19));
    writer.bytes(new Uint8Array(key));
    writer.bytes(new Uint8Array(value));
    const data = writer.finish();
    assertEquals(outcome(() => decodeCommand(data)), readBySchema(data));
  }
});

Deno.test("CommandEncoder.encode() gives what encodeCommand() gives, in shared buffers, and none is written to again", () => {
  const encoder = new CommandEncoder();
  const commands = Array.from({ length: 2_000 }, (_, i) => put(i, 1, `k${i}`, "v".repeat(i % 200)));
  commands.push(put(1, 2, "k", "v".repeat(100_000)), put(1, 3, "k", ""));
  const encoded = commands.map((command) => encoder.encode(command));
  assertEquals(
    encoded.map((data) => data.toHex()),
    commands.map((command) => encodeCommand(command).toHex()),
  );
  assertStrictEquals(encoded[0]?.buffer, encoded[1]?.buffer);
  assert(encoded[0]?.buffer !== encoded[1_999]?.buffer);
  assert(new Set(encoded.map(({ buffer }) => buffer)).size < 10);
  assertThrows(() => encoder.encode({ ...put(1, 1, "k", "v"), key: new Uint8Array() }), PackraftError);
  assertEquals(encoder.encode(put(1, 1, "k", "v")), encodeCommand(put(1, 1, "k", "v")));
});

Deno.test("digest differs when any field of a write differs, or its result", () => {
  const digestAfter = (command: Command, sessions?: Command) => {
    const store = new Store();
    store.apply(sessions === undefined ? { ...entryOf(1, command), kind: "noop" } : entryOf(1, sessions));
    store.apply(entryOf(2, command));
    return store.digest;
  };
  const command = put(1, 5, "key", "value");
  const variants: Command[] = [
    command,
    { ...command, kind: "delete" },
    { ...command, sequence: 6 },
    { ...command, sequence: 5 + 2 ** 32 },
    { ...command, clientId: command.clientId.map((byte, i) => i === 0 ? 1 : byte) },
    { ...command, key: command.key.slice(1) },
    { ...command, value: command.value.slice(1) },
    put(1, 5, "keyv", "alue"),
  ];
  const digests = variants.map((variant) => digestAfter(variant));
  assertEquals(new Set(digests).size, variants.length);
  // The write is stale here, and was done there.
  assert(digestAfter(command) !== digestAfter(command, put(1, 6, "key", "value", 5)));
});

Deno.test("get() gives bytes that stay as they are when the key is written to in the same turn", () => {
  const store = new Store();
  store.apply(entryOf(1, put(1, 1, "k", "first")));
  const value = store.get(new TextEncoder().encode("k"));
  store.apply(entryOf(2, put(1, 2, "k", "other")));
  assertEquals(new TextDecoder().decode(value), "first");
});

Deno.test("what a store keeps does not share memory with the entry that brought it", () => {
  const store = new Store();
  const entry = entryOf(1, put(1, 1, "k", "first"));
  store.apply(entry);
  entry.data.fill(0);
  assertEquals(new TextDecoder().decode(store.get(new TextEncoder().encode("k"))), "first");
});
