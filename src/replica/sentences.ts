/**
 * Messages and events as sentences, for people who watch a node or read a simulated run.
 *
 * @module
 */
import type { ClientRequest, ClientResponse, PeerMessage } from "../../packraft/mod.ts";
import type { Memory } from "../raft/mod.ts";
import type { ReplicaEvent } from "./events.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const MAX_SHOWN_BYTES = 40;

/** What a message between nodes says, to be put after "node 1 tells node 2: ". */
export function sentenceOfPeerMessage(message: PeerMessage): string {
  const { term } = message;
  switch (message.type) {
    case "PreVoteRequest":
      return `would you vote for me in term ${term}? my log ends at ${logEnd(message)}`;
    case "PreVoteResponse":
      return message.voteGranted
        ? `I would vote for you in term ${message.requestTerm}`
        : `I would not vote for you in term ${message.requestTerm}: ${
          REFUSALS[message.refusal]
        } (I am in term ${term})`;
    case "RequestVoteRequest":
      return `vote for me in term ${term}; my log ends at ${logEnd(message)}`;
    case "RequestVoteResponse":
      return message.voteGranted
        ? `you have my vote for term ${message.requestTerm}`
        : `no vote for you in term ${message.requestTerm}: ${
          REFUSALS[message.refusal]
        } (I am in term ${term})`;
    case "AppendEntriesRequest": {
      const { entries, prevLogIndex, prevLogTerm, leaderCommit } = message;
      const last = entries[entries.length - 1];
      const what = last === undefined
        ? "I still lead"
        : entries.length === 1
        ? `append entry ${last.index}`
        : `append entries ${prevLogIndex + 1} to ${last.index}`;
      return `${what} in term ${term}, after entry ${prevLogIndex} of term ${prevLogTerm}; ` +
        `committed up to ${leaderCommit}${message.readRound > 0 ? `; read round ${message.readRound}` : ""}`;
    }
    case "AppendEntriesResponse":
      if (message.success) {
        return `I have your log of term ${message.requestTerm} up to entry ${message.matchIndex}`;
      }
      if (message.term > message.requestTerm) {
        return `your term ${message.requestTerm} is over; I am in term ${term}`;
      }
      return message.conflictTerm > 0
        ? `entry ${message.prevLogIndex} of mine has term ${message.conflictTerm}, from entry ${message.conflictIndex} on`
        : `I have no entry ${message.prevLogIndex}; my log ends before ${message.conflictIndex}`;
    case "InstallSnapshotRequest": {
      const { lastIncludedIndex, lastIncludedTerm, offset, data, totalBytes } = message;
      return `take this part of the snapshot up to entry ${lastIncludedIndex} of term ${lastIncludedTerm}, in term ${term}: ` +
        `bytes ${offset} to ${offset + data.length} of ${totalBytes}`;
    }
    case "InstallSnapshotResponse":
      if (message.installed) return `I have all up to entry ${message.lastIncludedIndex} from a snapshot`;
      if (message.term > message.requestTerm) {
        return `your term ${message.requestTerm} is over; I am in term ${term}`;
      }
      return `of the snapshot up to entry ${message.lastIncludedIndex} I have ${message.nextOffset} B`;
    case "TimeoutNowRequest":
      return `stand for election now: I hand over the leadership of term ${term}`;
    case "ReadIndexRequest":
      return `from which entry on is a read current? (round ${message.round})`;
    case "ReadIndexResponse":
      return message.confirmed
        ? `a read is current from entry ${message.readIndex} on (round ${message.round})`
        : `I cannot tell how current a read is (round ${message.round})`;
    case "RejoinRequest":
      return `I do not remember all I promised: what is your term? (round ${message.round})`;
    case "RejoinResponse":
      if (message.isAdmitted) return `you begin as a new member, in term ${term} (round ${message.round})`;
      return message.memory === "whole"
        ? `I am in term ${term} (round ${message.round})`
        : `I cannot say: ${MEMORIES[message.memory]} (round ${message.round})`;
  }
}

