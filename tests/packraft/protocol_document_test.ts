/**
 * docs/protocol.md says of every message what its schema says, so that neither can change without the other.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  ByteWriter,
  CLIENT_ENVELOPE,
  CLIENT_REQUESTS,
  CLIENT_RESPONSES,
  CONFIGURATION,
  ENTRY,
  FOLLOWER_REPORT,
  FRAME_HEADER_BYTES,
  MAX_FRAME_BYTES,
  MEMBER,
  MEMBERS,
  PAIR,
  PEER_ENVELOPE,
  PEER_MESSAGES,
  type Shape,
  VOTE_REPORT,
} from "../../packraft/mod.ts";
import { decodeCommand } from "../../src/kv/command.ts";
import { MAX_CLIENTS, MAX_RESULTS_PER_CLIENT } from "../../src/kv/sessions.ts";
import { MAX_PAGE_BYTES } from "../../src/storage/durable_storage.ts";
import DOCUMENT from "../../docs/protocol.md" with { type: "text" };
import ERRORS_SOURCE from "../../packraft/errors.ts" with { type: "text" };
import { COMMAND_VECTORS, VALID_VECTORS } from "./vectors.ts";

/** What stands under each heading of the third level, up to the next heading. */
const SECTIONS = new Map(
  DOCUMENT.split(/^(?=##)/m).filter((section) => section.startsWith("### ")).map((section) => {
    const [heading = "", ...body] = section.split("\n");
    return [heading.slice(4), body.join("\n")];
  }),
);
/** Records that have a name of their own. */
const RECORD_NAMES = new Map<Shape, string>([
  [ENTRY.shape, "Entry"],
  [PAIR.shape, "Pair"],
  [MEMBER.shape, "Member"],
  [CONFIGURATION.shape, "Configuration"],
  [FOLLOWER_REPORT.shape, "FollowerReport"],
  [VOTE_REPORT.shape, "VoteReport"],
]);

function sectionOf(heading: string): string {
  const section = SECTIONS.get(heading);
  if (section === undefined) throw new Error(`docs/protocol.md has no heading "### ${heading}"`);
  return section;
}

