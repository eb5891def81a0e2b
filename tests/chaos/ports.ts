/**
 * Ports for nodes that are stopped and started again.
 *
 * They lie below the range from which Linux takes the port of an outgoing connection (32768 and up). A port from
 * that range may, while its node is down, become the near end of some connection: the node then cannot start
 * again, or a peer that connects to the dead node meets itself.
 *
 * @module
 */

const LOWEST = 10_240;
const HIGHEST = 32_000;
/** How many ports a process may use before it comes near those of the process with the next number. */
const PORTS_PER_PROCESS = 64;

let next = LOWEST + (Deno.pid * PORTS_PER_PROCESS) % (HIGHEST - LOWEST);

/** Ports on 127.0.0.1 that nobody listens on. No two calls in one process return the same soon after each other. */
export function freePorts(count: number): number[] {
  const ports: number[] = [];
  for (let tries = HIGHEST - LOWEST; ports.length < count; tries--) {
    if (tries === 0) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST}`);
    const port = next;
    next = next + 1 > HIGHEST ? LOWEST : next + 1;
    if (isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
