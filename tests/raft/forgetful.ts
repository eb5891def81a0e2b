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
  type Persist,
  RaftServer,
  type Ready,
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
  #last: Ready | undefined;

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
    const messages: PeerMessage[] = [];
    for (;;) {
      const ready = this.server.ready();
      this.#last = ready;
      messages.push(...ready.messages.map(({ message }) => message));
      if (ready.persist === undefined) return messages;
      this.persisted.push(ready.persist);
      this.server.step({ kind: "persisted", sequence: ready.persist.sequence });
    }
  }

  get events() {
    return this.#last?.events ?? [];
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
