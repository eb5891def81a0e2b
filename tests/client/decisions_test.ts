import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { ClientResponse } from "../../packraft/mod.ts";
import { type Attempt, type Decision, doesNotLead, RequestProgress } from "../../src/client/decisions.ts";
import { OutcomeUnknownError, RequestError, SessionLostError } from "../../src/client/errors.ts";
import { errorResponse } from "./fake_server.ts";

const [A, B, C] = ["a", "b", "c"].map((host) => ({ host, port: 1 })) as [Server, Server, Server];
type Server = { host: string; port: number };
const SERVERS = [A, B, C];
const REFUSED: Attempt = { kind: "unreachable", reason: "connection refused" };
const SILENT: Attempt = { kind: "unanswered", reason: "no answer in 1000 ms" };

function answered(response: ClientResponse): Attempt {
  return { kind: "answered", response };
}

function redirectTo(server: Server): Attempt {
  return answered({ type: "RedirectResponse", leader: 7, host: server.host, clientPort: server.port });
}

function write(servers = SERVERS): RequestProgress {
  return new RequestProgress(true, servers, () => 0.5);
}

/** "try b", "pause 7.5 then c", "done", "fail". */
function told(decision: Decision): string {
  switch (decision.kind) {
    case "try":
      return `try ${decision.server.host}`;
    case "pause":
      return `pause ${decision.pauseMs} then ${decision.server.host}`;
    default:
      return decision.kind;
  }
}

Deno.test("RequestProgress ends with an answer to the request", () => {
  assertEquals(told(write().after(A, answered({ type: "PutResponse", index: 3 }))), "done");
});

Deno.test("RequestProgress follows a redirect at once and names the leader", () => {
  const decision = write().after(A, redirectTo(C));
  assertEquals(decision, { kind: "try", server: C, leader: 7 });
});

for (const [name, attempt] of [["refused", REFUSED], ["silent", SILENT]] as const) {
  Deno.test(`RequestProgress passes over ${name} servers without a pause, and pauses when all were tried`, () => {
    const progress = write();
    assertEquals(told(progress.after(A, attempt)), "try b");
    assertEquals(told(progress.after(B, attempt)), "try c");
    assertEquals(told(progress.after(C, attempt)), "pause 7.5 then a");
    assertEquals(told(progress.after(A, attempt)), "try b");
  });
}

Deno.test("RequestProgress pauses longer each time, up to 20 ms", () => {
  const progress = write([A]);
  const pauses = Array.from({ length: 5 }, () => told(progress.after(A, REFUSED)));
  assertEquals(pauses, [7.5, 15, 15, 15, 15].map((ms) => `pause ${ms} then a`));
});

Deno.test("RequestProgress does not follow a redirect to a server that was tried since the last pause", () => {
  const progress = write();
  progress.after(A, REFUSED);
  assertEquals(told(progress.after(B, redirectTo(A))), "try c");
  assertEquals(told(progress.after(C, redirectTo(A))), "pause 7.5 then a");
  // After the pause the leader may be back.
  assertEquals(told(progress.after(B, redirectTo(A))), "try a");
});

Deno.test("RequestProgress does not follow a server that redirects to itself", () => {
  assertEquals(told(write([A]).after(A, redirectTo(A))), "pause 7.5 then a");
});

Deno.test("RequestProgress follows at most ten redirects in a row, even to ever new servers", () => {
  const progress = write([A]);
  let server = A;
  for (let i = 1; i <= 10; i++) {
    const next = { host: `new-${i}`, port: 1 };
    assertEquals(told(progress.after(server, redirectTo(next))), `try new-${i}`);
    server = next;
  }
  assertEquals(told(progress.after(server, redirectTo({ host: "new-11", port: 1 }))), "pause 7.5 then a");
});

Deno.test("RequestProgress waits as long as a busy server asks, and asks it again", () => {
  const decision = write().after(B, answered(errorResponse("busy", { retryAfterMs: 20 })));
  assertEquals(told(decision), "pause 25 then b");
});

for (const code of ["noLeader", "leadershipLost", "shuttingDown"] as const) {
  Deno.test(`RequestProgress asks the next server after ${code}`, () => {
    assertEquals(told(write().after(A, answered(errorResponse(code)))), "try b");
    assert(doesNotLead(answered(errorResponse(code))));
  });
}

Deno.test("doesNotLead() is about leadership, not about whether the request was served", () => {
  assert(doesNotLead(REFUSED));
  assert(doesNotLead(redirectTo(B)));
  assert(!doesNotLead(answered(errorResponse("busy"))));
  assert(!doesNotLead(answered(errorResponse("badRequest"))));
  assert(!doesNotLead(answered({ type: "PutResponse", index: 1 })));
});

/** An attempt, and whether a write may have taken effect after it. */
const EFFECTS: readonly (readonly [name: string, attempt: Attempt, mayHaveTakenEffect: boolean])[] = [
  ["a refused connection", REFUSED, false],
  ["silence", SILENT, true],
  ["a redirect", redirectTo(B), false],
  ["noLeader", answered(errorResponse("noLeader")), false],
  ["busy", answered(errorResponse("busy")), false],
  ["leadershipLost", answered(errorResponse("leadershipLost", { outcome: "unknown" })), true],
  ["shuttingDown before it was proposed", answered(errorResponse("shuttingDown")), false],
  ["shuttingDown after it", answered(errorResponse("shuttingDown", { outcome: "unknown" })), true],
];

for (const [name, attempt, expected] of EFFECTS) {
  Deno.test(`RequestProgress: after ${name} a write ${expected ? "may" : "cannot"} have taken effect`, () => {
    const progress = write();
    progress.after(A, attempt);
    assertEquals(progress.mayHaveTakenEffect, expected);
    const read = new RequestProgress(false, SERVERS, () => 0.5);
    read.after(A, attempt);
    assertEquals(read.mayHaveTakenEffect, false);
  });
}

Deno.test("RequestProgress remembers that a write may have taken effect through all that follows", () => {
  const progress = write();
  progress.after(A, SILENT);
  progress.after(B, REFUSED);
  progress.after(C, answered(errorResponse("noLeader")));
  assert(progress.mayHaveTakenEffect);
});

Deno.test("RequestProgress fails on a bad request, as unknown if an earlier attempt may have been taken", () => {
  const bad = answered(errorResponse("badRequest"));
  const [first, second] = [write(), write()];
  const decision = first.after(A, bad);
  assert(decision.kind === "fail");
  assertInstanceOf(decision.error, RequestError);
  assertEquals(decision.error.exitCode, 2);
  second.after(A, SILENT);
  const later = second.after(B, bad);
  assert(later.kind === "fail");
  assertInstanceOf(later.error, OutcomeUnknownError);
});

Deno.test("RequestProgress fails on a session that the cluster has forgotten", () => {
  const decision = write().after(A, answered(errorResponse("staleSequence", { outcome: "unknown" })));
  assert(decision.kind === "fail");
  assertInstanceOf(decision.error, SessionLostError);
});
