import { assertEquals, assertMatch } from "@std/assert";
import { lineLog, TroubleLog } from "../../src/driver/log_sink.ts";
import { until } from "./loopback.ts";

const decoder = new TextDecoder();

/** A reader of the log that can be stopped, and that takes `most` bytes at a time. */
class Reader {
  text = "";
  most = Infinity;
  #go: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  stop(): void {
    this.#stopped = new Promise((resolve) => this.#go = resolve);
  }

  goOn(): void {
    this.#stopped = undefined;
    this.#go?.();
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#stopped;
    const taken = bytes.slice(0, Math.min(bytes.length, this.most));
    this.text += decoder.decode(taken);
    return taken.length;
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

Deno.test("lineLog() writes each line whole and in order, with the time of day", async () => {
  const reader = new Reader();
  reader.most = 7;
  const log = lineLog(reader);
  for (let i = 0; i < 20; i++) log(`line ${i}`);
  await until(() => reader.lines.length === 20, "all lines are written");
  assertMatch(reader.lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} line 0$/);
  assertEquals(reader.lines.map((line) => line.slice(13)), Array.from({ length: 20 }, (_, i) => `line ${i}`));
});

Deno.test("lineLog() waits for nobody: it keeps a bounded number of lines and counts what it drops", async () => {
  const reader = new Reader();
  reader.stop();
  const log = lineLog(reader);
  log("first"); // this one is being written
  await Promise.resolve();
  for (let i = 0; i < 10_000; i++) log(`line ${i}`);
  reader.goOn();
  await until(() => reader.text.includes("dropped"), "it says what was dropped");
  assertEquals(reader.lines.length, 1 + 4_096 + 1);
  assertEquals(reader.lines.at(-1)?.slice(13), "5904 log lines were dropped: nobody read them");
  log("and on");
  await until(() => reader.text.endsWith("and on\n"), "it goes on afterwards");
});

Deno.test("lineLog() goes on without a reader that is gone", async () => {
  let tries = 0;
  const log = lineLog({
    write: () => {
      tries++;
      return Promise.reject(new Deno.errors.BrokenPipe("Broken pipe (os error 32)"));
    },
  });
  log("one");
  await until(() => tries === 1, "it tries");
  await Promise.resolve();
  log("two");
  await until(() => tries === 2, "it tries again");
});

Deno.test("lineLog() keeps what others sent on one line, without control characters", async () => {
  const reader = new Reader();
  lineLog(reader)('message of cluster "a\n03:00:00.000 node 1 goes to leader\x1b[2J"');
  await until(() => reader.lines.length > 0, "it is written");
  assertEquals(reader.lines.length, 1);
  assertEquals(
    reader.lines[0]?.slice(13),
    'message of cluster "a\\u000a03:00:00.000 node 1 goes to leader\\u001b[2J"',
  );
});

Deno.test("TroubleLog.say() says the first of a kind and then counts, once per interval and kind", () => {
  const lines: string[] = [];
  let nowMs = 0;
  const trouble = new TroubleLog((line) => lines.push(line), () => nowMs, 1_000);
  for (nowMs = 0; nowMs < 3_000; nowMs++) {
    trouble.say("flood", `flood ${nowMs}`);
    if (nowMs === 500) trouble.say("other", "other");
  }
  assertEquals(lines, [
    "flood 0",
    "other",
    "flood 1000 (and 999 more like it before)",
    "flood 2000 (and 999 more like it before)",
  ]);
});
