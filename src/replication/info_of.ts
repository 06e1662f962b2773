/**
 * INFO of another server, asked over a connection of its own: the link of a replica has no place for questions, or is
 * not there.
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

/** Fields of INFO by their names. */
export type InfoFields = ReadonlyMap<string, string>;

/**
 * The fields of these sections, of the usual ones where none is named; null when the server cannot be reached, does not
 * say, or takes longer than five seconds. Asks with `masteruser` and `masterauth`.
 *
 * @see {@link https://redis.io/docs/latest/commands/info/}
 */
export async function infoOf(
  host: ReplicationHost,
  hostname: string,
  port: number,
  ...sections: string[]
): Promise<InfoFields | null> {
  const { config, runtime: { network, timers }, tls } = host;
  const source = config.value("bind-source-addr") ?? "";
  const attempt = LinkSocket.connect(network, hostname, port, tls.forMaster, source);
  let socket: LinkSocket | null = null;
  const ask = async () => {
    socket = await attempt.socket;
    const asked = introductions(config, 0).filter(({ what }) => what === "AUTH");
    for (const { bytes } of asked) await socket.write(bytes);
    await socket.write(request("INFO", ...sections));
    return await fieldsIn(socket, asked.length);
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

/** Reads the answer to INFO, behind so many answers of a line each; null for an error. */
async function fieldsIn(socket: LinkSocket, linesBefore: number): Promise<InfoFields | null> {
  const buffer = new Uint8Array(READ_BYTES);
  const answer = new RegExp(`^(?:[^\\n]*\\n){${linesBefore}}(?:\\$(\\d{1,6})\\r\\n|(-))`);
  for (let text = ""; text.length < ANSWER_BYTES_MAX;) {
    const count = await socket.read(buffer);
    if (count === 0) return null;
    text += toLatin1(buffer, 0, count);
    const found = answer.exec(text);
    if (found === null) continue;
    if (found[2] !== undefined) return null;
    const from = found[0].length;
    const size = Number(found[1]);
    if (text.length >= from + size) return parsed(text.slice(from, from + size));
  }
  return null;
}

function parsed(text: string): InfoFields {
  return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
}