/** What a client asks, to be put after "client asks: ". */
export function sentenceOfRequest(request: ClientRequest): string {
  switch (request.type) {
    case "MembersRequest":
      return "who are the members?";
    case "ChangeMembersRequest": {
      const { change, id, host, peerPort, clientPort } = request;
      return change === "deregister"
        ? `deregister node ${id}`
        : `${change} node ${id} at ${host}:${peerPort}:${clientPort}`;
    }
    case "TransferRequest":
      return request.to === 0 ? "let another node lead" : `let node ${request.to} lead`;
    case "ExplainRequest":
      return "why do you do what you do?";
    case "PingRequest":
      return "are you there?";
    case "SnapshotRequest":
      return "take a snapshot now";
    case "StatusRequest":
      return "how are you?";
    case "GetRequest":
      return `get ${shown(request.key)}${MODES[request.mode]}`;
    case "DataRequest":
      return `get all pairs${MODES[request.mode]}`;
    case "PutRequest":
      return `put ${shown(request.key)} = ${shown(request.value)} (write ${request.sequence} of this client)`;
    case "DeleteRequest":
      return `delete ${shown(request.key)} (write ${request.sequence} of this client)`;
  }
}

/** What a node answers. */
export function sentenceOfResponse(response: ClientResponse): string {
  switch (response.type) {
    case "PingResponse":
      return `I am node ${response.node}, ${response.role}; ${leaderText(response.leader)}`;
    case "StatusResponse":
      return `node ${response.node}, ${response.role} in term ${response.term}; log to ${response.lastLogIndex}, ` +
        `committed ${response.commitIndex}, applied ${response.lastApplied}; ${leaderText(response.leader)}`;
    case "GetResponse":
      return response.found ? `the value is ${shown(response.value)}` : "no such key";
    case "DataResponse":
      return `${response.pairs.length} pairs${response.more ? ", more to come" : ""}`;
    case "PutResponse":
      return `written at entry ${response.index}`;
    case "DeleteResponse":
      return response.found ? `deleted at entry ${response.index}` : "no such key to delete";
    case "MembersResponse":
      return `the members are ${
        nodeList(response.members.map(({ id }) => id))
      }, since entry ${response.index}`;
    case "TransferResponse":
      return `node ${response.leader} leads now`;
    case "ExplainResponse":
      return `node ${response.node} is ${response.role}: ${response.roleReason}`;
    case "SnapshotResponse":
      return `there is a snapshot up to entry ${response.index}, ${response.totalBytes} B`;
    case "RedirectResponse":
      return `ask the leader, node ${response.leader} at ${response.host}:${response.clientPort}`;
    case "ErrorResponse":
      return `${response.code}: ${response.message}`;
  }
}

