/**
 * One simulated machine: a disk, a clock, and at times a process on it that runs the node's own code.
 *
 * A process that waits for its disk does nothing else (the real one blocks in `fdatasync`), so handling an input
 * takes time: what leaves after a sync leaves later, and what arrives meanwhile waits and is handled in one batch.
 *
 * @module
 */
import type { ClientRequest, Entry, PeerMessage } from "../../packraft/mod.ts";
import type { WriteResult } from "../kv/mod.ts";
import { Store } from "../kv/mod.ts";
import type { Configuration, NodeId, RaftView, Recovered } from "../raft/mod.ts";
import { DivergedError, Replica, type ReplicaEvent } from "../replica/mod.ts";
import { DataDirectory } from "../storage/data_directory.ts";
import type { DurableStorage } from "../storage/durable_storage.ts";
import { StorageError } from "../storage/errors.ts";
import { AnswerWatch } from "./answer_watch.ts";
import { beginningOf, firstPort } from "./beginnings.ts";
import { type DiskOperation, SimDisk } from "./disk.ts";
import { DiskTrouble, PowerCut } from "./disk_trouble.ts";
import { LocalClock } from "./local_clock.ts";
import type { MachineWorld } from "./machine_world.ts";
import type { MutantHooks } from "./mutant.ts";
import type { Random } from "./random.ts";
import { replicaOptions } from "./replica_options.ts";
import { Violation } from "./violation.ts";
import { sentenceOfStart } from "./start_sentence.ts";
import { watchedStorage } from "./watched_storage.ts";
import { type Place, Whereabouts } from "./whereabouts.ts";

/** Where a machine's directory is, on its own disk. */
export const DATA_PATH = "/data";
const SYNC_MS = 0.3;
const TIMER_LATE_MS = 0.05;
/** How long work that is not urgent waits for its turn, at most. */
const WORK_AFTER_MS = 20;

/** What a machine does at present. One that is `away` is no member, as far as it knows; `refused` is for good. */
export type MachineState = "up" | "down" | "away" | "refused";

export class Machine {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly trouble: DiskTrouble;
  readonly #world: MachineWorld;
  readonly #random: Random;
  readonly #hooks: MutantHooks;
  #state: MachineState = "down";
  #replica: Replica | undefined;
  #directory: DataDirectory | undefined;
  /** Counts the processes: what was meant for an earlier one is dropped. */
  #life = 0;
  /** The process takes nothing in before this time. */
  #blockedUntilMs = 0;
  #waiting: ((replica: Replica) => void)[] = [];
  #isDrainDue = false;
  /** The time that handling the present input has taken so far. */
  #elapsedMs = 0;
  #isWorkDue = false;
  /** Too few of the others remember what this node has forgotten. */
  #isHopeless = false;
  /** Whether it has ever had anything on its disk. */
  hasDisk = false;
  /** The members that it was told of when it was to join. */
  #joined: Configuration | undefined;
  /** It has heard that it is no member any more, and ends. */
  #isRemoved = false;
  readonly #whereabouts: Whereabouts;
  #wakeAtMs = Infinity;
  /** Whether the world has decided when this machine starts again. */
  isRestartDue = false;
  readonly #answers = new AnswerWatch();
  readonly #clock: LocalClock;

  constructor(id: NodeId, world: MachineWorld, random: Random, diskRandom: Random) {
    this.id = id;
    this.#whereabouts = new Whereabouts(firstPort(id));
    if (id > world.settings.nodes) this.#state = "away";
    this.#world = world;
    this.#random = random;
    this.#clock = new LocalClock(world.queue);
    this.#hooks = world.mutant?.hooks?.(id) ?? {};
    this.disk = new SimDisk({
      random: diskRandom.next,
      faults: { loseSector: 0.3, loseTail: 0.5, loseNameChange: 0.5, shortWrite: world.settings.shortWrite },
      onStall: (ms) => this.#elapsedMs += ms,
      beforeOperation: (operation, path) => this.#beforeOperation(operation, path),
    });
    this.trouble = new DiskTrouble(this.disk);
    if (world.mutant?.lyingSync) this.disk.faults.lyingSync = 1;
    this.#hooks.disk?.(this.disk);
  }

