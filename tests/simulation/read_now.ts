/** Asking a server that does nothing else at the moment, without letting time pass. */

import type { Core } from "../../src/core.ts";
import type { Transport } from "../../src/dispatch/client.ts";
import { Words } from "../../src/resp/words.ts";

const SILENT: Transport = {
  address: "",
  localAddress: "",
  descriptor: -1,
  isWriting: false,
  wake() {},
  resume() {},
  close() {},
};

/** What it answers to a request: the text of a string, null for none, or the first line as it is. */
export function readNow(core: Core, ...words: string[]): string | null {
  return readNowIn(core, 0, ...words);
}

/** The same in another database. */
export function readNowIn(core: Core, database: number, ...words: string[]): string | null {
  const client = core.openClient(true, () => SILENT);
  client.database = core.keyspace.databases[database];
  client.become(core.access.users.default, true);
  client.setNeedsAuth(false);
  core.dispatcher.execute(client, Words.of(...words));
  const chunk = client.reply.takeChunk()!;
  const text = new TextDecoder().decode(chunk.subarray(0, client.reply.chunkLength));
  core.closed(client);
  const [head, body] = text.split("\r\n");
  return head === "$-1" ? null : head.startsWith("$") ? body : head;
}
