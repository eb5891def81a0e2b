/**
 * Ports for nodes that are started for a while: a demo, a test.
 *
 * @module
 */

const LOWEST_PORT = 10_000;
const HIGHEST_PORT = 30_000;

/**
 * Ports that nobody listens on: all are held before one is let go, so that they differ. They lie below those that
 * systems give to outgoing connections: else one of these could sit on the port of a node that is to come back.
 */
export function freePorts(host: string, count: number): number[] {
  const listeners: Deno.TcpListener[] = [];
  let port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT) / 2);
  while (listeners.length < count) {
    if (port > HIGHEST_PORT) {
      throw new Error(`no free ports up to ${HIGHEST_PORT}; end some programs that listen`);
    }
    try {
      listeners.push(Deno.listen({ hostname: host, port: port++ }));
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
