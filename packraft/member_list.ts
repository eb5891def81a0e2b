/**
 * The data of a `configuration` entry: who the members are, as bytes and back.
 *
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { PackraftError } from "./errors.ts";
import { type Member, MEMBERS } from "./records.ts";

export function encodeMembers(members: readonly Member[]): Uint8Array {
  const writer = new ByteWriter(32 * (members.length + 1));
  MEMBERS.write(writer, members);
  return writer.finish();
}

/** @throws PackraftError for bytes that {@linkcode encodeMembers} does not make */
export function decodeMembers(data: Uint8Array): readonly Member[] {
  const reader = new ByteReader(data);
  const members = MEMBERS.read(reader);
  if (reader.remaining > 0) {
    throw new PackraftError("trailingBytes", `members are followed by ${reader.remaining} B`);
  }
  for (const [at, { id }] of members.entries()) {
    if (id > (members[at - 1]?.id ?? 0)) continue;
    throw new PackraftError("invalidValue", `member ${id} does not follow ${members[at - 1]?.id ?? 0}`);
  }
  return members;
}
