/** MONITOR: the stream itself is written by src/observe/monitor.ts as commands are called. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `MONITOR`. From now on this connection is sent a line for each command that is called, its own
 * included; not for those of administrators. Passwords are not shown.
 *
 * @see {@link https://redis.io/docs/latest/commands/monitor/}
 */
export const monitor = defineCommand({
  name: "monitor",
  group: "server",
  since: "1.0.0",
  summary: "Shows this connection every command that the server is given",
  complexity: "O(1); each later command costs a line for each monitor",
  arity: 1,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runMonitor,
});

function runMonitor({ client, reply, server, mayPark }: Call): void {
  if (!mayPark) return reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  // A second MONITOR, or one of a replica, is not answered at all.
  if (client.isMonitor || client.isReplica) return;
  client.isMonitor = true;
  server.clients.monitors.add(client);
  reply.ok();
}
