/** Ports for servers that tests and benchmarks start. */

/** Ports that have been given out: of servers that start together none may get another's. */
const givenPorts = new Set<number>();

/**
 * A TCP port of 127.0.0.1 that nobody listens on at this moment, chosen by the system and given to
 * nobody else in this process. Another process may still take it before the server does.
 */
export function freePort(): number {
  for (;;) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    return port;
  }
}
