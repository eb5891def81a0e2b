/**
 * Faults of system calls, put into a running node by strace. The node's log file alone is meant: sockets and the
 * output for people go on.
 *
 * @module
 */
import { segmentName } from "../../src/storage/segment_format.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./waiting.ts";

const ATTACH_LIMIT_MS = 15_000;

/** What happens to which calls; the parts of strace's `inject` (its manual explains each). */
export type SystemCallFault =
  /** The call fails from the `when`th on. */
  | { readonly call: "fdatasync" | "write"; readonly error: "EIO" | "ENOSPC"; readonly when: number }
  /** The `when`th `write` is not made, but returns this number of bytes. */
  | { readonly call: "write"; readonly returns: number; readonly when: number }
  /** Each call is entered this much later. */
  | { readonly call: "fdatasync" | "write"; readonly delayMs: number };

/** What happens at a call of the whole process, whatever file it is for. */
export interface ProcessFault {
  readonly call: "fdatasync" | "fsync" | "rename" | "unlink" | "ftruncate";
  /** Counted from when strace is attached. */
  readonly when: number;
  /** It fails with EIO, or the process is killed in it. */
  readonly effect: "EIO" | "KILL";
}

/** A call that strace saw. */
export interface TracedCall {
  /** Seconds since 1970. */
  readonly time: number;
  readonly text: string;
}

/** strace, attached to a node. */
export class SystemCallTrace implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #path: string;
  readonly #output: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, path: string, output: Promise<unknown>) {
    this.#child = child;
    this.#path = path;
    this.#output = output;
  }

  /** Attaches strace to a node. Resolves when it sees the node's calls. */
  static attach(cluster: TestCluster, node: number, fault: SystemCallFault): Promise<SystemCallTrace> {
    const logFile = `${cluster.dataDirectory}/${node}/${segmentName(1)}`;
    return SystemCallTrace.#attach(cluster, node, ["-P", logFile, "-e", `inject=${injectionOf(fault)}`]);
  }

  /** The same for calls on all files. */
  static attachToProcess(cluster: TestCluster, node: number, fault: ProcessFault): Promise<SystemCallTrace> {
    const { call, when, effect } = fault;
    const injected = effect === "EIO" ? "error=EIO" : "signal=KILL";
    return SystemCallTrace.#attach(cluster, node, [
      "-e",
      `trace=${call}`,
      "-e",
      `inject=${call}:${injected}:when=${when}`,
    ]);
  }

  static async #attach(
    cluster: TestCluster,
    node: number,
    what: readonly string[],
  ): Promise<SystemCallTrace> {
    const { pid } = cluster.node(node);
    const path = Deno.makeTempFileSync({ dir: cluster.directory, prefix: "strace-" });
    const child = new Deno.Command("strace", {
      args: ["-f", "-ttt", "-o", path, "-p", `${pid}`, ...what],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    const output = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    const trace = new SystemCallTrace(child, path, output);
    // "attached with 7 threads", or "attached"
    await eventually(`strace to attach to node ${node}`, ATTACH_LIMIT_MS, () => said.includes("attached"))
      .catch(async (error) => {
        await trace[Symbol.asyncDispose]();
        throw new Error(`${error.message}; it said: ${said}`);
      });
    return trace;
  }

  /** What it saw so far. Complete when the node has ended or strace was detached. */
  calls(): TracedCall[] {
    const lines = Deno.readTextFileSync(this.#path).split("\n");
    return lines.flatMap((line) => {
      const [, time, text] = /^\d+\s+(\d+\.\d+) (.*)$/.exec(line) ?? [];
      return time === undefined || text === undefined ? [] : [{ time: Number(time), text }];
    });
  }

  /** Resolves when the node that is traced has ended. */
  async ended(): Promise<void> {
    await this.#child.status;
    await this.#output;
  }

  /** Detaches: the node goes on without faults. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGINT");
    } catch (error) {
      // It ended with its node.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.ended();
  }
}

/** Why faults of system calls cannot be made on this machine, or undefined where they can. */
export async function straceProblem(): Promise<string | undefined> {
  try {
    const { success } = await new Deno.Command("strace", {
      args: ["-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1", "true"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? undefined : "strace may not trace here (ptrace is forbidden)";
  } catch (error) {
    return `strace cannot be run: ${error instanceof Error ? error.message : error}`;
  }
}

function injectionOf(fault: SystemCallFault): string {
  if ("error" in fault) return `${fault.call}:error=${fault.error}:when=${fault.when}+`;
  if ("returns" in fault) return `${fault.call}:retval=${fault.returns}:when=${fault.when}`;
  return `${fault.call}:delay_enter=${fault.delayMs}ms`;
}
