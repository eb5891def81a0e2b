import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import {
  ByteReader,
  decodeMembers,
  encodeMembers,
  MAX_HOST_BYTES,
  MAX_MEMBERS,
  MAX_PORT,
  type Member,
  MEMBERS,
  PackraftError,
  type PackraftErrorCode,
} from "../../packraft/mod.ts";
import { valuesOf } from "./arbitraries.ts";
import { MEMBERS_VECTORS, VALID_VECTORS } from "./vectors.ts";

const MEMBER: Member = {
  id: 1,
  host: "127.0.0.1",
  peerPort: 7001,
  clientPort: 9001,
  role: "voter",
  admission: 0,
};

/** Members that are alike in all but their ids. */
function membersOf(...ids: number[]): Member[] {
  return ids.map((id) => ({ ...MEMBER, id }));
}

function assertRefused(data: Uint8Array, code: PackraftErrorCode, message: string): void {
  const error = assertThrows(() => decodeMembers(data), PackraftError);
  assertEquals([error.code, error.message], [code, message]);
}

/** Lists that may stand in a log: ids from 1, each once, the smallest first. */
const MEMBER_LISTS = (valuesOf(MEMBERS.shape) as fc.Arbitrary<Member[]>).map((members) => {
  const byId = new Map(members.map((member) => [member.id, member]));
  byId.delete(0);
  return [...byId.values()].sort((a, b) => a.id - b.id);
});

Deno.test("decodeMembers() gives the members as encodeMembers() wrote them, whatever they are", () => {
  let memberCount = 0;
  fc.assert(fc.property(MEMBER_LISTS, (members) => {
    memberCount += members.length;
    assertEquals(decodeMembers(encodeMembers(members)), members);
  }));
  assert(memberCount > 100, `only ${memberCount} members were tried`);
});

Deno.test("decodeMembers() takes as many members as there may be, with the longest hosts and the largest numbers", () => {
  const members = Array.from({ length: MAX_MEMBERS }, (_, i): Member => ({
    id: Number.MAX_SAFE_INTEGER - MAX_MEMBERS + 1 + i,
    host: "h".repeat(MAX_HOST_BYTES),
    peerPort: MAX_PORT,
    clientPort: MAX_PORT,
    role: i % 2 === 0 ? "voter" : "learner",
    admission: Number.MAX_SAFE_INTEGER,
  }));
  assertEquals(decodeMembers(encodeMembers(members)), members);
  assertEquals(decodeMembers(encodeMembers([])), []);
});

Deno.test("too many members are neither encoded nor decoded", () => {
  const ids = Array.from({ length: MAX_MEMBERS + 1 }, (_, i) => i + 1);
  const error = assertThrows(() => encodeMembers(membersOf(...ids)), PackraftError);
  assertEquals([error.code, error.message], ["limitExceeded", "list of 17 exceeds 16"]);

  const sixteen = encodeMembers(membersOf(...ids.slice(0, -1)));
  const one = encodeMembers(membersOf(17)).subarray(1);
  assertRefused(
    concat([Uint8Array.of(17), sixteen.subarray(1), one]),
    "limitExceeded",
    "list of 17 exceeds 16",
  );
});

Deno.test("decodeMembers() refuses ids that do not ascend, a doubled one and 0", () => {
  assertEquals(decodeMembers(encodeMembers(membersOf(1, 2, 9))), membersOf(1, 2, 9));
  assertRefused(encodeMembers(membersOf(2, 1)), "invalidValue", "member 1 does not follow 2");
  assertRefused(encodeMembers(membersOf(1, 3, 2)), "invalidValue", "member 2 does not follow 3");
  assertRefused(encodeMembers(membersOf(4, 4)), "invalidValue", "member 4 does not follow 4");
  assertRefused(encodeMembers(membersOf(0)), "invalidValue", "member 0 does not follow 0");
  assertRefused(encodeMembers(membersOf(0, 1)), "invalidValue", "member 0 does not follow 0");
});

Deno.test("decodeMembers() refuses bytes behind the last member", () => {
  const data = encodeMembers(membersOf(1, 2));
  assertRefused(concat([data, Uint8Array.of(0)]), "trailingBytes", "members are followed by 1 B");
  assertRefused(concat([data, data]), "trailingBytes", `members are followed by ${data.length} B`);
  assertRefused(Uint8Array.of(0, 0), "trailingBytes", "members are followed by 1 B");
});

Deno.test("decodeMembers() refuses a list that ends early, wherever it does", () => {
  const data = encodeMembers(membersOf(1, 300));
  for (let length = 0; length < data.length; length++) {
    const error = assertThrows(() => decodeMembers(data.subarray(0, length)), PackraftError);
    // With very few bytes it is the count that is too large for them.
    assert(["truncated", "limitExceeded"].includes(error.code), `${length} B: ${error.code}`);
  }
});

Deno.test("decodeMembers() refuses a role that is not defined, and says which member's field", () => {
  const data = encodeMembers(membersOf(1));
  data[data.length - 2] = 2;
  assertRefused(data, "invalidValue", "role: tag 2 is not below 2 (voter, learner)");
});

for (const { name, members, bytes } of MEMBERS_VECTORS) {
  Deno.test(`encodeMembers() and decodeMembers() agree with the vector: ${name}`, () => {
    assertEquals(encodeMembers(members).toHex(), bytes.toHex());
    assertEquals(decodeMembers(bytes), members);
  });
}

Deno.test("the vector with a configuration entry carries members that can be read", () => {
  const found = VALID_VECTORS.flatMap(({ packet: { message } }) =>
    message.type === "AppendEntriesRequest" ? message.entries : []
  ).filter(({ kind }) => kind === "configuration");
  assertEquals(found.map(({ data }) => decodeMembers(data).map(({ id }) => id)), [[1, 2, 3, 4]]);
});

Deno.test("all lists of members in the vectors ascend, as senders make them", () => {
  const lists = VALID_VECTORS.flatMap(({ packet: { message } }) => {
    if (message.type === "MembersResponse") return [message.members];
    if (message.type === "ExplainResponse") return [message.configuration.members];
    return message.type === "RejoinResponse" ? message.configurations.map(({ members }) => members) : [];
  });
  assert(lists.length > 5);
  for (const members of lists) {
    const data = encodeMembers(members);
    assertEquals(decodeMembers(data), MEMBERS.read(new ByteReader(data)));
  }
});
