/** MONITOR: shows every command to the clients that asked for it, in Redis's line. */

import { toLatin1 } from "../../base/bytes.ts";
import type { Client } from "../../dispatch/client.ts";
import type { Services } from "../../dispatch/services.ts";
import type { Words } from "../../resp/words.ts";

/** Sends the line of one command to all monitors. */
export function feedMonitors(server: Services, client: Client, words: Words): void {
  const now = server.clock.now();
  const seconds = Math.floor(now / 1000);
  const micros = String((now - seconds * 1000) * 1000).padStart(6, "0");
  const address = client.isUnixSocket
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

const ESCAPES: Record<string, string> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x07": "\\a",
  "\b": "\\b",
};

/** Latin1 text in double quotes, what cannot be printed as \xHH. */
export function quoted(text: string): string {
  let out = '"';
  for (const c of text) {
    const escape = ESCAPES[c];
    if (escape !== undefined) out += escape;
    else if (c >= " " && c <= "~") out += c;
    else out += "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0");
  }
  return out + '"';
}
