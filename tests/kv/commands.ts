/**
 * Commands and entries for the tests of the store.
 *
 * @module
 */
import type { Entry } from "../../packraft/mod.ts";
import { type Command, encodeCommand } from "../../src/kv/mod.ts";

const encoder = new TextEncoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The id of a client by its number. */
export function clientId(number: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, number);
  return id;
}

export function put(client: number, sequence: number, key: string, value: string, answeredUpTo = 0): Command {
  return {
    kind: "put",
    clientId: clientId(client),
    sequence,
    answeredUpTo,
    key: bytes(key),
    value: bytes(value),
  };
}

export function remove(client: number, sequence: number, key: string, answeredUpTo = 0): Command {
  const value = new Uint8Array();
  return { kind: "delete", clientId: clientId(client), sequence, answeredUpTo, key: bytes(key), value };
}

export function entryOf(index: number, command: Command): Entry {
  return { index, term: 1, kind: "command", data: encodeCommand(command) };
}
