/**
 * The command line run inside the test, with what it prints.
 */
import type { CliIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";

export interface Captured {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export async function run(...args: string[]): Promise<Captured> {
  let [out, err] = ["", ""];
  const decoder = new TextDecoder();
  const io: CliIo = {
    out: (data) => out += typeof data === "string" ? data : decoder.decode(data),
    err: (text) => err += text,
    isColourful: false,
  };
  const exitCode = await main(args, io);
  return { exitCode, out, err };
}

/** Whether the tests of this file may run; and the name of a test, with the reason where it may not. */
export async function permitted(
  ...names: ("net" | "read" | "write" | "run")[]
): Promise<{ isAllowed: boolean; named: (sentence: string) => string }> {
  const missing: string[] = [];
  for (const name of names) {
    if ((await Deno.permissions.query({ name })).state !== "granted") missing.push(`--allow-${name}`);
  }
  const reason = missing.length === 0 ? "" : ` (ignored: needs ${missing.join(" ")})`;
  return { isAllowed: missing.length === 0, named: (sentence) => sentence + reason };
}
