/** What clients and operators are told of members, changes and transfers. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ClientRequestOf, encodeMembers } from "../../packraft/mod.ts";
import { Fixture } from "./fixture.ts";
import { acknowledgement, appendRequest, configurationOf, votesFor } from "./options.ts";

const VOTERS = [1, 2, 3];
const FOURTH = { host: "host4", peerPort: 8004, clientPort: 9004 };

function register(id: number, place = FOURTH): ClientRequestOf<"ChangeMembersRequest"> {
  return { type: "ChangeMembersRequest", change: "register", id, ...place };
}

function deregister(id: number): ClientRequestOf<"ChangeMembersRequest"> {
  return { type: "ChangeMembersRequest", change: "deregister", id, host: "", peerPort: 0, clientPort: 0 };
}

function settled(voters: readonly number[] = VOTERS): Fixture {
  const fixture = new Fixture(voters);
  fixture.leadSettled();
  return fixture;
}

/** The text of an error. */
function textOf(fixture: Fixture, luid: string): string {
  const [answer] = fixture.answers.get(luid) ?? [];
  assert(answer?.type === "ErrorResponse");
  return answer.message;
}

Deno.test("members are told as they are committed, after a round to the followers: linearizable", () => {
  const fixture = settled();
  assertEquals(fixture.ask("who", { type: "MembersRequest" }), undefined);
  fixture.acknowledge(1);
  const { members } = configurationOf(VOTERS);
  assertEquals(fixture.answers.get("who"), [{
    type: "MembersResponse",
    index: 0,
    term: 0,
    leader: 1,
    clusterId: "drafty",
    members,
  }]);
});

Deno.test("a change is answered with the new members when it is committed, and not before", () => {
  const fixture = settled();
  assertEquals(fixture.ask("add", register(4)), undefined);
  fixture.ask("who", { type: "MembersRequest" });
  fixture.acknowledge(1);
  const [before] = fixture.answers.get("who") ?? [];
  assert(before?.type === "MembersResponse");
  assertEquals(before.members.length, 3, "not committed yet");
  assertEquals(fixture.outcome("add"), "none");
  fixture.acknowledge(2);
  const fourth = { id: 4, ...FOURTH, role: "learner", admission: 0 } as const;
  const members = [...configurationOf(VOTERS).members, fourth];
  assertEquals(fixture.answers.get("add"), [{
    type: "MembersResponse",
    index: 2,
    term: 1,
    leader: 1,
    clusterId: "drafty",
    members,
  }]);
  assertEquals(fixture.replica.store.configuration?.index, 2);
});

Deno.test("a member that moves is found at its new place from then on", () => {
  const fixture = settled();
  const place = { host: "elsewhere", peerPort: 1, clientPort: 2 };
  fixture.ask("move", { type: "ChangeMembersRequest", change: "move", id: 3, ...place });
  fixture.acknowledge(2);
  assertEquals(fixture.outcome("move"), "MembersResponse");
  const found = fixture.replica.addressOf(3);
  assertEquals([found?.host, found?.peerPort, found?.clientPort], ["elsewhere", 1, 2]);
});

Deno.test("a change that makes no sense is a bad request, and nothing was done; the text says why", () => {
  const fixture = settled();
  fixture.ask("twice", register(2));
  fixture.ask("unknown", deregister(9));
  assertEquals(["twice", "unknown"].map((luid) => fixture.outcome(luid)), [
    "badRequest notDone",
    "badRequest notDone",
  ]);
  assertStringIncludes(textOf(fixture, "twice"), "node 2 is a member already, at host2:8002:9002");
  assertStringIncludes(textOf(fixture, "unknown"), "node 9 is not a member; the members are 1, 2, 3");
});

Deno.test("a change that has to wait is refused as busy, with a time to come again", () => {
  const fixture = settled();
  fixture.ask("first", register(4));
  const answer = fixture.ask("second", deregister(3));
  assert(answer?.type === "ErrorResponse");
  assertEquals([answer.code, answer.outcome, answer.retryAfterMs > 0], ["busy", "notDone", true]);
  assertEquals(answer.message, "the change of entry 2 is not committed yet");
});

Deno.test("a change whose entry another leader replaces has an unknown outcome", () => {
  const fixture = settled();
  fixture.ask("add", register(4));
  const entries = [{ index: 2, term: 2, kind: "noop" as const, data: new Uint8Array() }];
  fixture.receive(3, appendRequest({ term: 2, prevLogIndex: 1, prevLogTerm: 1, leaderCommit: 2, entries }));
  assertEquals(fixture.outcome("add"), "leadershipLost unknown");
  assertEquals(fixture.replica.view().configuration.members.length, 3);
});

Deno.test("a leader that removes itself answers that it is done before it steps down", () => {
  const fixture = settled([1, 2]);
  fixture.ask("leave", deregister(1));
  assertEquals(fixture.outcome("leave"), "none");
  fixture.acknowledge(2);
  const [answer] = fixture.answers.get("leave") ?? [];
  assert(answer?.type === "MembersResponse");
  assertEquals([answer.index, answer.members.map(({ id }) => id)], [2, [2]]);
  assertEquals(fixture.replica.view().role, "follower");
  assertEquals(fixture.events.filter(({ kind }) => kind === "removed"), [{ kind: "removed", index: 2 }]);
});

