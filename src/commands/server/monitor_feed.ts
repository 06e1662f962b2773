/** MONITOR: shows every command to the clients that asked for it, in Redis's line. */

import { toLatin1 } from "../../base/bytes.ts";
import { quoted } from "../../base/printable.ts";
import type { Client } from "../../dispatch/client.ts";
import type { Services } from "../../dispatch/services.ts";
import type { Words } from "../../resp/words.ts";

/** Sends the line of one command to all monitors. */
export function feedMonitors(server: Services, client: Client, words: Words): void {
  const now = server.clock.now();
  const seconds = Math.floor(now / 1000);
  const micros = String((now - seconds * 1000) * 1000).padStart(6, "0");
  const address = client.caller !== null
    ? "lua"
    : client.isUnixSocket
    ? `unix:${client.transport.address.replace(/:0$/, "")}`
    : client.transport.address;
  let line = `${seconds}.${micros} [${client.database.index} ${address}]`;
  for (let i = 0; i < words.count; i++) {
    line += ` ${quoted(toLatin1(words.bytes, words.starts[i], words.lengths[i]))}`;
  }
  for (const monitor of server.clients.monitors) {
    if (monitor.replyMode !== "on") continue;
    monitor.reply.status(line);
    monitor.transport.wake();
  }
}
