/**
 * Short names for what the tests of the Raft core send and expect.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type {
  AppendEntriesRequest,
  AppendEntriesResponse,
  PreVoteRequest,
  PreVoteResponse,
  RejoinResponse,
  RequestVoteRequest,
  RequestVoteResponse,
} from "../../packraft/mod.ts";
import type { Entry, Outgoing, PeerMessage, RaftEvent, Ready, VoteRefusal } from "../../src/raft/mod.ts";

const encoder = new TextEncoder();

/** A command of `term` at `index`; its data names both unless `text` is given. */
export function command(index: number, term: number, text = `${index}@${term}`): Entry {
  return { index, term, kind: "command", data: encoder.encode(text) };
}

export function noop(index: number, term: number): Entry {
  return { index, term, kind: "noop", data: new Uint8Array() };
}

/** A log given by the terms of its entries, as the paper draws it: `logOf(1, 1, 2)`. */
export function logOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => command(at + 1, term));
}

/** The terms of a log, as the paper draws it. */
export function termsOf(entries: readonly Entry[]): number[] {
  return entries.map((entry) => entry.term);
}

export function appendRequest(
  fields: Partial<Omit<AppendEntriesRequest, "type">> & { term: number },
): AppendEntriesRequest {
  return {
    type: "AppendEntriesRequest",
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 0,
    readRound: 0,
    hashIndex: 0,
    divergesAt: 0,
    entries: [],
    ...fields,
  };
}

/** An acknowledgement of a request of `term`; `success: false` and the conflict fields make it a refusal. */
export function appendResponse(
  fields: Partial<Omit<AppendEntriesResponse, "type">> & { term: number },
): AppendEntriesResponse {
  return {
    type: "AppendEntriesResponse",
    requestTerm: fields.term,
    success: true,
    matchIndex: 0,
    prevLogIndex: 0,
    conflictTerm: 0,
    conflictIndex: 0,
    readRound: 0,
    hashIndex: 0,
    stateHash: 0,
    ...fields,
  };
}

export function voteRequest(
  term: number,
  lastLogIndex = 0,
  lastLogTerm = 0,
  isTransfer = false,
): RequestVoteRequest {
  return { type: "RequestVoteRequest", term, lastLogIndex, lastLogTerm, isTransfer };
}

/** A voter's answer in `term` to a request of the same term. */
export function voteResponse(
  term: number,
  refusal: VoteRefusal = "none",
  requestTerm = term,
): RequestVoteResponse {
  return { type: "RequestVoteResponse", ...answerOf(term, requestTerm, refusal) };
}

export function preVoteRequest(term: number, lastLogIndex = 0, lastLogTerm = 0): PreVoteRequest {
  return { type: "PreVoteRequest", term, lastLogIndex, lastLogTerm };
}

/** A voter's answer, whose currentTerm is `term`, to the question about `requestTerm`. */
export function preVoteResponse(
  term: number,
  requestTerm: number,
  refusal: VoteRefusal = "none",
): PreVoteResponse {
  return { type: "PreVoteResponse", ...answerOf(term, requestTerm, refusal) };
}

function answerOf(term: number, requestTerm: number, refusal: VoteRefusal) {
  return { term, requestTerm, voteGranted: refusal === "none", refusal, configurationIndex: 0 };
}

/** The answer of a node that remembers everything and knows no other members, unless `fields` say more. */
export function rejoinResponse(
  fields: Partial<Omit<RejoinResponse, "type">> & { term: number; round: number },
): RejoinResponse {
  return { type: "RejoinResponse", memory: "whole", isAdmitted: false, configurations: [], ...fields };
}

/** The same message to each of these nodes. */
export function toEach(nodes: readonly number[], message: PeerMessage): Outgoing[] {
  return nodes.map((to) => ({ to, message }));
}

/** Asserts the whole output: what is not in `expected` must be empty. */
export function assertReady(actual: Ready, expected: Partial<Ready>): void {
  assertEquals<Ready>(actual, { ...emptyReady(), ...expected });
}

export function emptyReady(): Ready {
  return {
    messages: [],
    persist: undefined,
    committed: [],
    accepted: [],
    reads: [],
    refused: [],
    transferred: [],
    chunksToSend: [],
    chunksToStore: [],
    events: [],
  };
}

export function isEmptyReady(ready: Ready): boolean {
  return ready.persist === undefined &&
    Object.values(ready).every((part) => !Array.isArray(part) || part.length === 0);
}

/** The messages of one type in an output, with whom they go to. */
export function sentOf<Type extends PeerMessage["type"]>(
  ready: Ready,
  type: Type,
): { to: number; message: Extract<PeerMessage, { type: Type }> }[] {
  const isOfType = (message: PeerMessage): message is Extract<PeerMessage, { type: Type }> =>
    message.type === type;
  return ready.messages.flatMap(({ to, message }) => isOfType(message) ? [{ to, message }] : []);
}

/** The events of one kind in an output. */
export function eventsOf<Kind extends RaftEvent["kind"]>(
  ready: Ready,
  kind: Kind,
): Extract<RaftEvent, { kind: Kind }>[] {
  return ready.events.filter((event): event is Extract<RaftEvent, { kind: Kind }> => event.kind === kind);
}
