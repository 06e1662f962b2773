/**
 * How long a master has been up, asked of it by INFO over a connection of its own: the link of a replica
 * that has been given a dataset has no more place for questions.
 */

import { toLatin1 } from "../base/bytes.ts";
import { introductions, request } from "./handshake.ts";
import type { ReplicationHost } from "./host.ts";
import { LinkSocket } from "./link_socket.ts";

/** How long an answer may take. */
const PATIENCE_MS = 5_000;
/** The answer is some kilobytes. */
const ANSWER_BYTES_MAX = 64 * 1024;
const READ_BYTES = 4096;

/** Whole seconds; null when it cannot be reached, or does not say. */
export async function masterUptime(
  host: ReplicationHost,
  masterHost: string,
  masterPort: number,
): Promise<number | null> {
  const { config, runtime: { network, timers }, tls } = host;
  const source = config.value("bind-source-addr") ?? "";
  const attempt = LinkSocket.connect(network, masterHost, masterPort, tls.forMaster, source);
  let socket: LinkSocket | null = null;
  const ask = async () => {
    socket = await attempt.socket;
    for (const { what, bytes } of introductions(config, 0)) {
      if (what === "AUTH") await socket.write(bytes);
    }
    await socket.write(request("INFO", "server"));
    return await uptimeIn(socket);
  };
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = timers.after(PATIENCE_MS, () => resolve(null));
  try {
    return await Promise.race([ask(), late]);
  } catch {
    return null; // why it cannot be reached, the next link will tell
  } finally {
    timers.cancel(timer);
    attempt.cancel();
    (socket as LinkSocket | null)?.close();
  }
}

/** Reads until it is told, or cannot be. */
async function uptimeIn(socket: LinkSocket): Promise<number | null> {
  const buffer = new Uint8Array(READ_BYTES);
  let text = "";
  while (text.length < ANSWER_BYTES_MAX) {
    const count = await socket.read(buffer);
    if (count === 0) return null;
    text += toLatin1(buffer, 0, count);
    const found = /^uptime_in_seconds:(\d+)\r/m.exec(text);
    if (found !== null) return Number(found[1]);
    if (/^-.*\r\n/m.test(text)) return null; // an error: no field of INFO begins so
  }
  return null;
}
