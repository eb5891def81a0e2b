/** Which configuration counts (src/raft/configurations.ts). */
import { assertEquals } from "@std/assert";
import { decodeMembers, encodeMembers } from "../../packraft/mod.ts";
import { Configurations, isNewer } from "../../src/raft/configurations.ts";
import type { Entry } from "../../src/raft/mod.ts";
import { membersOf, TestServer } from "./harness.ts";
import { membersAt, membersEntry, placeOf, shown } from "./members.ts";
import { appendRequest, command, eventsOf, logOf, noop } from "./messages.ts";

const VOTERS = [1, 2, 3];
const CODEC = { encode: encodeMembers, decode: decodeMembers };

/** Members 1 to 3 at the beginning, then 4 as a learner and as a voter, then without 1. */
const LOG: readonly Entry[] = [
  command(1, 1),
  membersEntry(2, 1, VOTERS, [4]),
  membersEntry(3, 1, [1, 2, 3, 4]),
  command(4, 1),
  membersEntry(5, 2, [2, 3, 4]),
];

function configurations(): Configurations {
  return new Configurations(CODEC, membersOf(VOTERS), LOG);
}

Deno.test("the newest configuration in the log counts, and the newest up to an index can be told", () => {
  const all = configurations();
  assertEquals(all.newest, membersAt(5, 2, [2, 3, 4]));
  const upTo = [0, 1, 2, 3, 4, 5, 6].map((index) => shown(all.committed(index)));
  assertEquals(upTo, ["1 2 3", "1 2 3", "1 2 3 4?", "1 2 3 4", "1 2 3 4", "2 3 4", "2 3 4"]);
});

Deno.test("configurations go with their entries from the end of the log, but never the one before its beginning", () => {
  const all = configurations();
  const after = [5, 4, 2, 0].map((kept) => {
    const isOther = all.truncate(({ index }) => index <= kept);
    return [isOther, shown(all.newest)];
  });
  assertEquals(after, [[false, "2 3 4"], [true, "1 2 3 4"], [true, "1 2 3 4?"], [true, "1 2 3"]]);
  assertEquals(all.truncate(() => false), false);
  assertEquals(shown(all.newest), "1 2 3");
});

Deno.test("when the log begins later, what was replaced before that is forgotten, and what counts there is not", () => {
  const all = configurations();
  assertEquals(all.addressOf(1)?.peerPort, placeOf(1).peerPort, "it was a member not long ago");
  all.compact(4);
  assertEquals([shown(all.committed(4)), shown(all.newest)], ["1 2 3 4", "2 3 4"]);
  assertEquals(shown(all.committed(1)), "1 2 3 4", "nothing older is known");
  all.compact(9);
  assertEquals([shown(all.newest), all.addressOf(1)], ["2 3 4", undefined]);
});

Deno.test("the address of a member is the newest that is known", () => {
  const moved = membersEntry(6, 2, VOTERS, [], (member) => ({ ...member, host: `new${member.id}` }));
  const all = new Configurations(CODEC, membersOf(VOTERS), [moved]);
  assertEquals(all.addressOf(2)?.host, "new2");
  all.truncate(({ index }) => index < 6);
  assertEquals([all.addressOf(2)?.host, all.addressOf(9)], ["127.0.0.1", undefined]);
});

Deno.test("entries up to the configuration that is known to begin with add nothing", () => {
  const all = new Configurations(CODEC, membersAt(3, 1, [1, 2, 3, 4]), LOG);
  assertEquals([shown(all.committed(4)), shown(all.newest)], ["1 2 3 4", "2 3 4"]);
  assertEquals(all.append(membersEntry(2, 1, VOTERS, [4])), false);
  assertEquals(all.append(command(6, 2)), false);
  assertEquals(all.append(membersEntry(6, 2, [2, 3])), true);
});

Deno.test("a log that begins anew takes the configuration of the snapshot, but not an older one than is known to be committed", () => {
  const all = configurations();
  all.restart(membersAt(9, 3, [3, 4]));
  assertEquals([shown(all.newest), shown(all.committed(2))], ["3 4", "3 4"]);
  all.restart(membersAt(7, 3, [1]));
  assertEquals(shown(all.newest), "3 4");
});

Deno.test("a committed configuration from elsewhere takes the place of those before it, and leaves those after it", () => {
  const all = configurations();
  all.advance(membersAt(3, 1, [1, 2, 3, 4]));
  assertEquals([shown(all.committed(1)), shown(all.newest)], ["1 2 3 4", "2 3 4"]);
  all.advance(membersAt(20, 4, [4]));
  assertEquals([shown(all.committed(1)), shown(all.newest)], ["4", "4"]);
});

