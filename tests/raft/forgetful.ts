/**
 * A server that does not remember all it promised, driven by itself.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { PeerMessage } from "../../packraft/mod.ts";
import {
  type Configuration,
  type DiskMemory,
  type Entry,
  type HardState,
  type Memory,
  NOTHING_RECOVERED,
  type Outgoing,
  type Persist,
  type RaftEvent,
  RaftServer,
} from "../../src/raft/mod.ts";
import { HEARTBEAT_MS, membersOf, TestServer } from "./harness.ts";
import { rejoinResponse } from "./messages.ts";

export interface ForgetfulOptions {
  readonly voters?: readonly number[];
  readonly configuration?: Configuration;
  readonly hardState?: HardState;
  readonly entries?: readonly Entry[];
}

/** Node 1 of `voters`, started with what its disk remembers. */
export class Forgetful {
  readonly server: RaftServer;
  readonly persisted: Persist[] = [];
  nowMs = 0;
  /** What came out last, with everything that followed at once. */
  events: RaftEvent[] = [];
  sent: Outgoing[] = [];

  constructor(
    memory: DiskMemory,
    options: ForgetfulOptions = {},
  ) {
    const { voters = [1, 2, 3], hardState = { currentTerm: 0, votedFor: 0 }, entries = [] } = options;
    const { configuration = membersOf(voters) } = options;
    let drawn = 0;
    const raft = {
      ...new TestServer(1, voters, { configuration }).options,
      random: () => (drawn++ % 97) / 97,
    };
    this.server = new RaftServer(raft, { ...NOTHING_RECOVERED, hardState, entries, memory }, 0);
  }

  get view() {
    return this.server.view();
  }

  /** All that comes out, with everything that is to be made durable made so. */
  take(): PeerMessage[] {
    this.events = [];
    this.sent = [];
    for (;;) {
      const { messages, events, persist } = this.server.ready();
      this.sent.push(...messages);
      this.events.push(...events);
      if (persist === undefined) return this.sent.map(({ message }) => message);
      this.persisted.push(persist);
      this.server.step({ kind: "persisted", sequence: persist.sequence });
    }
  }

  receive(from: number, message: PeerMessage): PeerMessage[] {
    this.server.step({ kind: "message", from, message });
    return this.take();
  }

  wait(ms: number): PeerMessage[] {
    this.nowMs += ms;
    this.server.step({ kind: "time", nowMs: this.nowMs });
    return this.take();
  }

  /** The round that it asks in at present, waiting for the next question if need be. */
  round(): number {
    const asked = this.wait(HEARTBEAT_MS).find((message) => message.type === "RejoinRequest");
    assert(asked?.type === "RejoinRequest", "it asks");
    return asked.round;
  }

  /** Whom it asks when it asks next. */
  asks(): number[] {
    this.wait(HEARTBEAT_MS);
    return this.sent.filter(({ message }) => message.type === "RejoinRequest").map(({ to }) => to).sort();
  }

  answer(
    from: number,
    round: number,
    term: number,
    memory: Memory = "whole",
    configurations: readonly Configuration[] = [],
  ): PeerMessage[] {
    return this.receive(from, rejoinResponse({ term, round, memory, configurations: [...configurations] }));
  }
}
