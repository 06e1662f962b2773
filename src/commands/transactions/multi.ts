/** Transactions: MULTI queues commands (the gates do, see dispatcher.ts), EXEC runs them as one. */

import type { Call } from "../../dispatch/call.ts";
import { CommandQueue } from "../../dispatch/command_queue.ts";
import { EXEC_ABORTED } from "../../resp/reply_error.ts";
import { defineCommand } from "../../dispatch/command.ts";
import { keysToEnd } from "../../dispatch/key_specs.ts";

/**
 * `MULTI`.
 *
 * @see {@link https://redis.io/docs/latest/commands/multi/}
 */
export const multi = defineCommand({
  name: "multi",
  group: "transactions",
  since: "1.2.0",
  summary: "Begins a transaction: the commands that follow are queued",
  complexity: "O(1)",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
  run: runMulti,
});

function runMulti({ client, reply }: Call): void {
  if (client.isInMulti) return reply.error("ERR MULTI calls can not be nested");
  client.beginTransaction();
  reply.ok();
}

/**
 * `EXEC`. Null if a watched key has changed since WATCH; EXECABORT if a command was refused while
 * queuing. An error of one command does not keep the others from running.
 *
 * @see {@link https://redis.io/docs/latest/commands/exec/}
 */
export const exec = defineCommand({
  name: "exec",
  group: "transactions",
  since: "1.2.0",
  summary: "Runs the queued commands as one unit and ends the transaction",
  complexity: "That of the queued commands",
  arity: 1,
  flags: ["noscript", "loading", "stale", "skip_slowlog"],
  run: runExec,
});

function runExec(call: Call): void {
  const { client, reply, server } = call;
  if (!client.isInMulti) return reply.error("ERR EXEC without MULTI");
  if (client.isExecDoomed) {
    client.endTransaction();
    return reply.error(EXEC_ABORTED);
  }
  if (client.hasLostWatch()) {
    client.endTransaction();
    return reply.nullArray();
  }
  const { queue } = client;
  client.queue = null;
  client.endTransaction();
  const unwanted = client.replyMode === "on" ? null : reply.mark();
  reply.array(queue?.count ?? 0);
  if (queue === null) return;
  const { dispatcher, scripts } = server;
  const goOn = () =>
    queue.drain((command, words) => {
      dispatcher.callQueued(client, command, words);
      return scripts.running === null;
    });
  // A script that runs for too long lets others have their turn; what is behind it waits.
  if (goOn()) CommandQueue.give(queue);
  else scripts.suspension.parkTransaction(call, goOn, unwanted);
}

/**
 * `DISCARD`.
 *
 * @see {@link https://redis.io/docs/latest/commands/discard/}
 */
export const discard = defineCommand({
  name: "discard",
  group: "transactions",
  since: "2.0.0",
  summary: "Drops the queued commands and ends the transaction",
  complexity: "O(N), N being the number of queued commands",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
  run: runDiscard,
});

function runDiscard({ client, reply }: Call): void {
  if (!client.isInMulti) return reply.error("ERR DISCARD without MULTI");
  client.endTransaction();
  reply.ok();
}

/**
 * `WATCH key [key ...]`. Holds until EXEC, DISCARD, UNWATCH or the end of the connection.
 *
 * @see {@link https://redis.io/docs/latest/commands/watch/}
 */
export const watch = defineCommand({
  name: "watch",
  group: "transactions",
  since: "2.2.0",
  summary: "Makes the next EXEC depend on these keys staying as they are",
  complexity: "O(1) for each key",
  arity: -2,
  flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
  keys: [keysToEnd("RO")],
  args: "key...",
  run: runWatch,
});

function runWatch({ client, database, words, reply }: Call): void {
  if (client.isInMulti) return reply.error("ERR WATCH inside MULTI is not allowed");
  for (let i = 1; i < words.count; i++) {
    client.watch(database, words.bytes, words.starts[i], words.lengths[i]);
  }
  reply.ok();
}

/**
 * `UNWATCH`.
 *
 * @see {@link https://redis.io/docs/latest/commands/unwatch/}
 */
export const unwatch = defineCommand({
  name: "unwatch",
  group: "transactions",
  since: "2.2.0",
  summary: "Forgets all watched keys",
  complexity: "O(1)",
  arity: 1,
  flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
  run: runUnwatch,
});

function runUnwatch({ client, reply }: Call): void {
  client.unwatchAll();
  reply.ok();
}