Deno.test("a node that does not lead sends whoever asks to the leader, also to one that the log has just brought", () => {
  const fixture = new Fixture(VOTERS);
  const members = [...configurationOf(VOTERS).members, {
    id: 4,
    ...FOURTH,
    role: "voter" as const,
    admission: 0,
  }];
  const entries = [{ index: 1, term: 3, kind: "configuration" as const, data: encodeMembers(members) }];
  fixture.receive(4, appendRequest({ term: 3, entries }));
  fixture.ask("change", deregister(2));
  fixture.ask("who", { type: "MembersRequest" });
  fixture.ask("transfer", { type: "TransferRequest", to: 2 });
  const redirect = { type: "RedirectResponse", leader: 4, host: "host4", clientPort: 9004 };
  for (const luid of ["change", "who", "transfer"]) {
    assertEquals<unknown>(fixture.answers.get(luid), [redirect]);
  }
});

// ----------------------------------------------------------------------------------------- transfer

/** The leader has just told node 2 to stand, and node 2 is elected in term 2. */
function electSecond(fixture: Fixture): void {
  const { lastLogIndex } = fixture.replica.view();
  const asks = { type: "RequestVoteRequest", lastLogIndex, lastLogTerm: 1, isTransfer: true } as const;
  fixture.receive(2, { ...asks, term: 2 });
  fixture.receive(2, appendRequest({ term: 2, prevLogIndex: lastLogIndex, prevLogTerm: 1 }));
}

Deno.test("a transfer is answered when another leads, with who it is", () => {
  const fixture = settled();
  assertEquals(fixture.ask("go", { type: "TransferRequest", to: 2 }), undefined);
  assertEquals(fixture.sent.at(-1), { to: 2, message: { type: "TimeoutNowRequest", term: 1 } });
  electSecond(fixture);
  assertEquals(fixture.answers.get("go"), [{ type: "TransferResponse", leader: 2 }]);
});

Deno.test("writes are refused meanwhile, and nothing was done for them", () => {
  const fixture = settled();
  fixture.ask("go", { type: "TransferRequest", to: 2 });
  fixture.put("write", 1);
  fixture.ask("change", register(4));
  fixture.replica.flush();
  assertEquals([fixture.outcome("write"), fixture.outcome("change")], [
    "noLeader notDone",
    "noLeader notDone",
  ]);
});

Deno.test("a transfer that fails is told with the reason: at once, or after an election timeout", () => {
  const fixture = settled();
  fixture.ask("unknown", { type: "TransferRequest", to: 9 });
  assertEquals(fixture.outcome("unknown"), "transferFailed notDone");
  assertEquals(textOf(fixture, "unknown"), "node 9 is not a member; the members are 1, 2, 3");
  fixture.ask("go", { type: "TransferRequest", to: 2 });
  for (let i = 0; i < 12; i++) {
    fixture.wait(10);
    fixture.acknowledge(1);
  }
  assertEquals(fixture.outcome("go"), "transferFailed notDone");
  assertEquals(textOf(fixture, "go"), "node 2 was told to stand, and was not elected in time");
  fixture.put("write", 1);
  fixture.replica.flush();
  fixture.acknowledge(2);
  assertEquals(fixture.outcome("write"), "PutResponse", "it goes on");
});

/** What `handOver` was told at its end; undefined while it has not ended. */
function handOver(fixture: Fixture): { readonly ended: (string | undefined)[] } {
  const ended: (string | undefined)[] = [];
  fixture.replica.handOver((failure) => ended.push(failure));
  fixture.replica.flush();
  return { ended };
}

Deno.test("handOver() of a node that does not lead has ended at once", () => {
  assertEquals(handOver(new Fixture(VOTERS)).ended, [undefined]);
});

Deno.test("handOver() ends when another leads, once", () => {
  const fixture = settled();
  const { ended } = handOver(fixture);
  assertEquals(ended, []);
  electSecond(fixture);
  fixture.wait(1_000);
  assertEquals(ended, [undefined]);
});

Deno.test("handOver() says why it came to nothing", () => {
  const alone = new Fixture([1]);
  alone.wait(1);
  assertEquals(handOver(alone).ended, ["no other voter has been heard from"]);

  const fixture = settled();
  const { ended } = handOver(fixture);
  for (let i = 0; i < 12; i++) {
    fixture.wait(10);
    fixture.receive(3, acknowledgement(1, 1));
  }
  assertEquals(ended.length, 1);
  assertStringIncludes(ended[0] ?? "", "in time");
});

Deno.test("a node that hands over and is elected again leads on, and its callers know", () => {
  const fixture = settled();
  const { ended } = handOver(fixture);
  fixture.ask("go", { type: "TransferRequest", to: 0 });
  fixture.receive(3, {
    type: "PreVoteResponse",
    term: 2,
    requestTerm: 2,
    voteGranted: false,
    refusal: "staleTerm",
    configurationIndex: 0,
  });
  assertEquals(fixture.replica.view().role, "follower");
  fixture.wait(200);
  for (const vote of votesFor(3)) fixture.receive(2, vote);
  assertEquals(fixture.replica.view().role, "leader");
  assertEquals([ended, fixture.answers.get("go")], [[undefined], [{ type: "TransferResponse", leader: 1 }]]);
});