  get state(): MachineState {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Where it takes messages. */
  get port(): number {
    return this.#whereabouts.port;
  }

  /** Where it says that it does. */
  get place(): Place {
    return this.#whereabouts.placeOf(this.#replica);
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  view(): RaftView | undefined {
    return this.#replica?.view();
  }

  // ------------------------------------------------------------------------------------ life and death

  /** Starts the process: recovers what is on the disk. */
  start(): void {
    if (this.#state !== "down") return;
    const world = this.#world;
    this.#elapsedMs = 0;
    const store = this.#hooks.makeStore?.() ?? new Store();
    try {
      this.#directory = this.open(store);
    } catch (error) {
      return this.#fail(error, "starting");
    }
    this.hasDisk = true;
    this.#isHopeless = false;
    this.#isRemoved = false;
    this.#whereabouts.forget();
    const recovered = this.#recovered(this.#directory.recovered);
    world.checker.onStart(this.id, recovered, store.digest);
    this.#state = "up";
    this.#life++;
    this.#replica = this.#makeReplica(
      watchedStorage(this.id, this.#directory, recovered, world.checker, this.#hooks),
      store,
    );
    const { cutBytes } = this.#directory.report;
    world.tell(this.id, 1, () => sentenceOfStart(recovered, cutBytes));
    this.#hooks.afterStart?.(this.#replica, recovered);
    this.#blockedUntilMs = world.queue.nowMs + this.#elapsedMs;
    this.handle(() => {});
  }

  /** Starts as a member that was registered, with the members that somebody told it of; or that nobody told it of. */
  join(configuration: Configuration | undefined): void {
    this.#joined = configuration ?? this.#joined ?? beginningOf(this.#world.settings.nodes);
    if (this.#state === "away") this.#state = "down";
    this.start();
  }

  /** Ends the process; from its next start on it is found at another port. */
  moveTo(port: number): void {
    this.kill();
    this.#whereabouts.port = port;
    this.#world.tell(this.id, 11, () => `moves to port ${port}`);
  }

  /** Opens what is on the disk as a process would that starts now, and restores `store` from it. */
  open(store: Store): DataDirectory {
    const { settings, mutant } = this.#world;
    const identity = { clusterId: "sim", node: this.id };
    return DataDirectory.open(this.disk, DATA_PATH, identity, {
      drawId: () => new Uint8Array(16).fill(this.id),
      segmentBytes: settings.segmentBytes,
      isNewCluster: this.hasDisk || this.#joined !== undefined
        ? mutant?.deniesLoss ?? false
        : settings.isNewCluster,
    }, store);
  }

  #recovered(found: Recovered): Recovered {
    const believed = this.#hooks.recover?.(found) ?? found;
    return this.#world.mutant?.deniesLoss ? { ...believed, memory: "whole" } : believed;
  }

  /** The process ends at once; the machine, and what was written, stays. */
  kill(): void {
    if (!this.isUp) return;
    this.#die();
    this.disk.killProcess();
    this.#world.tell(this.id, 2, () => "is killed");
  }

  /** Power is cut: what was not synced may be lost. */
  cutPower(): void {
    const wasUp = this.isUp;
    this.#die();
    this.disk.crash();
    if (wasUp) this.#world.tell(this.id, 3, () => "loses power");
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.#die();
    this.disk.wipe();
    this.#world.tell(this.id, 4, () => "loses its disk, and gets an empty one");
  }

  /** Takes nothing in for a while (a stopped process, a long pause for garbage). */
  pause(forMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, this.#world.queue.nowMs + forMs);
    this.#world.tell(this.id, 5, () => `pauses for ${Math.round(forMs)} ms`);
  }

  /** All faults of this machine end, and it runs. */
  recoverFully(): void {
    this.trouble.end();
    this.setClockRate(1);
    this.#blockedUntilMs = this.#world.queue.nowMs;
    if (this.isUp) this.handle(() => {});
    else if (this.#state === "away") this.join(undefined);
    else this.start();
  }

  /** Its clock jumps. */
  stepClock(byMs: number): void {
    this.#setClock(this.#clock.nowMs + byMs, this.#clock.rate);
    this.#world.tell(this.id, 6, () => `sees its clock jump by ${Math.round(byMs)} ms`);
  }

  /** Its clock runs at `rate` times the true speed from now on. */
  setClockRate(rate: number): void {
    if (rate === this.#clock.rate) return;
    this.#setClock(this.#clock.nowMs, rate);
    this.#world.tell(this.id, 7, () => `has a clock that runs at ${rate.toFixed(2)} times the true speed`);
  }

  // ------------------------------------------------------------------------------------- what arrives

  /** A message of `from`, which says where it is found. */
  receive(from: NodeId, place: Place, message: PeerMessage): void {
    if (!this.isUp) return;
    this.handle((replica) => {
      this.#whereabouts.heard(from, place);
      this.#answers.received(from, message);
      const { receive } = this.#hooks;
      const taken = receive === undefined ? message : receive(message, from, replica.view());
      if (taken !== undefined) replica.receive(from, taken);
    });
  }

  request(name: string, request: ClientRequest): void {
    this.handle((replica) => {
      const answer = this.#hooks.answer?.(request, replica);
      if (answer === undefined) replica.request(name, request);
      else this.#world.answer(this.id, name, [answer], this.#departMs());
    });
  }

  /** Handles an input now, or when the process can. */
  handle(input: (replica: Replica) => void): void {
    if (!this.isUp) return;
    this.#waiting.push(input);
    if (this.#world.queue.nowMs >= this.#blockedUntilMs) this.#drain();
    else this.#scheduleDrain();
  }

  #scheduleDrain(): void {
    if (this.#isDrainDue) return;
    this.#isDrainDue = true;
    const life = this.#life;
    this.#world.queue.at(this.#blockedUntilMs, () => {
      if (life !== this.#life) return;
      this.#isDrainDue = false;
      // It may have been blocked for longer meanwhile.
      if (this.#world.queue.nowMs < this.#blockedUntilMs) this.#scheduleDrain();
      else this.#drain();
    });
  }

  /** Takes in all that waits, flushes once, and lets the checker look. */
  #drain(): void {
    const replica = this.#replica;
    if (replica === undefined) return;
    const inputs = this.#waiting;
    this.#waiting = [];
    this.#elapsedMs = 0;
    this.#answers.begin();
    try {
      replica.advance(this.#clock.nowMs);
      for (const input of inputs) input(replica);
      replica.flush();
    } catch (error) {
      return this.#fail(error, "running");
    }
    if (this.#isRemoved) return this.#leave();
    if (this.#isHopeless) return this.#refuse("too few of the others remember what it has forgotten");
    // Without room nothing can be promised, and an answer would be a promise.
    if (!replica.isDiskFull) this.#answers.end(this.id);
    this.#world.checker.afterStep(this.id, replica.view());
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, this.#world.queue.nowMs + this.#elapsedMs);
    this.#scheduleWake(replica);
    this.#scheduleWork(replica);
  }

  #scheduleWork(replica: Replica): void {
    if (this.#isWorkDue || !replica.hasWork) return;
    this.#isWorkDue = true;
    const life = this.#life;
    this.#world.queue.after(this.#random.next() * WORK_AFTER_MS, () => {
      if (life !== this.#life) return;
      this.#isWorkDue = false;
      this.handle((replica) => replica.work());
    });
  }

  #scheduleWake(replica: Replica): void {
    const { queue } = this.#world;
    // A little late, as timers are: rounded the other way, a deadline would be met just before it is due, for ever.
    const atMs = Math.max(this.#clock.trueMs(replica.nextWakeMs()) + TIMER_LATE_MS, this.#blockedUntilMs);
    // A deadline that moved away is met early once, as the real timer does.
    if (atMs >= this.#wakeAtMs && this.#wakeAtMs > queue.nowMs) return;
    this.#wakeAtMs = atMs;
    const life = this.#life;
    queue.at(atMs, () => {
      if (life !== this.#life || this.#wakeAtMs !== atMs) return;
      this.#wakeAtMs = Infinity;
      this.handle(() => {});
    });
  }

  // ------------------------------------------------------------------------------------------- within

  #makeReplica(storage: DurableStorage, store: Store): Replica {
    const configuration = this.#joined ?? beginningOf(this.#world.settings.nodes);
    const parts = { storage, store, configuration, random: this.#random.next };
    return new Replica(
      replicaOptions(this.id, this.#world, parts),
      {
        send: (to, message) => this.#send(to, message),
        answer: (request, responses) =>
          this.#world.answer(this.id, request, [...responses], this.#departMs()),
        tell: (event) => this.#onEvent(event),
        applied: (entry, result) => this.#onApplied(entry, result),
        installed: (position) => {
          const replica = this.#replica;
          if (replica === undefined) return;
          this.#world.checker.onInstalled(this.id, position, replica.store.digest, replica.view());
        },
      },
      this.#clock.nowMs,
    );
  }

  #send(to: NodeId, message: PeerMessage): void {
    const { send } = this.#hooks;
    const view = send === undefined ? undefined : this.view();
    const sent = send === undefined || view === undefined ? message : send(message, to, view);
    if (sent === undefined) return;
    this.#answers.sent(to, sent);
    this.#world.checker.onSend(this.id, to, sent);
    const port = this.#whereabouts.portOf(to, this.#replica);
    if (port !== undefined) this.#world.send(this.id, to, port, sent, this.#departMs());
  }

  #onApplied(entry: Entry, result: WriteResult | undefined): void {
    const digest = this.#replica?.store.digest ?? 0;
    this.#world.checker.onApplied(this.id, entry, result, digest);
  }

  #onEvent(event: ReplicaEvent): void {
    const view = this.view();
    if (event.kind === "truncated" && view !== undefined) {
      this.#world.checker.onTruncated(this.id, event.after, view);
    }
    if (event.kind === "leader") this.#world.checker.onLeader(this.id, event.term, event.leader);
    if (event.kind === "ignored") this.#answers.ignored(event.from, event.type);
    if (event.kind === "snapshotRefused") this.#answers.ignored(event.from, "InstallSnapshotRequest");
    if (event.kind === "removed") this.#isRemoved = true;
    if (event.kind === "rejoinImpossible") this.#isHopeless = true;
    this.#world.onEvent(this.id, event);
  }

  #beforeOperation(operation: DiskOperation, path: string): void {
    if (operation === "sync" || operation === "syncDirectory") this.#elapsedMs += SYNC_MS;
    this.trouble.before(operation, path);
  }

  /** The process ends with this error; whatever is no failure of its disk is one of its code. */
  #fail(error: unknown, when: "starting" | "running"): void {
    if (error instanceof DivergedError) return this.#refuse(error.message);
    if (!(error instanceof PowerCut || error instanceof StorageError)) {
      throw error instanceof Violation ? error : crashOf(this.id, error);
    }
    this.#die();
    if (error instanceof PowerCut) {
      this.disk.crash();
      this.#world.tell(this.id, 8, () => `loses power while it is ${when}`);
    } else {
      this.disk.killProcess();
      this.#world.tell(this.id, 10, () => `ends while it is ${when}: ${error.message}`);
    }
  }

  /** It is no member any more. */
  #leave(): void {
    this.#die();
    this.disk.killProcess();
    this.#state = "away";
    this.#world.tell(this.id, 12, () => "ends: it was removed from the cluster");
  }

  /** For good. */
  #refuse(reason: string): void {
    this.#die();
    this.disk.killProcess();
    this.#state = "refused";
    this.#world.tell(this.id, 9, () => `refuses to go on: ${reason}`);
  }

  #die(): void {
    this.#life++;
    this.#replica = undefined;
    this.#directory = undefined;
    this.#waiting = [];
    this.#isDrainDue = false;
    this.#isWorkDue = false;
    this.#wakeAtMs = Infinity;
    this.#blockedUntilMs = 0;
    this.trouble.cutAfter = 0;
    if (this.#state === "up") this.#state = "down";
  }

  #departMs(): number {
    return this.#world.queue.nowMs + this.#elapsedMs;
  }

  #setClock(localMs: number, rate: number): void {
    this.#clock.set(localMs, rate);
    if (this.#replica === undefined) return;
    this.#wakeAtMs = Infinity;
    this.handle(() => {});
  }
}

function crashOf(node: NodeId, error: unknown): Violation {
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Violation("no-crash", `node ${node} failed with ${detail}`);
}
