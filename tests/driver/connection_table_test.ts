import { assertEquals } from "@std/assert";
import { ConnectionTable, TrackedConnection } from "../../src/driver/connection_table.ts";
import { SocketPair, testOnLoopback, until } from "./loopback.ts";

class OwedConnection extends TrackedConnection {
  isOwed = true;

  override isOwedAnAnswer(): boolean {
    return this.isOwed;
  }
}

/** A table with a clock of its own that writes down what it closes. Sweeps come by the real clock. */
class Fixture implements Disposable {
  readonly closed: string[] = [];
  readonly details: string[] = [];
  readonly table: ConnectionTable<TrackedConnection>;
  readonly #pairs: SocketPair[] = [];
  nowMs = 0;

  constructor(maxConnections = 100) {
    this.table = new ConnectionTable({
      maxConnections,
      frameLimitMs: 5_000,
      idleLimitMs: 60_000,
      now: () => this.nowMs,
      onClosed: (kind, luid, detail) => {
        this.closed.push(`${luid} ${kind}`);
        this.details.push(detail);
      },
    });
  }

  async add(luid: string): Promise<TrackedConnection> {
    const connection = new TrackedConnection(luid, await this.#near(), () => this.nowMs);
    this.table.add(connection);
    return connection;
  }

  async addOwed(luid: string): Promise<OwedConnection> {
    const connection = new OwedConnection(luid, await this.#near(), () => this.nowMs);
    this.table.add(connection);
    return connection;
  }

  async #near(): Promise<Deno.TcpConn> {
    const pair = await SocketPair.open();
    this.#pairs.push(pair);
    return pair.near;
  }

  /** Waits until a sweep has closed `count` connections. */
  async swept(count: number): Promise<void> {
    await until(() => this.closed.length >= count, `${count} connections are closed`);
  }

  [Symbol.dispose](): void {
    this.table.closeAll();
    for (const pair of this.#pairs) pair[Symbol.dispose]();
  }
}

testOnLoopback(
  "ConnectionTable closes who never says anything soon, and who has spoken only after a minute",
  async () => {
    using fixture = new Fixture();
    await fixture.add("mute");
    const spoken = await fixture.add("spoken");
    spoken.heard(true, 0);
    fixture.nowMs = 5_001;
    await fixture.swept(1);
    assertEquals(fixture.closed, ["mute idle"]);
    fixture.nowMs = 60_001;
    await fixture.swept(2);
    assertEquals([fixture.closed[1], fixture.details[1]], ["spoken idle", "silent for 60 s"]);
    assertEquals(fixture.table.size, 0);
  },
);

testOnLoopback(
  "ConnectionTable closes who drips a byte at a time, however lately the last one came",
  async () => {
    using fixture = new Fixture();
    const drip = await fixture.add("drip");
    const honest = await fixture.add("honest");
    for (let second = 0; second <= 6; second++) {
      fixture.nowMs = second * 1_000;
      drip.heard(false, second + 1);
      honest.heard(true, 10); // each piece completes one frame and begins the next
    }
    await fixture.swept(1);
    assertEquals([fixture.closed, fixture.details], [["drip incomplete"], [
      "incomplete frame: 7 B after 5 s",
    ]]);
  },
);

testOnLoopback("ConnectionTable waits with a connection that waits for this node", async () => {
  using fixture = new Fixture();
  const owed = await fixture.addOwed("owed");
  await fixture.add("mute");
  fixture.nowMs = 100_000;
  await fixture.swept(1);
  assertEquals(fixture.closed, ["mute idle"]);
  // Its silence counts from when its answer had left, not from when it asked.
  owed.offered();
  owed.isOwed = false;
  owed.taken();
  owed.heard(true, 0);
  await fixture.add("mute again");
  fixture.nowMs = 110_000;
  await fixture.swept(2);
  assertEquals(fixture.closed[1], "mute again idle");
});

testOnLoopback(
  "ConnectionTable closes who takes nothing of its answers, owed more or not, but not a slow taker",
  async () => {
    using fixture = new Fixture();
    const never = await fixture.addOwed("never");
    const slow = await fixture.addOwed("slow");
    const last = await fixture.add("last piece");
    for (const connection of [never, slow, last]) connection.offered();
    fixture.nowMs = 59_000;
    slow.offered();
    last.offered();
    never.heard(true, 0); // that it goes on asking does not help
    fixture.nowMs = 60_001;
    await fixture.swept(1);
    assertEquals(fixture.closed, ["never stalled"]);
    assertEquals(fixture.details, ["took nothing of its answers for 60 s"]);
  },
);

testOnLoopback(
  "ConnectionTable.add() closes the quietest when there are too many, never one that is owed an answer",
  async () => {
    using fixture = new Fixture(3);
    await fixture.addOwed("owed");
    fixture.nowMs = 1;
    await fixture.add("quiet");
    fixture.nowMs = 2;
    await fixture.add("lively");
    fixture.nowMs = 3;
    await fixture.add("new");
    assertEquals(fixture.closed, ["quiet crowded"]);
    assertEquals([...fixture.table].map((connection) => connection.luid), ["owed", "lively", "new"]);
  },
);

testOnLoopback(
  "ConnectionTable.add() turns the newcomer away when all others are owed an answer",
  async () => {
    using fixture = new Fixture(2);
    await fixture.addOwed("a");
    await fixture.addOwed("b");
    await fixture.add("new");
    assertEquals(fixture.closed, ["new crowded"]);
  },
);

testOnLoopback(
  "ConnectionTable.closeAll() closes all, and a connection that comes afterwards too",
  async () => {
    using fixture = new Fixture();
    await fixture.add("before");
    fixture.table.closeAll();
    const late = await fixture.add("late");
    assertEquals(fixture.table.size, 0);
    let ending: unknown;
    await late.connection.read(new Uint8Array(1)).catch((error) => ending = error);
    assertEquals(ending instanceof Deno.errors.BadResource, true);
  },
);