/** The rows of a section's table, without the heading and the line under it. */
function rowsOf(heading: string): string[][] {
  return sectionOf(heading).split("\n").filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** The type of a field as the document writes it. */
function typeName(shape: Shape, documented: string): string {
  switch (shape.kind) {
    case "varint":
      return shape.max === Number.MAX_SAFE_INTEGER ? "varint" : `varint ≤ ${shape.max}`;
    case "bool":
      return "bool";
    case "bytes":
      return `bytes ${shape.min}..${shape.max}`;
    case "fixedBytes":
      return `${shape.count} bytes`;
    case "text":
      return `text ≤ ${shape.max}`;
    case "oneOf": {
      const name = documented.replace(/^enum /, "");
      const tags = rowsOf(name).map(([tag, text]) => `${tag} ${text}`);
      assertEquals(tags, shape.names.map((text, tag) => `${tag} \`${text}\``), `enumeration ${name}`);
      return `enum ${name}`;
    }
    case "list":
      return `list ≤ ${shape.max} of ${RECORD_NAMES.get(shape.item)}`;
    case "record":
      return RECORD_NAMES.get(shape) ?? "a record without a name";
  }
}

function assertDocumented(heading: string, shape: Shape): void {
  assert(shape.kind === "record");
  const rows = rowsOf(heading);
  assertEquals(rows.map(([name]) => name), Object.keys(shape.fields), `fields of ${heading}, in order`);
  for (const [name = "", type = ""] of rows) {
    const field = shape.fields[name];
    assert(field !== undefined);
    assertEquals(type, typeName(field, type), `${heading}: type of ${name}`);
  }
}

const MESSAGES = Object.entries({ ...PEER_MESSAGES, ...CLIENT_REQUESTS, ...CLIENT_RESPONSES });

for (const [name, { number, schema }] of MESSAGES) {
  Deno.test(`docs/protocol.md gives ${name}'s number, fields, types, limits and tags as they are`, () => {
    assertDocumented(`${name} (0x${number.toString(16).padStart(2, "0")})`, schema.shape);
  });
}

Deno.test("docs/protocol.md gives envelopes and records as they are", () => {
  assertDocumented("PeerEnvelope", PEER_ENVELOPE.shape);
  assertDocumented("ClientEnvelope", CLIENT_ENVELOPE.shape);
  for (const [shape, name] of RECORD_NAMES) assertDocumented(name, shape);
});

Deno.test("docs/protocol.md gives the data of a configuration entry as it is", () => {
  assertEquals(rowsOf("Members").map(([, type]) => type), [typeName(MEMBERS.shape, "")]);
});

Deno.test("docs/protocol.md describes no enumeration that no field is of", () => {
  const types = [...SECTIONS.keys()].flatMap(rowsOf).map(([, type = ""]) => type);
  const used = types.filter((type) => type.startsWith("enum ")).map((type) => type.slice("enum ".length));
  const [enumerations = ""] = DOCUMENT.slice(DOCUMENT.indexOf("\n## Enumerations\n") + 1).split(
    /^## (?!Enum)/m,
  );
  const described = [...enumerations.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  assertEquals(described.sort(), [...new Set(used)].sort());
});

Deno.test("docs/protocol.md describes no message that there is not", () => {
  const described = [...SECTIONS.keys()].filter((heading) => /\(0x/.test(heading));
  assertEquals(described.length, MESSAGES.length);
});

Deno.test("docs/protocol.md gives the fields of a command in their order", () => {
  for (const { bytes } of COMMAND_VECTORS) {
    assertEquals(rowsOf("Command").map(([name]) => name), Object.keys(decodeCommand(bytes)));
  }
});

Deno.test("docs/protocol.md states the limits of frames, of sessions and of snapshots", () => {
  const limits = [MAX_FRAME_BYTES, MAX_FRAME_BYTES - FRAME_HEADER_BYTES, MAX_CLIENTS, MAX_PAGE_BYTES];
  for (const limit of limits) assertStringIncludes(DOCUMENT, limit.toLocaleString("en"));
  assertStringIncludes(DOCUMENT, `at most ${MAX_RESULTS_PER_CLIENT} results of a client`);
});

Deno.test("docs/protocol.md names every error", () => {
  const codes = [...ERRORS_SOURCE.matchAll(/^ {2}\| "(\w+)"/gm)].map(([, code]) => code);
  assertEquals(codes.length, 13);
  for (const code of codes) assertStringIncludes(DOCUMENT, `\`${code}\``);
});

Deno.test("the varints in docs/protocol.md are right", () => {
  const rows = [...DOCUMENT.matchAll(/^\| (\d+) +\| `([0-9a-f ]+)` +\|$/gm)];
  assertEquals(rows.length, 6);
  for (const [, value, bytes] of rows) {
    const writer = new ByteWriter();
    writer.varint(Number(value));
    assertEquals(writer.finish().toHex(), bytes?.replaceAll(" ", ""));
  }
});

Deno.test("the worked example in docs/protocol.md is, byte for byte, what the vectors say", () => {
  const example = DOCUMENT.slice(DOCUMENT.indexOf("## A worked example"));
  const blocks = [...example.matchAll(/```text\n([^]*?)```/g)].map(([, block = ""]) =>
    block.trim().split("\n").map((line) => line.split(" ")[0]).join("")
  );
  const frameOf = (name: string) => VALID_VECTORS.find((vector) => vector.name === name)?.frame.toHex();
  const command = COMMAND_VECTORS.find(({ name }) => name === "put")?.bytes.toHex();
  assertEquals(blocks, [frameOf("PutRequest: put"), command, frameOf("PutResponse: written")]);
});
