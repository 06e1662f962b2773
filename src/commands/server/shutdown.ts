/** SHUTDOWN. What it takes to end is in src/server.ts. */

import type { Call } from "../../dispatch/call.ts";
import type { ShutdownOptions } from "../../dispatch/services.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";
import type { Words } from "../../resp/words.ts";
import { defineCommand } from "../../dispatch/command.ts";

/**
 * `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: saves where that is asked for or configured and
 * ends the server; there is no answer then. Replicas that lag are waited for up to `shutdown-timeout`
 * unless NOW is given; ABORT ends that waiting, and the server stays.
 *
 * Errors: the dataset could not be saved (unless FORCE); ABORT while no shutdown is under way.
 *
 * @see {@link https://redis.io/docs/latest/commands/shutdown/}
 */
export const shutdown = defineCommand({
  name: "shutdown",
  group: "server",
  since: "1.0.0",
  history: [["7.0.0", "`NOW`, `FORCE` and `ABORT`"]],
  summary: "Ends the server, after saving the dataset if that is wanted",
  complexity: "O(N) when saving, N being the number of keys",
  arity: -1,
  flags: ["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
  args: "[nosave_save:(NOSAVE | SAVE)] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
  run: runShutdown,
});

function runShutdown(call: Call): void {
  const { server, words, reply, client, command } = call;
  let save: ShutdownOptions["save"] = "default";
  let force = false;
  let now = false;
  let aborts = false;
  for (let i = 1; i < words.count; i++) {
    if (words.is(i, "nosave") && save !== "save") save = "nosave";
    else if (words.is(i, "save") && save !== "nosave") save = "save";
    else if (words.is(i, "force")) force = true;
    else if (words.is(i, "abort")) aborts = true;
    else if (words.is(i, "now")) now = true;
    else throw new ReplyError(SYNTAX_ERROR);
  }
  if (aborts) {
    if (words.count > 2) throw new ReplyError(SYNTAX_ERROR);
    if (server.abortShutdown()) return reply.ok();
    return reply.error("ERR No shutdown in progress.");
  }
  // A save in the middle of a script would keep half of what it does.
  const { scripts } = server;
  if (save !== "nosave" && scripts.isSuspended) throw new ReplyError(scripts.busyText);
  let kept: Words | null = null;
  server.requestShutdown({
    save,
    force,
    now,
    onWaiting: () => {
      kept = words.clone();
      call.isParked = true;
      // Nobody else may end this wait; it is called when the client has gone.
      client.park = { isBlocking: false, unblock: () => server.clients.blockedCount-- };
      server.clients.blockedCount++;
    },
    onRefused: (reason) => {
      if (client.isClosed) return;
      if (kept === null) client.reply.error(reason);
      else server.dispatcher.endParked(client, command, kept, reason);
    },
  });
}
