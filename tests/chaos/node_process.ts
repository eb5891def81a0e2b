/**
 * One node as a process of its own: started, signalled, and listened to.
 *
 * @module
 */
import type { NodeAddress } from "../../src/config/mod.ts";

const MAIN_MODULE = new URL("../../mod.ts", import.meta.url).pathname;
/** What a node needs, and no more: a node that wants more must fail here. */
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write"];
const KEPT_LOG_LINES = 2_000;
const SHOWN_LOG_LINES = 25;
const START_LIMIT_MS = 30_000;

/** The command that runs drafty from source with these arguments. */
export function draftyCommand(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...PERMISSIONS, MAIN_MODULE, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number;
  /** What of its output was kept, stdout and stderr together. */
  readonly output: string;
}

/** Runs drafty to its end. For a process that must not stay, `limitMs` kills it. */
export async function runDrafty(args: readonly string[], limitMs = 30_000): Promise<ProcessEnd> {
  const child = draftyCommand(args).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

interface Running {
  readonly child: Deno.ChildProcess;
  readonly outputs: Promise<void>[];
  readonly isReady: PromiseWithResolvers<void>;
}

export class NodeProcess {
  readonly address: NodeAddress;
  readonly #args: readonly string[];
  readonly #onSurprise: (sentence: string) => void;
  #running: Running | undefined;
  #isEndExpected = false;
  #isPaused = false;
  #log: string[] = [];

  /** @param onSurprise told when the process ends though nobody asked it to */
  constructor(address: NodeAddress, args: readonly string[], onSurprise: (sentence: string) => void) {
    this.address = address;
    this.#args = args;
    this.#onSurprise = onSurprise;
  }

  get id(): number {
    return this.address.id;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get pid(): number {
    return this.#required().child.pid;
  }

  /** What it said last, over all its lives. */
  get log(): readonly string[] {
    return this.#log;
  }

  countLogged(pattern: RegExp): number {
    return this.#log.filter((line) => pattern.test(line)).length;
  }

  /** The end of the log, for a person who looks for what went wrong. */
  lastLines(): string {
    const lines = this.#log.slice(-SHOWN_LOG_LINES).map((line) => `  ${line}`);
    return [`node ${this.id} (${this.isRunning ? "running" : "not running"}) said last:`, ...lines].join(
      "\n",
    );
  }

  /** Starts the process. Resolves when it listens; rejects when it ends before. */
  async start(): Promise<void> {
    if (this.#running !== undefined) throw new Error(`node ${this.id} runs already`);
    const child = draftyCommand(this.#args).spawn();
    const isReady = Promise.withResolvers<void>();
    const running: Running = {
      child,
      isReady,
      outputs: [this.#keepLog(child.stdout), this.#keepLog(child.stderr)],
    };
    this.#running = running;
    this.#isEndExpected = false;
    this.#isPaused = false;
    void child.status.then(({ code }) => this.#ended(running, code));
    const timer = setTimeout(() => {
      isReady.reject(new Error(`node ${this.id} did not listen within ${START_LIMIT_MS} ms`));
    }, START_LIMIT_MS);
    try {
      await isReady.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Its end is wanted, whatever brings it about. Resolves to the exit code. */
  async ended(): Promise<number> {
    this.#isEndExpected = true;
    const running = this.#running;
    if (running === undefined) return 0;
    const { code } = await running.child.status;
    await Promise.all(running.outputs);
    return code;
  }

  /** `kill -9`. Does nothing where nothing runs. */
  async kill(): Promise<void> {
    if (this.#running === undefined) return;
    this.#isEndExpected = true;
    this.#signal("SIGKILL");
    await this.ended();
  }

  /** SIGTERM. Resolves to the exit code. */
  async terminate(): Promise<number> {
    this.#required();
    this.#isEndExpected = true;
    this.resume();
    this.#signal("SIGTERM");
    return await this.ended();
  }

  /** SIGSTOP. */
  pause(): void {
    this.#required();
    this.#signal("SIGSTOP");
    this.#isPaused = true;
  }

  /** SIGCONT. Does nothing where nothing is paused. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#signal("SIGCONT");
  }

  #required(): Running {
    if (this.#running === undefined) throw new Error(`node ${this.id} does not run`);
    return this.#running;
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#running?.child.kill(signal);
    } catch (error) {
      // It ended by itself a moment ago; whoever waits for it gets to know.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #ended(running: Running, code: number): void {
    if (this.#running === running) this.#running = undefined;
    running.isReady.reject(new Error(`node ${this.id} ended with ${code} instead of starting`));
    // Nobody may be waiting any more: the node had started long ago.
    running.isReady.promise.catch(() => {});
    if (this.#isEndExpected) return;
    // A node ends with 0 only when it is told to: not by us, so look for another user of this machine.
    const hint = code === 0 ? " (a signal from someone else?)" : "";
    this.#onSurprise(`node ${this.id} ended by itself with exit code ${code}${hint}`);
  }

  async #keepLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
    if (rest !== "") this.#take(rest);
  }

  #take(line: string): void {
    this.#log.push(line);
    if (this.#log.length > KEPT_LOG_LINES * 2) this.#log = this.#log.slice(-KEPT_LOG_LINES);
    // The first line on stdout is printed once the node listens.
    if (line.startsWith(`node ${this.id} of cluster `)) this.#running?.isReady.resolve();
  }
}
