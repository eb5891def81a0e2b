/** Snapshots and full disks in a replica, over a simulated disk. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ClientRequest, ClientResponse, PeerMessage } from "../../packraft/mod.ts";
import { Store } from "../../src/kv/mod.ts";
import { MembersError, Replica, type ReplicaEvent } from "../../src/replica/mod.ts";
import { SimDisk } from "../../src/sim/disk.ts";
import { DataDirectory } from "../../src/storage/data_directory.ts";
import { configurationOf, raftOptionsOf } from "./options.ts";

const encoder = new TextEncoder();
const PATH = "/data";

/** A node on a simulated disk. Alone it leads; of three it is what the test makes of it. */
class Node {
  readonly disk = new SimDisk({ random: () => 0.5 });
  readonly sent: { to: number; message: PeerMessage }[] = [];
  readonly answers = new Map<string, ClientResponse[]>();
  readonly events: ReplicaEvent[] = [];
  voters: readonly number[];
  readonly snapshotAfterBytes: number;
  replica: Replica;
  nowMs = 0;
  #sequence = 0;

  constructor(voters: readonly number[] = [1], snapshotAfterBytes = 1_000_000) {
    this.voters = voters;
    this.snapshotAfterBytes = snapshotAfterBytes;
    this.replica = this.#start();
  }

  restart(): void {
    this.disk.killProcess();
    this.replica = this.#start();
  }

  #start(): Replica {
    const store = new Store();
    const identity = { clusterId: "test", node: 1 };
    const options = { drawId: () => new Uint8Array(16).fill(1), segmentBytes: 4_096, isNewCluster: true };
    const storage = DataDirectory.open(this.disk, PATH, identity, options, store);
    return new Replica(
      {
        raft: raftOptionsOf(this.voters),
        storage,
        store,
        clusterId: "drafty",
        maxPendingRequests: 10,
        maxUncommittedBatches: 2,
        snapshotAfterBytes: this.snapshotAfterBytes,
        snapshotChunkBytes: 100,
      },
      {
        send: (to, message) => this.sent.push({ to, message }),
        answer: (luid, responses) => this.answers.set(luid, [...responses]),
        tell: (event) => this.events.push(event),
      },
      this.nowMs,
    );
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.replica.advance(this.nowMs);
    this.replica.flush();
  }

  ask(luid: string, request: ClientRequest): ClientResponse | undefined {
    this.replica.request(luid, request);
    this.replica.flush();
    return this.answers.get(luid)?.[0];
  }

  put(key: string, value: string): ClientResponse | undefined {
    const session = {
      clientId: new Uint8Array(16),
      sequence: ++this.#sequence,
      answeredUpTo: this.#sequence - 1,
    };
    const pair = { key: encoder.encode(key), value: encoder.encode(value) };
    return this.ask(`put ${this.#sequence}`, { type: "PutRequest", ...session, ...pair });
  }

  get(key: string): string | undefined {
    const response = this.ask(`get ${this.nowMs}`, {
      type: "GetRequest",
      key: encoder.encode(key),
      mode: "leader",
    });
    assert(response?.type === "GetResponse", `${response?.type}`);
    return response.found ? new TextDecoder().decode(response.value) : undefined;
  }

  work(): void {
    while (this.replica.hasWork) {
      this.replica.work();
      this.replica.flush();
    }
  }

  /** Takes in a message and returns what is answered to it. */
  receive(from: number, message: PeerMessage): PeerMessage[] {
    this.sent.length = 0;
    this.replica.receive(from, message);
    this.replica.flush();
    return this.sent.map(({ message }) => message);
  }

  get told(): string[] {
    return this.events.map(({ kind }) => kind);
  }
}

function alone(snapshotAfterBytes?: number): Node {
  const node = new Node([1], snapshotAfterBytes);
  node.wait(1);
  assertEquals(node.replica.view().role, "leader");
  return node;
}

Deno.test("a snapshot is taken on request, answered when it is durable, and a restart goes on from it", () => {
  const node = alone();
  for (let i = 0; i < 20; i++) node.put(`k${i}`, "v");
  assertEquals(node.ask("snapshot", { type: "SnapshotRequest" }), undefined);
  node.work();
  const [answer] = node.answers.get("snapshot") ?? [];
  assert(answer?.type === "SnapshotResponse");
  assertEquals([answer.node, answer.index], [1, 21]);
  assertEquals(node.ask("again", { type: "SnapshotRequest" }), answer, "there is nothing newer to take");
  node.put("k0", "after");
  node.restart();
  assertEquals([node.replica.view().snapshot.index, node.replica.view().lastApplied], [21, 21]);
  node.wait(1);
  assertEquals([node.get("k0"), node.get("k19")], ["after", "v"]);
});

