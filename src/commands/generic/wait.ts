/** WAIT: a client that wants to know that its writes have come to replicas. */

import type { Call } from "../../dispatch/call.ts";
import { ReplyError } from "../../resp/reply_error.ts";
import { readTimeoutMs } from "../timeout.ts";
import { defineCommand } from "../../dispatch/command.ts";

const NOT_ON_REPLICA =
  "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica " +
  "is configured to be writable (which is not the default) writes to replicas are just local and are " +
  "not propagated.";

/**
 * `WAIT numreplicas timeout-ms`. Answers how many replicas have acknowledged everything that this
 * client has written, as soon as there are enough or when the time is over; 0 waits for ever. Within a
 * transaction it does not wait.
 *
 * Errors: on a replica; a count or timeout that is no integer; a timeout that is negative or beyond
 * 64 bits.
 *
 * @see {@link https://redis.io/docs/latest/commands/wait/}
 */
export const wait = defineCommand({
  name: "wait",
  group: "generic",
  since: "3.0.0",
  summary: "Waits until replicas have acknowledged what the connection has written",
  complexity: "O(1)",
  arity: 3,
  acl: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  args: "numreplicas:integer timeout:integer",
  run: runWait,
});

function runWait(call: Call): void {
  const { server, client, reply } = call;
  const { replication, dispatcher } = server;
  if (replication.isReplica) throw new ReplyError(NOT_ON_REPLICA);
  const wanted = call.clampedInteger(1);
  const timeoutMs = readTimeoutMs(call, 2);
  const count = replication.master.acknowledgedCount(client.writeOffset);
  if (count >= wanted || !call.mayPark) reply.integer(count);
  else dispatcher.acknowledgementWaits.park(call, wanted, timeoutMs);
}