/** What happened in a node, to be put after "node 1 ". */
export function sentenceOfEvent(event: ReplicaEvent): string {
  switch (event.kind) {
    case "role":
      return `goes from ${event.from} to ${event.to} in term ${event.term}: ${event.reason}`;
    case "leader":
      return `knows that node ${event.leader} leads term ${event.term}`;
    case "voteRefused":
      return `refuses node ${event.to} a ${event.preVote ? "pre-vote" : "vote"} for term ${event.term}: ` +
        REFUSALS[event.reason];
    case "entriesRejected":
      return `rejects entries of node ${event.from} after entry ${event.prevLogIndex}: ${
        REJECTIONS[event.reason]
      }`;
    case "truncated":
      return `removes entries ${event.after + 1} to ${event.lastLogIndex}, which conflict with the leader's`;
    case "committed":
      return `has committed up to entry ${event.upTo}`;
    case "sendsSnapshot":
      return `sends node ${event.to} its snapshot up to entry ${event.index}: the log does not go back so far`;
    case "snapshotInstalled":
      return `has the state after entry ${event.index} from a snapshot of node ${event.from}`;
    case "snapshotTaken":
      return `has taken a snapshot of the state after entry ${event.index}, ${event.totalBytes} B`;
    case "snapshotFailed":
      return `has taken no snapshot: ${event.reason}`;
    case "snapshotRefused":
      return `refuses the snapshot that node ${event.from} sends, until it is tried again: ${event.reason}`;
    case "diskFull":
      return event.detail === undefined
        ? "has room on its disk again, and takes writes"
        : `has no room on its disk, and refuses writes until there is: ${event.detail}`;
    case "rejoinAsks":
      return `${whyRejoining(event.memory)}; it asks all others, and waits for ${nodeList(event.silent)}`;
    case "rejoined":
      return event.term === 0
        ? "begins: no node of the cluster has a past"
        : `takes part again from term ${event.term} on, and votes when it has caught up`;
    case "rejoinImpossible":
      return `${whyRejoining(event.memory)}, and ${
        nodeList(event.without)
      } cannot help: too few nodes remember everything`;
    case "notRegistered":
      return `is not a member: the members are ${nodeList(event.members)}; it waits until it is registered`;
    case "configuration": {
      const { index, members } = event.configuration;
      const learners = members.filter(({ role }) => role === "learner").map(({ id }) => id);
      const voters = members.filter(({ role }) => role === "voter").map(({ id }) => id);
      const learning = learners.length === 0 ? "" : `, with ${nodeList(learners)} learning`;
      return `counts ${nodeList(voters)} as voters${learning}, since entry ${index} (${event.reason})`;
    }
    case "removed":
      return `is no member of the cluster any more, since entry ${event.index}`;
    case "transferBegun":
      return `hands the leadership over to node ${event.to}`;
    case "transferFailed":
      return `goes on leading: ${event.reason}`;
    case "diverged":
      return `finds that the state of node ${event.node} differs from that of the majority since entry ${event.index}`;
    case "ignored":
      return `ignores ${event.type} of node ${event.from}: ${event.reason}`;
  }
}

const MEMORIES = {
  whole: "I remember everything",
  lost: "my disk has lost a part of my past",
  new: "my disk is empty",
  returning: "I have not been given back yet what I may have acknowledged",
} as const;

/** How a read is to be served, to be put after what is read. */
const MODES = { leader: "", any: ", from any node", stale: ", as you have it" } as const;

function whyRejoining(memory: Memory): string {
  return memory === "new" ? "is new, or has lost its disk" : "does not remember everything that it promised";
}

/** "node 2", "nodes 2 and 3". */
function nodeList(nodes: readonly number[]): string {
  const last = nodes[nodes.length - 1];
  if (last === undefined) return "nobody";
  const rest = nodes.slice(0, -1);
  return rest.length === 0 ? `node ${last}` : `nodes ${rest.join(", ")} and ${last}`;
}

const REFUSALS = {
  none: "granted",
  staleTerm: "that term is over",
  alreadyVoted: "its vote of this term is given",
  logBehind: "the candidate's log lacks entries",
  leaderAlive: "a leader is alive",
  removed: "the candidate is no member any more",
  memoryLost: "it has not been given back yet what it may have acknowledged",
} as const;

const REJECTIONS = {
  staleTerm: "its term is over",
  logTooShort: "the log does not reach so far",
  termConflict: "the entry there has another term",
} as const;

function logEnd(end: { readonly lastLogIndex: number; readonly lastLogTerm: number }): string {
  return end.lastLogIndex === 0 ? "its beginning" : `entry ${end.lastLogIndex} of term ${end.lastLogTerm}`;
}

function leaderText(leader: number): string {
  return leader === 0 ? "I know no leader" : `node ${leader} leads`;
}

/** Bytes as text where they are text, else in hex, cut to a length that fits a line. */
export function shown(bytes: Uint8Array): string {
  const cut = bytes.length > MAX_SHOWN_BYTES ? `… (${bytes.length} B)` : "";
  const head = bytes.subarray(0, MAX_SHOWN_BYTES);
  try {
    return JSON.stringify(decoder.decode(head)) + cut;
  } catch {
    return "0x" + [...head].map((byte) => byte.toString(16).padStart(2, "0")).join("") + cut;
  }
}
