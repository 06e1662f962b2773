/** FAILOVER: the role of master, handed over without losing a write. */

import type { Call } from "../../dispatch/call.ts";
import { defineCommand } from "../../dispatch/command.ts";
import type { FailoverTarget } from "../../replication/failover.ts";
import { ReplyError, SYNTAX_ERROR } from "../../resp/reply_error.ts";

/**
 * `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms]`. A replica, the one named or else whichever has
 * everything first, becomes the master, and we follow it. Answered at once; INFO's `master_failover_state`
 * tells how far it has come, and until it is over writes wait, as in CLIENT PAUSE. With a timeout it is
 * called off when no replica has everything by then, or with FORCE goes on all the same. `FAILOVER ABORT`
 * calls it off; the server is then a master as before.
 *
 * Errors: one is under way already (of ABORT: none is), we are no master, there is no such replica or it is
 * not online, FORCE without a target and a timeout, a timeout below 1.
 *
 * @see {@link https://redis.io/docs/latest/commands/failover/}
 */
export const failover = defineCommand({
  name: "failover",
  group: "server",
  since: "6.2.0",
  summary: "Hands the role of master over to one of the replicas",
  complexity: "O(1)",
  arity: -1,
  flags: ["admin", "noscript", "stale"],
  args: "[TO target:(host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]",
  run: runFailover,
});

function runFailover(call: Call): void {
  const { words, reply, server } = call;
  const { failover } = server.replication;
  if (words.count === 2 && words.is(1, "abort")) {
    if (!failover.abort("Failover manually aborted")) {
      throw new ReplyError("ERR No failover in progress.");
    }
    return reply.ok();
  }
  let target: FailoverTarget | null = null;
  let timeoutMs = 0;
  let isForced = false;
  for (let i = 1; i < words.count; i++) {
    if (words.is(i, "timeout") && i + 1 < words.count && timeoutMs === 0) {
      timeoutMs = call.integer(++i);
      if (timeoutMs <= 0) throw new ReplyError("ERR FAILOVER timeout must be greater than 0");
    } else if (words.is(i, "to") && i + 2 < words.count && target === null) {
      target = { host: words.text(i + 1), port: call.integer(i + 2) };
      i += 2;
    } else if (words.is(i, "force") && !isForced) isForced = true;
    else throw new ReplyError(SYNTAX_ERROR);
  }
  const refusal = failover.begin({ target, timeoutMs, isForced });
  if (refusal !== null) throw new ReplyError(refusal);
  reply.ok();
}