Deno.test("a node that nothing was written to has nothing to take a snapshot of", () => {
  const node = new Node([1, 2, 3]);
  const answer = node.ask("snapshot", { type: "SnapshotRequest" });
  assert(answer?.type === "ErrorResponse");
  assertEquals([answer.code, answer.outcome], ["badRequest", "notDone"]);
});

Deno.test("a snapshot is taken when the log has grown by enough, and the disk does not grow with the log", () => {
  const node = alone(8_000);
  const bytesOnDisk = () => node.disk.paths().reduce((sum, path) => sum + node.disk.read(path).length, 0);
  let most = 0;
  for (let i = 0; i < 2_000; i++) {
    node.put(`k${i % 10}`, "x".repeat(100));
    node.work();
    most = Math.max(most, bytesOnDisk());
  }
  assert(node.told.filter((kind) => kind === "snapshotTaken").length > 10, node.told.join());
  assert(most < 40_000, `${most} B of disk for 10 keys of 100 B`);
  node.restart();
  node.wait(1);
  assertEquals(node.get("k9"), "x".repeat(100));
});

Deno.test("writes that come while a snapshot is taken are not in it, and not lost", () => {
  const node = alone();
  node.put("k", "before");
  node.ask("snapshot", { type: "SnapshotRequest" });
  node.put("k", "after");
  node.work();
  assertEquals(node.replica.view().snapshot.index, 2);
  node.restart();
  assertEquals(node.replica.store.get(encoder.encode("k")), encoder.encode("before"));
  node.wait(1);
  assertEquals(node.get("k"), "after");
});

Deno.test("without room writes are refused, what was under way waits, and all goes on when there is room", () => {
  const node = alone();
  node.put("k", "1");
  node.disk.capacityBytes = 0;
  assertEquals(node.put("k", "2"), undefined, "it found out too late to refuse");
  const refused = node.put("k", "3");
  assert(refused?.type === "ErrorResponse");
  assertEquals([refused.code, refused.outcome], ["noSpace", "notDone"]);
  assertEquals(node.get("k"), "1");
  assert(node.replica.nextWakeMs() <= node.nowMs + 200, "it tries again by itself");
  node.disk.capacityBytes = Infinity;
  node.wait(250);
  assertEquals(node.answers.get("put 2"), [{ type: "PutResponse", index: 3 }]);
  assertEquals(node.put("k", "4")?.type, "PutResponse");
  assertEquals(node.told.filter((kind) => kind === "diskFull").length, 2);
  node.restart();
  node.wait(1);
  assertEquals(node.get("k"), "4");
});

Deno.test("a snapshot that finds no room is given up and leaves no file", () => {
  const node = alone();
  for (let i = 0; i < 50; i++) node.put(`k${i}`, "v".repeat(100));
  node.disk.capacityBytes = node.disk.paths().reduce((sum, path) => sum + node.disk.read(path).length, 1_000);
  node.ask("snapshot", { type: "SnapshotRequest" });
  node.work();
  const [answer] = node.answers.get("snapshot") ?? [];
  assert(answer?.type === "ErrorResponse");
  assertEquals(answer.code, "noSpace");
  assertEquals(node.disk.paths().filter((path) => path.includes("snapshot")), []);
  node.disk.capacityBytes = Infinity;
  assertEquals(node.put("k", "still works")?.type, "PutResponse");
});

/** The pieces of a snapshot that a leader of term 5 sends. */
function piecesOf(
  node: Node,
  pieceBytes: number,
): Extract<PeerMessage, { type: "InstallSnapshotRequest" }>[] {
  const directory = DataDirectory.open(
    copyOf(node.disk),
    PATH,
    { clusterId: "test", node: 1 },
    { drawId: () => new Uint8Array(16).fill(1), segmentBytes: 4_096 },
    new Store(),
  );
  const reader = directory.openSnapshot();
  assert(reader !== undefined);
  const { index, term, totalBytes, checksum } = reader.info;
  const pieces = [];
  for (let offset = 0; offset < totalBytes; offset += pieceBytes) {
    pieces.push(
      {
        type: "InstallSnapshotRequest",
        term: 5,
        lastIncludedIndex: index,
        lastIncludedTerm: term,
        totalBytes,
        checksum,
        offset,
        data: reader.read(offset, pieceBytes),
      } as const,
    );
  }
  return pieces;
}

/** The node is not running any more: its disk can be opened once again. */
function copyOf(disk: SimDisk): SimDisk {
  disk.killProcess();
  return disk;
}

