/** CLIENT PAUSE, CLIENT UNPAUSE, CLIENT UNBLOCK: connections that wait, and their end. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { readTimeoutMs } from "../timeout.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `CLIENT PAUSE timeout-ms [WRITE | ALL]`. Commands of clients (WRITE: those that may change data)
 * wait until the time is over; then they are carried out in each client's order. A second pause
 * makes a first one longer or stricter, never shorter or milder. Replicas are not held up.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-pause/}
 */
export const clientPause = defineCommand({
  name: "client|pause",
  group: "connection",
  since: "3.0.0",
  history: [["6.2.0", "a mode, `WRITE` or `ALL`"]],
  summary: "Holds up the commands of all clients for a while",
  complexity: "O(1)",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "timeout:integer [mode:(WRITE | ALL)@6.2.0]",
  run: runClientPause,
});

function runClientPause(call: Call): void {
  const { words, reply, server } = call;
  let includesReads = true;
  if (words.count > 3) {
    if (words.count > 4) throw call.subcommandSyntaxError();
    if (words.is(3, "write")) includesReads = false;
    else if (!words.is(3, "all")) {
      throw new ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  const timeoutMs = readTimeoutMs(call, 2);
  server.pause.begin("client", server.keyspace.steadyMs + timeoutMs, includesReads);
  reply.ok();
}

/**
 * `CLIENT UNPAUSE`.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-unpause/}
 */
export const clientUnpause = defineCommand({
  name: "client|unpause",
  group: "connection",
  since: "6.2.0",
  summary: "Ends a pause: the commands that were held up are carried out",
  complexity: "O(N), N being the number of clients held up",
  arity: 2,
  flags: ["admin", "noscript", "loading", "stale"],
  run: runClientUnpause,
});

function runClientUnpause({ reply, server }: Call): void {
  server.pause.end("client");
  reply.ok();
}

/**
 * `CLIENT UNBLOCK id [TIMEOUT | ERROR]`. 1 when the client was waiting in a blocking command, which
 * is then answered as if its time were over, or with an error; else 0. Clients that CLIENT PAUSE
 * holds up go on waiting.
 *
 * @see {@link https://redis.io/docs/latest/commands/client-unblock/}
 */
export const clientUnblock = defineCommand({
  name: "client|unblock",
  group: "connection",
  since: "5.0.0",
  summary: "Ends the blocking command that another connection waits in",
  complexity: "O(log N), N being the number of waiting connections",
  arity: -3,
  flags: ["admin", "noscript", "loading", "stale"],
  args: "client-id:integer [timeout_error:(TIMEOUT | ERROR)]",
  run: runClientUnblock,
});

function runClientUnblock(call: Call): void {
  const { words, reply, server } = call;
  let withError = false;
  if (words.count > 3) {
    if (words.count > 4) throw call.subcommandSyntaxError();
    if (words.is(3, "error")) withError = true;
    else if (!words.is(3, "timeout")) {
      throw new ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
  }
  const park = server.clients.byId.get(call.clampedInteger(2))?.park;
  if (park?.isBlocking) {
    park.unblock(withError);
    reply.integer(1);
  } else reply.integer(0);
}