Deno.test("isNewer() goes by the term first: a later entry of an earlier term may be gone", () => {
  const is = (a: [number, number], b: [number, number]) =>
    isNewer(membersAt(...a, VOTERS), membersAt(...b, VOTERS));
  assertEquals([is([5, 2], [9, 1]), is([9, 1], [5, 2]), is([6, 2], [5, 2]), is([5, 2], [5, 2])], [
    true,
    false,
    true,
    false,
  ]);
});

// ------------------------------------------------------------------------------------ in a server

/** Node 2 in term 2 with entry 1 of term 1. */
function follower(): TestServer {
  return new TestServer(2, VOTERS, { entries: logOf(1), hardState: { currentTerm: 2, votedFor: 0 } });
}

Deno.test("section 6: a server uses a configuration as soon as it is in its log, committed or not, durable or not", () => {
  const server = follower();
  const request = appendRequest({
    term: 2,
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [membersEntry(2, 2, [1, 2, 3, 4])],
  });
  const ready = server.receive(1, request);
  assertEquals([shown(server.view.configuration), shown(server.view.committedConfiguration)], [
    "1 2 3 4",
    "1 2 3",
  ]);
  assertEquals(eventsOf(ready, "configuration"), [
    { kind: "configuration", configuration: membersAt(2, 2, [1, 2, 3, 4]), reason: "entry 2" },
  ]);
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 2, prevLogTerm: 2, leaderCommit: 2 }));
  assertEquals(shown(server.view.committedConfiguration), "1 2 3 4");
});

Deno.test("section 6: when its entry is removed from the log, the configuration before it counts again", () => {
  const server = follower();
  const first = appendRequest({
    term: 2,
    prevLogIndex: 1,
    prevLogTerm: 1,
    entries: [membersEntry(2, 2, [1, 2, 3, 4]), membersEntry(3, 2, [1, 2, 4])],
  });
  server.receiveDurably(1, first);
  assertEquals(shown(server.view.configuration), "1 2 4");
  const other = appendRequest({ term: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [noop(2, 3)] });
  const ready = server.receiveDurably(3, other);
  assertEquals(shown(server.view.configuration), "1 2 3");
  assertEquals(eventsOf(ready, "configuration").map(({ configuration }) => shown(configuration)), ["1 2 3"]);
});

Deno.test("a restart finds the configurations in the log again", () => {
  const server = follower();
  const entries = [membersEntry(2, 2, [1, 2, 3, 4])];
  server.receiveDurably(1, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, entries }));
  server.restart();
  assertEquals([shown(server.view.configuration), shown(server.view.committedConfiguration)], [
    "1 2 3 4",
    "1 2 3",
  ]);
});

Deno.test("an installed snapshot brings its configuration, and leaves a later one that is still in the log", () => {
  const position = { index: 4, term: 2 };
  const configuration = membersAt(3, 2, [1, 2, 3], [4]);
  const install = { kind: "snapshotInstalled", from: 1, position, configuration } as const;

  const behind = follower();
  behind.step(install);
  assertEquals(shown(behind.view.configuration), "1 2 3 4?");
  assertEquals(eventsOf(behind.take(), "configuration").length, 1);

  const ahead = new TestServer(2, VOTERS, {
    entries: [
      ...logOf(1, 1),
      membersEntry(3, 2, VOTERS, [4]),
      command(4, 2),
      membersEntry(5, 2, [1, 2, 3, 4]),
    ],
    hardState: { currentTerm: 2, votedFor: 0 },
  });
  ahead.step(install);
  assertEquals([shown(ahead.view.configuration), shown(ahead.view.committedConfiguration)], [
    "1 2 3 4",
    "1 2 3 4?",
  ]);
  assertEquals(eventsOf(ahead.take(), "configuration"), [], "nothing else counts now");
});

Deno.test("an entry whose members cannot be read is dropped with its request, before anything is changed", () => {
  const server = follower();
  const entries: Entry[] = [{ index: 2, term: 9, kind: "configuration", data: new Uint8Array([7, 7]) }];
  const ready = server.receiveDurably(
    1,
    appendRequest({ term: 9, prevLogIndex: 1, prevLogTerm: 1, entries }),
  );
  assertEquals(eventsOf(ready, "ignored").map(({ reason }) => reason), [
    "the members of entry 2 cannot be read",
  ]);
  assertEquals([server.view.currentTerm, server.view.lastLogIndex], [2, 1]);
});