/** The pieces of a snapshot of 100 keys, written by a node of its own. */
function someSnapshot(pieceBytes = 300) {
  const writer = alone();
  writer.replica.store.begin(configurationOf([1, 2, 3]));
  for (let i = 0; i < 100; i++) writer.put(`key ${i}`, `value ${i}`);
  writer.ask("snapshot", { type: "SnapshotRequest" });
  writer.work();
  return piecesOf(writer, pieceBytes);
}

Deno.test("a follower takes a snapshot in pieces, says each time how much it has, and has the state at the end", () => {
  const pieces = someSnapshot();
  assert(pieces.length > 4);
  const node = new Node([1, 2, 3]);
  const offsets = pieces.map((piece) => {
    const [answer] = node.receive(2, piece);
    assert(answer?.type === "InstallSnapshotResponse");
    return answer.installed ? "installed" : answer.nextOffset;
  });
  assertEquals(offsets, [...pieces.slice(1).map(({ offset }) => offset), "installed"]);
  assertEquals(node.replica.store.get(encoder.encode("key 99")), encoder.encode("value 99"));
  assertEquals([node.replica.view().lastApplied, node.replica.view().lastLogIndex], [101, 101]);
  node.restart();
  assertEquals(node.replica.view().lastApplied, 101);
  assertEquals(node.replica.store.get(encoder.encode("key 0")), encoder.encode("value 0"));
});

Deno.test("who asked for a snapshot while one arrives is told of that one", () => {
  const pieces = someSnapshot();
  const node = new Node([1, 2, 3]);
  const entries = [{ index: 1, term: 1, kind: "noop" as const, data: new Uint8Array() }];
  node.receive(2, {
    type: "AppendEntriesRequest",
    term: 5,
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 1,
    readRound: 0,
    hashIndex: 0,
    divergesAt: 0,
    entries,
  });
  assertEquals(node.replica.view().lastApplied, 1);
  assertEquals(node.ask("snapshot", { type: "SnapshotRequest" }), undefined);
  for (const piece of pieces) node.receive(2, piece);
  const [answer] = node.answers.get("snapshot") ?? [];
  assert(answer?.type === "SnapshotResponse");
  assertEquals([answer.index, answer.totalBytes], [101, pieces[0]?.totalBytes]);
});

Deno.test("pieces that come twice, too late or out of order change nothing: the answer says which one is wanted", () => {
  const pieces = someSnapshot();
  const node = new Node([1, 2, 3]);
  const [first, second, third] = pieces;
  assert(first !== undefined && second !== undefined && third !== undefined);
  const nextOffset = (piece: typeof first) => {
    const [answer] = node.receive(2, piece);
    return answer?.type === "InstallSnapshotResponse" ? answer.nextOffset : undefined;
  };
  assertEquals([third, second, first, first, third, second, first].map(nextOffset), [
    0,
    0,
    300,
    300,
    300,
    600,
    600,
  ]);
  for (const piece of pieces.slice(2)) node.receive(2, piece);
  assertEquals(node.replica.view().lastApplied, 101);
});

Deno.test("a snapshot that is not what was announced is refused, told, and asked for from the beginning", () => {
  const pieces = someSnapshot();
  const node = new Node([1, 2, 3]);
  for (const piece of pieces) {
    const data = piece.data.slice();
    if (piece.offset > 0) data[10] = (data[10] ?? 0) ^ 1;
    node.receive(2, { ...piece, data });
  }
  assertEquals(node.replica.view().lastApplied, 0);
  assert(node.told.includes("snapshotRefused"));
  for (const piece of pieces) node.receive(2, piece);
  assertEquals(node.replica.view().lastApplied, 101);
});

Deno.test("another leader's older snapshot takes the place of one that nobody sends any more", () => {
  const old = someSnapshot();
  const node = new Node([1, 2, 3]);
  const [first] = old;
  assert(first !== undefined);
  node.receive(2, { ...first, lastIncludedIndex: 500, checksum: 1 });
  node.receive(2, first);
  assertEquals(node.receive(2, first).map((answer) => "nextOffset" in answer && answer.nextOffset), [0]);
  for (const piece of old) node.receive(3, { ...piece, term: 6 });
  assertEquals(node.replica.view().lastApplied, 101);
});

Deno.test("a configuration with other members than the snapshot's is refused, with exit code 3", () => {
  const node = alone();
  node.put("k", "v");
  node.ask("snapshot", { type: "SnapshotRequest" });
  node.work();
  node.voters = [1, 2];
  const error = assertThrows(() => node.restart(), MembersError, "the configuration has nodes 1, 2, and");
  assertEquals(error.exitCode, 3);
});
